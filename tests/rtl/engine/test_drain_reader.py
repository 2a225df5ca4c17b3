# SPDX-License-Identifier: Apache-2.0
"""The drain reader: what it reads from lanes and index ring, in which order, at which rate, against back-pressure."""

from __future__ import annotations

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge, ValueChange
from harness import run_cocotb
from lib.clock import start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource

ADDRESS_WIDTH = 6
TOP = (1 << ADDRESS_WIDTH) - 1
FIELDS = ("index", "lane", "up_words", "words", "index_address", "tail", "last", "stream")


class Bench:
    """Lanes whose data come 3 cycles after the enable (foreign data at all other times), and an index ring that is read at once."""

    def __init__(self, dut, *, commands: str = "none", words: str = "none", seed: int = 0):
        self.dut, self.lanes = dut, len(dut.drain_enable)
        self.rng = random.Random(seed)
        self.commands = StreamSource(dut, "cmd", payload=FIELDS, profile=commands, seed=seed)
        self.words = StreamSink(dut, "m", payload=("data", "tail", "last", "stream"), profile=words, seed=seed)
        self.ring = [self.rng.getrandbits(64) for _ in range(32)]
        self.clear()

    def clear(self) -> None:
        self.blocks: list[tuple[int, list[int], list[int]]] = []  # lane, addresses, words of the blocks not read yet
        self.place = 0  # in the first of them
        self.released = 0
        self.enables: list[int] = []  # their cycles
        self.cycle = 0

    async def start(self) -> None:
        await start(self.dut, drain_data=0, index_data=0)
        cocotb.start_soon(self._lanes())
        cocotb.start_soon(self._ring())

    async def _ring(self) -> None:
        while True:
            self.dut.index_data.value = self.ring[int(self.dut.index_address.value)] if self.dut.index_address.value.is_resolvable else 0
            await ValueChange(self.dut.index_address)

    async def _lanes(self) -> None:
        dut = self.dut
        stages: list[tuple[int, int] | None] = [None, None]  # array, output register
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            data = [self.rng.getrandbits(64) for _ in range(self.lanes)]
            if stages[1] is not None:
                data[stages[1][0]] = stages[1][1]
            dut.drain_data.value = sum(word << 64 * lane for lane, word in enumerate(data))
            stages = [None, stages[0]]
            enable = int(dut.drain_enable.value)
            if int(dut.rst.value) or not enable:
                continue
            assert enable & enable - 1 == 0, "one lane at a time"
            assert self.blocks, "a read that nobody asked for"
            lane, addresses, words = self.blocks[0]
            assert enable == 1 << lane, f"lane {lane} is next"
            assert int(dut.drain_address.value) == addresses[self.place], f"word {self.place}"
            final = self.place == len(addresses) - 1
            assert int(dut.drain_last.value) == final, "the last word releases the slot"
            stages[0] = (lane, words[self.place])
            self.enables.append(self.cycle)
            self.place += 1
            if final:
                self.blocks.pop(0)
                self.place = 0
                self.released += 1

    def block(self, lane: int, up: int, down: int, *, tail: int = 0, last: bool = False) -> list[dict]:
        """Queue a block of `up` words from 0 up and `down` words from the top down; returns the words to come."""
        addresses = [*range(up), *range(TOP, TOP - down, -1)]
        words = [self.rng.getrandbits(64) for _ in addresses]
        self.blocks.append((lane, addresses, words))
        foreign = self.rng.randrange(32)
        stream = self.rng.randrange(2)
        self.commands.send(dict(zip(FIELDS, (0, lane, up, up + down, foreign, tail, int(last), stream), strict=True)))
        return self._expected(words, tail, last, stream)

    def index(self, address: int, count: int, *, lane: int = 0, tail: int = 0, last: bool = False) -> list[dict]:
        """Queue `count` index entries from the ring; they are never the last word of the job."""
        self.commands.send(dict(zip(FIELDS, (1, lane, count, count, address, tail, int(last), 0), strict=True)))
        return self._expected([self.ring[(address + place) % 32] for place in range(count)], tail, False, 0)

    @staticmethod
    def _expected(words: list[int], tail: int, last: bool, stream: int) -> list[dict]:
        return [
            {"data": word, "tail": tail, "last": int(last and place == len(words) - 1), "stream": stream}
            for place, word in enumerate(words)
        ]

    def mixture(self, count: int) -> tuple[list[dict], int]:
        """Queue `count` random commands; returns the words to come and how many blocks are among them."""
        expected, blocks = [], 0
        for number in range(count):
            lane, tail, last = self.rng.randrange(self.lanes), self.rng.randrange(8), number == count - 1
            if self.rng.random() < 0.25:
                expected += self.index(16 * self.rng.randint(0, 1), self.rng.randint(1, 16), lane=lane, tail=tail, last=last)
                continue
            words = self.rng.choice((1, 2, 3, self.rng.randint(1, TOP + 1), TOP + 1))
            up = self.rng.choice((0, 1, words, self.rng.randint(0, words)))
            expected += self.block(lane, up, words - up, tail=tail, last=last)
            blocks += 1
        return expected, blocks

    async def check(self, expected: list[dict], blocks: int, of_job: int | None = None) -> None:
        assert await self.words.receive(len(expected)) == expected
        await self.words.expect_silence(30)
        assert self.blocks == [] and self.released == blocks
        assert int(self.dut.blocks.value) == (blocks if of_job is None else of_job)
        assert int(self.dut.idle.value) == 1


@cocotb.test()
@cocotb.parametrize(commands=("none", "heavy"), words=PROFILES)
async def words_come_in_the_order_of_the_commands(dut, commands, words):
    bench = Bench(dut, commands=commands, words=words, seed=f"{commands}{words}")
    await bench.start()
    await bench.check(*bench.mixture(40))


@cocotb.test()
async def up_and_down_around_the_edges(dut):
    bench = Bench(dut)
    await bench.start()
    blocks = 0
    for up, down in ((1, 0), (0, 1), (1, 1), (2, 1), (1, 2), (TOP + 1, 0), (0, TOP + 1), (TOP, 1), (1, TOP), (32, 32)):
        for lane in range(bench.lanes):
            blocks += 1
            await bench.check(bench.block(lane, up, down, tail=3, last=True), blocks, 1)
    for address, count in ((0, 1), (0, 16), (16, 16), (16, 5), (0, 16)):
        await bench.check(bench.index(address, count), blocks, 1)


@cocotb.test()
async def a_word_a_cycle_with_no_gap_between_commands(dut):
    bench = Bench(dut)
    await bench.start()
    expected: list[dict] = []
    sizes = [(8, 8), (1, 0), (0, 1), (1, 1), (16, 0), (0, 16), (1, 0), (30, 34)]
    for number, (up, down) in enumerate(sizes):
        expected += bench.block(number % bench.lanes, up, down)
        if number == 4:
            expected += bench.index(0, 16)
    await bench.words.receive(1)
    first = bench.cycle
    assert len(await bench.words.receive(len(expected) - 1)) == len(expected) - 1
    assert bench.cycle - first == len(expected) - 1, "one word in each cycle"
    assert bench.released == len(sizes)


@cocotb.test()
async def latency_of_the_first_word(dut):
    bench = Bench(dut)
    await bench.start()
    bench.block(0, 4, 0)
    while not (int(dut.cmd_valid.value) and int(dut.cmd_ready.value)):
        await RisingEdge(dut.clk)
    cycles = {}
    for cycle in range(1, 20):
        await RisingEdge(dut.clk)
        for name in ("drain_enable", "m_valid"):
            if int(getattr(dut, name).value):
                cycles.setdefault(name, cycle)
    assert cycles["m_valid"] - (cycles["drain_enable"] - 1) == 7, "as the header says, from the read, a cycle before its enable is seen"
    assert cycles["m_valid"] == 9, "from the command"


@cocotb.test()
async def reads_wait_for_places(dut):
    bench = Bench(dut)
    await bench.start()
    bench.words.set_profile(iter(lambda: True, None))
    expected = bench.block(0, 32, 32)
    await wait_cycles(dut, 100)
    assert len(bench.enables) == 16, "as many reads as the FIFO has places"
    assert int(dut.idle.value) == 0
    bench.words.set_profile("none")
    await bench.check(expected, 1)


@cocotb.test()
async def it_is_idle_only_when_all_is_out(dut):
    bench = Bench(dut, words="heavy")
    await bench.start()
    assert int(dut.idle.value) == 1
    for _ in range(20):
        expected = bench.block(bench.rng.randrange(bench.lanes), 1, 1)
        while bench.commands.accepted == 0:
            await RisingEdge(dut.clk)
        for _ in range(200):
            await RisingEdge(dut.clk)
            if len(bench.words.beats) == len(expected):
                break
            assert int(dut.idle.value) == 0
        assert bench.words.beats == expected
        bench.words.clear()
        bench.commands.accepted = 0
        await wait_cycles(dut, 2)
        assert int(dut.idle.value) == 1


@cocotb.test()
async def a_reset_drops_everything(dut):
    bench = Bench(dut, words="light")
    await bench.start()
    for wait in range(5, 60, 5):
        bench.mixture(6)
        await wait_cycles(dut, wait)
        dut.rst.value = 1
        bench.commands.clear()
        await wait_cycles(dut, 3)
        bench.words.clear()
        bench.clear()
        dut.rst.value = 0
        await bench.words.expect_silence(20)
        assert int(dut.idle.value) == 1 and int(dut.blocks.value) == 0
    await bench.check(*bench.mixture(6))


@pytest.mark.icarus_runs("3")
@pytest.mark.parametrize("lanes", [1, 3])
def test_drain_reader(simulator, lanes):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:engine",
        toplevel="drain_reader",
        parameters={"LANES": lanes, "ADDRESS_WIDTH": ADDRESS_WIDTH},
        simulator=simulator,
        expected_tests=2 * len(PROFILES) + 6,
    )
