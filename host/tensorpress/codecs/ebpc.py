# SPDX-License-Identifier: Apache-2.0
"""EBPC, extended bit-plane compression (FORMAT.md section 4; arXiv 1908.11645), bit-compatible with stream-ebpc inside a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..values import raw_words
from .bits import BitReader, BitWriter
from .codec import Codec, Streams
from .jit import HAVE_NUMBA, U, image_words, load_coded, load_raw, njit, peek, put, store_coded, store_raw

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


@njit
def _put_group(b, b_bits, group, width, n, half, deltas):  # type: ignore[no-untyped-def]
    """Code ``group[0..n-1]`` (unsigned); ``half`` is 2^(W-1) where values are signed, else 0."""
    index_bits = run_bits = 4 if n == 16 else 3
    ones = (1 << (n - 1)) - 1
    b_bits = put(b, b_bits, U(group[0]), width)
    flip = (half << 1) - 1 if half else -1
    previous_value = (group[0] ^ half) & flip if half else group[0]
    for k in range(n - 1):
        value = (group[k + 1] ^ half) & flip if half else group[k + 1]
        deltas[k] = value - previous_value
        previous_value = value
    run = 0
    before = 0
    for plane in range(width + 1):
        dbp = 0
        for k in range(n - 1):
            dbp = (dbp << 1) | ((deltas[k] >> plane) & 1)
        x = dbp ^ before
        before = dbp
        if x == 0:
            run += 1
            continue
        if run:
            b_bits = _put_run(b, b_bits, run, run_bits)
            run = 0
        low = x & -x
        if x == ones:
            b_bits = put(b, b_bits, U(0), 5)
        elif dbp == 0:
            b_bits = put(b, b_bits, U(1), 5)
        elif x == low or x == 3 * low:
            place = 0
            while not (x >> (n - 2 - place)) & 1:
                place += 1
            kind = 3 if x == low else 2
            b_bits = put(b, b_bits, U((kind << index_bits) | place), 5 + index_bits)
        else:
            b_bits = put(b, b_bits, U((1 << (n - 1)) | x), n)
    if run:
        b_bits = _put_run(b, b_bits, run, run_bits)
    return b_bits


@njit
def _put_run(b, b_bits, run, run_bits):  # type: ignore[no-untyped-def]
    if run == 1:
        return put(b, b_bits, U(1), 2)
    return put(b, b_bits, U((1 << run_bits) | (run - 2)), 3 + run_bits)


@njit
def _encode(values, image, width, n, half, zero, block_values, index, payload, a, b):  # type: ignore[no-untyped-def]
    mask = (1 << width) - 1
    group, deltas = np.zeros(16, np.int64), np.zeros(16, np.int64)
    offset = 0
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(values) - first)
        a_bits = b_bits = run = filled = 0
        for i in range(first, first + count):
            u = (np.int64(values[i]) - zero) & mask
            if u:
                if run:
                    a_bits = put(a, a_bits, U(run - 1), 5)
                    run = 0
                a_bits = put(a, a_bits, U(1), 1)
                group[filled] = u
                filled += 1
                if filled == n:
                    b_bits = _put_group(b, b_bits, group, width, n, half, deltas)
                    filled = 0
            else:
                run += 1
                if run == 16:
                    a_bits = put(a, a_bits, U(15), 5)
                    run = 0
        if run:
            a_bits = put(a, a_bits, U(run - 1), 5)
        if filled:
            for k in range(filled, n):
                group[k] = 0
            b_bits = _put_group(b, b_bits, group, width, n, half, deltas)
        words = (count * width + 63) >> 6
        if ((a_bits + 63) >> 6) + ((b_bits + 63) >> 6) >= words:
            offset = store_raw(index, payload, block, offset, image, first * width >> 6, words)
        else:
            offset = store_coded(index, payload, block, offset, a, a_bits, b, b_bits)
    return offset


@njit
def _get_group(b, position, b_bits, width, n, group, deltas):  # type: ignore[no-untyped-def]
    """Decode one group into ``group[0..n-1]``. Returns the new position, or -1 if bits are missing.

    ``position`` is at most ``b_bits`` at each ``peek``, and ``b`` has two words behind that.
    """
    index_bits = run_bits = 4 if n == 16 else 3
    ones = (1 << (n - 1)) - 1
    base = np.int64(peek(b, position) >> U(64 - width))
    position += width
    for k in range(n - 1):
        deltas[k] = 0
    plane = dbp = 0
    while plane <= width:
        if position > b_bits:
            return -1
        window = np.int64(peek(b, position) >> U(44))  # 20 bits
        run = 1
        if window >> 19:
            dbp ^= (window >> (20 - n)) & ones
            position += n
        elif window >> 18:
            position += 2
        elif window >> 17:
            run = ((window >> (17 - run_bits)) & ((1 << run_bits) - 1)) + 2
            position += 3 + run_bits
        else:
            kind = window >> 15
            position += 5
            if kind == 0:
                dbp ^= ones
            elif kind == 1:
                dbp = 0
            else:
                place = (window >> (15 - index_bits)) & ((1 << index_bits) - 1)
                dbp ^= ((3 << (n - 3)) if kind == 2 else (1 << (n - 2))) >> place
                position += index_bits
        stop = min(plane + run, width + 1)
        if dbp:
            field = (1 << stop) - (1 << plane)  # DBP is the same in all planes of the run
            for k in range(n - 1):
                if (dbp >> (n - 2 - k)) & 1:
                    deltas[k] |= field
        plane = stop
    if position > b_bits:
        return -1
    mask = (1 << width) - 1
    value = base
    group[0] = value
    for k in range(n - 1):
        value = (value + deltas[k]) & mask
        group[k + 1] = value
    return position


@njit
def _decode(index, payload, out, width, n, zero, block_values, a, b):  # type: ignore[no-untyped-def]
    mask = (1 << width) - 1
    group, deltas = np.zeros(16, np.int64), np.zeros(16, np.int64)
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(out) - first)
        if load_raw(index[block], payload, out, first, count, width):
            continue
        a_bits, b_bits = load_coded(index[block], payload, a, b)
        a_position = b_position = 0
        taken = n  # values of the group that are used up
        i = 0
        while i < count:
            if a_position >= a_bits:
                return block
            if (a[a_position >> 6] >> U(63 - (a_position & 63))) & U(1):
                a_position += 1
                if taken == n:
                    b_position = _get_group(b, b_position, b_bits, width, n, group, deltas)
                    if b_position < 0:
                        return block
                    taken = 0
                out[first + i] = (group[taken] + zero) & mask
                taken += 1
                i += 1
            else:
                if a_position + 5 > a_bits:
                    return block
                stop = min(i + 1 + np.int64(peek(a, a_position) >> U(59)), count)
                a_position += 5
                while i < stop:
                    out[first + i] = zero
                    i += 1
    return -1


def _scratch(coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Streams of the longest block: A has at most 5 bits a value; B at most twice the raw bits, and a last group filled up."""
    words = 2 * raw_words(coding.block_values, coding.width) + 16
    return np.zeros(words, np.uint64), np.zeros(words, np.uint64)


def fast_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor, compiled."""
    image = image_words(values, coding.width)
    index, payload = np.empty(coding.blocks(len(values)), np.uint64), np.empty(len(image), np.uint64)
    n, half = GROUP_VALUES[coding.width], 1 << (coding.width - 1) if coding.signed else 0
    used = _encode(values, image, coding.width, n, half, coding.zero, coding.block_values, index, payload, *_scratch(coding))
    return index, payload[:used].copy()


def fast_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor, compiled."""
    n = GROUP_VALUES[coding.width]
    return int(_decode(index, payload, out, coding.width, n, coding.zero, coding.block_values, *_scratch(coding)))


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
