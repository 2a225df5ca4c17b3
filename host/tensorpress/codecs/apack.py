# SPDX-License-Identifier: Apache-2.0
# The compiled functions are typed by numba.
# mypy: disable-error-code="no-untyped-call,no-untyped-def,assignment"
"""APack: arithmetic-coded range symbols and plain offsets (FORMAT.md section 3; arXiv 2201.08830)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..tables import Table
from ..values import raw_words, values_from_raw
from . import apack_numpy
from .bits import BitReader, BitWriter
from .codec import Codec, Streams
from .jit import HAVE_NUMBA, U, finish, image_words, leading_zeros_16, load_coded, load_raw, njit, peek, store_coded, store_raw

if TYPE_CHECKING:
    from .coding import Coding

PENDING_LIMIT = 63
PART_BITS = 16
"""Stream A is made of parts of 16 consecutive bits of one coder."""


class _Interval:
    """LO and HI of one coder; the same in the encoder and the decoder."""

    def __init__(self) -> None:
        self.lo, self.hi = 0, 0xFFFF

    def narrow(self, low: int, high: int) -> None:
        """Keep the share low..high of 1024 of the interval."""
        size = self.hi - self.lo + 1
        self.hi = self.lo + (size * high >> 10) - 1
        self.lo = self.lo + (size * low >> 10)

    def step(self) -> str:
        """One round of the normalisation: what it did, or nothing when the interval is wide enough."""
        if self.hi < 0x8000:
            what, base = "emit 0", 0
        elif self.lo >= 0x8000:
            what, base = "emit 1", 0x8000
        elif self.lo >= 0x4000 and self.hi < 0xC000:
            what, base = "pending", 0x4000
        else:
            return ""
        self.lo, self.hi = 2 * (self.lo - base), 2 * (self.hi - base) + 1
        return what


class _Encoder(_Interval):
    def __init__(self) -> None:
        super().__init__()
        self.pending = 0
        self.too_many = 0
        self.bits = ""

    def emit(self, bit: int) -> None:
        self.bits += str(bit) + str(1 - bit) * self.pending
        self.pending = 0

    def code(self, low: int, high: int) -> int:
        """Code one symbol; returns the shift of this step."""
        self.narrow(low, high)
        shift = 0
        while what := self.step():
            shift += 1
            if what == "pending":
                self.pending += 1
                self.too_many = max(self.too_many, self.pending)
            else:
                self.emit(1 if what == "emit 1" else 0)
        return shift

    def flush(self) -> None:
        self.pending += 1
        self.emit(1 if self.lo >= 0x4000 else 0)


def encode_block(values: Sequence[int], coding: Coding) -> Streams:
    """Code one block with ``coding.coders`` interleaved coders."""
    table, count = _table(coding), coding.coders
    b = BitWriter()
    coders = [_Encoder() for _ in range(count)]
    asked = list(range(count))  # the coder of each part of stream A, in the order in which a decoder asks
    ahead = [0] * count  # bits that the decoder of this coder will have read beyond its CODE register
    for position, value in enumerate(values):
        row = bisect_right(table.vmin, value) - 1
        b.write(value - table.vmin[row], table.ol[row])
        number = position % count
        shift = coders[number].code(table.cum[row], table.cum[row + 1])
        if coders[number].too_many > PENDING_LIMIT:
            return Streams(BitWriter(), BitWriter(), limit=True)
        if shift > ahead[number]:
            asked.append(number)
            ahead[number] += PART_BITS
        ahead[number] -= shift
    for coder in coders:
        coder.flush()
    a = BitWriter()
    written = [0] * count
    for number in asked:
        part = coders[number].bits[written[number] : written[number] + PART_BITS]
        a.write(int(part.ljust(PART_BITS, "0"), 2), PART_BITS)
        written[number] += PART_BITS
    return Streams(a, b)


class _Decoder(_Interval):
    def __init__(self, first: int) -> None:
        super().__init__()
        self.code = first
        self.ahead, self.ahead_bits = 0, 0  # look-ahead: the next bits of this coder, and how many

    def decode(self, table: Table, a: BitReader) -> int:
        """Find the row of the next symbol, take the shift's bits, and return the row."""
        size, c = self.hi - self.lo + 1, self.code - self.lo
        row = 0
        while size * table.cum[row + 1] >> 10 <= c:
            row += 1
        self.narrow(table.cum[row], table.cum[row + 1])
        while what := self.step():
            if self.ahead_bits == 0:
                self.ahead, self.ahead_bits = a.read(PART_BITS), PART_BITS
            self.ahead_bits -= 1
            base = {"emit 0": 0, "emit 1": 0x8000, "pending": 0x4000}[what]
            self.code = 2 * (self.code - base) + (self.ahead >> self.ahead_bits & 1)
        return row


def decode_block(a: BitReader, b: BitReader, count: int, coding: Coding) -> list[int]:
    """The inverse. An offset past the end of its row is taken as it is, modulo 2^W."""
    table = _table(coding)
    coders = [_Decoder(a.read(PART_BITS)) for _ in range(coding.coders)]
    values: list[int] = []
    for position in range(count):
        row = coders[position % coding.coders].decode(table, a)
        offset = b.read(table.ol[row])
        values.append((table.vmin[row] + offset) % (1 << coding.width))
        if a.missing or b.missing:
            return values + [0] * (count - len(values))
    return values


def _table(coding: Coding) -> Table:
    assert coding.table is not None  # Coding has checked it
    return coding.table


# The same, compiled, and without branches that depend on the values.
#
# Normalisation in one step: with M = HI - LO the shift is the number of leading zeros of M, one less if HI and LO agree in the bit of the
# first one of M; then LO = (LO << shift) & 0x7FFF. Pending bits need no counter for the output: they are ones that a carry out of LO may
# still turn over, so a coder keeps LO with all its bits above and the carry does what the rule of the pending bits says. The flush adds
# 0x4000 and keeps the bits down to bit 14. Only the limit needs the count.


@njit
def _carry(chunks, first, written):
    """Add 1 to what a coder has written, chunks ``first`` .. ``written - 1``; all ones cannot be, as the number stays below 1."""
    while written > first:
        written -= U(1)
        chunks[written] = (chunks[written] + U(1)) & U(0xFFFFFFFF)
        if chunks[written]:
            break


@njit
def _encode(values, image, width, table, rows, coders, block_values, index, payload, a, b, halves, chunks, asked):
    state = np.zeros(8 * coders, np.uint64)  # of each coder: LO and the bits above it, R, number of bits above, pending,
    # bits ahead of the decoder, where the next chunk of 32 bits goes
    end = U(8 * coders)
    room = len(chunks) // coders
    offset = 0
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(values) - first)
        words = (count * width + 63) >> 6
        for c in range(coders):
            for k in range(8):
                state[8 * c + k] = U(0)
            state[8 * c + 1] = U(0x10000)
            state[8 * c + 5] = U(c * room)
            asked[c] = c
        asks = U(coders)
        held, held_bits, used = U(0), U(0), U(0)
        too_many = U(0)
        c = U(0)
        for i in range(U(first), U(first + count)):
            value = U(values[i])
            row = U(rows[value])
            held = (held << table[row + U(3)]) | (value - table[row + U(2)])
            held_bits += table[row + U(3)]
            halves[used] = held >> ((held_bits - U(32)) & U(63))
            full = held_bits >> U(5)
            used += full
            held_bits -= full << U(5)

            total, size, more = state[c], state[c + U(1)], state[c + U(2)]
            start = size * table[row] >> U(10)
            span = (size * table[row + U(1)] >> U(10)) - start
            lo = (total & U(0x7FFF)) + start  # the bits above 14 were 0 and pending ones
            differ = lo ^ (lo + span - U(1))
            shift = leading_zeros_16(span - U(1))
            shift -= ~(differ >> (U(15) - shift)) & U(1)
            settled = min(leading_zeros_16(differ), shift)  # bits that came out; with them the pending ones are settled
            pending = shift - settled + state[c + U(3)] * U(settled == U(0))
            too_many |= pending
            total += start
            if total >> (U(16) + more):
                total &= (U(1) << (U(16) + more)) - U(1)
                _carry(chunks, (c >> U(3)) * U(room), state[c + U(5)])
            total <<= shift
            more += shift
            if more >= U(36):
                chunks[state[c + U(5)]] = total >> (more - U(16))
                state[c + U(5)] += U(1)
                total &= (U(1) << (more - U(16))) - U(1)
                more -= U(32)
            ahead = state[c + U(4)]
            need = U(shift > ahead)
            state[c] = total
            state[c + U(1)] = span << shift
            state[c + U(2)] = more
            state[c + U(3)] = pending
            state[c + U(4)] = ahead + (need << U(4)) - shift
            asked[asks] = c >> U(3)
            asks += need
            c += U(8)
            if c == end:
                c = U(0)
        a_words = np.int64((asks + U(3)) >> U(2))
        b_bits = np.int64(U(32) * used + held_bits)
        if too_many > U(63) or a_words + ((b_bits + 63) >> 6) >= words:
            offset = store_raw(index, payload, block, offset, image, first * width >> 6, words)
            continue
        for c in range(coders):
            total, more, written = state[8 * c] + U(0x4000), state[8 * c + 2], state[8 * c + 5]
            if total >> (U(16) + more):
                total &= (U(1) << (U(16) + more)) - U(1)
                _carry(chunks, U(c * room), written)
            total = (total & ~U(0x3FFF)) << (U(48) - more)  # the rest, 16 + more bits, at most 51
            chunks[written] = total >> U(32)
            chunks[written + U(1)] = total & U(0xFFFFFFFF)
            state[8 * c + 5] = U(2 * c * room)  # from here on: the next part to take
        for word in range(a_words):
            a[word] = U(0)
        for place in range(np.int64(asks)):
            c = U(asked[place]) * U(8) + U(5)
            taken = state[c]
            part = (chunks[taken >> U(1)] >> (U(16) - U(16) * (taken & U(1)))) & U(0xFFFF)
            state[c] = taken + U(1)
            a[U(place) >> U(2)] |= part << U(48 - 16 * (place & 3))
        finish(halves, np.int64(used), held, np.int64(held_bits), b)
        offset = store_coded(index, payload, block, offset, a, 64 * a_words, b, b_bits)
    return offset


@njit
def _decode(index, payload, out, width, table, shares, coders, block_values, a, b):
    """Missing bits are found at the end of a block; until then ``a`` and ``b`` are long enough for whatever the values may ask for."""
    mask = U((1 << width) - 1)
    state = np.zeros(8 * coders, np.uint64)  # of each coder: LO, R, CODE - LO, bits ahead, their number
    end = U(8 * coders)
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(out) - first)
        if load_raw(index[block], payload, out, first, count, width):
            continue
        a_bits, b_bits = load_coded(index[block], payload, a, b)
        for c in range(coders):
            state[8 * c], state[8 * c + 1] = U(0), U(0x10000)
            state[8 * c + 2] = (a[c >> 2] >> U(48 - 16 * (c & 3))) & U(0xFFFF)
            state[8 * c + 3] = state[8 * c + 4] = U(0)
        part = U(coders)
        position = U(0)
        c = U(0)
        for i in range(U(first), U(first + count)):
            size, rest = state[c + U(1)], state[c + U(2)]
            # The row: cum <= (1024*(c+1) - 1) / R. The quotient is exact enough in binary64; 0 <= CODE - LO < R keeps it in 0..1023.
            share = U(np.int64(np.float64(np.int64((rest << U(10)) + U(1023))) / np.float64(np.int64(size))))
            row = U(shares[share & U(1023)])
            start = size * table[row] >> U(10)
            span = (size * table[row + U(1)] >> U(10)) - start
            lo = state[c] + start
            shift = leading_zeros_16(span - U(1))
            shift -= ~((lo ^ (lo + span - U(1))) >> (U(15) - shift)) & U(1)
            ahead_bits = state[c + U(4)]
            need = U(shift > ahead_bits)
            following = (a[part >> U(2)] >> (U(48) - U(16) * (part & U(3)))) & U(0xFFFF)
            bits = ((state[c + U(3)] & U(0xFFFF)) << U(16)) | following
            part += need
            window = bits >> (U(16) - (need << U(4)))
            left = ahead_bits + (need << U(4)) - shift
            state[c] = (lo << shift) & U(0x7FFF)
            state[c + U(1)] = span << shift
            state[c + U(2)] = ((rest - start) << shift) | ((window >> left) & ((U(1) << shift) - U(1)))
            state[c + U(3)] = window
            state[c + U(4)] = left
            offset_bits = table[row + U(3)]
            out[i] = (table[row + U(2)] + ((peek(b, position) >> U(1)) >> (U(63) - offset_bits))) & mask
            position += offset_bits
            c += U(8)
            if c == end:
                c = U(0)
        if 16 * np.int64(part) > a_bits or np.int64(position) > b_bits:
            return block
    return -1


def _rows(table: Table) -> npt.NDArray[np.uint64]:
    """Four numbers a row: count below it, count below the next, vmin, ol."""
    return np.array([table.cum[:-1], table.cum[1:], table.vmin, table.ol], np.uint64).T.reshape(-1).copy()


def fast_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor, compiled."""
    table, longest = _table(coding), coding.block_values
    rows = 4 * np.repeat(np.arange(16, dtype=np.uint8), np.diff([*table.vmin, 1 << coding.width]))
    image = image_words(values, coding.width)
    index, payload = np.empty(coding.blocks(len(values)), np.uint64), np.empty(len(image), np.uint64)
    a, b = np.zeros(longest // 4 + 32, np.uint64), np.zeros(raw_words(longest, coding.width) + 8, np.uint64)
    halves = np.zeros(2 * len(b), np.uint32)
    chunks = np.zeros(coding.coders * (-(-longest // coding.coders) * 12 // 32 + 8), np.uint64)
    asked = np.zeros(longest + 32, np.uint8)
    used = _encode(values, image, coding.width, _rows(table), rows, coding.coders, longest, index, payload, a, b, halves, chunks, asked)
    return index, payload[:used].copy()


def fast_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor, compiled."""
    table, longest = _table(coding), coding.block_values
    shares = 4 * np.repeat(np.arange(16, dtype=np.uint8), np.diff(table.cum))
    a = np.zeros(max(longest // 4, raw_words(longest, coding.width)) + 32, np.uint64)
    b = np.zeros(raw_words(longest, coding.width) + 8, np.uint64)
    return int(_decode(index, payload, out, coding.width, _rows(table), shares, coding.coders, longest, a, b))


_BLOCKS_AT_ONCE = 256
_FEWEST_BLOCKS = 8
"""Fewer blocks are decoded faster by the reference than side by side."""


def numpy_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor without numba: blocks side by side."""
    table, size = _table(coding), coding.block_values
    vmin, ol = np.array(table.vmin, np.int64), np.array(table.ol, np.int64)
    image, offset = image_words(values, coding.width), 0
    rows = np.repeat(np.arange(16), np.diff([*table.vmin, 1 << coding.width]))[values]
    offsets = values.astype(np.int64) - vmin[rows]
    index, parts = [], []
    whole = len(values) // size
    groups = [(first, min(first + _BLOCKS_AT_ONCE, whole), size) for first in range(0, whole, _BLOCKS_AT_ONCE)]
    if len(values) % size:
        groups.append((whole, whole + 1, len(values) % size))
    for first, last, count in groups:
        start, stop = first * size, (last - 1) * size + count
        streams, limit = apack_numpy.encode_blocks(rows[start:stop].reshape(-1, count), table, coding.coders)
        words = raw_words(count, coding.width)
        for block in range(first, last):
            inside = slice(block * size, block * size + count)
            lengths = ol[rows[inside]]
            ends = np.repeat(np.cumsum(lengths), lengths)
            bits = np.repeat(offsets[inside], lengths) >> (ends - 1 - np.arange(len(ends))) & 1
            a, b = streams[block - first], np.packbits(bits.astype(np.uint8)).tobytes()
            a_words, b_words = -(-len(a) // 8), -(-len(b) // 8)
            raw = bool(limit[block - first]) or a_words + b_words >= words
            if raw:
                a_words, b_words = 0, words
                parts.append(image[block * size * coding.width // 64 :][:words].tobytes())
            else:
                parts.append(a.ljust(8 * a_words, b"\0") + b.ljust(8 * b_words, b"\0"))
            index.append(offset | a_words << 32 | b_words << 47 | int(raw) << 63)
            offset += a_words + b_words
    return np.array(index, np.uint64), np.frombuffer(b"".join(parts), np.uint64).copy()


def numpy_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor without numba: blocks side by side."""
    table, size = _table(coding), coding.block_values
    stored = payload.view(np.uint8)
    groups: dict[int, list[int]] = {}
    for block, entry in enumerate(index.tolist()):
        count = coding.values_of(block, len(out))
        if entry >> 63:
            start = 8 * (entry & 0xFFFFFFFF)
            out[block * size : block * size + count] = values_from_raw(
                stored[start : start + 8 * raw_words(count, coding.width)], count, coding.width
            )
        else:
            groups.setdefault(count, []).append(block)
    broken: list[int] = []
    for count, members in groups.items():
        for first in range(0, len(members), _BLOCKS_AT_ONCE):
            chosen = members[first : first + _BLOCKS_AT_ONCE]
            places = [
                (8 * (entry & 0xFFFFFFFF), 8 * (entry >> 32 & 0x7FFF), 8 * (entry >> 47 & 0x7FFF)) for entry in index[chosen].tolist()
            ]
            if len(chosen) < _FEWEST_BLOCKS:
                for block, (start, a_bytes, b_bytes) in zip(chosen, places, strict=True):
                    a, b = (BitReader(part.view(">u8").tolist()) for part in np.split(stored[start : start + a_bytes + b_bytes], [a_bytes]))
                    out[block * size : block * size + count] = decode_block(a, b, count, coding)
                    if a.missing or b.missing:
                        broken.append(block)
                continue
            longest = 8 * raw_words(count, coding.width) + 8
            a_all = np.zeros((len(chosen), max(2 * (coding.coders + count + 8), longest)), np.uint8)
            b_all = np.zeros((len(chosen), 2 * count + longest), np.uint8)
            for k, (start, a_bytes, b_bytes) in enumerate(places):
                a_all[k, :a_bytes] = stored[start : start + a_bytes]
                b_all[k, :b_bytes] = stored[start + a_bytes : start + a_bytes + b_bytes]
            held = np.array(places)
            decoded, corrupt = apack_numpy.decode_blocks(
                a_all.view(">u2"), held[:, 1] // 2, b_all, 8 * held[:, 2], count, table, coding.coders
            )
            for k, block in enumerate(chosen):
                out[block * size : block * size + count] = decoded[k]
            broken += [block for block, bad in zip(chosen, corrupt, strict=True) if bad]
    return min(broken, default=-1)


CODEC = Codec(
    "apack",
    3,
    (4, 8, 16),
    encode_block,
    decode_block,
    fast_encode if HAVE_NUMBA else numpy_encode,
    fast_decode if HAVE_NUMBA else numpy_decode,
    uses_table=True,
)
