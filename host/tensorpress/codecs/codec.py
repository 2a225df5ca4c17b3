# SPDX-License-Identifier: Apache-2.0
"""What a codec has to offer. A new codec is one module with a ``CODEC`` of this type and one line in ``registry.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .bits import BitReader, BitWriter

if TYPE_CHECKING:
    from .coding import Coding


@dataclass
class Streams:
    """The two bit streams of one block; ``limit`` tells that a coder limit was hit, so that the block is stored raw."""

    a: BitWriter
    b: BitWriter
    limit: bool = False


FastEncode = Callable[[npt.NDArray[Any], "Coding"], "tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]"]
FastDecode = Callable[[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[Any], "Coding"], int]


@dataclass(frozen=True)
class Codec:
    """One codec.

    Attributes
    ----------
    name, number : str, int
        As in the container, and as in the register JOB_CONFIG.CODEC.
    widths : tuple of int
        Widths of a value, in bits, that the format defines for this codec.
    encode_block : callable
        Reference: unsigned values of one block, coding -> :class:`Streams`.
    decode_block : callable
        Reference: reader of stream A, reader of stream B, number of values, coding -> unsigned values.
        Missing bits are noted by the readers.
    fast_encode : callable or None
        Whole tensor: unsigned values, coding -> (index, payload), the same bytes as the reference. None: the reference is used.
    fast_decode : callable or None
        Whole tensor: checked index, payload, output array, coding -> number of the first corrupt block, or -1.
    uses_zero, uses_signed, uses_table : bool
        Which parameters of a coding mean something to this codec.
    """

    name: str
    number: int
    widths: tuple[int, ...]
    encode_block: Callable[[Sequence[int], Coding], Streams]
    decode_block: Callable[[BitReader, BitReader, int, Coding], list[int]]
    fast_encode: FastEncode | None = None
    fast_decode: FastDecode | None = None
    uses_zero: bool = False
    uses_signed: bool = False
    uses_table: bool = False
