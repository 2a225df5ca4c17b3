# SPDX-License-Identifier: Apache-2.0
"""ZVC, zero-value compression (FORMAT.md section 5; compressing DMA engine, arXiv 1705.01626)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .bits import BitReader, BitWriter
from .codec import Codec, Streams

if TYPE_CHECKING:
    from .coding import Coding


def encode_block(values: Sequence[int], coding: Coding) -> Streams:
    """A: one bit per value, 1 = not zero. B: the values that are not zero, W bits each."""
    a, b = BitWriter(), BitWriter()
    for value in values:
        u = (value - coding.zero) % (1 << coding.width)
        a.write(u != 0, 1)
        if u:
            b.write(u, coding.width)
    return Streams(a, b)


def decode_block(a: BitReader, b: BitReader, count: int, coding: Coding) -> list[int]:
    """The inverse. A zero in stream B is taken as a value like any other."""
    values = []
    for _ in range(count):
        u = b.read(coding.width) if a.read(1) else 0
        values.append((u + coding.zero) % (1 << coding.width))
    return values


CODEC = Codec("zvc", 1, (8, 16, 32), encode_block, decode_block, uses_zero=True)
