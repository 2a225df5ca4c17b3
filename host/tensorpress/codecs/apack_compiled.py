# SPDX-License-Identifier: Apache-2.0
# The compiled functions are typed by numba.
# mypy: disable-error-code="no-untyped-call,no-untyped-def,assignment"
"""APack compiled with numba: the same bytes as the reference in ``apack``, and no branches that depend on the values but rare ones.

Normalisation in one step: with M = HI - LO and bit k its first one, the shift is the number of leading zeros (of 16) of
M + (LO modulo 2^k): those of M, one less if HI and LO agree in bit k. Then LO = (LO << shift) & 0x7FFF.

Pending bits need no counter for the output: they are ones that a carry out of LO may still turn over, so a coder keeps LO with the bits
above it (``total``) and the carry does what the rule of the pending bits says. There is at most one carry out of ``total`` between two
chunks, as LO stays below the HI it had at the first one. The flush adds 0x4000 and keeps the bits down to bit 14.

Only the limit needs the count, which is the number of ones in ``total`` from bit 15 up. More than 63 reach into the last chunk: it ended
in 16 ones when it was written. After such a chunk the pending bits of the block are counted exactly.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..tables import Table
from ..values import raw_words
from .bits import image_words
from .compiled import U, finish, leading_zeros, load_coded, load_raw, njit, store_coded, store_raw

if TYPE_CHECKING:
    from .coding import Coding

_SHARE = U(1023)
_HIGH = U(2047)
_BELOW_15 = U(0x7FFF)
_MASK = U(0x7FFFFFFFFFFFFFFF)

# A row in one number: bits 9:0 count below it, 20:10 count below the next, 25:21 ol, 47:32 vmin or offset.


@njit
def _carry(chunks, first, written):
    """Add 1 to what a coder has written, chunks ``first`` .. ``written - 1``; all ones cannot be, as the number stays below 1."""
    while written > first:
        written -= U(1)
        chunk = (U(chunks[written]) + U(1)) & U(0xFFFFFFFF)
        chunks[written] = chunk
        if chunk:
            break


@njit
def _passes_limit(values, first, count, entries, coders):
    """Whether the pending bits of a coder pass 63 in a block."""
    low, size, pending = np.zeros(16, np.uint64), np.zeros(16, np.uint64), np.zeros(16, np.uint64)
    for c in range(coders):
        size[c] = U(0x10000)
    for i in range(count):
        c = i % coders
        entry = entries[values[first + i]]
        start = size[c] * (entry & _SHARE) >> U(10)
        span = (size[c] * ((entry >> U(10)) & _HIGH) >> U(10)) - start
        lo = low[c] + start
        rest = span - U(1)
        shift = leading_zeros((lo & (_MASK >> leading_zeros(rest))) + rest) - U(48)
        settled = min(leading_zeros(lo ^ (lo + rest)) - U(48), shift)  # bits that came out; with them the pending ones are settled
        if settled:
            pending[c] = U(0)
        pending[c] += shift - settled
        if pending[c] > U(63):
            return True
        low[c] = (lo << shift) & _BELOW_15
        size[c] = span << shift
    return False


@njit
def _encode(values, image, width, entries, coders, block_values, index, payload, a, a_parts, b, halves, chunks, parts, asked):
    # Of each coder: total, R, number of bits in total above LO, plus 15, where the next chunk of 32 bits goes. The plus 15 makes the
    # third one pass a multiple of 16 at the steps where the decoder asks for a part.
    state = np.zeros(64, np.uint64)
    end = U(4 * coders)
    room = U(len(chunks) // coders)
    offset = 0
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(values) - first)
        words = (count * width + 63) >> 6
        for c in range(coders):
            state[4 * c], state[4 * c + 1], state[4 * c + 2], state[4 * c + 3] = U(0), U(0x10000), U(15), U(c) * room
            asked[c] = 4 * c
        asks = U(coders)
        held, held_bits, used = U(0), U(0), U(0)
        suspicious = False
        c = U(0)
        for i in range(U(first), U(first + count)):
            entry = entries[values[i]]
            offset_bits = (entry >> U(21)) & U(31)
            held = (held << offset_bits) | (entry >> U(32))
            held_bits += offset_bits
            halves[used] = held >> ((held_bits - U(32)) & U(63))
            used += held_bits >> U(5)
            held_bits &= U(31)

            total, size, more = state[c], state[c + U(1)], state[c + U(2)]
            start = size * (entry & _SHARE) >> U(10)
            span = (size * ((entry >> U(10)) & _HIGH) >> U(10)) - start
            rest = span - U(1)
            lo = (total & _BELOW_15) + start  # the bits above 14 were 0 and pending ones
            shift = leading_zeros((lo & (_MASK >> leading_zeros(rest))) + rest) - U(48)
            total = (total + start) << shift
            state[c + U(1)] = span << shift
            asked[asks] = c
            asks += ((more ^ (more + shift)) >> U(4)) & U(1)
            more += shift
            if more >= U(36 + 15):
                keep = more - U(31)
                chunk, place = total >> keep, state[c + U(3)]
                if chunk >> U(32):
                    _carry(chunks, (c >> U(2)) * room, place)
                suspicious |= chunk & U(0xFFFF) == U(0xFFFF)
                chunks[place] = chunk
                state[c + U(3)] = place + U(1)
                total &= (U(1) << keep) - U(1)
                more -= U(32)
            state[c] = total
            state[c + U(2)] = more
            c += U(4)
            if c == end:
                c = U(0)
        a_words = np.int64((asks + U(3)) >> U(2))
        b_bits = np.int64(U(32) * used + held_bits)
        if a_words + ((b_bits + 63) >> 6) >= words or (suspicious and _passes_limit(values, first, count, entries, coders)):
            offset = store_raw(index, payload, block, offset, image, first * width >> 6, words)
            continue
        for c in range(coders):
            total, more, place = state[4 * c] + U(0x4000), state[4 * c + 2] - U(15), state[4 * c + 3]
            if total >> (U(16) + more):
                _carry(chunks, U(c) * room, place)
            total = (total & ~U(0x3FFF)) << (U(48) - more)  # the rest, 16 + more bits, at most 51
            chunks[place] = total >> U(32)
            chunks[place + U(1)] = total & U(0xFFFFFFFF)
            state[4 * c] = U(2 * c) * room  # from here on: the next part to take
        a[a_words - 1] = U(0)
        for place in range(asks):
            c = U(asked[place])
            taken = state[c]
            state[c] = taken + U(1)
            a_parts[place ^ U(3)] = parts[taken ^ U(1)]
        finish(halves, np.int64(used), held, np.int64(held_bits), b)
        offset = store_coded(index, payload, block, offset, a, 64 * a_words, b, b_bits)
    return offset


# The state of the decoders, 16 of each: LO from 0 on, then R; CODE - LO with the bits ahead behind it; the number of bits ahead; the row;
# and whether a part of stream A is needed.
_SIZE, _CODE, _AHEAD, _ROW, _NEED = 16, 32, 48, 64, 80


@njit
def _decode(index, payload, out, width, entries, coders, block_values, a, a_parts, b, windows):
    """Missing bits are found at the end of a block; until then ``a`` and ``windows`` are long enough for whatever the values ask for.

    The short loops over 8 coders are there for the compiler, which makes vector instructions of them. Coders that have no value, or are
    not there, take part in them: what they do is not used.
    """
    mask = U((1 << width) - 1)
    state = np.zeros(96, np.uint64)
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(out) - first)
        if load_raw(index[block], payload, out, first, count, width):
            continue
        a_bits, b_bits = load_coded(index[block], payload, a, b)
        for k in range((b_bits >> 6) + 1):  # the 64 bits from every 32nd bit on
            windows[2 * k] = b[k]
            windows[2 * k + 1] = (b[k] << U(32)) | (b[k + 1] >> U(32))
        for c in range(16):
            state[c], state[_SIZE + c], state[_CODE + c], state[_AHEAD + c] = U(0), U(0x10000), U(0), U(0)
        for c in range(coders):
            state[_CODE + c] = U(a_parts[c ^ 3])
        part = U(coders)
        position = U(0)
        place, end = U(first), U(first + count)
        while place < end:
            for group in range((coders + 7) >> 3):
                s = state[8 * group :]
                for k in range(8):
                    # The row: cum <= (1024*(c+1) - 1) / R. The quotient is exact enough in binary64; 0 <= c = CODE - LO < R keeps it in
                    # 0..1023.
                    wanted = ((s[_CODE + k] >> s[_AHEAD + k]) << U(10)) | _SHARE
                    s[_NEED + k] = U(np.int32(np.float64(np.int32(wanted)) / np.float64(np.int32(s[_SIZE + k]))))
                for k in range(8):
                    s[_ROW + k] = entries[s[_NEED + k] & _SHARE]
                for k in range(8):
                    size, entry, ahead = s[_SIZE + k] & U(0xFFFFFFFF), s[_ROW + k], s[_AHEAD + k]
                    start = size * (entry & _SHARE) >> U(10)
                    span = (size * ((entry >> U(10)) & _HIGH) >> U(10)) - start
                    rest = span - U(1)
                    lo = s[k] + start
                    shift = leading_zeros((lo & (_MASK >> leading_zeros(rest))) + rest) - U(48)
                    need = U(shift > ahead)
                    s[k] = (lo << shift) & _BELOW_15
                    s[_SIZE + k] = span << shift
                    s[_CODE + k] -= start << ahead
                    s[_AHEAD + k] = ahead + (need << U(4)) - shift
                    s[_NEED + k] = need
            active = min(U(coders), end - place)
            for c in range(active):
                code, need, entry = state[U(_CODE) + c], state[U(_NEED) + c], state[U(_ROW) + c]
                longer = (code << U(16)) | U(a_parts[part ^ U(3)])
                state[U(_CODE) + c] = longer if need else code
                part += need
                offset_bits = (entry >> U(21)) & U(31)
                window = windows[position >> U(5)] << (position & U(31))
                out[place + c] = ((entry >> U(32)) + ((window >> U(1)) >> (U(63) - offset_bits))) & mask
                position += offset_bits
            place += active
        if 16 * np.int64(part) > a_bits or np.int64(position) > b_bits:
            return block
    return -1


def _packed(table: Table) -> npt.NDArray[np.uint64]:
    """The rows as described above, shape (16,)."""
    return np.array(
        [
            low | high << 10 | bits << 21 | vmin << 32
            for low, high, bits, vmin in zip(table.cum[:-1], table.cum[1:], table.ol, table.vmin, strict=True)
        ],
        np.uint64,
    )


@functools.lru_cache(16)
def _rows_of_values(table: Table) -> npt.NDArray[np.uint64]:
    """The row of each value, with its offset."""
    rows = np.repeat(_packed(table), np.diff(np.array([*table.vmin, 1 << table.width])))
    return (rows & U(0xFFFFFFFF)) | (np.arange(len(rows), dtype=np.uint64) - (rows >> U(32))) << U(32)


@functools.lru_cache(16)
def _rows_of_shares(table: Table) -> npt.NDArray[np.uint64]:
    """The row of each share 0..1023, with its vmin."""
    return np.repeat(_packed(table), np.diff(np.array(table.cum)))


def encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor."""
    table, longest = coding.table, coding.block_values
    assert table is not None  # Coding has checked it
    entries = _rows_of_values(table)
    image = image_words(values, coding.width)
    index, payload = np.empty(coding.blocks(len(values)), np.uint64), np.empty(len(image), np.uint64)
    a, b = np.empty(longest // 4 + 32, np.uint64), np.empty(raw_words(longest, coding.width) + 8, np.uint64)
    halves = np.empty(2 * len(b), np.uint32)
    chunks = np.empty(coding.coders * (-(-longest // coding.coders) * 12 // 32 + 8), np.uint32)
    asked = np.empty(longest + 32, np.uint8)
    used = _encode(
        values,
        image,
        coding.width,
        entries,
        coding.coders,
        longest,
        index,
        payload,
        a,
        a.view(np.uint16),
        b,
        halves,
        chunks,
        chunks.view(np.uint16),
        asked,
    )
    return index, payload[:used].copy()


def decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor."""
    table, longest = coding.table, coding.block_values
    assert table is not None  # Coding has checked it
    entries = _rows_of_shares(table)
    a = np.zeros(max(longest // 4, raw_words(longest, coding.width)) + 32, np.uint64)
    b = np.zeros(raw_words(longest, coding.width) + 8, np.uint64)
    windows = np.zeros(2 * len(b) + 2, np.uint64)
    return int(_decode(index, payload, out, coding.width, entries, coding.coders, longest, a, a.view(np.uint16), b, windows))
