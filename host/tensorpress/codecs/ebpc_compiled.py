# SPDX-License-Identifier: Apache-2.0
# The compiled functions are typed by numba.
# mypy: disable-error-code="no-untyped-call,no-untyped-def,assignment"
"""EBPC compiled with numba: the same bytes as the reference in ``ebpc``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..values import raw_words
from .bits import image_words
from .compiled import U, finish, load_coded, load_raw, njit, peek, store_coded, store_raw, swap
from .ebpc_tables import FLAG_WINDOW, GROUP_VALUES, flag_symbols, plane_codes, plane_symbols

if TYPE_CHECKING:
    from .coding import Coding

# Planes are coded and decoded by look-up; for W = 8 a group's planes are the bytes of one 64-bit number.


@njit
def _transpose(x):
    """Bit i of byte j becomes bit j of byte i."""
    t = (x ^ (x >> U(7))) & U(0x00AA00AA00AA00AA)
    x ^= t ^ (t << U(7))
    t = (x ^ (x >> U(14))) & U(0x0000CCCC0000CCCC)
    x ^= t ^ (t << U(14))
    t = (x ^ (x >> U(28))) & U(0x00000000F0F0F0F0)
    return x ^ t ^ (t << U(28))


@njit
def _put_group(halves, held, held_bits, used, group, width, n, half, planes, codes, lengths):
    """Code ``group[0..n-1]`` (unsigned); ``half`` is 2^(W-1) where values are signed, else 0. Returns the new state of the stream.

    The stream is ``used`` whole halves of words, and ``held_bits`` (below 32) in ``held``.
    """
    run_bits = U(4 if n == 16 else 3)
    held = (held << U(width)) | group[0]
    held_bits += U(width)
    # As signed numbers are compared modulo 2^W, only the sign of a difference depends on how values are read.
    if n == 8:
        packed, signs = U(0), U(0)
        for k in range(7):
            left, right = group[k] ^ half, group[k + 1] ^ half
            packed = (packed << U(8)) | ((right - left) & U(255))
            signs = (signs << U(1)) | U(right < left)
        packed = _transpose(packed)
        for plane in range(8):
            planes[plane] = (packed >> U(8 * plane)) & U(127)
        planes[8] = signs
    else:
        for plane in range(width + 1):
            planes[plane] = U(0)
        for k in range(n - 1):
            delta = (group[k + 1] ^ half) - (group[k] ^ half)  # its bit W is the sign, as it is below 2^W in size
            for plane in range(width + 1):
                planes[plane] = (planes[plane] << U(1)) | ((delta >> U(plane)) & U(1))
    run = U(0)
    before = U(0)
    for plane in range(width + 1):
        dbp = planes[plane]
        x = dbp ^ before
        before = dbp
        if x == U(0):
            run += U(1)
            continue
        if run == U(1):
            held = (held << U(2)) | U(1)
            held_bits += U(2)
        elif run:
            held = (held << (U(3) + run_bits)) | (U(1) << run_bits) | (run - U(2))
            held_bits += U(3) + run_bits
        run = U(0)
        halves[used] = held >> ((held_bits - U(32)) & U(63))
        full = held_bits >> U(5)
        used += full
        held_bits &= U(31)
        place = x | (U(dbp == U(0)) << U(n - 1))
        held = (held << U(lengths[place])) | U(codes[place])
        held_bits += U(lengths[place])
        halves[used] = held >> ((held_bits - U(32)) & U(63))
        full = held_bits >> U(5)
        used += full
        held_bits &= U(31)
    if run == U(1):
        held = (held << U(2)) | U(1)
        held_bits += U(2)
    elif run:
        held = (held << (U(3) + run_bits)) | (U(1) << run_bits) | (run - U(2))
        held_bits += U(3) + run_bits
    halves[used] = held >> ((held_bits - U(32)) & U(63))
    full = held_bits >> U(5)
    return held, held_bits & U(31), used + full


@njit
def _encode(values, image, width, n, half, zero, block_values, index, payload, a, b, a_halves, b_halves, codes, lengths):
    mask = (U(1) << U(width)) - U(1)
    group, planes = np.zeros(16, np.uint64), np.zeros(17, np.uint64)
    size = U(n)
    offset = 0
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(values) - first)
        a_held, a_held_bits, a_used = U(0), U(0), U(0)
        b_held, b_held_bits, b_used = U(0), U(0), U(0)
        run, filled = U(0), U(0)
        for i in range(U(first), U(first + count)):
            u = (U(values[i]) - zero) & mask
            if u == U(0):
                run += U(1)
                if run < U(16):
                    continue
            if run:
                a_held = (a_held << U(5)) | (run - U(1))
                a_held_bits += U(5)
                run = U(0)
            if u:
                a_held = (a_held << U(1)) | U(1)
                a_held_bits += U(1)
                group[filled] = u
                filled += U(1)
                if filled == size:
                    b_held, b_held_bits, b_used = _put_group(
                        b_halves, b_held, b_held_bits, b_used, group, width, n, half, planes, codes, lengths
                    )
                    filled = U(0)
            a_halves[a_used] = a_held >> ((a_held_bits - U(32)) & U(63))
            a_used += a_held_bits >> U(5)
            a_held_bits &= U(31)
        if run:
            a_held = (a_held << U(5)) | (run - U(1))
            a_held_bits += U(5)
            a_halves[a_used] = a_held >> ((a_held_bits - U(32)) & U(63))
            a_used += a_held_bits >> U(5)
            a_held_bits &= U(31)
        if filled:
            while filled < size:
                group[filled] = U(0)
                filled += U(1)
            b_held, b_held_bits, b_used = _put_group(b_halves, b_held, b_held_bits, b_used, group, width, n, half, planes, codes, lengths)
        words = (count * width + 63) >> 6
        a_bits, b_bits = np.int64(U(32) * a_used + a_held_bits), np.int64(U(32) * b_used + b_held_bits)
        if ((a_bits + 63) >> 6) + ((b_bits + 63) >> 6) >= words:
            offset = store_raw(index, payload, block, offset, image, first * width >> 6, words)
        else:
            finish(a_halves, np.int64(a_used), a_held, np.int64(a_held_bits), a)
            finish(b_halves, np.int64(b_used), b_held, np.int64(b_held_bits), b)
            offset = store_coded(index, payload, block, offset, a, a_bits, b, b_bits)
    return offset


@njit
def _get_group(b, position, width, n, group, planes, symbols):
    """Decode one group into ``group[0..n-1]``. Returns the new position, at most 288 bits further; the caller checks that it is held."""
    group[0] = peek(b, position) >> U(64 - width)
    position += U(width)
    shift = U(64 - n)
    mask = (U(1) << U(width)) - U(1)
    plane, dbp, packed, levels = U(0), U(0), U(0), U(width + 1)
    while plane < levels:
        symbol = U(symbols[peek(b, position) >> shift])
        dbp = (dbp * (U(1) - (symbol >> U(26)))) ^ (symbol & U(0xFFFF))
        run = (symbol >> U(16)) & U(31)
        position += (symbol >> U(21)) & U(31)
        stop = min(plane + run, levels)
        if n == 8:
            # DBP into the bytes from this plane on; later planes write over what is too much
            if plane < U(8):
                packed = (packed & ((U(1) << (U(8) * plane)) - U(1))) | ((dbp * U(0x0101010101010101)) << (U(8) * plane))
        else:
            for k in range(plane, stop):
                planes[k] = dbp
        plane = stop
    value = group[0]
    if n == 8:
        packed = _transpose(packed)
        for k in range(7):
            value = (value + (packed >> U(48 - 8 * k))) & mask
            group[k + 1] = value
    else:
        for k in range(n - 1):
            delta = U(0)
            for level in range(width):
                delta |= ((planes[level] >> U(n - 2 - k)) & U(1)) << U(level)
            value = (value + delta) & mask
            group[k + 1] = value
    return position


@njit
def _decode(index, payload, out, width, n, zero, block_values, a, b, symbols):
    """``a`` and ``b`` are longer than the longest streams by more than a value, or a group, takes."""
    mask = (U(1) << U(width)) - U(1)
    group, planes = np.zeros(16, np.uint64), np.zeros(17, np.uint64)
    size = U(n)
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(out) - first)
        if load_raw(index[block], payload, out, first, count, width):
            continue
        a_length, b_length = load_coded(index[block], payload, a, b)
        a_bits, b_bits = U(a_length), U(b_length)
        a_position, b_position = U(0), U(0)
        taken = size  # values of the group that are used up
        i, end = U(first), U(first + count)
        while i < end:
            window = peek(a, a_position)
            if window >> U(63):
                a_position += U(1)
                if taken == size:
                    b_position = _get_group(b, b_position, width, n, group, planes, symbols)
                    if b_position > b_bits:
                        return block
                    taken = U(0)
                out[i] = (group[taken] + zero) & mask
                taken += U(1)
                i += U(1)
            else:
                a_position += U(5)
                stop = min(i + U(1) + (window >> U(59)), end)
                while i < stop:
                    out[i] = zero
                    i += U(1)
            if a_position > a_bits:
                return block
    return -1


# W = 8: whole words at once. A word of the raw image has its first value in its lowest byte.

_HIGHS = U(0x8080808080808080)
_LOWS = U(0x7F7F7F7F7F7F7F7F)
_ONES = U(0x0101010101010101)
_FIRST_ON_TOP = U(0x8040201008040201)
"""Times a word with bytes 0 or 1: the top byte has the lowest byte's bit on top."""
_FIRST_BELOW = U(0x0102040810204080)
"""Likewise, the lowest byte's bit in the lowest place."""


@functools.cache
def _flag_codes() -> npt.NDArray[np.uint64]:
    """Stream A of 8 values by (zeros not coded yet, 0..15) * 256 + (flags, first value on top, 1 = not zero).

    Bits 31:0 = code, 39:32 = its length, 47:40 = zeros not coded yet.
    """
    run, flags = (numbers.ravel() for numbers in np.divmod(np.arange(4096), 256))
    code, length = np.zeros(4096, np.int64), np.zeros(4096, np.int64)

    def put_run(where: npt.NDArray[np.bool_]) -> None:
        nonlocal code, length, run
        code = np.where(where, code << 5 | run - 1, code)
        length = length + 5 * where
        run = np.where(where, 0, run)

    for place in range(7, -1, -1):
        one = flags >> place & 1
        put_run((one == 1) & (run > 0))
        code, length = code << one | one, length + one
        run = run + (1 - one)
        put_run(run == 16)
    return (code | length << 32 | run << 40).astype(np.uint64)


@functools.cache
def _plane_runs() -> npt.NDArray[np.uint64]:
    """By 9 bits, bit b = DBX of plane b is not zero: 4 bits a plane: 0, or the length of the run that starts here, or 10 inside a run."""
    marks = np.zeros(512, np.uint64)
    for flags in range(512):
        plane, word = 0, 0
        while plane < 9:
            run = 0
            while plane + run < 9 and not flags >> (plane + run) & 1:
                word |= (10 if run else 0) << 4 * (plane + run)
                run += 1
            word |= run << 4 * plane
            plane += max(run, 1)
        marks[flags] = word
    return marks


@functools.cache
def _mark_codes() -> npt.NDArray[np.uint32]:
    """Code (bits 15:0) and length of a plane by mark * 256 + (DBP = 0) * 128 + DBX."""
    codes, lengths = plane_codes(8)
    table = np.zeros((16, 256), np.uint32)
    table[0] = codes | lengths.astype(np.uint32) << 16
    table[1] = 0b01 | 2 << 16
    for run in range(2, 10):
        table[run] = 0b001 << 3 | run - 2 | 6 << 16
    return table.reshape(-1)


@njit
def _add_bytes(x, y):
    return ((x & _LOWS) + (y & _LOWS)) ^ ((x ^ y) & _HIGHS)


@njit
def _subtract_bytes(x, y):
    return ((x | _HIGHS) - (y & _LOWS)) ^ (~(x ^ y) & _HIGHS)


@njit
def _encode_bytes(image, count_all, zero, signs, block_values, index, payload, a, b, a_halves, b_halves, there, groups, tables):
    """``there`` holds the values of a block that are not zero, and is ``groups`` as bytes; both have 16 bytes more than a block."""
    flag_codes, runs, codes = tables
    zeros = zero * _ONES
    offset = 0
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, count_all - first)
        start = U(first >> 3)
        held, held_bits, used = U(0), U(0), U(0)
        run, number = U(0), U(0)
        for k in range(U(count >> 3)):
            u = _subtract_bytes(image[start + k], zeros)
            flags = (((u & _LOWS) + _LOWS) | u) & _HIGHS
            code = flag_codes[(run << U(8)) | (((flags >> U(7)) * _FIRST_ON_TOP) >> U(56))]
            length = (code >> U(32)) & U(255)
            run = code >> U(40)
            held = (held << length) | (code & U(0xFFFFFFFF))
            held_bits += length
            a_halves[used] = held >> ((held_bits - U(32)) & U(63))
            used += held_bits >> U(5)
            held_bits &= U(31)
            if flags:
                for j in range(8):
                    there[number] = u >> U(8 * j)
                    number += (flags >> U(8 * j + 7)) & U(1)
        rest = U(count & 7)
        if rest:
            u = _subtract_bytes(image[start + U(count >> 3)], zeros)
            for j in range(rest):
                value = (u >> (U(8) * j)) & U(255)
                if value == U(0):
                    run += U(1)
                if run and (value or run == U(16)):
                    held = (held << U(5)) | (run - U(1))
                    held_bits += U(5)
                    run = U(0)
                if value:
                    held = (held << U(1)) | U(1)
                    held_bits += U(1)
                    there[number] = value
                    number += U(1)
                a_halves[used] = held >> ((held_bits - U(32)) & U(63))
                used += held_bits >> U(5)
                held_bits &= U(31)
        if run:
            held = (held << U(5)) | (run - U(1))
            held_bits += U(5)
            a_halves[used] = held >> ((held_bits - U(32)) & U(63))
            used += held_bits >> U(5)
            held_bits &= U(31)
        a_held, a_held_bits, a_used = held, held_bits, used
        for j in range(7):
            there[number + U(j)] = 0

        held, held_bits, used = U(0), U(0), U(0)
        for k in range((number + U(7)) >> U(3)):
            values = swap(groups[k])  # the first value on top
            right = values ^ signs
            left = right >> U(8)
            delta = _subtract_bytes(right, left)
            below = ((~right & left) | (~(right ^ left) & delta)) & (_HIGHS >> U(8))
            planes = _transpose(delta & U(0x00FFFFFFFFFFFFFF))
            sign = ((below >> U(7)) * _FIRST_BELOW) >> U(56)
            x = planes ^ (planes << U(8))
            last = sign ^ (planes >> U(56))
            filled = (((x + _LOWS) & _HIGHS) >> U(7)) * _FIRST_BELOW >> U(56)
            marks = runs[filled | (U(last != U(0)) << U(8))]
            x |= ~(planes + _LOWS) & _HIGHS
            last |= U(sign == U(0)) << U(7)
            held = (held << U(8)) | (values >> U(56))
            held_bits += U(8)
            for third in range(3):  # at most 32 bits each
                for j in range(3):
                    plane = U(3 * third + j)
                    what = (x >> (U(8) * plane)) & U(255) if plane < U(8) else last
                    code = U(codes[(((marks >> (U(4) * plane)) & U(15)) << U(8)) | what])
                    length = code >> U(16)
                    held = (held << length) | (code & U(0xFFFF))
                    held_bits += length
                b_halves[used] = held >> ((held_bits - U(32)) & U(63))
                used += held_bits >> U(5)
                held_bits &= U(31)
        words = (count * 8 + 63) >> 6
        a_bits, b_bits = np.int64(U(32) * a_used + a_held_bits), np.int64(U(32) * used + held_bits)
        if ((a_bits + 63) >> 6) + ((b_bits + 63) >> 6) >= words:
            offset = store_raw(index, payload, block, offset, image, first >> 3, words)
        else:
            finish(a_halves, np.int64(a_used), a_held, np.int64(a_held_bits), a)
            finish(b_halves, np.int64(used), held, np.int64(held_bits), b)
            offset = store_coded(index, payload, block, offset, a, a_bits, b, b_bits)
    return offset


@njit
def _decode_bytes(index, payload, out, zero, block_values, a, b, flag_halves, there, groups, tables):
    """``a`` and ``b`` are longer than the longest streams by more than a value, or a group, takes."""
    symbols, planes_of = tables
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(out) - first)
        if load_raw(index[block], payload, out, first, count, 8):
            continue
        a_length, b_length = load_coded(index[block], payload, a, b)
        # Stream A as flags, 32 in a half of a word, the first one on top
        position, made, ones, values = U(0), U(0), U(0), U(count)
        held, held_bits, used = U(0), U(0), U(0)
        while made + U(32) <= values:
            symbol = symbols[peek(a, position) >> U(64 - FLAG_WINDOW)]
            number = (symbol >> U(32)) & U(255)
            held = (held << number) | (symbol & U(0xFFFFFFFF))
            made += number
            position += (symbol >> U(40)) & U(255)
            ones += symbol >> U(48)
            held_bits += number
            flag_halves[used] = held >> ((held_bits - U(32)) & U(63))
            used += held_bits >> U(5)
            held_bits &= U(31)
        while made < values:
            window = peek(a, position)
            one = window >> U(63)
            number = U(1) if one else min(((window >> U(59)) & U(15)) + U(1), values - made)
            held = (held << number) | one
            made += number
            position += U(1) if one else U(5)
            ones += one
            held_bits += number
            flag_halves[used] = held >> ((held_bits - U(32)) & U(63))
            used += held_bits >> U(5)
            held_bits &= U(31)
        flag_halves[used] = held << (U(32) - held_bits)
        if position > U(a_length):
            return block
        # Stream B as values that are not zero
        position = U(0)
        for k in range((ones + U(7)) >> U(3)):
            window = peek(b, position)
            base = window >> U(56)
            window <<= U(8)
            position += U(8)
            plane, dbp, packed, spent = U(0), U(0), U(0), U(8)
            while plane < U(9):
                symbol = planes_of[window >> U(56)]
                bits = (symbol >> U(21)) & U(31)
                dbp = (dbp * (U(1) - (symbol >> U(26)))) ^ (symbol & U(0xFFFF))
                if plane < U(8):  # DBP into the bytes from this plane on; later planes write over what is too much
                    packed = (packed & ((U(1) << (U(8) * plane)) - U(1))) | ((dbp * _ONES) << (U(8) * plane))
                plane += (symbol >> U(16)) & U(31)
                window <<= bits
                position += bits
                spent += bits
                if spent > U(56):
                    window = peek(b, position)
                    spent = U(0)
            if position > U(b_length):
                return block
            total = swap(_transpose(packed) & U(0x00FFFFFFFFFFFFFF)) | base
            total = _add_bytes(total, total << U(8))
            total = _add_bytes(total, total << U(16))
            groups[k] = _add_bytes(total, total << U(32))
        # Both together
        taken, place = U(0), U(first)
        for k in range(U(count >> 3)):
            flags = (U(flag_halves[k >> U(2)]) >> (U(24) - U(8) * (k & U(3)))) & U(255)
            if flags == U(0):
                for j in range(U(8)):
                    out[place + j] = zero
            else:
                for j in range(U(8)):
                    one = (flags >> (U(7) - j)) & U(1)
                    out[place + j] = U(there[taken]) * one + zero
                    taken += one
            place += U(8)
        for j in range(U(count & 7)):
            k = U(count >> 3)
            one = (U(flag_halves[k >> U(2)]) >> (U(31) - U(8) * (k & U(3)) - j)) & U(1)
            out[place + j] = U(there[taken]) * one + zero
            taken += one
    return -1


def _scratch(coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Streams of the longest block: A has at most 5 bits a value; B at most twice the raw bits, and a last group filled up."""
    words = 2 * raw_words(coding.block_values, coding.width) + 16
    return np.zeros(words, np.uint64), np.zeros(words, np.uint64)


def encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor, compiled."""
    image = image_words(values, coding.width)
    index, payload = np.empty(coding.blocks(len(values)), np.uint64), np.empty(len(image), np.uint64)
    n, half = GROUP_VALUES[coding.width], U(1 << (coding.width - 1) if coding.signed else 0)
    a, b = _scratch(coding)
    a_halves, b_halves = (np.zeros(2 * len(stream) + 4, np.uint32) for stream in (a, b))
    if coding.width == 8:
        groups, tables = np.empty(coding.block_values // 8 + 2, np.uint64), (_flag_codes(), _plane_runs(), _mark_codes())
        signs = U(0x8080808080808080 if coding.signed else 0)
        where = (index, payload, a, b, a_halves, b_halves, groups.view(np.uint8), groups, tables)
        used = _encode_bytes(image, len(values), U(coding.zero), signs, coding.block_values, *where)
        return index, payload[:used].copy()
    codes, lengths = plane_codes(n)
    zero, longest = U(coding.zero), coding.block_values
    used = _encode(values, image, coding.width, n, half, zero, longest, index, payload, a, b, a_halves, b_halves, codes, lengths)
    return index, payload[:used].copy()


def decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor, compiled."""
    n = GROUP_VALUES[coding.width]
    if coding.width == 8:
        halves, groups = np.empty(coding.block_values // 32 + 4, np.uint32), np.empty(coding.block_values // 8 + 2, np.uint64)
        a, b = _scratch(coding)
        tables = (flag_symbols(), plane_symbols(8))
        where = (a, b, halves, groups.view(np.uint8), groups, tables)
        return int(_decode_bytes(index, payload, out, U(coding.zero), coding.block_values, *where))
    return int(_decode(index, payload, out, coding.width, n, U(coding.zero), coding.block_values, *_scratch(coding), plane_symbols(n)))
