# SPDX-License-Identifier: Apache-2.0
"""apack_table: what it accepts, what it refuses, and what reaches the lanes."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from codec.apack.apack_tables import bus_words, make_table
from harness import run_cocotb
from lib import clock
from tensorpress.tables import Table

WIDTH = int(os.environ.get("WIDTH", "8"))
SPAN = 1 << WIDTH
LONGEST = 48  # cycles from load to load_done, at most
KINDS = ("even",) if WIDTH == 4 else ("even", "zeros", "skew", "skew_last", "wide", "random 1", "narrow 1")


class Bench:
    """Writes rows, loads, and collects what the lanes get."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.lane: list[tuple[int, int]] = []
        self.done: list[int] = []

    async def begin(self) -> None:
        await clock.start(self.dut, table_valid=0, table_address=0, table_data=0, load=0)
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut.lane_table_valid.value):
                self.lane.append((int(self.dut.lane_table_address.value), int(self.dut.lane_table_data.value)))
            if int(self.dut.load_done.value):
                self.done.append(int(self.dut.load_error.value))

    async def write(self, words: list[tuple[int, int]]) -> None:
        for address, data in words:
            self.dut.table_valid.value, self.dut.table_address.value, self.dut.table_data.value = 1, address, data
            await RisingEdge(self.dut.clk)
        self.dut.table_valid.value = 0

    async def load(self) -> tuple[int, list[tuple[int, int]]]:
        """Load; returns load_error and what the lanes got."""
        self.lane.clear()
        self.done.clear()
        self.dut.load.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.load.value = 0
        for _ in range(LONGEST):
            if self.done:
                break
            await RisingEdge(self.dut.clk)
        assert len(self.done) == 1, f"load_done came {len(self.done)} times within {LONGEST} cycles"
        before = list(self.lane)
        await clock.wait_cycles(self.dut, LONGEST)
        assert len(self.done) == 1, "load_done came again"
        assert self.lane == before, "rows went out after load_done"
        return self.done[0], before


@cocotb.test()
async def good_tables(dut: Any) -> None:
    """Each good table reaches the lanes, row 0 first; in any order of writing, and again for the next job."""
    bench = Bench(dut)
    await bench.begin()
    rng = random.Random("order")
    for kind in KINDS:
        words = bus_words(make_table(kind, WIDTH))
        shuffled = rng.sample(words, len(words))
        await bench.write(shuffled)
        for _ in range(2):
            assert await bench.load() == (0, words), kind


@cocotb.test()
async def incomplete_tables(dut: Any) -> None:
    """Nothing is loaded before each row has been written since reset."""
    bench = Bench(dut)
    await bench.begin()
    words = bus_words(make_table("even", WIDTH))
    assert await bench.load() == (1, [])
    for missing in range(16):
        await bench.write([word for word in words if word[0] != missing])
        assert await bench.load() == (1, []), f"row {missing} missing"
        await bench.write([words[missing]])
        assert await bench.load() == (0, words)
        await clock.reset(dut)
        bench.lane.clear()
    assert await bench.load() == (1, [])


@cocotb.test()
async def broken_tables(dut: Any) -> None:
    """Each rule, broken in each row, is noticed; the lanes get nothing; the repaired table is good."""
    bench = Bench(dut)
    await bench.begin()
    table = make_table("even" if WIDTH == 4 else "random 1", WIDTH)
    words = bus_words(table)
    await bench.write(words)
    assert await bench.load() == (0, words)
    broken = [(0, 1), (0, 1 << 16), (0, 1 << 31)]
    for row in range(1, 16):
        vmin, cum = table.vmin[row], table.cum[row]
        broken += [
            (row, cum << 16 | table.vmin[row - 1]),
            (row, table.cum[row - 1] << 16 | vmin),
            (row, cum << 16 | 0),
            (row, 0 << 16 | vmin),
            (row, 1024 << 16 | vmin),
            (row, 1 << 27 | cum << 16 | vmin),
        ]
        if row < 15:
            broken += [(row, cum << 16 | table.vmin[row + 1]), (row, table.cum[row + 1] << 16 | vmin)]
        if WIDTH < 16:
            broken += [(row, cum << 16 | SPAN | vmin)]
    for row, data in broken:
        await bench.write([(row, data)])
        assert await bench.load() == (1, []), f"row {row} = {data:#010x}"
        await bench.write([words[row]])
        assert await bench.load() == (0, words), f"row {row} repaired"
    assert len(broken) >= 100


@cocotb.test()
async def other_words(dut: Any) -> None:
    """Words 16..255 of the window change nothing."""
    bench = Bench(dut)
    await bench.begin()
    words = bus_words(make_table("even", WIDTH))
    await bench.write(words)
    await bench.write([(address, 0xFFFFFFFF) for address in range(16, 256)])
    assert await bench.load() == (0, words)


@cocotb.test()
async def written_while_loading(dut: Any) -> None:
    """A row that changes during a load never lets a bad table count as loaded."""
    bench = Bench(dut)
    await bench.begin()
    words = bus_words(make_table("even", WIDTH))
    loaded = refused = 0
    for cycle in range(44):
        await bench.write(words)
        loading = cocotb.start_soon(bench.load())
        await clock.wait_cycles(dut, cycle)
        await bench.write([(7, words[6][1])])  # does not rise
        error, got = await loading
        if error:
            refused += 1
        else:
            assert got == words, f"written {cycle} cycles after load"
            loaded += 1
        assert await bench.load() == (1, []), "the broken row is there now"
    assert loaded >= 5 and refused >= 5


@cocotb.test()
async def replaced_while_loading(dut: Any) -> None:
    """Another good table is written during a load: what counts as loaded is a table, be it of rows of both."""
    bench = Bench(dut)
    await bench.begin()
    old, new = (bus_words(make_table(kind, WIDTH)) for kind in ("even", "middle"))
    both = refused = 0
    for cycle in range(0, 44, 2):
        await bench.write(old)
        loading = cocotb.start_soon(bench.load())
        await clock.wait_cycles(dut, cycle)
        await bench.write(new if cycle % 4 else new[::-1])
        error, got = await loading
        refused += error
        if not error:
            rows = [data for _, data in got]
            assert [row for row, _ in got] == list(range(16)), f"written {cycle} cycles after load: {len(got)} rows went out"
            Table(WIDTH, tuple(data & 0xFFFF for data in rows), (*(data >> 16 for data in rows), 1024))  # or raises
            both += got not in (old, new)
        assert await bench.load() == (0, new)
    dut._log.info("%d loads refused, %d gave rows of both", refused, both)


@cocotb.test()
async def next_table_while_a_job_runs(dut: Any) -> None:
    """Double buffer: after a load the next job's table is written; the lanes see nothing of it until the next load."""
    bench = Bench(dut)
    await bench.begin()
    first, second = (bus_words(make_table(kind, WIDTH)) for kind in ("even", "middle"))
    await bench.write(first)
    for now, after in ((first, second), (second, first)) * 2:
        assert await bench.load() == (0, now)
        bench.lane.clear()
        for word in after:
            await bench.write([word])
            await clock.wait_cycles(dut, 3)
        assert not bench.lane, "rows went out without a load"
    assert await bench.load() == (0, first)


def run(simulator: str, width: int) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:apack",
        toplevel="apack_table",
        parameters={"W": width},
        extra_env={"WIDTH": str(width)},
        expected_tests=7,
        simulator=simulator,
    )


def test_apack_table(simulator: str) -> None:
    run(simulator, 8)


@pytest.mark.slow
@pytest.mark.parametrize("width", [4, 16])
def test_apack_table_of_other_widths(simulator: str, width: int) -> None:
    run(simulator, width)
