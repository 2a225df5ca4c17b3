# SPDX-License-Identifier: Apache-2.0
"""Look-up tables of the fast EBPC coders (FORMAT.md section 4)."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

GROUP_VALUES = {8: 8, 16: 16}
"""Width of a value -> values in a bit-plane group (n)."""

FLAG_WINDOW = 10
"""Bits of stream A that are looked up at once."""


@functools.cache
def plane_codes(n: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Code and its length of a plane by DBX; the second half of the arrays is for DBP = 0. A zero DBX is not coded here."""
    size = 1 << (n - 1)
    index_bits = (n - 1).bit_length()
    x = np.arange(size, dtype=np.uint32)
    codes, lengths = x | np.uint32(size), np.full(size, n, np.uint8)
    for place in range(n - 1):
        codes[(size >> 1) >> place], lengths[(size >> 1) >> place] = 0b00011 << index_bits | place, 5 + index_bits
    for place in range(n - 2):
        codes[(3 * size >> 2) >> place], lengths[(3 * size >> 2) >> place] = 0b00010 << index_bits | place, 5 + index_bits
    codes, lengths = np.concatenate([codes, np.ones(size, np.uint32)]), np.concatenate([lengths, np.full(size, 5, np.uint8)])
    for all_ones in (size - 1, 2 * size - 1):
        codes[all_ones], lengths[all_ones] = 0, 5
    return codes, lengths


@functools.cache
def plane_symbols(n: int) -> npt.NDArray[np.uint64]:
    """What the next n bits of stream B say: bits 15:0 = DBX, 20:16 = planes, 25:21 = bits used, 26 = DBP becomes 0."""
    size, index_bits = 1 << n, (n - 1).bit_length()
    symbols = np.zeros(size, np.uint64)
    for window in range(size):
        x, planes, clear = 0, 1, 0
        if window >> (n - 1):
            x, used = window & (size // 2 - 1), n
        elif window >> (n - 2):
            used = 2
        elif window >> (n - 3):
            planes, used = (window >> (n - 3 - index_bits) & (n - 1)) + 2, 3 + index_bits
        else:
            kind, used, place = window >> (n - 5), 5, window >> (n - 5 - index_bits) & (n - 1)
            if kind == 0:
                x = size // 2 - 1
            elif kind == 1:
                clear = 1
            else:
                x, used = ((3 << (n - 3)) if kind == 2 else (1 << (n - 2))) >> place, 5 + index_bits
        symbols[window] = x | planes << 16 | used << 21 | clear << 26
    return symbols


@functools.cache
def flag_symbols() -> npt.NDArray[np.uint64]:
    """What the next 10 bits of stream A say: bits 31:0 = flags, 39:32 = their number, 47:40 = bits used, 55:48 = ones in the flags."""
    symbols = np.zeros(1 << FLAG_WINDOW, np.uint64)
    for window in range(1 << FLAG_WINDOW):
        left, flags, number, ones = FLAG_WINDOW, 0, 0, 0
        while left:
            if window >> (left - 1) & 1:
                flags, number, ones, left = flags << 1 | 1, number + 1, ones + 1, left - 1
            elif left >= 5:
                run = (window >> (left - 5) & 15) + 1
                flags, number, left = flags << run, number + run, left - 5
            else:
                break
        symbols[window] = flags | number << 32 | (FLAG_WINDOW - left) << 40 | ones << 48
    return symbols
