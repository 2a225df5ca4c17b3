# SPDX-License-Identifier: Apache-2.0
"""An APack decoder written from FORMAT.md section 3 alone: whole numbers, one bit at a time, nothing shared with the package."""

from __future__ import annotations


class EndOfStream(Exception):
    """A bit was needed that the stream does not hold."""


class Bits:
    """A stream given as bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def bit(self) -> int:
        if self.place >= 8 * len(self.data):
            raise EndOfStream
        bit = self.data[self.place // 8] >> (7 - self.place % 8) & 1
        self.place += 1
        return bit

    def number(self, bits: int) -> int:
        total = 0
        for _ in range(bits):
            total = total * 2 + self.bit()
        return total


def decode_block(a: bytes, b: bytes, count: int, width: int, vmin: list[int], cum: list[int], coders: int) -> list[int]:
    """The values of one block from the bytes of its two streams."""
    stream_a, stream_b = Bits(a), Bits(b)
    ends = [*vmin[1:], 2**width]
    lows, highs, codes, waiting = [0] * coders, [65535] * coders, [], [[] for _ in range(coders)]
    for _ in range(coders):
        codes.append(stream_a.number(16))
    values = []
    for number in range(count):
        k = number % coders
        size = highs[k] - lows[k] + 1
        found = [row for row in range(16) if size * cum[row] // 1024 <= codes[k] - lows[k] < size * cum[row + 1] // 1024]
        assert len(found) == 1
        row = found[0]
        lows[k], highs[k] = lows[k] + size * cum[row] // 1024, lows[k] + size * cum[row + 1] // 1024 - 1
        while True:
            if highs[k] < 32768:
                less = 0
            elif lows[k] >= 32768:
                less = 32768
            elif lows[k] >= 16384 and highs[k] < 49152:
                less = 16384
            else:
                break
            if not waiting[k]:
                waiting[k] = [stream_a.bit() for _ in range(16)]
            lows[k] = 2 * (lows[k] - less)
            highs[k] = 2 * (highs[k] - less) + 1
            codes[k] = 2 * (codes[k] - less) + waiting[k].pop(0)
        offset_bits = 0
        while 2**offset_bits < ends[row] - vmin[row]:
            offset_bits += 1
        values.append((vmin[row] + stream_b.number(offset_bits)) % 2**width)
    return values
