# SPDX-License-Identifier: Apache-2.0
"""unit_cutter: the units of each word, first bits first; zero while none is here; the end; rst; the rate."""

from __future__ import annotations

import itertools
import os
import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource

UNIT = int(os.environ.get("UNIT", "16"))
WIDTHS = (1, 8, 16, 32)


def units(words: list[int]) -> list[int]:
    """The words cut up, first bits first."""
    return [word >> (64 - UNIT - at) & ((1 << UNIT) - 1) for word in words for at in range(0, 64, UNIT)]


class Gate:
    """Pauses of a sink: none until it has `most` beats, then all until it is opened."""

    def __init__(self, sink: StreamSink, most: int) -> None:
        self.sink, self.most, self.open = sink, most, False

    def __iter__(self) -> Gate:
        return self

    def __next__(self) -> bool:
        return not self.open and len(self.sink.beats) >= self.most


class Bench:
    """Source of words, sink of units; checks m_data, m_end and m_known in each cycle."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.source, self.sink = StreamSource(dut, "s", payload=("data",)), StreamSink(dut, "m", payload=("data",))
        dut.s_end.value = 0
        self.ends = 0

    async def begin(self) -> None:
        await start(self.dut)
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut, fresh = self.dut, True
        while True:
            await RisingEdge(dut.clk)
            if int(dut.rst.value):
                fresh = True
                continue
            valid, end = int(dut.m_valid.value), int(dut.m_end.value)
            assert int(dut.m_known.value) == (valid | end), "m_known is not m_valid || m_end"
            assert valid or fresh or not int(dut.m_data.value), "m_data is not zero while no unit is here"
            fresh = False
            assert not (valid and end), "a unit behind the end"
            assert not end or int(dut.s_end.value), "the end before s_end"
            self.ends += end

    async def pass_words(self, words: list[int]) -> None:
        """All units of the words, and not one more."""
        self.source.send(words)
        got = await self.sink.receive(64 // UNIT * len(words))
        expected = units(words)
        assert got == expected, f"unit {next(k for k, one in enumerate(got) if one != expected[k])} differs"
        assert self.source.idle, "words were not taken"


@cocotb.test()
async def in_order(dut: Any) -> None:
    """Every profile on both sides; the end shows when s_end does, and stays."""
    bench = Bench(dut)
    await bench.begin()
    rng = random.Random(UNIT)
    for number, (left, right) in enumerate((left, right) for left in PROFILES for right in PROFILES):
        bench.source.set_profile(left, number)
        bench.sink.set_profile(right, number)
        await bench.pass_words([rng.getrandbits(64) for _ in range(rng.randint(1, max(2, 12 * UNIT // 32)))])
    assert not bench.ends
    await bench.sink.expect_silence()
    dut.s_end.value = 1
    await wait_cycles(dut, 3)
    assert bench.ends
    await bench.sink.expect_silence()
    assert int(dut.m_end.value)


@cocotb.test()
async def end_after_the_last_unit(dut: Any) -> None:
    """s_end is up while the last one or two units wait, however long: m_end comes after them."""
    bench = Bench(dut)
    await bench.begin()
    for waiting, stall in itertools.product((1, 2), range(4)):
        gate = Gate(bench.sink, 64 // UNIT - waiting)
        bench.sink.set_profile(gate)
        bench.source.send([0x0123456789ABCDEF])
        while not bench.source.idle:
            await RisingEdge(dut.clk)
        dut.s_end.value = 1
        await wait_cycles(dut, 3 + stall)
        assert int(dut.m_valid.value) and not int(dut.m_end.value), f"{waiting} units wait"
        gate.open = True
        got = await bench.sink.receive(64 // UNIT)
        assert got == units([0x0123456789ABCDEF])
        await wait_cycles(dut, 3)
        assert int(dut.m_end.value), "no end"
        dut.s_end.value = 0
        await reset(dut)
        bench.sink.clear()


@cocotb.test()
async def reset_drops_all(dut: Any) -> None:
    """rst in the middle of a word: the next stream begins with its own first unit."""
    bench = Bench(dut)
    await bench.begin()
    rng = random.Random(f"reset:{UNIT}")
    for cycles in range(1, 14):
        bench.sink.set_profile("heavy" if cycles % 2 else "none", cycles)
        bench.source.send([rng.getrandbits(64) for _ in range(8)])
        await wait_cycles(dut, cycles)
        bench.source.clear()
        await reset(dut)
        bench.source.clear()
        bench.sink.clear()
        await bench.pass_words([rng.getrandbits(64) for _ in range(3)])
    await bench.sink.expect_silence()


@cocotb.test()
async def rate(dut: Any) -> None:
    """A unit a cycle, also from one word to the next; the first after one cycle."""
    bench = Bench(dut)
    await bench.begin()
    words = [0x0102030405060708 * k for k in range(1, 21)]
    expected = units(words)
    bench.source.send(words)
    while not int(dut.s_valid.value):
        await RisingEdge(dut.clk)
    assert not int(dut.m_valid.value)
    await RisingEdge(dut.clk)
    assert int(dut.m_valid.value), "the first unit is late"
    await wait_cycles(dut, len(expected) + 4)
    assert list(bench.sink.beats) == expected
    assert bench.sink.cycles[-1] - bench.sink.cycles[0] == len(expected) - 1, "a gap between units"


@pytest.mark.parametrize("unit", WIDTHS)
def test_unit_cutter(simulator: str, unit: int) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:common",
        toplevel="unit_cutter",
        parameters={"UNIT": unit},
        extra_env={"UNIT": str(unit)},
        expected_tests=4,
        simulator=simulator,
    )
