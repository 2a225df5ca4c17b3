# SPDX-License-Identifier: Apache-2.0
"""Job control: the checks of a job and their order, tables, errors while running with their blocks, abort, halt until all is quiet."""

from __future__ import annotations

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles
from tensorpress.registers import ERRORS

BLOCK_BYTES = 512
CODECS = 0b0011  # raw, zvc
JOB = [
    "codec",
    "decompress",
    "stream",
    "signed",
    "zero",
    "values",
    "block_values",
    "raw_address",
    "index_address",
    "payload_address",
    "payload_words",
]
GOOD = {
    "codec": 1,
    "decompress": 0,
    "stream": 0,
    "signed": 1,
    "zero": 9,
    "values": 5000,
    "block_values": 512,
    "raw_address": 0x1000,
    "index_address": 0x2000,
    "payload_address": 0x3000,
    "payload_words": 700,
}
TOP = 1 << 32
RUN_ERRORS = {  # in the order of their rank: input, its code, the source of its block
    "read_error": ("READ_RESPONSE", "arrived_blocks"),
    "write_error": ("WRITE_RESPONSE", "drain_block"),
    "fill_error": ("INDEX_MALFORMED", "fill_block"),
    "drain_error": ("PAYLOAD_FULL", "drain_block"),
    "underrun": ("STREAM_UNDERRUN", "arrived_blocks"),
    "overrun": ("STREAM_OVERRUN", "arrived_blocks"),
    "stop": ("ABORTED", "arrived_blocks"),
}
BLOCKS = {"arrived_blocks": 11, "fill_block": 22, "drain_block": 33}
CODE = {name: code for code, (name, _) in ERRORS.items()}


class Bench:
    def __init__(self, dut):
        self.dut = dut
        self.clear()

    def clear(self) -> None:
        self.seen = dict.fromkeys(("go", "table_load", "clear", "ended"), 0)  # cycles in which each was 1
        self.first: dict[str, int] = {}  # the cycle of the first, from the start
        self.result: tuple[str, int] | None = None
        self.cycle = 0

    async def start(self) -> None:
        names = [f"s_{name}" for name in JOB]
        names += ["start", "stop", "table_done", "table_error", "finished", "quiet", *RUN_ERRORS, *BLOCKS, "fill_code", "drain_code"]
        await start(self.dut, **dict.fromkeys(names, 0))
        self.dut.fill_code.value = CODE["INDEX_MALFORMED"]
        self.dut.drain_code.value = CODE["PAYLOAD_FULL"]
        for name, value in BLOCKS.items():
            getattr(self.dut, name).value = value
        await wait_cycles(self.dut, 2)
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            for name in self.seen:
                if int(getattr(dut, name).value):
                    self.seen[name] += 1
                    self.first.setdefault(name, self.cycle)
            if int(dut.ended.value):
                assert not int(dut.busy.value), "busy has fallen when the job has ended"
                self.result = ERRORS[int(dut.code.value)][0], int(dut.code_block.value)

    async def pulse(self, *names: str) -> None:
        for name in names:
            getattr(self.dut, name).value = 1
        await RisingEdge(self.dut.clk)
        for name in names:
            getattr(self.dut, name).value = 0

    async def begin(self, **change: int) -> None:
        """START; the registers change right after it."""
        self.clear()
        for name, value in {**GOOD, **change}.items():
            getattr(self.dut, f"s_{name}").value = value
        await self.pulse("start")
        for name in JOB:
            getattr(self.dut, f"s_{name}").value = random.getrandbits(len(getattr(self.dut, f"s_{name}")))

    async def to_run(self, **change: int) -> None:
        """A good job that runs."""
        await self.begin(**change)
        await self.until("table_load")
        await wait_cycles(self.dut, 3)
        await self.pulse("table_done")
        await self.until("go")
        await wait_cycles(self.dut, 2)

    async def until(self, name: str, timeout: int = 30) -> None:
        for _ in range(timeout):
            if self.seen[name]:
                return
            await RisingEdge(self.dut.clk)
        raise AssertionError(f"no {name}")

    async def end(self) -> tuple[str, int]:
        """The error and the block of the job; it ended once, after one clear, and stays ended."""
        await self.until("ended")
        await wait_cycles(self.dut, 10)
        assert self.seen["ended"] == 1 and self.seen["clear"] == 1
        assert self.first["clear"] <= self.first["ended"]
        assert not int(self.dut.busy.value) and not int(self.dut.halt.value)
        assert (ERRORS[int(self.dut.code.value)][0], int(self.dut.code_block.value)) == self.result, "the result is held"
        return self.result

    async def finish(self) -> tuple[str, int]:
        self.dut.finished.value = 1
        result = await self.end()
        self.dut.finished.value = 0
        return result


BAD = [
    ("BAD_LENGTH", {"values": 0}),
    ("BAD_LENGTH", {"values": (1 << 28) + 1, "stream": 1}),
    ("BAD_LENGTH", {"values": 1 << 31, "stream": 1}),
    ("BAD_LENGTH", {"values": TOP - 1, "stream": 1}),
    ("BAD_BLOCK", {"block_values": 0}),
    ("BAD_BLOCK", {"block_values": 64}),
    ("BAD_BLOCK", {"block_values": 129}),
    ("BAD_BLOCK", {"block_values": BLOCK_BYTES + 128}),
    ("BAD_BLOCK", {"block_values": 0x8000}),
    ("BAD_BLOCK", {"block_values": 0xFF80}),
    *[("BAD_ADDRESS", {name: 0x1000 | bit}) for name in ("raw_address", "index_address", "payload_address") for bit in (1, 2, 4)],
    ("BAD_ADDRESS", {"raw_address": TOP - 4992}),  # 5000 values
    ("BAD_ADDRESS", {"raw_address": TOP - 8}),
    ("BAD_ADDRESS", {"index_address": TOP - 312}),  # 40 entries at blocks of 128
    ("BAD_ADDRESS", {"payload_address": TOP - 5592}),  # 700 words
    ("BAD_ADDRESS", {"payload_address": 0x3000, "payload_words": TOP - 1}),
    ("BAD_ADDRESS", {"payload_address": 0x8000_0000, "payload_words": (1 << 28) + 1}),
    ("UNSUPPORTED_CODEC", {"codec": 2}),
    ("UNSUPPORTED_CODEC", {"codec": 3}),
    ("UNSUPPORTED_CODEC", {"codec": 15}),
]
LIMITS = [
    {},
    {"values": 1},
    {"codec": 0},
    {"values": 1 << 28},
    {"block_values": 128},
    {"block_values": BLOCK_BYTES},
    {"raw_address": TOP - 5000},
    {"index_address": TOP - 320},
    {"values": 5120, "index_address": TOP - 320},
    {"payload_address": TOP - 5600},
    {"payload_address": 0, "payload_words": 1 << 29},
    {"payload_words": 0},
    {"stream": 1, "raw_address": 0xFFFF_FFFF},  # unused with a stream
]
RANK = [  # each job has its own fault and all of those behind
    ("BAD_LENGTH", {"values": 0, "block_values": 1, "index_address": 4, "codec": 9}),
    ("BAD_BLOCK", {"block_values": 1, "index_address": 4, "codec": 9}),
    ("BAD_ADDRESS", {"index_address": 4, "codec": 9}),
    ("UNSUPPORTED_CODEC", {"codec": 9}),
]


@cocotb.test()
async def bad_jobs_are_refused_in_order(dut):
    bench = Bench(dut)
    await bench.start()
    for code, change in BAD + RANK:
        await bench.begin(**change)
        assert await bench.end() == (code, 0), change
        assert not bench.seen["go"] and not bench.seen["table_load"], "nothing was begun"


@cocotb.test()
async def jobs_at_the_limits_run_as_they_were_given(dut):
    bench = Bench(dut)
    await bench.start()
    for change in LIMITS:
        await bench.to_run(**change)
        job = {name: int(getattr(dut, f"job_{name}").value) for name in JOB}
        assert job == {**GOOD, **change}, "as it was at START"
        assert bench.seen["go"] == bench.seen["table_load"] == 1
        assert int(dut.busy.value) and not int(dut.halt.value)
        await wait_cycles(dut, 20)
        assert not bench.seen["ended"] and not bench.seen["clear"]
        assert await bench.finish() == ("NONE", 0)
        assert bench.seen["go"] == 1


@cocotb.test()
async def a_start_while_busy_is_ignored(dut):
    bench = Bench(dut)
    await bench.start()
    await bench.to_run()
    await bench.pulse("start")
    await wait_cycles(dut, 20)
    assert bench.seen["go"] == 1 and int(dut.job_values.value) == GOOD["values"]
    assert await bench.finish() == ("NONE", 0)


@cocotb.test()
async def a_bad_table_ends_the_job(dut):
    bench = Bench(dut)
    await bench.start()
    for wait in (0, 1, 20):
        await bench.begin()
        await bench.until("table_load")
        await wait_cycles(dut, wait)
        await bench.pulse("table_done", "table_error")
        assert await bench.end() == ("BAD_TABLE", 0)
        assert not bench.seen["go"] and bench.seen["table_load"] == 1
    await bench.to_run()
    assert await bench.finish() == ("NONE", 0), "the next job is not harmed"


@cocotb.test()
async def the_start_takes_seven_cycles_and_the_table(dut):
    bench = Bench(dut)
    await bench.start()
    dut.table_done.value = 1  # at once
    await bench.begin()
    cycle = 0
    while not int(dut.go.value):
        await RisingEdge(dut.clk)
        cycle += 1
        assert cycle <= 7
    dut.table_done.value = 0
    await wait_cycles(dut, 3)
    assert await bench.finish() == ("NONE", 0)


@cocotb.test()
@cocotb.parametrize(name=tuple(RUN_ERRORS))
async def an_error_halts_until_all_is_quiet(dut, name):
    bench = Bench(dut)
    await bench.start()
    code, source = RUN_ERRORS[name]
    for wait in (0, 3, 20):
        await bench.to_run()
        await bench.pulse(name)
        for _ in range(4):  # the halt comes within a few cycles; the blocks go on meanwhile
            await RisingEdge(dut.clk)
        assert int(dut.halt.value) == 1
        for other in BLOCKS:
            getattr(dut, other).value = 99
        dut.finished.value = 1  # it counts no more
        for _ in range(wait):
            await RisingEdge(dut.clk)
            assert int(dut.halt.value) == 1 and int(dut.busy.value) == 1 and not bench.seen["clear"]
        await bench.pulse(*(other for other in RUN_ERRORS if other != name))  # later ones
        dut.quiet.value = 1
        dut.finished.value = 0
        assert await bench.end() == (code, BLOCKS[source])
        dut.quiet.value = 0
        for other, value in BLOCKS.items():
            getattr(dut, other).value = value
        await bench.to_run()
        await wait_cycles(dut, 10)
        assert not int(dut.halt.value)
        assert await bench.finish() == ("NONE", 0), "the next job begins without it"


@cocotb.test()
async def of_errors_at_once_the_first_in_rank_counts(dut):
    bench = Bench(dut)
    await bench.start()
    names = list(RUN_ERRORS)
    dut.quiet.value = 1
    for first, name in enumerate(names[:-1]):
        await bench.to_run()
        await bench.pulse(*names[first:-1])
        code, source = RUN_ERRORS[name]
        assert await bench.end() == (code, BLOCKS[source])


@cocotb.test()
async def errors_outside_a_job_are_nobodys(dut):
    bench = Bench(dut)
    await bench.start()
    await bench.pulse(*RUN_ERRORS)
    await wait_cycles(dut, 10)
    assert not int(dut.busy.value) and not int(dut.halt.value)
    await bench.to_run()
    await wait_cycles(dut, 10)
    assert await bench.finish() == ("NONE", 0)


@cocotb.test()
async def an_abort_counts_from_the_start_on(dut):
    bench = Bench(dut)
    await bench.start()
    dut.quiet.value = 1
    await bench.begin()
    await bench.pulse("stop")  # long before it runs
    await bench.until("table_load")
    await bench.pulse("table_done")
    assert (await bench.end())[0] == "ABORTED"
    # of a refused job, the reason is told
    await bench.begin(values=0)
    await bench.pulse("stop")
    assert await bench.end() == ("BAD_LENGTH", 0)
    await bench.to_run()
    assert await bench.finish() == ("NONE", 0)


@pytest.mark.parametrize("block_bytes", [BLOCK_BYTES])
def test_job_control(simulator, block_bytes):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:engine",
        toplevel="job_control",
        parameters={"BLOCK_BYTES": block_bytes, "ENCODE_CODECS": CODECS, "DECODE_CODECS": CODECS},
        simulator=simulator,
        expected_tests=8 + len(RUN_ERRORS),
    )
