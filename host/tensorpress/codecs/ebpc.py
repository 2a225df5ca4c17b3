# SPDX-License-Identifier: Apache-2.0
# The compiled functions are typed by numba.
# mypy: disable-error-code="no-untyped-call,no-untyped-def,assignment"
"""EBPC, extended bit-plane compression (FORMAT.md section 4; arXiv 1908.11645), bit-compatible with stream-ebpc inside a block."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..values import raw_words
from .bits import BitReader, BitWriter
from .codec import Codec, Streams
from .jit import HAVE_NUMBA, U, finish, image_words, load_coded, load_raw, njit, peek, store_coded, store_raw

if TYPE_CHECKING:
    from .coding import Coding

GROUP_VALUES = {8: 8, 16: 16}
"""Width of a value -> values in a bit-plane group (n)."""

LONGEST_ZERO_RUN = 16


def encode_block(values: Sequence[int], coding: Coding) -> Streams:
    """A: the zero / non-zero runs. B: the bit planes of the non-zero values, group by group."""
    a, b = BitWriter(), BitWriter()
    shifted = [(value - coding.zero) % (1 << coding.width) for value in values]
    run = 0
    for position, u in enumerate(shifted):
        if u:
            a.write(1, 1)
            continue
        run += 1
        last = position + 1 == len(shifted) or shifted[position + 1] != 0
        if last or run == LONGEST_ZERO_RUN:
            a.write(0, 1)
            a.write(run - 1, 4)
            run = 0
    non_zero = [u for u in shifted if u]
    n = GROUP_VALUES[coding.width]
    for start in range(0, len(non_zero), n):
        group = non_zero[start : start + n]
        _encode_group(b, group + [0] * (n - len(group)), coding)
    return Streams(a, b)


def _encode_group(b: BitWriter, group: list[int], coding: Coding) -> None:
    width, n = coding.width, len(group)
    index_bits, run_bits, ones = (n - 1).bit_length(), (width - 1).bit_length(), (1 << (n - 1)) - 1
    half = 1 << (width - 1)
    numbers = [u - 2 * half if coding.signed and u >= half else u for u in group]
    deltas = [numbers[k + 1] - numbers[k] for k in range(n - 1)]  # width + 1 bits, two's complement
    dbp = [sum((delta >> plane & 1) << (n - 2 - k) for k, delta in enumerate(deltas)) for plane in range(width + 1)]
    dbx = [dbp[0]] + [dbp[plane] ^ dbp[plane - 1] for plane in range(1, width + 1)]

    b.write(group[0], width)
    plane = 0
    while plane <= width:
        x = dbx[plane]
        run = 0
        while plane + run <= width and dbx[plane + run] == 0:
            run += 1
        first = n - 1 - x.bit_length()  # index of the first one, 0 = leftmost
        if run >= 2:
            b.write(0b001, 3)
            b.write(run - 2, run_bits)
        elif run == 1:
            b.write(0b01, 2)
        elif x == ones:
            b.write(0b00000, 5)
        elif dbp[plane] == 0:
            b.write(0b00001, 5)
        elif bin(x).count("1") == 2 and x & (x >> 1):
            b.write(0b00010, 5)
            b.write(first, index_bits)
        elif bin(x).count("1") == 1:
            b.write(0b00011, 5)
            b.write(first, index_bits)
        else:
            b.write(1, 1)
            b.write(x, n - 1)
        plane += max(run, 1)


def decode_block(a: BitReader, b: BitReader, count: int, coding: Coding) -> list[int]:
    """The inverse.

    A run of zeros ends with the block, a run of planes with its group. Values of a group that stream A does not ask for are dropped,
    a value 0 from stream B is taken like any other, and all sums are modulo 2^W.
    """
    values: list[int] = []
    group: list[int] = []
    while len(values) < count:
        if a.read(1):
            if not group:
                group = _decode_group(b, coding)
            values.append((group.pop(0) + coding.zero) % (1 << coding.width))
        else:
            run = a.read(4) + 1
            values += [coding.zero] * min(run, count - len(values))
        if a.missing or b.missing:
            return values + [0] * (count - len(values))
    return values


def _decode_group(b: BitReader, coding: Coding) -> list[int]:
    width, n = coding.width, GROUP_VALUES[coding.width]
    index_bits, run_bits, ones = (n - 1).bit_length(), (width - 1).bit_length(), (1 << (n - 1)) - 1
    leftmost, two_leftmost = 1 << (n - 2), 3 << (n - 3)
    base = b.read(width)
    dbp: list[int] = []
    previous = 0  # DBP of the plane before
    while len(dbp) <= width:
        run = 1
        if b.read(1):
            x = b.read(n - 1)
        elif b.read(1):
            x = 0
        elif b.read(1):
            x = 0
            run = b.read(run_bits) + 2
        else:
            kind = b.read(2)
            if kind == 0:
                x = ones
            elif kind == 1:
                x = previous  # so that DBP becomes 0
            elif kind == 2:
                x = two_leftmost >> b.read(index_bits)  # ones pushed past the last delta are lost
            else:
                x = leftmost >> b.read(index_bits)
        previous ^= x
        dbp += [previous] * min(run, width + 1 - len(dbp))
    group = [base]
    for k in range(n - 1):
        delta = sum((dbp[plane] >> (n - 2 - k) & 1) << plane for plane in range(width + 1))
        group.append((group[-1] + delta) % (1 << width))
    return group


# The same, compiled. Planes are coded and decoded by look-up; for W = 8 a group's planes are the bytes of one 64-bit number.


@functools.cache
def _plane_codes(n: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
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
def _plane_symbols(n: int) -> npt.NDArray[np.uint64]:
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


def _scratch(coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Streams of the longest block: A has at most 5 bits a value; B at most twice the raw bits, and a last group filled up."""
    words = 2 * raw_words(coding.block_values, coding.width) + 16
    return np.zeros(words, np.uint64), np.zeros(words, np.uint64)


def fast_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor, compiled."""
    image = image_words(values, coding.width)
    index, payload = np.empty(coding.blocks(len(values)), np.uint64), np.empty(len(image), np.uint64)
    n, half = GROUP_VALUES[coding.width], U(1 << (coding.width - 1) if coding.signed else 0)
    a, b = _scratch(coding)
    a_halves, b_halves = (np.zeros(2 * len(stream) + 4, np.uint32) for stream in (a, b))
    codes, lengths = _plane_codes(n)
    zero, longest = U(coding.zero), coding.block_values
    used = _encode(values, image, coding.width, n, half, zero, longest, index, payload, a, b, a_halves, b_halves, codes, lengths)
    return index, payload[:used].copy()


def fast_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor, compiled."""
    n = GROUP_VALUES[coding.width]
    return int(_decode(index, payload, out, coding.width, n, U(coding.zero), coding.block_values, *_scratch(coding), _plane_symbols(n)))


CODEC = Codec(
    "ebpc",
    2,
    (8, 16),
    encode_block,
    decode_block,
    fast_encode if HAVE_NUMBA else None,
    fast_decode if HAVE_NUMBA else None,
    uses_zero=True,
    uses_signed=True,
)
