# SPDX-License-Identifier: Apache-2.0
"""The end of jobs: their order, marks, statuses and results; each error at its own job, whenever it was found; an abort in every state."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles
from tensorpress.registers import ERRORS

CODES = {name: code for code, (name, _) in ERRORS.items()}
BASE = 0x10_0000
PULSES = ["start", "stop", "mark_memory", "mark_stream", "read_error", "index_error", "write_error", "underrun", "overrun", "fill_error"]
PULSES += ["drain_error"]
LEVELS = ["descriptor", "queued", "last", "writes", "interrupts", "drained_valid", "drained_stream", "drained_blocks", "drained_raw_blocks"]
LEVELS += ["drained_payload_words", "drain_job", "drain_blocks", "drain_payload_words", "drain_raw_blocks", "arrived_job", "arrived_blocks"]
LEVELS += [
    "mark_status",
    "status_ready",
    "status_place",
    "quiet",
    "read_error_job",
    "read_error_block",
    "index_error_job",
    "stream_job",
    "fill_job",
    "fill_code",
]
LEVELS += ["fill_block", "drain_code", "drain_block", "intake_error", "intake_job", "intake_code", "intake_nowhere"]
NOWHERE = 31
"""Number of a job that no stage has."""
LOOK_UP = 4
"""Cycles from a new job number to its descriptor."""
TO_THE_END = 4
"""Cycles from a job's last mark to its end, without the status."""


@dataclass(frozen=True)
class Job:
    """What the engine knows of a job, and what it gives when drained."""

    stream: bool = False  # decompressed to the stream: it writes nothing
    interrupt: bool = False
    blocks: int = 5
    words: int = 77
    raw_blocks: int = 2

    @property
    def mark(self) -> str:
        return "mark_stream" if self.stream else "mark_memory"


FOREIGN = Job(blocks=0xF0E1_D2C3, words=0xB4A5_9687, raw_blocks=0x7869_5A4B)
"""What is shown of drained jobs while there is none."""


def some_jobs(number: int, seed: int) -> list[Job]:
    rng = random.Random(seed)
    return [
        Job(rng.random() < 0.4, rng.random() < 0.5, rng.getrandbits(32), rng.getrandbits(32), rng.getrandbits(32)) for _ in range(number)
    ]


@dataclass(frozen=True)
class Status:
    """The three words of a descriptor's status, taken apart."""

    descriptor: int
    ended: int
    error: int
    code: str
    block: int
    blocks: int
    words: int
    raw_blocks: int
    cycles: int


class Bench:
    """Everything around the module: the jobs' table, the FIFO of drained jobs, the taker of statuses, masters that fall quiet."""

    def __init__(self, dut, *, seed: int = 0, status_delay: int = 2, mark_delay: int = 6, quiet_delay: int = 5):
        self.dut, self.rng = dut, random.Random(seed)
        self.status_delay, self.mark_delay, self.quiet_delay = status_delay, mark_delay, quiet_delay
        self.jobs: list[Job] = []
        self.queued = True
        self.cycle = 0
        self.busy_cycles = 0
        self.clear()

    def clear(self) -> None:
        """Before a start."""
        self.pulses: deque[dict[str, int]] = deque()
        self.drained: deque[Job] = deque()
        self.ends: list[int] = []  # cycles of `ended`
        self.code, self.code_block = "", 0  # with `ended`
        self.interrupts: list[int] = []
        self.popped: list[int] = []  # cycles in which a drained job was taken
        self.statuses: list[Status] = []
        self.status_cycles: list[int] = []
        self.halted = self.cleared = 0  # cycles
        self.status_error = False  # the next status is answered with an error
        self.phases: dict[int, str] = {}

    async def start(self) -> None:
        self.dut.cycles.value = 0  # not an argument of start, which has one of this name
        await start(self.dut, **dict.fromkeys([*PULSES, *LEVELS], 0))
        await self.nowhere()
        cocotb.start_soon(self._run())
        await wait_cycles(self.dut, 10)

    async def nowhere(self) -> None:
        """No stage has a job, no error is there."""
        for name in ("drain_job", "arrived_job", "index_error_job", "stream_job", "fill_job", "intake_job"):
            getattr(self.dut, name).value = NOWHERE
        for port in range(len(self.dut.read_error)):
            read_error(self.dut, NOWHERE, 0, port)
        self.dut.intake_error.value = self.dut.intake_nowhere.value = 0

    def give(self, *pulses: str, wait: int = 0, **levels: int) -> None:
        """Give pulses together, one cycle after those that were given before, or `wait` more."""
        self.pulses.extend({} for _ in range(wait))
        self.pulses.append(dict.fromkeys(pulses, 1) | levels)

    def begin(self, jobs: list[Job], *, queued: bool = True) -> None:
        """Start a queue, or a single job."""
        self.clear()
        self.jobs, self.queued = jobs, queued
        self.give("start")

    def drain(self, jobs: list[Job]) -> None:
        """The jobs are drained and their last words are taken."""
        self.drained.extend(jobs)
        for job in jobs:
            self.give(job.mark)

    async def finish(self, limit: int = 3000) -> None:
        """Until the end, and some cycles more."""
        for _ in range(limit):
            await RisingEdge(self.dut.clk)
            if self.ends:
                break
        else:
            raise AssertionError(f"no end within {limit} cycles")
        await wait_cycles(self.dut, 10)
        assert len(self.ends) == 1 and not int(self.dut.busy.value) and int(self.dut.job.value) == 0
        assert self.cleared >= 4, "the stages are cleared"
        self.drained.clear()
        await self.nowhere()
        await wait_cycles(self.dut, 3)

    def check_good(self, count: int) -> None:
        """The first `count` jobs ended well, each with its status and interrupt; and they were taken in order."""
        assert len(self.popped) == count and int(self.dut.ended_jobs.value) == count
        if not self.queued:
            assert self.statuses == []
            return
        for number, (job, status) in enumerate(zip(self.jobs[:count], self.statuses, strict=False)):
            assert status == Status(
                BASE + 64 * number, 1, 0, "NONE", 0, job.blocks, job.words, job.raw_blocks, self.statuses[number].cycles
            ), f"job {number}"
        assert len(self.statuses) >= count

    def check_end(self, code: str, block: int, *, good: int, status: bool) -> None:
        """The queue ended at job `good` with this code; `status`: which is in its descriptor."""
        dut = self.dut
        self.check_good(good)
        assert (self.code, self.code_block) == (code, block)
        assert int(dut.ended_descriptor.value) == BASE + 64 * good
        assert len(self.statuses) == (good if self.queued else 0) + status
        if status:
            last = self.statuses[-1]
            assert (last.descriptor, last.ended, last.error, last.code, last.block) == (BASE + 64 * good, 1, 1, code, block)
        assert self.halted > self.quiet_delay

    async def _run(self) -> None:
        dut, held, halt_cycles = self.dut, [0] * LOOK_UP, 0
        waiting = reading = marking = -1
        address = 0
        words: list[int] = []
        before: dict[str, int] = {}
        levels: dict[str, int] = {}  # as they are driven
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            seen = {name: int(getattr(dut, name).value) for name in ("busy", "ended", "job_interrupt", "clear", "halt", "job")}
            valid, pop, ready = int(dut.status_valid.value), int(dut.drained_ready.value), levels.get("status_ready", 0)
            if seen["ended"]:
                self.ends.append(self.cycle)
                self.code, self.code_block = ERRORS[int(dut.code.value)][0], int(dut.code_block.value)
            if seen["job_interrupt"]:
                self.interrupts.append(self.cycle)
            self.halted += seen["halt"]
            self.cleared += seen["clear"]
            if pop:
                assert self.drained, "a job ended that was not drained"
                self.drained.popleft()
                self.popped.append(self.cycle)
            # status: taken, read word by word, marked
            pulses = self.pulses.popleft() if self.pulses else {}
            mark = 0
            if marking >= 0:
                mark, marking = int(marking == 0), marking - 1
            if reading >= 0:
                words.append(int(dut.status_data.value))
                reading += 1
                if reading == 3:
                    self._status(address, words)
                    reading, marking = -1, self.mark_delay
            if valid and ready:
                address, words, reading = int(dut.status_address.value), [], 0
            waiting = -1 if not valid or ready else self.status_delay if waiting < 0 else waiting - 1
            spoiled = mark and self.status_error
            self.phases[self.cycle] = (
                ("status" if valid else "written" if reading >= 0 or marking >= 0 or mark else "next" if pop else "run")
                if seen["busy"] and not seen["halt"] and not seen["clear"]
                else "halt"
                if seen["halt"]
                else "clear"
                if seen["clear"]
                else "idle"
            )
            if spoiled:
                self.status_error = False
            given = {name for name in before if name in PULSES}  # pulses last a cycle, levels stay
            for name, level in (dict.fromkeys(given, 0) | ({"write_error": 1} if spoiled else {}) | pulses).items():
                getattr(dut, name).value = level
            before = pulses | ({"write_error": 1} if spoiled else {})
            # what is looked up
            held = [*held[1:], seen["job"]]
            if len(set(held)) == 1 and held[0] < len(self.jobs) + 32:
                number = held[0] + 32 * ((len(self.popped) - held[0] + 16) // 32)
                job = self.jobs[number] if 0 <= number < len(self.jobs) else Job()
                values = (BASE + 64 * number, self.queued, not self.queued or number + 1 == len(self.jobs), not job.stream, job.interrupt)
            else:
                values = (self.rng.getrandbits(32), *(self.rng.getrandbits(1) for _ in range(4)))
            head = self.drained[0] if self.drained else FOREIGN
            halt_cycles = halt_cycles + 1 if seen["halt"] else 0
            self.busy_cycles = self.busy_cycles + 1 if seen["busy"] else 0
            new = dict(zip(("descriptor", "queued", "last", "writes", "interrupts"), map(int, values), strict=True)) | {
                "drained_valid": int(head is not FOREIGN),
                "drained_stream": int(head.stream),
                "drained_blocks": head.blocks,
                "drained_payload_words": head.words,
                "drained_raw_blocks": head.raw_blocks,
                "quiet": int(halt_cycles > self.quiet_delay),
                "cycles": self.busy_cycles,
                "status_ready": int(waiting == 0),
                "status_place": max(reading, 0),
                "mark_status": mark,
            }
            for name, value in new.items():
                if levels.get(name) != value:
                    getattr(dut, name).value = value
            levels = new

    def _status(self, address: int, words: list[int]) -> None:
        first, second, third = words
        assert address % 64 == 40 and first >> 1 & 0x7F == 0 and first >> 9 & 0x7F == 0 and first >> 24 & 0xFF == 0
        self.statuses.append(
            Status(
                address - 40,
                first & 1,
                first >> 8 & 1,
                ERRORS[first >> 16 & 0xFF][0],
                first >> 32,
                second & 0xFFFF_FFFF,
                second >> 32,
                third & 0xFFFF_FFFF,
                third >> 32,
            )
        )
        self.status_cycles.append(self.busy_cycles)


# ---- jobs that end well


@cocotb.test()
@cocotb.parametrize(number=(1, 2, 50))
async def jobs_end_in_order(dut, number):
    """Each has its own status, results and interrupt; more jobs than numbers, and marks that come in bunches."""
    bench = Bench(dut, seed=number)
    await bench.start()
    for seed in range(1 if number > 2 else 3):
        jobs = some_jobs(number, seed)
        bench.begin(jobs)
        for first in range(0, number, 24):
            part = jobs[first : first + 24]
            if first:
                await wait_cycles(dut, 24 * 30)
                assert len(bench.popped) == first, "nothing ends that is not drained"
            bench.drain(part)
        await bench.finish(24 * 80)
        bench.check_good(number)
        assert len(bench.statuses) == number and bench.halted == 0
        assert (bench.code, bench.code_block) == ("NONE", 0)
        assert int(dut.ended_descriptor.value) == BASE + 64 * (number - 1)
        results = [int(getattr(dut, f"result_{name}").value) for name in ("blocks", "payload_words", "raw_blocks")]
        assert results == [jobs[-1].blocks, jobs[-1].words, jobs[-1].raw_blocks]
        # a pulse at the end of each job that asked for it; the end of the queue repeats that of the last job
        assert len(bench.interrupts) == sum(job.interrupt for job in jobs) + jobs[-1].interrupt
        assert [cycle - 1 for cycle in bench.interrupts[: sum(job.interrupt for job in jobs)]] == [
            cycle for cycle, job in zip(bench.popped, jobs, strict=True) if job.interrupt
        ]
        cycles = [status.cycles for status in bench.statuses]
        assert cycles == sorted(cycles) and all(0 < now - then < 12 for then, now in zip(cycles, bench.status_cycles, strict=True))


@cocotb.test()
@cocotb.parametrize(stream=(False, True))
async def a_single_job_ends_four_cycles_after_its_last_mark(dut, stream):
    """It has no status and no interrupt of its own; either of mark and drained may come last; the other kind of mark does not count."""
    bench = Bench(dut)
    await bench.start()
    job = Job(stream, True)
    for mark_first in (False, True):
        bench.begin([job], queued=False)
        await wait_cycles(dut, 20)
        if not mark_first:
            bench.drained.append(job)
        bench.give("mark_memory" if stream else "mark_stream")
        await wait_cycles(dut, 30)
        assert not bench.popped and int(dut.busy.value)
        bench.give(job.mark)
        at = bench.cycle + 1
        if mark_first:
            await wait_cycles(dut, 30)
            assert not bench.popped
            bench.drained.append(job)
        await bench.finish()
        bench.check_good(1)
        assert bench.interrupts == [] and bench.code == "NONE"
        if not mark_first:
            assert bench.popped == [at + 1 + TO_THE_END]
    # the marks of before are forgotten
    bench.begin([job], queued=False)
    bench.drained.append(job)
    await wait_cycles(dut, 40)
    assert not bench.popped
    bench.give(job.mark)
    await bench.finish()
    bench.check_good(1)


@cocotb.test()
async def results_are_live_while_a_job_runs(dut):
    """Those of the drain stage while it has the job, those it gave when it is past the job, zero before."""
    bench = Bench(dut)
    await bench.start()

    def results() -> list[int]:
        return [int(getattr(dut, f"result_{name}").value) for name in ("blocks", "payload_words", "raw_blocks")]

    async def drains(blocks: int, words: int, raw_blocks: int) -> None:
        dut.drain_job.value, dut.drain_blocks.value = 0, blocks
        dut.drain_payload_words.value, dut.drain_raw_blocks.value = words, raw_blocks
        await wait_cycles(dut, 4)

    bench.begin([Job(blocks=9, words=90, raw_blocks=3), Job()])
    await wait_cycles(dut, 15)
    assert results() == [0, 0, 0]
    for counts in ((1, 12, 0), (2, 30, 1)):
        await drains(*counts)
        assert results() == list(counts)
    bench.drained.append(bench.jobs[0])
    dut.drain_job.value = 1
    await wait_cycles(dut, 5)
    assert results() == [9, 90, 3]
    bench.give("stop")
    await bench.finish()
    bench.check_end("ABORTED", 0, good=0, status=True)
    assert (bench.statuses[0].blocks, bench.statuses[0].words, bench.statuses[0].raw_blocks) == (9, 90, 3)


# ---- errors


def read_error(dut, job: int, block: int, port: int | None = None) -> dict[str, int]:
    """Set job and block of a read error at a memory port, by default the last; returns what to give."""
    ports = len(dut.read_error)
    port = ports - 1 if port is None else port
    for name, width, value in (("job", 5, job), ("block", 32, block)):
        signal = getattr(dut, f"read_error_{name}")
        LEVEL.setdefault(name, [0, 0])[port] = value
        signal.value = sum(LEVEL[name][number] << width * number for number in range(ports))
    return {"read_error": 1 << port}


LEVEL: dict[str, list[int]] = {}
"""What was set for each port."""


def found(dut, kind: str, job: int) -> tuple[str, int, dict[str, int]]:
    """Set what goes with an error of `job`; returns its code, its block, and what to give."""
    if kind == "read_error":
        return "READ_RESPONSE", 41, read_error(dut, job, 41)
    if kind in ("index_error", "underrun", "overrun"):
        name = "stream_job" if kind.endswith("run") else f"{kind}_job"
        dut.arrived_job.value, dut.arrived_blocks.value = job, 41
        getattr(dut, name).value = job
        code = {"underrun": "STREAM_UNDERRUN", "overrun": "STREAM_OVERRUN"}.get(kind, "READ_RESPONSE")
        return code, 41, {kind: 1}
    if kind == "write_error":
        dut.drain_job.value, dut.drain_block.value = job, 42
        return "WRITE_RESPONSE", 42, {kind: 1}
    if kind == "fill_error":
        dut.fill_job.value, dut.fill_code.value, dut.fill_block.value = job, CODES["INDEX_MALFORMED"], 43
        return "INDEX_MALFORMED", 43, {kind: 1}
    if kind == "drain_error":
        dut.drain_job.value, dut.drain_code.value, dut.drain_block.value = job, CODES["PAYLOAD_FULL"], 44
        return "PAYLOAD_FULL", 44, {kind: 1}
    if kind == "intake_error":
        dut.intake_job.value, dut.intake_code.value = job, CODES["BAD_TABLE"]
        return "BAD_TABLE", 0, {kind: 1}  # this one stays
    assert kind == "stop"
    return "ABORTED", 0, {kind: 1}


KINDS = ("read_error", "index_error", "write_error", "fill_error", "drain_error", "underrun", "overrun", "intake_error", "stop")
"""In the order in which they win; the two of the stream share a place."""


@cocotb.test()
@cocotb.parametrize(kind=KINDS)
async def an_error_of_this_job_ends_it(dut, kind):
    """Halt until all is quiet, clear, status, end; the next start finds nothing of it."""
    bench = Bench(dut, seed=3)
    await bench.start()
    for queued in (True, False):
        for wait in (4, 20):  # also before the job's numbers have been looked up
            bench.begin([Job(interrupt=True), Job()], queued=queued)
            await wait_cycles(dut, wait)
            code, block, pulses = found(dut, kind, 0)
            bench.give(**pulses)
            await bench.finish()
            bench.check_end(code, block, good=0, status=queued)
            assert len(bench.interrupts) == int(queued)
            jobs = some_jobs(2, wait) if queued else [Job()]
            bench.begin(jobs, queued=queued)
            bench.drain(jobs)
            await bench.finish()
            bench.check_good(len(jobs))
            assert bench.code == "NONE" and bench.halted == 0


@cocotb.test()
@cocotb.parametrize(kind=[kind for kind in KINDS if kind != "stop"])
async def an_error_of_a_later_job_waits_for_its_turn(dut, kind):
    """The jobs before it end well, though they are drained long after it was found."""
    bench = Bench(dut, seed=4)
    await bench.start()
    for later in (1, 3):
        jobs = [Job(blocks=number + 1, words=10 * number) for number in range(5)]
        bench.begin(jobs)
        await wait_cycles(dut, 12)
        if kind == "write_error":  # the memory answers in order: those that have ended are known
            for job in jobs[:later]:
                bench.give(job.mark)
            await wait_cycles(dut, later + 3)
        code, block, pulses = found(dut, kind, later)
        bench.give(**pulses)
        await wait_cycles(dut, 20)
        assert bench.halted == 0 and not bench.ends
        assert int(dut.stop_drain.value) == 0 and int(dut.stop_fill.value) == 0
        for number, job in enumerate(jobs[:later]):
            bench.drained.append(job)
            if kind != "write_error":
                bench.give(job.mark)
            await wait_cycles(dut, 35)
            assert len(bench.popped) == number + 1
        await bench.finish()
        bench.check_end(code, block, good=later, status=True)


@cocotb.test()
async def a_write_error_is_that_of_the_job_that_writes(dut):
    """Not of one that goes to the stream; nor of one whose last word had been answered before."""
    bench = Bench(dut)
    await bench.start()
    jobs = [Job(stream=True), Job(), Job(stream=True), Job()]
    bench.begin(jobs)
    await wait_cycles(dut, 15)
    bench.give("mark_memory")  # of job 1
    bench.give("write_error", wait=3)  # of job 3
    await wait_cycles(dut, 40)
    assert bench.halted == 0
    bench.drained.extend(jobs[:3])
    bench.give("mark_stream")
    bench.give("mark_stream", wait=100)
    await bench.finish()
    bench.check_good(3)
    assert bench.code == bench.statuses[3].code == "WRITE_RESPONSE"


@cocotb.test()
async def a_write_error_behind_the_drained_words_is_at_their_end(dut):
    """The job was drained whole and a later one is in the drain: its last words failed, wherever the drain is now."""
    bench = Bench(dut)
    await bench.start()
    for good in (0, 2):
        jobs = [Job(blocks=11 + number) for number in range(4)]
        bench.begin(jobs)
        await wait_cycles(dut, 12)
        dut.drain_job.value, dut.drain_block.value = good + 1, 3
        bench.drained.extend(jobs[: good + 1])
        for job in jobs[:good]:
            bench.give(job.mark)
        bench.give("write_error", wait=2)
        await bench.finish()
        bench.check_end("WRITE_RESPONSE", 11 + good, good=good, status=True)


@cocotb.test()
async def of_several_errors_the_first_in_the_list_counts(dut):
    """All are there when the job's turn comes."""
    bench = Bench(dut)
    await bench.start()
    for place, kind in enumerate(KINDS):
        bench.begin([Job(), Job()])
        pulses: dict[str, int] = {}
        for other in reversed([kind, *(late for late in KINDS[place:] if (kind, late) != ("underrun", "overrun"))]):
            code, block, more = found(dut, other, 0)
            pulses |= more
        if kind == "write_error":
            block = 42
            dut.drain_block.value = 42
        bench.give(**pulses)
        await bench.finish()
        bench.check_end(code, block, good=0, status=True)


@cocotb.test()
async def the_first_error_of_a_kind_is_kept(dut):
    """With its job and its block; the stage that has that job is stopped, and no other."""
    bench = Bench(dut)
    await bench.start()
    for kind, stop, stage in (("read_error", "stop_drain", "drain_job"), ("index_error", "stop_fill", "fill_job"), ("underrun", "", "")):
        bench.begin([Job(), Job(), Job()])
        await wait_cycles(dut, 15)
        code, block, pulses = found(dut, kind, 1)
        bench.give(**pulses)
        await wait_cycles(dut, 5)
        pulses = found(dut, kind, 0)[2]
        dut.arrived_blocks.value = 99
        if kind == "read_error":
            read_error(dut, 0, 99)
        bench.give(**{"overrun": 1} if kind == "underrun" else pulses)
        await wait_cycles(dut, 5)
        if stop:
            for job, expected in ((0, 0), (1, 1), (2, 0)):
                getattr(dut, stage).value = job
                await wait_cycles(dut, 3)
                assert int(getattr(dut, stop).value) == expected
                assert int(dut.stop_drain.value) + int(dut.stop_fill.value) == expected
        await bench.nowhere()
        bench.drain(bench.jobs[:1])
        if kind == "index_error":  # it has no block of its own: that at which the job has arrived
            dut.arrived_job.value, dut.arrived_blocks.value = 1, block
        await bench.finish()
        bench.check_end(code, block, good=1, status=True)


@cocotb.test()
@cocotb.parametrize(kind=("underrun", "index_error"))
async def a_block_that_is_not_of_the_job_is_not_told(dut, kind):
    """Words of another job were the last to arrive: the error is at the job's first block."""
    bench = Bench(dut)
    await bench.start()
    bench.begin([Job(), Job()])
    await wait_cycles(dut, 15)
    code, _, pulses = found(dut, kind, 0)
    dut.arrived_job.value = 1
    bench.give(**pulses)
    await bench.finish()
    bench.check_end(code, 0, good=0, status=True)


@cocotb.test()
async def two_ports_keep_their_errors_apart(dut):
    """A port may be ahead of the other by jobs: each keeps its first error, and each takes effect at its own job."""
    bench = Bench(dut)
    await bench.start()
    for early in (0, 1):
        for earlier_job, later_job in ((1, 2), (0, 1)):
            bench.begin([Job(), Job(), Job()])
            await wait_cycles(dut, 15)
            bench.give(**read_error(dut, later_job, 7, early))  # found first
            await wait_cycles(dut, 5)
            bench.give(**read_error(dut, earlier_job, 9, 1 - early))
            if earlier_job:
                await wait_cycles(dut, 5)
                for job in range(4):
                    dut.drain_job.value = job
                    await wait_cycles(dut, 3)
                    assert int(dut.stop_drain.value) == (job in (earlier_job, later_job))
                dut.drain_job.value = NOWHERE
                bench.drain(bench.jobs[:1])
            await bench.finish()
            bench.check_end("READ_RESPONSE", 9, good=earlier_job, status=True)


@cocotb.test()
async def of_two_ports_the_lower_block_is_told(dut):
    bench = Bench(dut)
    await bench.start()
    for blocks in ((3, 8), (8, 3), (5, 5)):
        bench.begin([Job(), Job()])
        await wait_cycles(dut, 15)
        for port, block in enumerate(blocks):
            read_error(dut, 1, block, port)
        bench.give(read_error=3)
        await wait_cycles(dut, 5)
        bench.drain(bench.jobs[:1])
        await bench.finish()
        bench.check_end("READ_RESPONSE", min(blocks), good=1, status=True)


@cocotb.test()
async def a_descriptor_that_was_not_read_is_not_written(dut):
    bench = Bench(dut)
    await bench.start()
    for good in (0, 2):
        jobs = some_jobs(4, good)
        bench.begin(jobs)
        bench.give(intake_nowhere=1, **found(dut, "intake_error", good)[2])
        await wait_cycles(dut, 8)
        bench.drain(jobs[:good])
        await bench.finish()
        bench.check_end("BAD_TABLE", 0, good=good, status=False)


@cocotb.test()
async def nothing_goes_on_until_all_is_quiet(dut):
    bench = Bench(dut, quiet_delay=200)
    await bench.start()
    bench.begin([Job()])
    await wait_cycles(dut, 15)
    bench.give("stop")
    await wait_cycles(dut, 190)
    assert int(dut.halt.value) and int(dut.busy.value) and bench.statuses == [] and bench.cleared < 20
    await bench.finish()
    bench.check_end("ABORTED", 0, good=0, status=True)


# ---- the status itself


@cocotb.test()
async def an_error_of_the_status_write_ends_the_queue(dut):
    """The job counts as not ended; its error is in the registers only."""
    bench = Bench(dut)
    await bench.start()
    for good in (0, 2):
        jobs = some_jobs(4, good)
        bench.begin(jobs)
        bench.drain(jobs[:good])
        await wait_cycles(dut, 20 + 60 * good)
        bench.status_error = True
        bench.drain(jobs[good:])
        await bench.finish()
        bench.check_good(good)
        assert bench.code == "WRITE_RESPONSE" and bench.halted > 0
        assert len(bench.statuses) == good + 1 and int(dut.ended_descriptor.value) == BASE + 64 * good


@cocotb.test()
async def an_error_of_the_last_status_changes_nothing(dut):
    """The queue ends in any case, with the code of the job."""
    bench = Bench(dut)
    await bench.start()
    bench.begin([Job()])
    await wait_cycles(dut, 15)
    bench.status_error = True
    code, block, pulses = found(dut, "drain_error", 0)
    bench.give(**pulses)
    await bench.finish()
    bench.check_end(code, block, good=0, status=True)


# ---- abort


@cocotb.test()
@cocotb.parametrize(queued=(True, False), failing=(False, True))
async def an_abort_in_every_state(dut, queued, failing):
    """In each cycle of a run: the jobs before it have ended well, one at most is aborted, nothing ends twice, and the next run is clean."""
    bench = Bench(dut, status_delay=3, mark_delay=3)
    await bench.start()
    jobs = [Job(blocks=7), Job(stream=True, blocks=8)] if queued else [Job()]
    whole: int | None = None
    met, codes = set(), set()
    offset = 0
    while whole is None or offset < whole + 4:
        bench.begin(jobs, queued=queued)
        begin = bench.cycle
        bench.drained.extend(jobs)
        if failing:
            bench.pulses[0] |= found(dut, "intake_error", len(jobs) - 1)[2]
        for job in jobs:
            bench.give(job.mark)
        while len(bench.pulses) <= offset:
            bench.pulses.append({})
        if whole is not None:
            bench.pulses[offset] = bench.pulses[offset] | {"stop": 1}
        await bench.finish()
        if whole is None:
            whole = bench.ends[0] - begin
            continue
        good, code = len(bench.popped), bench.code
        phase = bench.phases[begin + offset + 2]
        met.add(phase)
        codes.add(code)
        bench.check_good(good)
        assert good <= len(jobs)
        assert int(dut.ended_jobs.value) == good
        if code == "ABORTED":
            assert bench.halted and good < len(jobs)
            # an abort while a job's status is shown: it has ended, but the queue goes no further
            assert [status.code for status in bench.statuses[good:]] in ([["ABORTED"], ["NONE"]] if queued else [[]])
        else:
            assert code == ("BAD_TABLE" if failing else "NONE")
            assert good == len(jobs) - failing
            assert [status.code for status in bench.statuses[good:]] == (["BAD_TABLE"] if queued and failing else [])
        offset += 1
    assert {"run", "clear", "idle"} | ({"status", "written"} if queued else set()) | ({"halt"} if failing else {"next"}) <= met, met
    assert codes == ({"BAD_TABLE"} if failing else {"NONE"}) | ({"ABORTED"} if queued or not failing else set())


@cocotb.test()
async def an_abort_before_the_start_is_forgotten(dut):
    bench = Bench(dut)
    await bench.start()
    bench.begin([Job()])
    bench.pulses.clear()
    bench.give("stop")
    bench.give("start", wait=3)
    bench.drain(bench.jobs)
    await bench.finish()
    bench.check_good(1)
    assert bench.code == "NONE"


@cocotb.test()
async def reset_in_any_state(dut):
    bench = Bench(dut)
    await bench.start()
    jobs = [Job(), Job(stream=True)]
    for wait in range(0, 60, 4):
        bench.begin(jobs)
        bench.drain(jobs)
        await wait_cycles(dut, wait)
        dut.rst.value = 1
        await wait_cycles(dut, 2)
        assert int(dut.clear.value) and not int(dut.busy.value) and not int(dut.halt.value)
        dut.rst.value = 0
        bench.pulses.clear()
        await wait_cycles(dut, 12)  # the taker of statuses finishes
        assert not int(dut.busy.value) and not int(dut.clear.value)
    jobs = some_jobs(3, 1)
    bench.begin(jobs)
    bench.drain(jobs)
    await bench.finish()
    bench.check_good(3)


TESTS = 3 + 2 + 1 + len(KINDS) + len(KINDS) - 1 + 4 + 2 + 2 + 2 + 4 + 2


def test_job_end(simulator):
    run_job_end(simulator, 1, TESTS, r"^(?!.*two_ports)")


def test_job_end_with_two_read_ports(icarus):
    run_job_end(icarus, 2, TESTS + 2)


def run_job_end(simulator, ports, expected_tests, test_filter=None):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:engine",
        toplevel="job_end",
        parameters={"READ_PORTS": ports},
        simulator=simulator,
        expected_tests=expected_tests,
        test_filter=test_filter,
    )
