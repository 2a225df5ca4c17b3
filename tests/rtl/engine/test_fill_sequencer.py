# SPDX-License-Identifier: Apache-2.0
"""The fill sequencer: tasks and commands of random jobs against a Python expectation, faulty index entries, halt, rate."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES, pauses
from lib.streams import StreamSource
from tensorpress.codecs import index_entry
from tensorpress.registers import ERRORS

BLOCK_BYTES = 512
RAW, ZVC = 0, 1
SLOTS = 2
COMMAND = ("address", "words", "lane", "tail", "last")
TASK = ("values", "a_words", "words", "raw")


@dataclass
class Job:
    codec: int = ZVC
    decompress: bool = False
    stream: bool = False
    values: int = 1
    block_values: int = 512
    raw_address: int = 0
    payload_address: int = 0
    payload_words: int = 1 << 20
    entries: tuple[int, ...] = ()

    def lengths(self) -> list[int]:
        """Values of each block."""
        return [min(self.block_values, self.values - first) for first in range(0, self.values, self.block_values)]

    def expected(self, lanes: int) -> tuple[list[tuple], list[tuple], int]:
        """Tasks (lane, values, a_words, words, raw), commands (kind, address, words, lane, tail, last), payload words."""
        tasks, commands, payload = [], [], 0
        kind = "stream" if self.stream and not self.decompress else "read"
        address = self.raw_address
        lengths = self.lengths()
        for number, values in enumerate(lengths):
            lane, last = number % lanes, int(number == len(lengths) - 1)
            words = (values + 7) // 8
            if self.decompress:
                entry = self.entries[number]
                a_words, b_words = entry >> 32 & 0x7FFF, entry >> 47 & 0x7FFF
                words = a_words + b_words
                address = self.payload_address + 8 * (entry & 0xFFFF_FFFF)
                tasks.append((lane, values, a_words, words, entry >> 63))
                commands.append((kind, address, words, lane, 0, last))
            else:
                tasks.append((lane, values, 0, words, int(self.codec == RAW)))
                commands.append((kind, address, words, lane, values % 8, last))
                address += 8 * words
            payload += words
        return tasks, commands, payload


def random_job(rng: random.Random, **fixed) -> Job:
    block_values = 128 * rng.randint(1, 4)
    blocks = rng.randint(1, 9)
    values = (blocks - 1) * block_values + rng.choice((1, 7, 8, 9, block_values - 1, block_values, rng.randint(1, block_values)))
    job = Job(
        codec=rng.choice((RAW, ZVC)),
        stream=rng.random() < 0.5,
        values=values,
        block_values=block_values,
        raw_address=8 * rng.randrange(1 << 28),
        payload_address=8 * rng.randrange(1 << 28),
        payload_words=1 << 20,
    )
    for name, value in fixed.items():
        setattr(job, name, value)
    if job.decompress:
        job.entries = tuple(good_entry(rng, values) for values in job.lengths())
    return job


def good_entry(rng: random.Random, values: int, limit: int = 1 << 20) -> int:
    raw_words = (values + 7) // 8
    if raw_words == 1 or rng.random() < 0.2:
        return index_entry(rng.randint(0, limit - raw_words), 0, raw_words, True)
    words = rng.randint(1, raw_words - 1)
    a_words = rng.choice((0, words, rng.randint(0, words)))
    return index_entry(rng.randint(0, limit - words), a_words, words - a_words, False)


class Bench:
    """Lanes with two slots that free themselves at random, command sinks with pauses, a source of index entries."""

    def __init__(
        self, dut, *, lanes: str = "none", commands: str = "none", entries: str = "none", hold: tuple[int, int] = (0, 0), seed: int = 0
    ):
        self.dut, self.count = dut, len(dut.task_ready)
        self.rng = random.Random(seed)
        self.hold = hold  # cycles for which a lane keeps a slot
        self.pauses = {
            name: pauses(profile, f"{name}{seed}") for name, profile in (("lanes", lanes), ("read", commands), ("stream", commands))
        }
        self.entries = StreamSource(dut, "entry", profile=entries, seed=seed)
        self.clear()

    def clear(self) -> None:
        self.tasks: list[tuple] = []
        self.commands: list[tuple] = []
        self.cycles: list[int] = []
        self.errors: list[tuple[str, int]] = []
        self.slots = [deque() for _ in range(self.count)]  # cycles at which they become free
        self.cycle = 0

    async def start(self) -> None:
        names = (
            "halt go job_codec job_decompress job_stream job_values job_block_values job_raw_address job_payload_address job_payload_words "
            "task_ready read_ready stream_ready"
        )
        await start(self.dut, **dict.fromkeys(names.split(), 0))
        cocotb.start_soon(self._run())

    async def go(self, job: Job) -> None:
        dut = self.dut
        for name in ("codec", "decompress", "stream", "values", "block_values", "raw_address", "payload_address", "payload_words"):
            getattr(dut, f"job_{name}").value = int(getattr(job, name))
        self.entries.send(job.entries)
        dut.go.value = 1
        await RisingEdge(dut.clk)
        dut.go.value = 0

    async def restart(self) -> None:
        self.entries.clear()
        await reset(self.dut, cycles=2)
        await wait_cycles(self.dut, 1)
        self.clear()

    async def finish(self, timeout: int = 20_000) -> None:
        """Until done or an error."""
        for _ in range(timeout):
            await RisingEdge(self.dut.clk)
            if int(self.dut.done.value) or self.errors:
                await wait_cycles(self.dut, 20)
                return
        raise AssertionError("neither done nor an error")

    async def run(self, job: Job) -> None:
        """A whole job that must go well."""
        await self.go(job)
        await self.finish()
        tasks, commands, payload = job.expected(self.count)
        assert len(self.tasks) == len(tasks) and len(self.commands) == len(commands)
        assert self.tasks == tasks
        assert self.commands == commands
        assert self.errors == []
        assert int(self.dut.done.value) == 1
        assert self.entries.idle
        if job.decompress:
            assert int(self.dut.payload_words.value) == payload

    async def _run(self) -> None:
        dut = self.dut
        shown: dict[str, tuple | None] = {"read": None, "stream": None}
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            if int(dut.rst.value):
                shown = dict.fromkeys(shown)
                continue
            if int(dut.error.value):
                self.errors.append((ERRORS[int(dut.error_code.value)][0], int(dut.error_block.value)))
            given = int(dut.task_valid.value)
            assert given & given - 1 == 0, "one lane at a time"
            for lane in range(self.count):
                if given >> lane & 1:
                    assert int(dut.task_ready.value) >> lane & 1, f"lane {lane} has no slot"
                    self.tasks.append((lane, *(int(getattr(dut, f"task_{name}").value) for name in TASK)))
                    self.slots[lane].append(self.cycle + self.rng.randint(*self.hold))
            for kind in shown:
                if not int(getattr(dut, f"{kind}_valid").value):
                    assert shown[kind] is None or int(dut.halt.value), "a command once shown stays"
                    shown[kind] = None
                    continue
                command = (kind, *(int(getattr(dut, f"cmd_{name}").value) for name in COMMAND))
                assert shown[kind] in (None, command), "a command once shown stays as it is"
                assert len(self.tasks) == len(self.commands) + 1, "the task comes before, or with, its command"
                shown[kind] = command
                if int(getattr(dut, f"{kind}_ready").value):
                    self.commands.append(command)
                    self.cycles.append(self.cycle)
                    shown[kind] = None
            ready = 0
            for lane, slots in enumerate(self.slots):
                while slots and slots[0] <= self.cycle and not next(self.pauses["lanes"]):
                    slots.popleft()
                ready |= (len(slots) < SLOTS) << lane
            dut.task_ready.value = ready
            dut.read_ready.value = int(not next(self.pauses["read"]))
            dut.stream_ready.value = int(not next(self.pauses["stream"]))


@cocotb.test()
@cocotb.parametrize(decompress=(False, True), profile=PROFILES)
async def tasks_and_commands_of_random_jobs(dut, decompress, profile):
    rng = random.Random(f"{decompress}{profile}")
    bench = Bench(dut, lanes=profile, commands=profile, entries=profile, hold=(0, 60), seed=1)
    await bench.start()
    for _ in range(8):
        await bench.run(random_job(rng, decompress=decompress))
        await bench.restart()


@cocotb.test()
async def lengths_around_the_edges(dut):
    bench = Bench(dut)
    await bench.start()
    for block_values in (128, 512):
        for values in (1, 7, 8, 9, 127, 128, 129, 511, 512, 513, 1023, 1024, 1025):
            await bench.run(Job(values=values, block_values=block_values, raw_address=0xFFFF_0000))
            await bench.restart()


@cocotb.test()
async def a_lane_without_a_slot_holds_everything(dut):
    bench = Bench(dut, hold=(1 << 30, 1 << 30))
    await bench.start()
    await bench.go(Job(values=100 * 512))
    await wait_cycles(dut, 300)
    assert len(bench.commands) == len(bench.tasks) == SLOTS * bench.count
    for slots in bench.slots[::-1]:  # only lane 0 matters, it frees last
        slots[0] = 0
        await wait_cycles(dut, 20)
        assert len(bench.commands) == SLOTS * bench.count + (bench.count if slots is bench.slots[0] else 0)


MALFORMED, TOO_LARGE, OUTSIDE = "INDEX_MALFORMED", "BLOCK_TOO_LARGE", "INDEX_OUT_OF_BOUNDS"
LIMIT = 5000
# a block of 512 values, 64 raw words, in a payload region of LIMIT words
BAD = [
    (MALFORMED, index_entry(0, 0, 0, False)),
    (MALFORMED, index_entry(0, 0, 0, True)),
    (MALFORMED, index_entry(0, 1, 63, True)),
    (MALFORMED, index_entry(0, 0, 63, True)),
    (MALFORMED, index_entry(0, 0, 65, True)),
    (MALFORMED, index_entry(0, 5, 5, False) | 1 << 62),
    (MALFORMED, index_entry(LIMIT, 0, 64, True) | 1 << 62),
    (MALFORMED, index_entry(LIMIT, 64, 64, True)),
    (TOO_LARGE, index_entry(0, 0, 64, False)),
    (TOO_LARGE, index_entry(0, 64, 0, False)),
    (TOO_LARGE, index_entry(0, 1, 63, False)),
    (TOO_LARGE, index_entry(LIMIT, 33, 32, False)),
    (TOO_LARGE, index_entry(0, 0x7FFF, 0x7FFF, False)),
    (TOO_LARGE, index_entry(0, 0x4000, 0x4000, False)),
    (OUTSIDE, index_entry(LIMIT - 9, 5, 5, False)),
    (OUTSIDE, index_entry(LIMIT - 63, 0, 64, True)),
    (OUTSIDE, index_entry(LIMIT, 1, 0, False)),
    (OUTSIDE, index_entry(0xFFFF_FFFF, 1, 0, False)),
    (OUTSIDE, index_entry(0xFFFF_FFF8, 4, 4, False)),
    (OUTSIDE, index_entry(1 << 29, 4, 4, False)),
]
GOOD = [
    index_entry(LIMIT - 10, 5, 5, False),
    index_entry(LIMIT - 64, 0, 64, True),
    index_entry(0, 0, 63, False),
    index_entry(0, 63, 0, False),
    index_entry(LIMIT - 1, 0, 1, False),
]


@cocotb.test()
async def every_bad_entry_is_named_at_its_block(dut):
    rng = random.Random(7)
    bench = Bench(dut, hold=(0, 10))
    await bench.start()
    for number, (code, entry) in enumerate(BAD):
        at = number % 6
        good = [good_entry(rng, 512, LIMIT) for _ in range(at)]
        job = Job(
            decompress=True,
            values=6 * 512,
            payload_words=LIMIT,
            entries=(*good, entry, *[good_entry(rng, 512, LIMIT) for _ in range(5 - at)]),
        )
        await bench.go(job)
        await bench.finish()
        assert bench.errors == [(code, at)], hex(entry)
        tasks, commands, _ = job.expected(bench.count)
        assert bench.tasks == tasks[:at], "the bad block gets no task"
        assert [command[:5] for command in bench.commands] == [command[:5] for command in commands[:at]]
        assert int(dut.done.value) == 0
        await wait_cycles(dut, 30)
        assert len(bench.errors) == 1 and len(bench.commands) == at
        await bench.restart()


@cocotb.test()
async def entries_at_the_limits_are_good(dut):
    bench = Bench(dut)
    await bench.start()
    await bench.run(Job(decompress=True, values=len(GOOD) * 512, payload_words=LIMIT, entries=tuple(GOOD), payload_address=0x4000_0000))
    await bench.restart()
    # the last block of 9 values has 2 raw words: 1 is the most a coded one may have
    for entry, error in ((index_entry(0, 1, 0, False), None), (index_entry(0, 1, 1, False), TOO_LARGE), (index_entry(0, 0, 2, True), None)):
        job = Job(decompress=True, values=512 + 9, payload_words=LIMIT, entries=(GOOD[0], entry))
        if error is None:
            await bench.run(job)
        else:
            await bench.go(job)
            await bench.finish()
            assert bench.errors == [(error, 1)]
        await bench.restart()


@cocotb.test()
@cocotb.parametrize(decompress=(False, True))
async def halt_at_any_time_ends_it(dut, decompress):
    rng = random.Random(8)
    bench = Bench(dut, commands="light", hold=(0, 5))
    await bench.start()
    for wait in range(60):
        job = random_job(rng, decompress=decompress, values=12 * 512, block_values=512)
        tasks, commands, _ = job.expected(bench.count)
        await bench.go(job)
        await wait_cycles(dut, wait + 1)
        dut.halt.value = 1
        await wait_cycles(dut, 2)
        seen = len(bench.tasks), len(bench.commands)
        await wait_cycles(dut, 25)
        assert (len(bench.tasks), len(bench.commands)) == seen, "nothing more comes"
        assert bench.tasks == tasks[: seen[0]] and bench.commands == commands[: seen[1]]
        assert bench.errors == [] and not int(dut.done.value)
        dut.halt.value = 0
        await bench.restart()


@cocotb.test()
@cocotb.parametrize(decompress=(False, True))
async def a_block_in_a_few_cycles(dut, decompress):
    bench = Bench(dut)
    await bench.start()
    await bench.run(random_job(random.Random(9), decompress=decompress, stream=False, values=30 * 512, block_values=512))
    steps = {after - before for before, after in zip(bench.cycles, bench.cycles[1:], strict=False)}
    assert steps == {8 if decompress else 5}, "as the header says"


TESTS = 2 * len(PROFILES) + 1 + 1 + 2 + 2 + 2


@pytest.mark.icarus_runs("3")
@pytest.mark.parametrize("lanes", [1, 3])
def test_fill_sequencer(simulator, lanes):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:engine",
        toplevel="fill_sequencer",
        parameters={"LANES": lanes, "BLOCK_BYTES": BLOCK_BYTES},
        simulator=simulator,
        expected_tests=TESTS,
    )
