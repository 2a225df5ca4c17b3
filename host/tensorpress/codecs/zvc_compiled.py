# SPDX-License-Identifier: Apache-2.0
# The compiled functions are typed by numba.
# mypy: disable-error-code="no-untyped-call,no-untyped-def"
"""ZVC compiled with numba: the same bytes as the reference in ``zvc``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..values import raw_words
from .bits import image_words
from .compiled import U, load_coded, load_raw, njit, put, store_coded, store_raw

if TYPE_CHECKING:
    from .coding import Coding


@njit
def _encode(values, image, width, zero, block_values, index, payload, a, b):
    mask = (U(1) << U(width)) - U(1)
    offset = 0
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(values) - first)
        a_bits = b_bits = 0
        for start in range(first, first + count, 64):
            stop = min(start + 64, first + count)
            flags = U(0)
            for i in range(start, stop):
                u = (U(values[i]) - zero) & mask
                flags <<= U(1)
                if u:
                    flags |= U(1)
                    b_bits = put(b, b_bits, u, width)
            a_bits = put(a, a_bits, flags, stop - start)
        words = (count * width + 63) >> 6
        if ((a_bits + 63) >> 6) + ((b_bits + 63) >> 6) >= words:
            offset = store_raw(index, payload, block, offset, image, first * width >> 6, words)
        else:
            offset = store_coded(index, payload, block, offset, a, a_bits, b, b_bits)
    return offset


@njit
def _decode(index, payload, out, width, zero, block_values, a, b):
    mask = (U(1) << U(width)) - U(1)
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(out) - first)
        if load_raw(index[block], payload, out, first, count, width):
            continue
        a_bits, b_bits = load_coded(index[block], payload, a, b)
        if count > a_bits:
            return block
        position = 0
        for i in range(count):
            u = U(0)
            if (a[i >> 6] >> U(63 - (i & 63))) & U(1):
                if position + width > b_bits:
                    return block
                u = (b[position >> 6] >> U(64 - width - (position & 63))) & mask
                position += width
            out[first + i] = (u + zero) & mask
    return -1


def _scratch(coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    words = raw_words(coding.block_values, coding.width) + 4
    return np.zeros(words, np.uint64), np.zeros(words, np.uint64)


def encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor."""
    image = image_words(values, coding.width)
    index, payload = np.empty(coding.blocks(len(values)), np.uint64), np.empty(len(image), np.uint64)
    used = _encode(values, image, coding.width, U(coding.zero), coding.block_values, index, payload, *_scratch(coding))
    return index, payload[:used].copy()


def decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor."""
    return int(_decode(index, payload, out, coding.width, U(coding.zero), coding.block_values, *_scratch(coding)))
