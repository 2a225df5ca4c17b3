# SPDX-License-Identifier: Apache-2.0
"""ShapeShifter: groups of values in the width that the largest of them needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .peer import Peer, Sample

GROUP = 16


def bit_lengths(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Bits up to the leading one of unsigned integers below 2^32; 0 for 0."""
    # exact in float64 up to 2^53: frexp gives the exponent
    return np.frexp(values.astype(np.float64))[1].astype(np.uint8)


def group_bits(sample: Sample, *, signed: bool) -> int:
    """Bits of all groups, read as signed (two's complement) or unsigned numbers."""
    width, u = sample.width, sample.shifted
    if signed:  # a number needs the bits of its magnitude, ones' complement if negative, and one for the sign
        negative = (u >> u.dtype.type(width - 1)).astype(bool)
        magnitude = np.where(negative, ~u & u.dtype.type((1 << width) - 1), u)
    else:
        magnitude = u
    filled = -len(u) % GROUP
    there = np.concatenate([u != 0, np.zeros(filled, bool)]).reshape(-1, GROUP)
    # the bits set in a group's magnitudes say what the largest needs
    together = np.bitwise_or.reduce(np.concatenate([magnitude, np.zeros(filled, u.dtype)]).reshape(-1, GROUP), axis=1)
    needed = bit_lengths(together).astype(np.int64) + int(signed)
    count = np.count_nonzero(there, axis=1)
    field = (width - 1).bit_length()
    return int(len(u) + field * len(needed) + np.sum(count * np.maximum(needed, 1)))


def _shapeshifter(sample: Sample) -> float:
    return min(group_bits(sample, signed=True), group_bits(sample, signed=False))


SHAPESHIFTER = Peer(
    "shapeshifter",
    "ShapeShifter",
    "groups of 16 values: a mask of the values other than zero, the bits that the widest needs (log2 W bits), and those values in so many "
    "bits, as signed or unsigned numbers, whichever makes the tensor smaller; zero is the zero point (after Delmas Lascorz et al., "
    "MICRO 2019; the group as in APack's comparison)",
    _shapeshifter,
)
