# SPDX-License-Identifier: Apache-2.0
"""APack: arithmetic-coded range symbols and plain offsets (FORMAT.md section 3; arXiv 2201.08830)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..tables import Table
from .bits import BitReader, BitWriter
from .codec import Codec, Streams

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
        self.largest_pending = 0
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
                self.largest_pending = max(self.largest_pending, self.pending)
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
        if coders[number].largest_pending > PENDING_LIMIT:
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


CODEC = Codec("apack", 3, (4, 8, 16), encode_block, decode_block, uses_table=True)
