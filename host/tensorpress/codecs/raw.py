# SPDX-License-Identifier: Apache-2.0
"""The codec that changes nothing: stream A is empty, stream B is the raw image, and so every block is stored raw (FORMAT.md section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..values import UNSIGNED, raw_image, raw_words, values_from_raw
from .bits import BitReader, BitWriter, image_words
from .codec import Codec, Streams

if TYPE_CHECKING:
    from .coding import Coding


def encode_block(values: Sequence[int], coding: Coding) -> Streams:
    """Stream B holds the bytes of the raw image in memory order. Its words are never fewer than the raw words, so the block is raw."""
    b = BitWriter()
    for byte in raw_image(np.array(values, UNSIGNED[coding.width]), coding.width).tolist():
        b.write(byte, 8)
    return Streams(BitWriter(), b)


def decode_block(a: BitReader, b: BitReader, count: int, coding: Coding) -> list[int]:
    """A raw block has no coder; an index entry without the raw flag never passes the check of the index (coded words < raw words)."""
    b.read(64 * raw_words(count, coding.width) + 1)
    return [0] * count


def fast_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor at once: the payload is the raw image."""
    words = [coding.raw_words_of(block, len(values)) for block in (0, coding.blocks(len(values)) - 1)]
    offset = np.arange(coding.blocks(len(values)), dtype=np.uint64) * np.uint64(words[0])
    index = offset | np.uint64(words[0] << 47 | 1 << 63)
    index[-1] = offset[-1] | np.uint64(words[1] << 47 | 1 << 63)
    return index, image_words(values, coding.width).copy()


def fast_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """Block by block, as the entries may point anywhere in the payload."""
    for block, entry in enumerate(index.tolist()):
        start, values = entry & 0xFFFFFFFF, coding.values_of(block, len(out))
        first = block * coding.block_values
        stored = payload[start : start + raw_words(values, coding.width)]
        out[first : first + values] = values_from_raw(stored.view(np.uint8), values, coding.width)
    return -1


CODEC = Codec("raw", 0, (4, 8, 16, 32), encode_block, decode_block, fast_encode, fast_decode)
