# SPDX-License-Identifier: Apache-2.0
"""The stream source: cutting a stream by commands, TLAST too early or missing, halt, rate."""

from __future__ import annotations

import random

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamSource


class Bench:
    """Commands and stream beats in; collects what comes out, and the error pulses with the number of the word before them."""

    def __init__(self, dut, *, commands: str = "none", stream: str = "none", seed: int = 0):
        self.dut = dut
        self.commands = StreamSource(dut, "cmd", payload=("words", "tag", "last"), profile=commands, seed=seed)
        self.stream = StreamSource(dut, "s_axis", payload=("data", "last"), profile=stream, seed=seed)
        self.clear()

    def clear(self) -> None:
        self.words: list[tuple[int, int, int]] = []  # data, tag, last of the command
        self.cycles: list[int] = []
        self.faults: list[tuple[str, int]] = []

    async def start(self) -> None:
        await start(self.dut, halt=0)
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut = self.dut
        cycle = 0
        while True:
            await RisingEdge(dut.clk)
            cycle += 1
            if int(dut.rst.value):
                continue
            for name in ("underrun", "overrun"):
                if int(getattr(dut, name).value):
                    self.faults.append((name, len(self.words)))
            taken = int(dut.s_axis_tvalid.value) and int(dut.s_axis_tready.value)
            assert int(dut.m_data_valid.value) == taken, "a word goes on in the cycle in which it is taken"
            if taken:
                self.words.append((int(dut.m_data.value), int(dut.m_data_tag.value), int(dut.m_data_last.value)))
                self.cycles.append(cycle)

    async def restart(self) -> None:
        self.commands.clear()
        self.stream.clear()
        await reset(self.dut, cycles=2)
        await wait_cycles(self.dut, 1)
        self.clear()

    def job(self, lengths: list[int], rng: random.Random, *, last_at: int | None = -1) -> list[tuple[int, int, int]]:
        """Queue a job of blocks of `lengths` words with TLAST at word `last_at` (-1: the last one); returns the words expected."""
        total = sum(lengths)
        data = [rng.getrandbits(64) for _ in range(total)]
        tags = [rng.getrandbits(8) for _ in lengths]
        for number, (words, tag) in enumerate(zip(lengths, tags, strict=True)):
            self.commands.send({"words": words, "tag": tag, "last": int(number == len(lengths) - 1)})
        last_at = total - 1 if last_at == -1 else last_at
        self.stream.send({"data": word, "last": int(number == last_at)} for number, word in enumerate(data))
        expected, words = [], iter(data)
        for length, tag in zip(lengths, tags, strict=True):
            expected += [(next(words), tag, int(left == 1)) for left in range(length, 0, -1)]
        return expected

    async def settle(self, timeout: int = 20_000) -> None:
        """Until nothing moves."""
        still = seen = 0
        for _ in range(timeout):
            await RisingEdge(self.dut.clk)
            still = still + 1 if len(self.words) == seen else 0
            seen = len(self.words)
            if still > 200:
                return
        raise AssertionError("it never stops")


LENGTHS = [[1], [1, 1, 1], [64, 64, 3], [2, 1, 5, 1, 1, 64], [16] * 9, [64, 1]]


@cocotb.test()
@cocotb.parametrize(commands=("none", "heavy"), stream=PROFILES)
async def words_are_cut_into_blocks(dut, commands, stream):
    bench = Bench(dut, commands=commands, stream=stream)
    await bench.start()
    rng = random.Random(f"{commands}{stream}")
    for lengths in LENGTHS:
        expected = bench.job(lengths, rng)
        await bench.settle()
        assert bench.words == expected
        assert bench.faults == []
        assert int(dut.s_axis_tready.value) == 0, "nothing is taken after the job"
        await bench.restart()


@cocotb.test()
async def a_word_a_cycle_with_no_gap_between_commands(dut):
    bench = Bench(dut)
    await bench.start()
    expected = bench.job([64, 2, 2, 7, 16, 2, 64, 1], random.Random(1))
    await bench.settle()
    assert bench.words == expected
    gaps = [number for number in range(1, len(expected)) if bench.cycles[number] - bench.cycles[number - 1] != 1]
    assert gaps == [], "words before which the stream waited"


@cocotb.test()
async def tlast_too_early_is_an_underrun_and_stops_the_stream(dut):
    bench = Bench(dut, stream="light")
    await bench.start()
    rng = random.Random(2)
    lengths = [5, 1, 4]
    for last_at in range(sum(lengths) - 1):
        expected = bench.job(lengths, rng, last_at=last_at)
        await bench.settle()
        assert bench.words == expected[: last_at + 1], "nothing is taken after TLAST"
        assert bench.faults == [("underrun", last_at + 1)]
        await bench.restart()


@cocotb.test()
async def a_missing_tlast_is_an_overrun(dut):
    bench = Bench(dut)
    await bench.start()
    rng = random.Random(3)
    for lengths in ([1], [5, 1], [3, 4]):
        expected = bench.job(lengths, rng, last_at=None)
        bench.stream.send([{"data": 1, "last": 0}, {"data": 2, "last": 1}])  # more words that nobody asked for
        await bench.settle()
        assert bench.words == expected
        assert bench.faults == [("overrun", len(expected))]
        await bench.restart()


@cocotb.test()
async def halt_stops_it_at_once_until_reset(dut):
    bench = Bench(dut)
    await bench.start()
    rng = random.Random(4)
    for wait in (0, 1, 5, 20):
        expected = bench.job([8, 64], rng)
        await wait_cycles(dut, wait + 2)
        dut.halt.value = 1
        await wait_cycles(dut, 1)
        taken = len(bench.words)  # the cycle that begins here is the first with halt
        await wait_cycles(dut, 1)
        dut.halt.value = 0
        await wait_cycles(dut, 100)
        assert len(bench.words) <= taken + 2
        assert bench.words == expected[: len(bench.words)]
        assert int(dut.s_axis_tready.value) == 0
        await bench.restart()
    expected = bench.job([8, 64], rng)
    await bench.settle()
    assert bench.words == expected


def test_stream_source(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:engine",
        toplevel="stream_source",
        simulator=simulator,
        expected_tests=2 * len(PROFILES) + 4,
    )
