# SPDX-License-Identifier: Apache-2.0
"""EBPC for machines without numba: many groups side by side as numpy arrays (FORMAT.md section 4, the same bytes)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..values import raw_words, values_from_raw
from .bits import image_words
from .ebpc_tables import FLAG_WINDOW, GROUP_VALUES, flag_symbols, plane_codes, plane_symbols

if TYPE_CHECKING:
    from .coding import Coding

Array = npt.NDArray[Any]

_VALUES_AT_ONCE = 1 << 17
_JUMP_WINDOW = 12
"""Bits of stream B that are looked up at once on the way to the next group."""
_STEPS = 8
"""Steps along the streams from one look whether they are at their ends to the next."""
_LONGEST_STEP = 64
"""Bits, more than a step takes: 12 looked up, 15 behind them, 16 of a base."""


def _pack(codes: Array, lengths: Array, streams: Array, count: int) -> tuple[Array, Array]:
    """Codes one after another, each stream from a new word on.

    Parameters
    ----------
    codes, lengths, streams : shape (codes,)
        Code, its length (0..17 bits), and the number of its stream, not falling.
    count : int
        Number of streams.

    Returns
    -------
    words : numpy.ndarray of uint64
        In stream order, first bit in bit 63.
    starts : numpy.ndarray of int64, shape (count + 1,)
        Where each stream starts, in words, and the end of the last one.
    """
    filled = lengths > 0
    codes, lengths, streams = codes[filled].astype(np.uint64), lengths[filled].astype(np.int64), streams[filled]
    bits = np.bincount(streams, lengths, count).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum((bits + 63) >> 6)])
    words = np.zeros(int(starts[-1]) + 1, np.uint64)
    if len(codes):
        before = np.concatenate([[0], np.cumsum(bits)])[:-1]  # bits of earlier streams
        position = np.cumsum(lengths) - lengths + (64 * starts[:-1] - before)[streams]
        word, over = position >> 6, (position & 63) + lengths - 64
        inside = np.where(over > 0, codes >> np.maximum(over, 0).astype(np.uint64), codes << np.maximum(-over, 0).astype(np.uint64))
        firsts = np.flatnonzero(np.concatenate([[True], word[1:] != word[:-1]]))
        words[word[firsts]] = np.add.reduceat(inside, firsts)
        across = np.flatnonzero(over > 0)
        words[word[across] + 1] += codes[across] << (64 - over[across]).astype(np.uint64)
    return words[:-1], starts


def _flag_tokens(there: Array) -> tuple[Array, Array]:
    """Code and length of each value in stream A; ``there``, shape (blocks, values), says that it is not zero."""
    blocks, count = there.shape
    place = np.arange(count)
    last_one = np.maximum.accumulate(np.where(there, place, -1), axis=1)
    run = (place - last_one - 1) & 15  # of the zeros before in the same code
    ends = np.ones((blocks, count), bool)
    ends[:, :-1] = there[:, 1:]
    zero_ends = ~there & (ends | (run == 15))
    return np.where(there, 1, run), there + 5 * zero_ends


def group_tokens(groups: Array, width: int, signed: bool) -> tuple[Array, Array]:
    """Codes and lengths of groups, shape (groups, n), of unsigned values: shape (groups, width + 2), the base first."""
    n = groups.shape[1]
    index_size, run_bits = 1 << (n - 1), (width - 1).bit_length()
    numbers = groups.astype(np.int32)
    if signed:
        numbers -= (numbers >> (width - 1)) << width
    deltas = np.diff(numbers, axis=1)
    dbp = np.zeros((len(groups), width + 1), np.int32)
    levels = np.arange(width + 1, dtype=np.int32)
    for k in range(n - 1):
        dbp = dbp << 1 | (deltas[:, k, None] >> levels & 1)
    dbx = dbp.copy()
    dbx[:, 1:] ^= dbp[:, :-1]
    table, table_lengths = plane_codes(n)
    place = dbx + index_size * (dbp == 0)
    codes, lengths = table[place].astype(np.int32), table_lengths[place].astype(np.int8)
    empty = dbx == 0
    run = np.zeros((len(groups), width + 2), np.int32)  # zero planes from here on
    for plane in range(width, -1, -1):
        run[:, plane] = (run[:, plane + 1] + 1) * empty[:, plane]
    starts = empty.copy()
    starts[:, 1:] &= ~empty[:, :-1]
    run = run[:, :-1]
    codes = np.where(empty, np.where(run == 1, 1, 1 << run_bits | (run - 2)), codes)
    lengths = np.where(empty, np.where(run == 1, 2, 3 + run_bits) * starts, lengths)
    base = np.full((len(groups), 1), width, lengths.dtype)
    return np.concatenate([groups[:, :1].astype(codes.dtype), codes], axis=1), np.concatenate([base, lengths], axis=1)


def encode(values: Array, coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor."""
    size, width, n = coding.block_values, coding.width, GROUP_VALUES[coding.width]
    image, offset = image_words(values, width), 0
    shifted = values - values.dtype.type(coding.zero)
    whole, at_once = len(values) // size, max(1, _VALUES_AT_ONCE // size)
    parts = [(first, min(first + at_once, whole), size) for first in range(0, whole, at_once)]
    if len(values) % size:
        parts.append((whole, whole + 1, len(values) % size))
    index, payload = [], []
    for first, last, count in parts:
        u = shifted[first * size : (last - 1) * size + count].reshape(-1, count)
        blocks, there = len(u), u != 0
        codes, lengths = _flag_tokens(there)
        a, a_starts = _pack(codes.ravel(), lengths.ravel(), np.repeat(np.arange(blocks), count), blocks)
        filled = np.count_nonzero(there, axis=1)
        group_starts = np.concatenate([[0], np.cumsum(-(-filled // n))])
        groups = np.zeros(int(group_starts[-1]) * n, values.dtype)
        groups[np.arange(int(filled.sum())) + np.repeat(n * group_starts[:-1] - (np.cumsum(filled) - filled), filled)] = u[there]
        codes, lengths = group_tokens(groups.reshape(-1, n), width, bool(coding.signed))
        owner = np.repeat(np.repeat(np.arange(blocks), np.diff(group_starts)), width + 2)
        b, b_starts = _pack(codes.ravel(), lengths.ravel(), owner, blocks)
        a, b, words = a.byteswap(), b.byteswap(), raw_words(count, width)
        places = zip(a_starts[:-1].tolist(), a_starts[1:].tolist(), b_starts[:-1].tolist(), b_starts[1:].tolist(), strict=True)
        for block, (a_start, a_end, b_start, b_end) in enumerate(places, first):
            a_words, b_words = a_end - a_start, b_end - b_start
            raw = a_words + b_words >= words
            if raw:
                a_words, b_words = 0, words
                payload.append(image[block * size * width // 64 :][:words])
            else:
                payload += [a[a_start:a_end], b[b_start:b_end]]
            index.append(offset | a_words << 32 | b_words << 47 | int(raw) << 63)
            offset += a_words + b_words
    return np.array(index, np.uint64), np.concatenate(payload)


@functools.cache
def _jumps(width: int) -> tuple[Array, Array, Array]:
    """By plane * 2^12 + the next bits of stream B: bits used, the next plane * 2^12, and whether a group has ended.

    A step takes all codes whose length the window shows; their last bits may lie behind it. At the end of a group it takes the base of
    the next one, too.
    """
    n, size = GROUP_VALUES[width], 1 << _JUMP_WINDOW
    symbols = plane_symbols(n).astype(np.int64)
    shown = 3 + (width - 1).bit_length()  # bits that tell a code's length
    plane, window = np.divmod(np.arange((width + 1) * size), size)
    used = np.zeros(len(plane), np.int64)
    while len(going := np.flatnonzero((plane <= width) & (used + shown <= _JUMP_WINDOW))):
        symbol = symbols[(window[going] << (used[going] + 16)) >> (_JUMP_WINDOW + 16 - n) & ((1 << n) - 1)]
        used[going] += symbol >> 21 & 31
        plane[going] += symbol >> 16 & 31
    ended = plane > width
    return used + width * ended, np.where(ended, 0, plane * size), ended


def _peek(windows: Array, position: Array, width: int) -> Array:
    """``width`` bits (up to 25) from each bit ``position`` on; ``windows`` are the 32 bits from each byte on."""
    bits: Array = windows[position >> 3] >> (32 - width - (position & 7)) & ((1 << width) - 1)
    return bits


def _at_each_bit(windows: Array) -> Array:
    """The 12 bits from each bit on."""
    bits = np.empty((len(windows), 8), np.int16)
    for k in range(8):
        bits[:, k] = windows >> (32 - _JUMP_WINDOW - k) & ((1 << _JUMP_WINDOW) - 1)
    return bits.ravel()


def _find_flags(bits: Array, first: Array, counts: Array) -> tuple[Array, Array]:
    """Walk through streams A side by side, a window of 10 bits at a step.

    Parameters
    ----------
    bits : shape (bits,)
        The 12 bits from each bit on.
    first, counts : shape (blocks,)
        The bit where each stream starts, and how many flags are wanted.

    Returns
    -------
    flags : numpy.ndarray of bool, shape (sum of counts,)
        Value is not zero.
    end : numpy.ndarray, shape (blocks,)
        The bit behind the last code needed.
    """
    symbols = flag_symbols().astype(np.int64)
    numbers, uses = symbols >> 32 & 255, symbols >> 40 & 255
    bits, most = bits >> (_JUMP_WINDOW - FLAG_WINDOW), len(bits) - _STEPS * _LONGEST_STEP
    position, made = first, np.zeros(len(first), np.int64)
    seen, before = [], []
    while (made < counts).any():
        for _ in range(_STEPS):
            window = bits[position]
            seen.append(window)
            before.append(made)
            made = made + numbers[window]
            position = position + uses[window]
        position = np.minimum(position, most)
    window, made = np.array(seen).T, np.array(before).T
    wanted = made < counts[:, None]
    # The last window of a stream may hold codes that are not needed.
    last = np.count_nonzero(wanted, axis=1) - 1
    end = first + (uses[window] * wanted).sum(axis=1)
    for lane, step in enumerate(last.tolist()):
        shown, left = int(window[lane, step]), int(counts[lane] - made[lane, step])
        used = 0
        while left > 0:
            one = shown >> (FLAG_WINDOW - 1 - used) & 1
            left -= 1 if one else (shown >> (FLAG_WINDOW - 5 - used) & 15) + 1
            used += 1 if one else 5
        end[lane] += used - int(uses[shown])
    chosen = symbols[window[wanted]]
    number, start = chosen >> 32 & 255, made[wanted]
    within = np.arange(int(number.sum())) - np.repeat(np.cumsum(number) - number, number)
    flags = np.repeat(chosen & 0xFFFFFFFF, number) >> (np.repeat(number, number) - 1 - within) & 1
    inside = np.repeat(start, number) + within < np.repeat(np.broadcast_to(counts[:, None], wanted.shape)[wanted], number)
    return flags[inside] != 0, end


def _find_groups(bits: Array, first: Array, groups: Array, width: int) -> tuple[Array, Array]:
    """Walk through streams B side by side.

    Parameters are as for :func:`_find_flags`, with the number of groups wanted.

    Returns
    -------
    starts : numpy.ndarray, shape (sum of groups,)
        The bit where each group starts.
    end : numpy.ndarray, shape (blocks,)
        The bit behind the last one.
    """
    uses, planes, ends = _jumps(width)
    most = len(bits) - _STEPS * _LONGEST_STEP
    position, plane, left = first + width, np.zeros(len(first), np.int64), groups.copy()
    places, ended = [first + width], [np.ones(len(first), bool)]
    while (left > 0).any():
        for _ in range(_STEPS):
            key = bits[position] | plane
            position, plane, end = position + uses[key], planes[key], ends[key]
            left = left - end
            places.append(position)
            ended.append(end)
        position = np.minimum(position, most)
    starts, there = np.array(places).T - width, np.array(ended).T
    number = np.cumsum(there, axis=1) - 1  # of the group that starts here
    here = there & (number == groups[:, None])
    return starts[there & (number < groups[:, None])], starts[here]


def _decode_groups(windows: Array, position: Array, width: int) -> Array:
    """Values of the groups that start at these bits, shape (groups, n)."""
    n = GROUP_VALUES[width]
    most = 8 * (len(windows) - 1)
    symbols = plane_symbols(n).astype(np.int64)
    base = _peek(windows, position, width)
    position = position + width
    levels = np.arange(width + 1, dtype=np.int8)
    planes = np.zeros((len(position), width + 1), np.int16)
    plane, dbp = np.zeros(len(position), np.int8), np.zeros(len(position), np.int64)
    for _ in range(width + 1):  # lanes that are done go on in a plane that is not there
        symbol = symbols[_peek(windows, np.minimum(position, most), n)]
        dbp = dbp * (1 - (symbol >> 26)) ^ symbol & 0xFFFF
        np.copyto(planes, dbp[:, None].astype(np.int16), where=levels >= plane[:, None])
        plane = np.minimum(plane + (symbol >> 16 & 31), width + 1).astype(np.int8)
        position = position + (symbol >> 21 & 31)
        if (plane > width).all():
            break
    values = np.empty((len(base), n), np.int64)
    values[:, 0] = base
    weights = 1 << np.arange(width)
    for k in range(n - 1):
        values[:, k + 1] = values[:, k] + (planes[:, :width] >> (n - 2 - k) & 1) @ weights
    return values & ((1 << width) - 1)


def decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: Array, coding: Coding) -> int:
    """A whole tensor."""
    stored, size, width, n = payload.view(np.uint8), coding.block_values, coding.width, GROUP_VALUES[coding.width]
    coded: list[tuple[int, int, int, int]] = []
    for block, entry in enumerate(index.tolist()):
        start, a_bits, b_bits = 64 * (entry & 0xFFFFFFFF), 64 * (entry >> 32 & 0x7FFF), 64 * (entry >> 47 & 0x7FFF)
        if entry >> 63:
            count = coding.values_of(block, len(out))
            out[block * size : block * size + count] = values_from_raw(stored[start // 8 : (start + b_bits) // 8], count, width)
        else:
            coded.append((block, start, start + a_bits, start + a_bits + b_bits))
    at_once = max(1, 4 * _VALUES_AT_ONCE // size)
    for part in range(0, len(coded), at_once):
        block, a_start, b_start, b_end = np.array(coded[part : part + at_once], np.int64).T
        low, high = int(a_start.min()) // 8, int(b_end.max()) // 8
        chosen = np.concatenate([stored[low:high], np.zeros(2 * _STEPS * _LONGEST_STEP // 8, np.uint8)]).astype(np.int64)
        windows = chosen[:-3] << 24 | chosen[1:-2] << 16 | chosen[2:-1] << 8 | chosen[3:]
        bits = _at_each_bit(windows)
        a_start, b_start, b_end = a_start - 8 * low, b_start - 8 * low, b_end - 8 * low
        counts = np.minimum(size, len(out) - block * size)
        there, a_end = _find_flags(bits, a_start, counts)
        before = np.concatenate([[0], np.cumsum(counts)])
        filled = np.add.reduceat(there, before[:-1], dtype=np.int64)
        starts, end = _find_groups(bits, b_start, -(-filled // n), width)
        corrupt = np.flatnonzero((a_end > b_start) | (end > b_end))
        if len(corrupt):
            return int(block[corrupt[0]])
        values = _decode_groups(windows, starts, width).ravel()
        groups = -(-filled // n)
        skipped = n * (np.cumsum(groups) - groups) - (np.cumsum(filled) - filled)  # places of earlier groups that no value has
        rank = np.arange(int(filled.sum())) + np.repeat(skipped, filled)
        shifted = np.full(len(there), coding.zero, out.dtype)
        shifted[there] = values[rank].astype(out.dtype) + out.dtype.type(coding.zero)
        for number, first in enumerate((block * size).tolist()):
            out[first : first + int(counts[number])] = shifted[before[number] : before[number + 1]]
    return -1
