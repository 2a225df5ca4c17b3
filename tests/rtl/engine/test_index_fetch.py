# SPDX-License-Identifier: Apache-2.0
"""The index fetch: batches, addresses, order of entries, reading ahead, never more than there are places for."""

from __future__ import annotations

import random
from collections import deque

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamMonitor, StreamSink, StreamSource

BATCH = 16
PLACES = 32


class Bench:
    """Takes commands, answers them in order from an index of random entries after `latency` cycles."""

    def __init__(self, dut, *, commands: str = "none", words: str = "none", entries: str = "none", latency: int = 20, seed: int = 0):
        self.dut, self.latency, self.seed = dut, latency, seed
        self.commands = StreamSink(dut, "cmd", payload=("address", "words"), profile=commands, seed=seed)
        self.words = StreamSource(dut, "s", profile=words, seed=seed)
        self.entries = StreamSink(dut, "entry", profile=entries, seed=seed)
        self.asked: list[tuple[int, int]] = []

    async def start(self) -> None:
        await start(self.dut, go=0, job_values=0, job_block_values=128, job_index_address=0)
        cocotb.start_soon(self._memory())

    async def go(self, *, values: int, block_values: int, address: int) -> None:
        dut = self.dut
        self.asked.clear()
        self.address = address
        self.index = random.Random(f"{values}:{block_values}:{self.seed}")
        self.expected: deque[int] = deque()
        dut.job_values.value = values
        dut.job_block_values.value = block_values
        dut.job_index_address.value = address
        dut.go.value = 1
        await RisingEdge(dut.clk)
        dut.go.value = 0

    async def _memory(self) -> None:
        while True:
            command = (await self.commands.receive(1, timeout=1 << 30))[0]
            self.asked.append((command["address"], command["words"]))
            entries = [self.index.getrandbits(64) for _ in range(command["words"])]
            self.expected.extend(entries)
            cocotb.start_soon(self._answer(entries))

    async def _answer(self, entries: list[int]) -> None:
        await wait_cycles(self.dut, self.latency)
        self.words.send(entries)

    @staticmethod
    def batches(blocks: int, address: int) -> list[tuple[int, int]]:
        return [(address + 8 * first & 0xFFFF_FFFF, min(BATCH, blocks - first)) for first in range(0, blocks, BATCH)]


@cocotb.test()
@cocotb.parametrize(commands=("none", "heavy"), words=("none", "heavy"), entries=PROFILES)
async def entries_come_in_block_order(dut, commands, words, entries):
    bench = Bench(dut, commands=commands, words=words, entries=entries, seed=3)
    await bench.start()
    rng = random.Random(f"{commands}{words}{entries}")
    for blocks in rng.sample((1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 100), 3):
        block_values = 128 * rng.randint(1, 128)
        values = (blocks - 1) * block_values + rng.choice((1, block_values, rng.randint(1, block_values)))
        address = 8 * rng.randrange(1 << 28)
        await bench.go(values=values, block_values=block_values, address=address)
        got = await bench.entries.receive(blocks)
        await bench.entries.expect_silence(60)
        assert bench.asked == bench.batches(blocks, address)
        assert got == list(bench.expected)


@cocotb.test()
async def every_count_of_blocks_around_the_batches(dut):
    bench = Bench(dut, latency=3)
    await bench.start()
    for blocks in (1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49):
        for values in (blocks * 256, blocks * 256 - 1, (blocks - 1) * 256 + 1):
            await bench.go(values=values, block_values=256, address=0x1000)
            assert await bench.entries.receive(blocks) == list(bench.expected)
            await bench.entries.expect_silence(25)
            assert bench.asked == bench.batches(blocks, 0x1000), (blocks, values)


@cocotb.test()
async def it_reads_ahead_and_only_what_has_a_place(dut):
    bench = Bench(dut)
    await bench.start()
    bench.entries.set_profile(iter(lambda: True, None))  # nobody takes an entry
    await bench.go(values=5 * BATCH * 128, block_values=128, address=64)
    await wait_cycles(dut, 200)
    assert bench.asked == bench.batches(PLACES, 64), "two batches, then no more"
    assert bench.words.idle
    # the next batch is asked for with the 16th place that becomes free, not earlier
    got = []
    for taken in range(1, BATCH + 1):
        await wait_cycles(dut, 30)
        assert len(bench.asked) == 2, f"a batch was asked for with {taken - 1} free places"
        bench.entries.set_profile(_one_beat())
        got += await bench.entries.receive(1)
    await wait_cycles(dut, 30)
    assert len(bench.asked) == 3
    bench.entries.set_profile("none")
    got += await bench.entries.receive(5 * BATCH - BATCH)
    assert got == list(bench.expected)
    await bench.entries.expect_silence()
    assert bench.asked == bench.batches(5 * BATCH, 64)


def _one_beat():
    """One cycle free, then blocked."""
    yield False
    while True:
        yield True


@cocotb.test()
async def the_largest_job_begins_right_and_a_reset_ends_it(dut):
    bench = Bench(dut)
    await bench.start()
    monitor = StreamMonitor(dut, "cmd", payload=("address", "words"))
    await bench.go(values=1 << 28, block_values=16384, address=0xFFFF_0000)
    await bench.entries.receive(100)
    assert bench.asked[:6] == bench.batches(96, 0xFFFF_0000)
    await reset(dut)
    await wait_cycles(dut, 60)  # what was on its way arrives
    for stream in (monitor, bench.entries):
        stream.clear()
    await reset(dut)
    await wait_cycles(dut, 30)
    assert monitor.beats == [] and bench.entries.beats == []
    await bench.go(values=300, block_values=128, address=8)
    assert await bench.entries.receive(3) == list(bench.expected)
    await bench.entries.expect_silence()
    assert bench.asked == [(8, 3)]


TESTS = 4 * len(PROFILES) + 3


def test_index_fetch(simulator):
    run_cocotb(__file__, core="tensorpress:rtl:engine", toplevel="index_fetch", simulator=simulator, expected_tests=TESTS)
