# SPDX-License-Identifier: Apache-2.0
"""Bit streams of the reference models: most significant bit first, padded with zeros to whole words (FORMAT.md section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..values import raw_image


class BitWriter:
    """A growing bit stream."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, value: int, width: int) -> None:
        """Append the low ``width`` bits of ``value``, most significant first."""
        if width:
            self._parts.append(format(value & ((1 << width) - 1), f"0{width}b"))

    def bits(self) -> str:
        """The stream so far as a string of 0 and 1, without padding."""
        text = "".join(self._parts)
        self._parts = [text]
        return text

    def words(self) -> list[int]:
        """The stream as 64-bit words, first stream bit in bit 63, the last word padded with zeros."""
        return words_of(self.bits())


def words_of(bits: str) -> list[int]:
    """A string of 0 and 1 as 64-bit words, first bit in bit 63, padded with zeros."""
    padded = bits + "0" * (-len(bits) % 64)
    return [int(padded[k : k + 64], 2) for k in range(0, len(padded), 64)]


class BitReader:
    """A bit stream that is read strictly forward. Bits past its end read as zero and set :attr:`missing`."""

    def __init__(self, words: Sequence[int]) -> None:
        self._bits = "".join(format(int(word), "064b") for word in words)
        self._position = 0
        self.missing = False

    def read(self, width: int) -> int:
        """The next ``width`` bits as an unsigned integer."""
        if not width:
            return 0
        taken = self._bits[self._position : self._position + width]
        self._position += width
        if len(taken) < width:
            self.missing = True
            taken += "0" * (width - len(taken))
        return int(taken, 2)


def swap_words(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Stream-order words (first bit in bit 63) to words of little-endian memory, or back."""
    return words.astype(np.uint64).byteswap()


def image_words(values: npt.NDArray[Any], width: int) -> npt.NDArray[np.uint64]:
    """The raw image of a tensor as words; every block starts on a word, as whole blocks have a multiple of 128 bytes."""
    image = raw_image(values, width)
    if len(image) % 8:
        image = np.concatenate([image, np.zeros(-len(image) % 8, np.uint8)])
    return np.frombuffer(image, np.uint64) if image.ctypes.data % 8 == 0 else np.frombuffer(image.tobytes(), np.uint64)
