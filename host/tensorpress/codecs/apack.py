# SPDX-License-Identifier: Apache-2.0
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
from .bits import BitReader, BitWriter, image_words
from .codec import Codec, Streams
from .jit import have_numba

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


def fast_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor: compiled where numba is installed."""
    if not have_numba():
        return numpy_encode(values, coding)
    from . import apack_compiled

    return apack_compiled.encode(values, coding)


def fast_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor: compiled where numba is installed."""
    if not have_numba():
        return numpy_decode(index, payload, out, coding)
    from . import apack_compiled

    return apack_compiled.decode(index, payload, out, coding)


CODEC = Codec("apack", 3, (4, 8, 16), encode_block, decode_block, fast_encode, fast_decode, uses_table=True)
