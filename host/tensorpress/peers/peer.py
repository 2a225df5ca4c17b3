# SPDX-License-Identifier: Apache-2.0
"""What a peer is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from ..values import raw_image


@dataclass(frozen=True)
class Sample:
    """A tensor as the peers see it.

    Attributes
    ----------
    values : numpy.ndarray, shape (count,)
        Unsigned view, as :func:`tensorpress.values.unsigned_values` gives it.
    width : int
        Bits of a value, W.
    zero : int
        What counts as zero, unsigned view.
    signed : bool
        Whether the values count as signed.
    """

    values: npt.NDArray[Any] = field(repr=False)
    width: int
    zero: int = 0
    signed: bool = False

    @cached_property
    def shifted(self) -> npt.NDArray[Any]:
        """``(v - zero) mod 2^W``, unsigned."""
        if not self.zero:
            return self.values
        moved: npt.NDArray[Any] = self.values - self.values.dtype.type(self.zero)
        return moved & self.values.dtype.type(15) if self.width == 4 else moved

    @cached_property
    def image(self) -> bytes:
        """The raw image (4-bit values: two a byte)."""
        return raw_image(self.values, self.width).tobytes()

    @cached_property
    def planes(self) -> list[npt.NDArray[np.uint8]]:
        """The symbols of byte coders: the bytes of the values, one array for each place (4-bit values: the values)."""
        if self.width == 4:
            return [self.values]
        parts = self.values.view(np.uint8).reshape(len(self.values), -1)
        return [np.ascontiguousarray(parts[:, place]) for place in range(parts.shape[1])]


@dataclass(frozen=True)
class Peer:
    """One method of comparison.

    Attributes
    ----------
    name, title : str
        As in options and files, and as in tables and legends.
    meaning : str
        What is counted, its parameters and their source, in a sentence or two.
    bits : callable
        :class:`Sample` -> bits of the coded tensor, all side information counted.
    widths : tuple of int
        Widths that it takes.
    weights_only : bool
        Made for weights; not meant for activations.
    thorough : bool
        So slow that it runs only when asked for.
    needs : tuple of (module, package), or None
        What must be installed.
    compress, decompress : callable or None
        General-purpose compressors: bytes -> bytes; bytes, size of the result -> bytes.
    """

    name: str
    title: str
    meaning: str
    bits: Callable[[Sample], float]
    widths: tuple[int, ...] = (4, 8, 16, 32)
    weights_only: bool = False
    thorough: bool = False
    needs: tuple[str, str] | None = None
    compress: Callable[[bytes], bytes] | None = None
    decompress: Callable[[bytes, int], bytes] | None = None

    def missing(self) -> str | None:
        """The package that it needs and that is not installed, or None."""
        if self.needs is not None:
            try:
                import_module(self.needs[0])
            except ImportError:
                return self.needs[1]
        return None
