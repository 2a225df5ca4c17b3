# SPDX-License-Identifier: Apache-2.0
"""The codec that changes nothing: stream A is empty, stream B is the raw image, and so every block is stored raw (FORMAT.md section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..values import UNSIGNED, raw_image, raw_words
from .bits import BitReader, BitWriter
from .codec import Codec, Streams

if TYPE_CHECKING:
    from .coding import Coding


def encode_block(values: Sequence[int], coding: Coding) -> Streams:
    """Stream B holds the bytes of the raw image in memory order. Its words are never fewer than the raw words, so the block is raw."""
    import numpy as np

    b = BitWriter()
    for byte in raw_image(np.array(values, UNSIGNED[coding.width]), coding.width).tolist():
        b.write(byte, 8)
    return Streams(BitWriter(), b)


def decode_block(a: BitReader, b: BitReader, count: int, coding: Coding) -> list[int]:
    """A raw block has no coder; an index entry without the raw flag never passes the check of the index (coded words < raw words)."""
    b.read(64 * raw_words(count, coding.width) + 1)
    return [0] * count


CODEC = Codec("raw", 0, (4, 8, 16, 32), encode_block, decode_block)
