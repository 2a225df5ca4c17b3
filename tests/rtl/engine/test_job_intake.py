# SPDX-License-Identifier: Apache-2.0
"""The intake: the checks of a job and their order, tables, the way from the registers or a queue to the index and filling stages."""

from __future__ import annotations

import random

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles
from tensorpress.registers import ERRORS, REG

BLOCK_BYTES = 512
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
    ("UNSUPPORTED_CODEC", {"codec": 3, "decompress": 1}),
    ("UNSUPPORTED_CODEC", {"codec": 15}),
    # each job has its own fault and all of those behind
    ("BAD_LENGTH", {"values": 0, "block_values": 1, "index_address": 4, "codec": 9}),
    ("BAD_BLOCK", {"block_values": 1, "index_address": 4, "codec": 9}),
    ("BAD_ADDRESS", {"index_address": 4, "codec": 9}),
]
LIMITS = [
    {},
    {"values": 1},
    {"codec": 0},
    {"codec": 2, "decompress": 1},
    {"values": 1 << 28},
    {"block_values": 128},
    {"raw_address": TOP - 5000},
    {"index_address": TOP - 320},
    {"values": 5120, "index_address": TOP - 320},
    {"payload_address": TOP - 5600},
    {"payload_address": 0, "payload_words": 1 << 29},
    {"payload_words": 0},
    {"stream": 1, "raw_address": 0xFFFF_FFFF},  # unused with a stream
]


class Bench:
    def __init__(self, dut):
        self.dut = dut
        self.asked: list[int] = []  # addresses of the fetches

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut.fetch_go.value):
                self.asked.append(int(self.dut.fetch_address.value))

    async def start(self) -> None:
        inputs = ["start", "start_queue", "queue_address", "fetch_done", "fetch_error", "fetch_unreadable", "table_done", "table_error"]
        inputs += ["index_ready", "fill_ready", "end_job", *(f"s_{name}" for name in GOOD)]
        inputs += [f"fetch_{name}" for name in ("config", "next", *list(GOOD)[5:])]
        await start(self.dut, **dict.fromkeys(inputs, 0))
        cocotb.start_soon(self._watch())

    async def reset(self) -> None:
        self.dut.rst.value = 1
        await wait_cycles(self.dut, 2)
        self.dut.rst.value = 0
        await wait_cycles(self.dut, 2)

    async def pulse(self, *names: str) -> None:
        for name in names:
            getattr(self.dut, name).value = 1
        await RisingEdge(self.dut.clk)
        for name in names:
            getattr(self.dut, name).value = 0

    async def until(self, name: str, limit: int = 60) -> None:
        for _ in range(limit):
            await RisingEdge(self.dut.clk)
            if int(getattr(self.dut, name).value):
                return
        raise AssertionError(f"no {name} within {limit} cycles")

    async def begin(self, **change: int) -> None:
        """START; the registers change right after it."""
        for name, value in {**GOOD, **change}.items():
            getattr(self.dut, f"s_{name}").value = value
        await self.pulse("start")
        for name in GOOD:
            signal = getattr(self.dut, f"s_{name}")
            signal.value = random.getrandbits(len(signal))

    async def table(self) -> None:
        await self.until("table_load")
        await wait_cycles(self.dut, 3)
        await self.pulse("table_done")

    async def refused(self, code: str) -> None:
        await self.until("error")
        assert ERRORS[int(self.dut.error_code.value)][0] == code
        await wait_cycles(self.dut, 20)
        assert int(self.dut.error.value), "it stays until the reset"

    def job(self) -> dict[str, int]:
        return {name: int(getattr(self.dut, f"job_{name}").value) for name in GOOD}

    async def fetched(self, address: int, **change: int) -> None:
        """Answer the fetch of the descriptor at `address`."""
        dut = self.dut
        for _ in range(60):
            if self.asked:
                break
            await RisingEdge(dut.clk)
        assert self.asked == [address]
        self.asked.clear()
        job = {**GOOD, "next": 0, "interrupt": 0, **change}
        config = REG["JOB_CONFIG"].pack(**{name.upper(): job[name] for name in ("codec", "decompress", "stream", "signed", "zero")})
        dut.fetch_config.value = config | job["interrupt"] << 16
        for name in ("next", *list(GOOD)[5:]):
            getattr(dut, f"fetch_{name}").value = job[name]
        await wait_cycles(dut, 4)
        await self.pulse("fetch_done")


@cocotb.test()
async def bad_jobs_are_refused_in_order(dut):
    bench = Bench(dut)
    await bench.start()
    for code, change in BAD:
        await bench.begin(**change)
        await bench.refused(code)
        await bench.reset()


@cocotb.test()
async def jobs_at_the_limits_go_to_the_index_then_to_the_lanes(dut):
    bench = Bench(dut)
    await bench.start()
    for change in LIMITS:
        await bench.begin(**change)
        await bench.table()
        await wait_cycles(dut, 5)
        assert not int(dut.index_go.value) and not int(dut.fill_go.value), "neither stage is ready"
        dut.fill_ready.value = 1
        await wait_cycles(dut, 5)
        assert not int(dut.fill_go.value), "the index is first"
        dut.index_ready.value = 1
        await bench.until("fill_go")
        assert bench.job() == {**GOOD, **change}, "as it was at START"
        assert int(dut.job.value) == 0
        await wait_cycles(dut, 4)
        assert not int(dut.end_queued.value) and int(dut.end_last.value)
        assert int(dut.end_writes.value) == 1
        await wait_cycles(dut, 20)
        assert not int(dut.fill_go.value) and not int(dut.error.value), "one job"
        dut.index_ready.value = dut.fill_ready.value = 0
        await bench.reset()


@cocotb.test()
async def a_queue_is_followed_and_booked(dut):
    bench = Bench(dut)
    await bench.start()
    dut.index_ready.value = dut.fill_ready.value = 1
    places = [0x1000_0040 + 64 * 5 * number for number in range(40)]
    dut.queue_address.value = places[0]
    await bench.pulse("start_queue")
    dut.queue_address.value = 0xFFFF_FFFF
    for number, place in enumerate(places):
        following = places[number + 1] if number + 1 < len(places) else 0
        stream = {"decompress": 1, "stream": 1} if number % 3 == 0 else {}
        await bench.fetched(place, next=following, interrupt=number % 2, values=1 + number, **stream)
        await bench.table()
        await bench.until("fill_go")
        assert int(dut.job.value) == number % 32 and bench.job() == {**GOOD, "values": 1 + number, **stream}
        await wait_cycles(dut, 4)
        # all that have not ended are in the books; in the test the oldest of them is 20 jobs back
        for back in {0, min(number, 7), min(number, 20)}:
            of = number - back
            dut.end_job.value = of % 32
            await wait_cycles(dut, 3)
            assert int(dut.end_descriptor.value) == places[of] and int(dut.end_queued.value)
            assert int(dut.end_last.value) == (of + 1 == len(places)) and int(dut.end_interrupt.value) == of % 2
            assert int(dut.end_writes.value) == (of % 3 != 0)
    await wait_cycles(dut, 60)
    assert not bench.asked and not int(dut.error.value)


@cocotb.test()
async def at_most_24_jobs_are_on_their_way(dut):
    bench = Bench(dut)
    await bench.start()
    dut.index_ready.value = dut.fill_ready.value = 1
    dut.queue_address.value = 64
    await bench.pulse("start_queue")
    for number in range(24):
        await bench.fetched(64 * (number + 1), next=64 * (number + 2))
        await bench.table()
        await bench.until("fill_go")
    await wait_cycles(dut, 100)
    assert not bench.asked
    dut.end_job.value = 1
    await bench.fetched(64 * 25)


@cocotb.test()
async def faults_of_a_queue_are_named(dut):
    bench = Bench(dut)
    await bench.start()
    for wrong in (8, 32):
        dut.queue_address.value = 0x1000 + wrong
        await bench.pulse("start_queue")
        await bench.refused("BAD_DESCRIPTOR")
        assert int(dut.error_nowhere.value)
        await bench.reset()
    for unreadable in (0, 1):
        dut.queue_address.value = 0x1000
        await bench.pulse("start_queue")
        await bench.until("fetch_go")
        dut.fetch_unreadable.value = unreadable
        await bench.pulse("fetch_done", "fetch_error")
        await bench.refused("READ_RESPONSE")
        assert int(dut.error_nowhere.value) == unreadable
        await bench.reset()
    for wait in (0, 1, 20):
        await bench.begin()
        await bench.until("table_load")
        await wait_cycles(dut, wait)
        await bench.pulse("table_done", "table_error")
        await bench.refused("BAD_TABLE")
        await bench.reset()


def test_job_intake(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:engine",
        toplevel="job_intake",
        parameters={"BLOCK_BYTES": BLOCK_BYTES, "ENCODE_CODECS": 0b0011, "DECODE_CODECS": 0b0111},
        simulator=simulator,
        expected_tests=5,
    )
