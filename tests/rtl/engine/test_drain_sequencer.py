# SPDX-License-Identifier: Apache-2.0
"""The drain sequencer: write and read-out commands, index entries in batches, full payload regions, corrupt blocks, halt, rate."""

from __future__ import annotations

import itertools
import random
from collections import deque
from dataclasses import dataclass

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES, pauses
from tensorpress.codecs import index_entry
from tensorpress.registers import ERRORS

BLOCK_BYTES = 512
ADDRESS_WIDTH = 6
BATCH = 16
READ = ("index", "lane", "up_words", "words", "index_address", "tail", "last")


@dataclass
class Result:
    """What a lane says of a finished block."""

    a_words: int
    words: int
    raw: int = 0
    corrupt: int = 0


@dataclass
class Job:
    decompress: bool = False
    stream: bool = False
    values: int = 1
    block_values: int = 512
    raw_address: int = 0x1000_0000
    index_address: int = 0x2000_0000
    payload_address: int = 0x3000_0000
    payload_words: int = 1 << 20
    results: tuple[Result, ...] = ()

    @property
    def blocks(self) -> int:
        return -(-self.values // self.block_values)

    def expected(self, lanes: int) -> tuple[list[tuple], list[dict], list[int]]:
        """Write commands (address, words, strobe), read-out commands, index entries."""
        writes, reads, entries = [], [], []
        payload, address, index_address = 0, self.raw_address, self.index_address
        first = 0  # of the batch
        for number, result in enumerate(self.results):
            last = int(number == self.blocks - 1)
            tail = self.values % self.block_values % 8 if last else 0
            read = {"index": 0, "lane": number % lanes, "up_words": result.words, "words": result.words}
            if self.decompress:
                if not self.stream:
                    writes.append((address, result.words, (1 << tail) - 1 if tail else 0xFF))
                reads.append({**read, "tail": tail, "last": last})
                address += 8 * result.words
                continue
            writes.append((self.payload_address + 8 * payload, result.words, 0xFF))
            if not result.raw:
                read["up_words"] = result.a_words
            reads.append(read)
            entries.append(index_entry(payload, result.a_words, result.words - result.a_words, bool(result.raw)))
            payload += result.words
            count = len(entries) - first
            if count == BATCH or last:
                writes.append((index_address, count, 0xFF))
                reads.append({"index": 1, "up_words": count, "words": count, "index_address": first % 32})
                index_address += 8 * count
                first = len(entries)
        return writes, reads, entries


def random_job(rng: random.Random, blocks: int | None = None, **fixed) -> Job:
    block_values = 128 * rng.randint(1, 4)
    blocks = rng.randint(1, 40) if blocks is None else blocks
    values = (blocks - 1) * block_values + rng.choice((1, 7, 8, 9, block_values, rng.randint(1, block_values)))
    job = Job(values=values, block_values=block_values, stream=rng.random() < 0.5)
    for name in ("raw_address", "index_address", "payload_address"):
        setattr(job, name, 8 * rng.randrange(1 << 26))
    for name, value in fixed.items():
        setattr(job, name, value)
    job.results = tuple(result(rng, min(block_values, values - first), job.decompress) for first in range(0, values, block_values))
    return job


def result(rng: random.Random, values: int, decompress: bool) -> Result:
    raw_words = (values + 7) // 8
    if decompress:
        return Result(0, raw_words, rng.randint(0, 1))
    if raw_words == 1 or rng.random() < 0.25:
        return Result(0, raw_words, 1)
    words = rng.randint(1, raw_words - 1)
    return Result(rng.choice((0, words, rng.randint(0, words))), words)


class Bench:
    """Lanes that finish blocks, and the takers of both kinds of commands; reads the index ring as the reader would."""

    def __init__(self, dut, *, lanes: str = "none", write: str = "none", read: str = "none", seed: int = 0):
        self.dut, self.count = dut, len(dut.done_valid)
        self.pauses = {name: pauses(profile, f"{name}{seed}") for name, profile in (("lanes", lanes), ("write", write), ("read", read))}
        self.clear()

    def clear(self) -> None:
        self.queues = [deque() for _ in range(self.count)]
        self.shown: list[Result | None] = [None] * self.count
        self.writes: list[tuple] = []
        self.dropped: list[tuple] = []  # taken while halting: the write master drops them
        self.reads: list[dict] = []
        self.cycles: list[int] = []
        self.entries: list[int] = []
        self.errors: list[tuple[str, int]] = []
        self.ring: deque[int] = deque()
        self.taken = 0
        self.cycle = 0

    async def start(self) -> None:
        names = (
            "halt go job_decompress job_stream job_values job_block_values job_raw_address job_index_address job_payload_address "
            "job_payload_words done_valid done_a_words done_words done_raw done_corrupt write_ready read_ready index_address"
        )
        await start(self.dut, **dict.fromkeys([*names.split(), "stop", "status_valid", "status_address"], 0))
        cocotb.start_soon(self._run())

    async def go(self, job: Job) -> None:
        dut = self.dut
        names = "decompress stream values block_values raw_address index_address payload_address payload_words"
        for name in names.split():
            getattr(dut, f"job_{name}").value = int(getattr(job, name))
        for number, block in enumerate(job.results):
            self.queues[number % self.count].append(block)
        dut.go.value = 1
        await RisingEdge(dut.clk)
        dut.go.value = 0

    async def restart(self) -> None:
        dut = self.dut
        dut.rst.value = 1
        dut.done_valid.value = 0
        await wait_cycles(dut, 2)
        self.clear()
        await reset(dut)
        await wait_cycles(dut, 1)

    async def finish(self, timeout: int = 40_000) -> None:
        """Until done or an error, and some cycles more."""
        for _ in range(timeout):
            await RisingEdge(self.dut.clk)
            if int(self.dut.done.value) or self.errors:
                await wait_cycles(self.dut, 30)
                return
        raise AssertionError("neither done nor an error")

    def check(self, job: Job) -> None:
        """The commands and entries are those of the whole job."""
        writes, reads, entries = job.expected(self.count)
        assert len(self.writes) == len(writes) and len(self.reads) == len(reads)
        assert self.writes == writes
        for number, (got, wanted) in enumerate(zip(self.reads, reads, strict=True)):
            assert wanted.items() <= got.items(), f"read-out {number}: {got}, expected {wanted}"
        assert self.entries == entries
        assert self.errors == []
        assert int(self.dut.done.value) == 1
        assert int(self.dut.raw_blocks.value) == sum(block.raw for block in job.results)
        if not job.decompress:
            assert int(self.dut.payload_words.value) == sum(block.words for block in job.results)
        assert self.taken == job.blocks

    async def run(self, job: Job) -> None:
        await self.go(job)
        await self.finish()
        self.check(job)

    async def _run(self) -> None:
        dut = self.dut
        reading = None  # the ring's place that is shown
        waiting: dict[str, tuple | dict | None] = {"write": None, "read": None}
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            if int(dut.rst.value):
                reading, waiting = None, dict.fromkeys(waiting)
                dut.write_ready.value = dut.read_ready.value = 0
                continue
            if int(dut.error.value):
                self.errors.append((ERRORS[int(dut.error_code.value)][0], int(dut.error_block.value)))
            # the index ring
            if reading is not None:
                self.entries.append(int(dut.index_data.value))
            reading = self.ring.popleft() if self.ring else None
            dut.index_address.value = reading or 0
            # commands
            halt = int(dut.halt.value)
            self._commands(waiting, halt)
            # lanes
            ready = int(dut.done_ready.value)
            assert ready & ready - 1 == 0
            for lane, queue in enumerate(self.queues):
                if ready >> lane & 1:
                    assert self.shown[lane] is not None, "a result was taken that is not there"
                    assert lane == self.taken % self.count, "results are taken in block order"
                    self.shown[lane] = None
                    self.taken += 1
                if self.shown[lane] is None and queue and not next(self.pauses["lanes"]):
                    self.shown[lane] = queue.popleft()
            valid = a_words = words = raw = corrupt = 0
            for lane, block in enumerate(self.shown):
                block_shown = block or Result(127, 127, 1, 1)  # foreign values where nothing is valid
                valid |= (block is not None) << lane
                a_words |= block_shown.a_words << (ADDRESS_WIDTH + 1) * lane
                words |= block_shown.words << (ADDRESS_WIDTH + 1) * lane
                raw |= block_shown.raw << lane
                corrupt |= block_shown.corrupt << lane
            for name, value in (("valid", valid), ("a_words", a_words), ("words", words), ("raw", raw), ("corrupt", corrupt)):
                getattr(dut, f"done_{name}").value = value
            dut.write_ready.value = int(not next(self.pauses["write"]))
            dut.read_ready.value = int(not next(self.pauses["read"]))

    def _commands(self, waiting: dict, halt: int) -> None:
        dut = self.dut
        for kind in waiting:
            if not int(getattr(dut, f"{kind}_valid").value):
                assert waiting[kind] is None or halt or (kind == "write" and self.halted), f"a {kind} command once shown stays"
                waiting[kind] = None
                continue
            if kind == "write":
                command = tuple(int(getattr(dut, f"write_{name}").value) for name in ("address", "words", "last_strobe"))
            else:
                command = {name: int(getattr(dut, f"read_{name}").value) for name in READ}
            assert waiting[kind] in (None, command), f"a {kind} command once shown stays as it is"
            waiting[kind] = command
            if int(getattr(dut, f"{kind}_ready").value):
                waiting[kind] = None
                if kind == "write":
                    (self.dropped if halt else self.writes).append(command)
                else:
                    self.reads.append(command)
                    self.cycles.append(self.cycle)
                    if command["index"]:
                        self.ring.extend((command["index_address"] + place) % 32 for place in range(command["words"]))
        self.halted = bool(halt)

    halted = False


@cocotb.test()
@cocotb.parametrize(decompress=(False, True), profile=PROFILES)
async def commands_of_random_jobs(dut, decompress, profile):
    rng = random.Random(f"{decompress}{profile}")
    bench = Bench(dut, lanes=profile, write=profile, read=profile, seed=2)
    await bench.start()
    for _ in range(4):
        await bench.run(random_job(rng, decompress=decompress))
        await bench.restart()


@cocotb.test()
async def batches_of_the_index(dut):
    rng = random.Random(3)
    bench = Bench(dut)
    await bench.start()
    for blocks in (1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 100):
        await bench.run(random_job(rng, blocks))
        await bench.restart()


@cocotb.test()
async def a_block_that_does_not_fit_ends_the_job(dut):
    rng = random.Random(4)
    bench = Bench(dut, write="light")
    await bench.start()
    for blocks, at in ((1, 0), (5, 0), (5, 4), (20, 15), (20, 16), (40, 33)):
        job = random_job(rng, blocks)
        before = sum(block.words for block in job.results[:at])
        job.payload_words = before + job.results[at].words - 1
        await bench.go(job)
        await bench.finish()
        assert bench.errors == [("PAYLOAD_FULL", at)]
        writes, _, _ = job.expected(bench.count)
        done = at + at // BATCH  # blocks and the whole batches among them
        assert bench.writes == writes[:done], "nothing of the block is written"
        assert len(bench.reads) == done
        assert int(dut.payload_words.value) == before
        await bench.restart()
        job.payload_words = sum(block.words for block in job.results)  # exactly enough
        await bench.run(job)
        await bench.restart()


@cocotb.test()
async def a_corrupt_block_ends_the_job(dut):
    rng = random.Random(5)
    bench = Bench(dut)
    await bench.start()
    for at in range(6):
        job = random_job(rng, 6, decompress=True, stream=bool(at & 1))
        job.results[at].corrupt = 1
        await bench.go(job)
        await bench.finish()
        assert bench.errors == [("CORRUPT_BLOCK", at)]
        assert len(bench.reads) == at
        assert bench.writes == job.expected(bench.count)[0][: 0 if job.stream else at]
        assert not int(dut.done.value)
        await bench.restart()


@cocotb.test()
@cocotb.parametrize(decompress=(False, True))
async def halt_at_any_time_owes_no_read_out(dut, decompress):
    """Every write command that was taken before the halt gets its read-out; none that the write master drops does."""
    rng = random.Random(6)
    bench = Bench(dut, write="light", read="one_cycle")
    await bench.start()
    job = random_job(rng, 34, decompress=decompress, stream=False)
    writes, reads, entries = job.expected(bench.count)
    first = 0 if decompress else 150  # the batch and its write are near the 16th block
    for wait in [*range(24), *range(first, first + 40), *range(200, 230)]:
        await bench.go(job)
        await wait_cycles(dut, wait + 1)
        dut.halt.value = 1
        await wait_cycles(dut, 30)
        count = len(bench.writes)
        assert bench.writes == writes[:count]
        assert len(bench.reads) == count, f"halt after {wait} cycles"
        assert all(wanted.items() <= got.items() for got, wanted in zip(bench.reads, reads, strict=False))
        assert bench.entries == entries[: len(bench.entries)] and len(bench.entries) % BATCH == 0
        assert len(bench.dropped) <= 1 and bench.dropped == writes[count : count + len(bench.dropped)]
        assert bench.errors == [] and not int(dut.done.value) and not int(dut.write_valid.value) and not int(dut.read_valid.value)
        dut.halt.value = 0
        await wait_cycles(dut, 30)
        assert len(bench.writes) == len(bench.reads) == count, "it stays stopped"
        await bench.restart()
    await bench.run(job)


@cocotb.test()
@cocotb.parametrize(kind=("compress", "ddr", "stream"))
async def a_block_in_a_few_cycles(dut, kind):
    bench = Bench(dut)
    await bench.start()
    await bench.run(random_job(random.Random(7), 15, decompress=kind != "compress", stream=kind == "stream"))
    cycles = [cycle for cycle, read in zip(bench.cycles, bench.reads, strict=True) if not read["index"]]
    steps = {after - before for before, after in itertools.pairwise(cycles)}
    assert steps == {{"compress": 9, "ddr": 8, "stream": 7}[kind]}


TESTS = 2 * len(PROFILES) + 3 + 2 + 3


@pytest.mark.icarus_runs("3")
@pytest.mark.parametrize("lanes", [1, 3])
def test_drain_sequencer(simulator, lanes):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:engine",
        toplevel="drain_sequencer",
        parameters={"LANES": lanes, "BLOCK_BYTES": BLOCK_BYTES},
        simulator=simulator,
        expected_tests=TESTS,
    )
