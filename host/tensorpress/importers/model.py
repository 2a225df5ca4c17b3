# SPDX-License-Identifier: Apache-2.0
"""What the readers of model files share: what they return, how tensors are named, what zero points mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorpress.tensors import NamedTensor

_LONGEST_NAME = 48


@dataclass
class Imported:
    """The tensors of a model.

    Attributes
    ----------
    tensors : list of NamedTensor
        Weights, then the activations of each input. The activations of one layer have one name; their ``sample`` tells them apart.
    notes : list of str
        What a reader of the results should know: random inputs, things left out on purpose.
    faults : list of str
        What could not be read though it was asked for; each names the file.
    """

    tensors: list[NamedTensor] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Quantisation:
    """Parameters of a tensor as its file states them.

    Attributes
    ----------
    scales, zero_points : sequence
        One each, or one for each channel; empty when the file states none.
    axis : int
        Of the channels, when there are several.
    """

    scales: Sequence[float] = ()
    zero_points: Sequence[int] = ()
    axis: int = 0

    @property
    def zero_point(self) -> int | None:
        """The zero point, when all channels share it."""
        different = {int(zero) for zero in self.zero_points}
        if not different and len(self.scales):
            return 0  # zero points may be left out where they are 0
        return different.pop() if len(different) == 1 else None

    def channel_axis(self, shape: Sequence[int]) -> int | None:
        """The axis of the channels of a tensor that is quantised by channel, if that fits its shape."""
        return self.axis if len(self.scales) > 1 and self.fault(shape) is None else None

    def fault(self, shape: Sequence[int]) -> str | None:
        """What is wrong with parameters by channel, or None."""
        for what, numbers in (("scales", self.scales), ("zero points", self.zero_points)):
            if len(numbers) > 1 and not (0 <= self.axis < len(shape) and len(numbers) == shape[self.axis]):
                return f"{len(numbers)} {what} on axis {self.axis} do not fit its shape {shape_text(shape)}"
        return None


def shape_text(shape: Sequence[Any]) -> str:
    """(1, None, 8) -> 1x?x8."""
    return "x".join("?" if size is None else str(size) for size in shape) or "scalar"


def tensor_name(kind: str, number: int, name: str) -> str:
    """The name of a tensor here: its kind, its number in the model, and what its own name begins with, in plain characters."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name.split(";")[0]).strip("_")
    if len(plain) > _LONGEST_NAME:
        plain = plain[: _LONGEST_NAME // 2 - 1] + "__" + plain[1 - _LONGEST_NAME // 2 :]
    return f"{kind}/{number:03d}" + (f"_{plain}" if plain else "")


def unpacked_nibbles(packed: np.ndarray, count: int, *, signed: bool) -> np.ndarray:
    """Two 4-bit values a byte, low nibble first, as one (u)int8 each."""
    pairs = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
    if signed:
        return (pairs ^ 8) - 8
    return pairs.astype(np.uint8)


def first_line(error: BaseException) -> str:
    """What an error says first, short enough for a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
