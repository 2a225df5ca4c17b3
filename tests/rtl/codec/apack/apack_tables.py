# SPDX-License-Identifier: Apache-2.0
"""Tables for the APack tests, and the words that carry them."""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tensorpress.demo import DEMO_TENSORS
from tensorpress.tables import Table, histogram, optimal_table
from tensorpress.tensors import load_tensors

DATA = os.environ.get("TENSORPRESS_DATA")
FILES = sorted(Path(DATA).glob("*.npz")) if DATA else []
"""Files of tensors to test with, besides the demo's."""


def bus_words(table: Table) -> list[tuple[int, int]]:
    """The table load bus: address = row, data = {cum[10:0], vmin[15:0]}."""
    return [(row, table.cum[row] << 16 | table.vmin[row]) for row in range(16)]


def make_table(kind: str, width: int) -> Table:
    """Tables by name.

    ``even``: rows of equal span and count. ``zeros``: 0 and its neighbours are likely (weights, activations).
    ``random...``: 15 random boundaries and counts. These have counts of at least 8, so that 8-bit values never code to more than their
    own size in stream A. ``narrow...``: random too, with counts from 1 on.
    ``skew``: row 0 is a single value with 1009 of 1024, all others have a count of 1. ``skew_last``: the same with the last row.
    ``wide``: row 0 has all values but 15, offsets of W bits. ``middle``: narrow rows about the middle, which pending bits need.
    """
    span = 1 << width
    even = tuple(span * row // 16 for row in range(16))
    if kind == "even" or (width == 4 and kind == "wide"):
        return Table(width, even, tuple(64 * row for row in range(17)))
    if kind == "zeros":
        values = np.arange(span, dtype=np.float64)
        distance = np.minimum(values, span - values)
        histogram = np.maximum(1e6 * np.exp(-distance / (span / 40)), 1).astype(np.int64)
        table = optimal_table(histogram, width)
        return Table(width, table.vmin, _at_least_8(table.cum))
    if kind == "skew":
        return Table(width, tuple(range(16)), (0, *range(1009, 1025)))
    if kind == "skew_last":
        return Table(width, tuple(range(16)), (*range(16), 1024))
    if kind == "wide":
        return Table(width, (0, *range(span - 15, span)), (0, *range(1009, 1025)))
    if kind == "middle":
        cum = (0, 100, 300, 450, 500, 508, 510, 511, 513, 516, 524, 574, 724, 800, 900, 1000, 1024)
        return Table(width, even, cum)
    if kind.startswith(("random", "narrow")):
        rng = random.Random(f"{kind}:{width}")
        vmin = (0, *sorted(rng.sample(range(1, span), 15)))
        cum = (0, *sorted(rng.sample(range(1, 1024), 15)), 1024)
        return Table(width, vmin, cum if kind.startswith("narrow") else _at_least_8(cum))
    raise ValueError(f"unknown kind of table {kind!r}")


def _at_least_8(cum: Sequence[int]) -> tuple[int, ...]:
    """Counts squeezed so that each is at least 8."""
    return tuple(8 * row + below * (1024 - 128) // 1024 for row, below in enumerate(cum))


def tensor_blocks(file: Path | str = "", *, every: bool = False, block: int = 4096) -> Iterator[tuple[str, Table, list[int]]]:
    """Name, optimal table and values of the middle block of each 8-bit tensor of a file (default: the demo's); `every`: of all blocks."""
    for tensor in load_tensors(file or DEMO_TENSORS):
        if tensor.width != 8:
            continue
        values = tensor.values.ravel().view(np.uint8)
        table = optimal_table(histogram(values))
        starts = range(0, len(values), block)
        for start in starts if every else (starts[len(starts) // 2],):
            yield f"{tensor.name} at {start}", table, [int(value) for value in values[start : start + block]]


def likely_values(rng: random.Random, table: Table, count: int) -> list[int]:
    """Values whose rows come as often as the table says, uniform inside a row."""
    ends = (*table.vmin[1:], 1 << table.width)
    rows = rng.choices(range(16), [high - low for low, high in zip(table.cum, table.cum[1:], strict=False)], k=count)
    return [rng.randrange(table.vmin[row], ends[row]) for row in rows]


def pending_values(table: Table, coders: int, pending: int, count: int, *, again: bool = False) -> list[int]:
    """`count` values with which the largest pending counter is exactly `pending`, or from 64 on at least (the format's limit is 63).

    Every coder gets the same symbols, found step by step on the format's own coder: those that raise the counter most without passing
    `pending`, until it is reached, and then those of the least pending bits; with `again` it is raised anew as soon as it is 0.
    """
    low, high, waiting = 0, 0xFFFF, 0
    symbols: list[int] = []
    reached = ever = False
    while len(symbols) * coders < count:
        best: tuple[tuple[int, int], int, tuple[int, int, int]] | None = None
        for row in range(16):
            size = high - low + 1
            lo, hi, more = low + (size * table.cum[row] >> 10), low + (size * table.cum[row + 1] >> 10) - 1, waiting
            while True:
                if hi < 0x8000 or lo >= 0x8000:
                    more = 0
                    lo, hi = (lo & 0x7FFF) << 1, (hi & 0x7FFF) << 1 | 1
                elif lo >= 0x4000 and hi < 0xC000:
                    more += 1
                    lo, hi = (lo - 0x4000) << 1, (hi - 0x4000) << 1 | 1
                else:
                    break
            if more > (pending if pending < 64 else 75):
                continue
            score = (-more if reached else more, -abs(0x10000 - lo - hi))  # then: most even about the middle
            if best is None or score > best[0]:
                best = (score, row, (lo, hi, more))
        assert best is not None, f"no symbol keeps the pending counter at {pending}"
        symbols.append(best[1])
        low, high, waiting = best[2]
        reached = waiting >= pending or (reached and not (again and waiting == 0))
        ever = ever or reached
    assert ever, f"the pending counter does not reach {pending} in {count} values"
    return [table.vmin[row] for row in symbols for _ in range(coders)][:count]


def largest_pending(values: Sequence[int], table: Table, coders: int) -> int:
    """The largest pending counter of a block, by the loop of FORMAT.md section 3.1, without its limit."""
    states = [(0, 0xFFFF, 0)] * coders
    largest = 0
    for position, value in enumerate(values):
        row = bisect_right(table.vmin, value) - 1
        low, high, pending = states[position % coders]
        size = high - low + 1
        low, high = low + (size * table.cum[row] >> 10), low + (size * table.cum[row + 1] >> 10) - 1
        while True:
            if high < 0x8000 or low >= 0x8000:
                base, pending = low & 0x8000, 0
            elif low >= 0x4000 and high < 0xC000:
                base, pending = 0x4000, pending + 1
            else:
                break
            low, high = 2 * (low - base), 2 * (high - base) + 1
            largest = max(largest, pending)
        states[position % coders] = low, high, pending
    return largest
