# SPDX-License-Identifier: Apache-2.0
"""APack: arithmetic-coded range symbols and plain offsets (FORMAT.md section 3; arXiv 2201.08830)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..tables import Table
from ..values import raw_words
from .bits import BitReader, BitWriter
from .codec import Codec, Streams
from .jit import HAVE_NUMBA, U, image_words, load_coded, load_raw, njit, peek, put, store_coded, store_raw

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


# The same, compiled. The normalisation is done at once: first the leading bits in which LO and HI agree, then the bits after the
# first in which LO has 1 and HI has 0 (pending); the loop of FORMAT.md cannot alternate between the two.

_LEADING = np.array([8 - k.bit_length() for k in range(256)], np.int64)
"""Leading zeros of a byte."""


@njit
def _leading_zeros(x, leading):  # type: ignore[no-untyped-def]
    """Leading zeros of a 16-bit number."""
    return leading[x >> 8] if x >> 8 else 8 + leading[x & 255]


@njit
def _put_bits(parts, coder, held, held_bits, written, value, width):  # type: ignore[no-untyped-def]
    """Append up to 48 bits to a coder's parts. ``parts`` is sized for the largest shift at each value, and the flush."""
    held[coder] = (held[coder] << width) | value
    held_bits[coder] += width
    while held_bits[coder] >= 16:
        held_bits[coder] -= 16
        parts[coder, written[coder]] = held[coder] >> held_bits[coder]
        written[coder] += 1
        held[coder] &= (1 << held_bits[coder]) - 1


@njit
def _put_pending(parts, coder, held, held_bits, written, pending, bit):  # type: ignore[no-untyped-def]
    """Append ``pending`` (0..64) times ``bit``."""
    while pending:
        width = min(pending, 32)
        _put_bits(parts, coder, held, held_bits, written, ((1 << width) - 1) * bit, width)
        pending -= width


@njit
def _encode(values, image, width, vmin, ol, cum, rows, coders, block_values, index, payload, a, b, parts, asked, leading):  # type: ignore[no-untyped-def]
    lo, hi = np.zeros(coders, np.int64), np.zeros(coders, np.int64)
    pending, ahead = np.zeros(coders, np.int64), np.zeros(coders, np.int64)
    held, held_bits, written = np.zeros(coders, np.int64), np.zeros(coders, np.int64), np.zeros(coders, np.int64)
    offset = 0
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(values) - first)
        words = (count * width + 63) >> 6
        for c in range(coders):
            lo[c], hi[c] = 0, 0xFFFF
            pending[c] = ahead[c] = held[c] = held_bits[c] = written[c] = 0
            asked[c] = c
        asks = coders
        b_bits = 0
        limit = False
        c = 0
        for i in range(first, first + count):
            value = np.int64(values[i])
            row = rows[value]
            if ol[row]:
                b_bits = put(b, b_bits, U(value - vmin[row]), ol[row])
            size = hi[c] - lo[c] + 1
            high = lo[c] + (size * cum[row + 1] >> 10) - 1
            low = lo[c] + (size * cum[row] >> 10)
            shift = 0
            same = low ^ high
            if not same & 0x8000:
                shift = _leading_zeros(same, leading)
                bits = low >> (16 - shift)
                if pending[c]:
                    top = bits >> (shift - 1)
                    _put_bits(parts, c, held, held_bits, written, top, 1)
                    _put_pending(parts, c, held, held_bits, written, pending[c], 1 - top)
                    pending[c] = 0
                    if shift > 1:
                        _put_bits(parts, c, held, held_bits, written, bits & ((1 << (shift - 1)) - 1), shift - 1)
                else:
                    _put_bits(parts, c, held, held_bits, written, bits, shift)
                low = (low << shift) & 0xFFFF
                high = ((high << shift) & 0xFFFF) | ((1 << shift) - 1)
            if low & 0x4000 and not high & 0x4000:
                more = _leading_zeros((~(low & ~high) << 1) & 0xFFFF, leading)
                shift += more
                pending[c] += more
                if pending[c] > 63:
                    limit = True
                    break
                low = (low << more) & 0x7FFF
                high = ((high << more) & 0x7FFF) | 0x8000 | ((1 << more) - 1)
            lo[c], hi[c] = low, high
            if shift > ahead[c]:
                asked[asks] = c
                asks += 1
                ahead[c] += 16
            ahead[c] -= shift
            c += 1
            if c == coders:
                c = 0
        if limit or ((asks + 3) >> 2) + ((b_bits + 63) >> 6) >= words:
            offset = store_raw(index, payload, block, offset, image, first * width >> 6, words)
            continue
        for c in range(coders):
            bit = 1 if lo[c] >= 0x4000 else 0
            _put_bits(parts, c, held, held_bits, written, bit, 1)
            _put_pending(parts, c, held, held_bits, written, pending[c] + 1, 1 - bit)
            if held_bits[c]:
                _put_bits(parts, c, held, held_bits, written, 0, 16 - held_bits[c])
            lo[c] = 0  # from here on: the parts that have been taken
        a_bits = 0
        for k in range(asks):
            c = asked[k]
            part = parts[c, lo[c]] if lo[c] < written[c] else 0
            lo[c] += 1
            a_bits = put(a, a_bits, U(part), 16)
        offset = store_coded(index, payload, block, offset, a, a_bits, b, b_bits)
    return offset


@njit
def _decode(index, payload, out, width, vmin, ol, cum, shares, coders, block_values, a, b, leading):  # type: ignore[no-untyped-def]
    mask = (1 << width) - 1
    lo, hi, code = np.zeros(coders, np.int64), np.zeros(coders, np.int64), np.zeros(coders, np.int64)
    ahead, ahead_bits = np.zeros(coders, np.int64), np.zeros(coders, np.int64)
    for block in range(len(index)):
        first = block * block_values
        count = min(block_values, len(out) - first)
        if load_raw(index[block], payload, out, first, count, width):
            continue
        a_bits, b_bits = load_coded(index[block], payload, a, b)
        if 16 * coders > a_bits:
            return block
        part = 0
        for c in range(coders):
            lo[c], hi[c] = 0, 0xFFFF
            code[c] = np.int64(a[part >> 2] >> U(48 - 16 * (part & 3))) & 0xFFFF
            ahead[c] = ahead_bits[c] = 0
            part += 1
        position = 0
        c = 0
        for i in range(first, first + count):
            size = hi[c] - lo[c] + 1
            # The row: cum <= (1024*(c+1) - 1) / R. The quotient is exact enough in binary64; LO <= CODE <= HI keeps it in 0..1023.
            share = np.int64(np.float64(((code[c] - lo[c] + 1) << 10) - 1) / np.float64(size))
            row = shares[share & 1023]
            high = lo[c] + (size * cum[row + 1] >> 10) - 1
            low = lo[c] + (size * cum[row] >> 10)
            shift = 0
            same = low ^ high
            if not same & 0x8000:
                shift = _leading_zeros(same, leading)
                low = (low << shift) & 0xFFFF
                high = ((high << shift) & 0xFFFF) | ((1 << shift) - 1)
            flip = 0
            if low & 0x4000 and not high & 0x4000:
                more = _leading_zeros((~(low & ~high) << 1) & 0xFFFF, leading)
                shift += more
                low = (low << more) & 0x7FFF
                high = ((high << more) & 0x7FFF) | 0x8000 | ((1 << more) - 1)
                flip = 0x8000
            lo[c], hi[c] = low, high
            if shift > ahead_bits[c]:
                if 16 * part >= a_bits:
                    return block
                ahead[c] = ((ahead[c] & 0xFFFF) << 16) | np.int64((a[part >> 2] >> U(48 - 16 * (part & 3))) & U(0xFFFF))
                ahead_bits[c] += 16
                part += 1
            ahead_bits[c] -= shift
            code[c] = (((code[c] << shift) & 0xFFFF) ^ flip) | ((ahead[c] >> ahead_bits[c]) & ((1 << shift) - 1))
            value = vmin[row]
            if ol[row]:
                value += np.int64(peek(b, position) >> U(64 - ol[row]))
                position += ol[row]
                if position > b_bits:
                    return block
            out[i] = value & mask
            c += 1
            if c == coders:
                c = 0
    return -1


def _arrays(table: Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return np.array(table.vmin, np.int64), np.array(table.ol, np.int64), np.array(table.cum, np.int64)


def fast_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor, compiled."""
    table, most = _table(coding), coding.block_values
    vmin, ol, cum = _arrays(table)
    rows = np.repeat(np.arange(16, dtype=np.uint8), np.diff(np.append(vmin, 1 << coding.width)))
    image = image_words(values, coding.width)
    index, payload = np.empty(coding.blocks(len(values)), np.uint64), np.empty(len(image), np.uint64)
    a, b = np.zeros(most // 4 + 32, np.uint64), np.zeros(raw_words(most, coding.width) + 8, np.uint64)
    parts = np.zeros((coding.coders, -(-most // coding.coders) * 12 // 16 + 8), np.uint16)
    asked = np.zeros(most + 16, np.int64)
    used = _encode(
        values, image, coding.width, vmin, ol, cum, rows, coding.coders, most, index, payload, a, b, parts, asked, _LEADING
    )
    return index, payload[:used].copy()


def fast_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor, compiled."""
    vmin, ol, cum = _arrays(_table(coding))
    shares = np.repeat(np.arange(16, dtype=np.int64), np.diff(cum))
    words = raw_words(coding.block_values, coding.width) + 4
    a, b = np.zeros(words, np.uint64), np.zeros(words, np.uint64)
    return int(_decode(index, payload, out, coding.width, vmin, ol, cum, shares, coding.coders, coding.block_values, a, b, _LEADING))


CODEC = Codec(
    "apack",
    3,
    (4, 8, 16),
    encode_block,
    decode_block,
    fast_encode if HAVE_NUMBA else None,
    fast_decode if HAVE_NUMBA else None,
    uses_table=True,
)
