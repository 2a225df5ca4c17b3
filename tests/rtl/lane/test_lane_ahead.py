# SPDX-License-Identifier: Apache-2.0
"""The lane with apack: the coder goes on to the next block before this one is done, where that block differs in values only."""

from __future__ import annotations

import random
from itertools import cycle, pairwise
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from codec.apack.apack_tables import bus_words, likely_values, make_table, pending_values
from harness import run_cocotb
from lane.test_lane import BLOCK_BYTES, Bench, check_coded, raw_words
from lib.clock import wait_cycles
from tensorpress.codecs import CODEC_NUMBERS, Coding
from tensorpress.tables import Table

CODERS = 8
KINDS = ("zeros", "even", "middle", "random 2")
TABLES: dict[int, Table] = {number: make_table(kind, 8) for number, kind in enumerate(KINDS)}
"""Tables by the number under which the lane asks for them. Blocks of "even" come to their raw size at their last words."""

Task = tuple[np.ndarray, Coding, int]


def apack(number: int) -> Coding:
    return Coding("apack", block_values=BLOCK_BYTES, coders=CODERS, signed=False, table=TABLES[number])


class JobsBench(Bench):
    """A lane that is given blocks of several jobs, and a table store that answers it."""

    async def start(self) -> None:
        self.dut.table_forget.value = 0
        self.dut.table_forget_number.value = 0
        self.dut.table_number.value = 0
        await super().start()
        cocotb.start_soon(self._serve_tables())

    def send_block(self, task: Task) -> None:
        values, coding, number = task
        self.tasks.append((len(values), coding, number, raw_words(values)))

    async def _tasks(self) -> None:
        dut = self.dut
        words: list[int] = []
        while True:
            await RisingEdge(dut.clk)
            if int(dut.task_valid.value) and int(dut.task_ready.value):
                self.fill.extend(words)
                dut.task_valid.value = 0
            elif not int(dut.task_valid.value) and self.tasks:
                values, coding, number, words = self.tasks.popleft()
                dut.task_valid.value = 1
                dut.task_values.value = values
                dut.task_words.value = len(words)
                dut.task_raw.value = int(coding.codec == "raw")
                dut.job_codec.value = CODEC_NUMBERS[coding.codec]
                dut.job_zero.value = coding.zero
                dut.job_table.value = number

    async def _serve_tables(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if not int(dut.table_want.value):
                continue
            number = int(dut.table_want_number.value)
            for row, data in bus_words(TABLES[number]):
                dut.table_number.value = number
                dut.table_valid.value, dut.table_address.value, dut.table_data.value = 1, row, data
                await RisingEdge(dut.clk)
            dut.table_valid.value = 0
            await wait_cycles(dut, 10)


async def code_and_check(bench: JobsBench, tasks: list[Task]) -> list[Any]:
    """Code the blocks, compare them with the model; returns the model's blocks."""
    first = len(bench.results)
    for task in tasks:
        bench.send_block(task)
    await bench.finish(first + len(tasks), timeout=400_000)
    return check_coded(bench, first, [(values, coding) for values, coding, _ in tasks])


def block_of(rng: random.Random, number: int, size: int) -> np.ndarray:
    return np.array(likely_values(rng, TABLES[number], size), np.uint8)


@cocotb.test()
async def blocks_follow_without_a_gap(dut: Any) -> None:
    """From result to result: the values, the coders' last parts, and little else."""
    bench = JobsBench(dut)
    await bench.start()
    rng = random.Random("gap")
    for _ in range(10):
        bench.send_block((block_of(rng, 0, 512), apack(0), 0))
    times: list[int] = []
    now, before = 0, 0
    while len(times) < 10 and now < 12_000:
        await RisingEdge(dut.clk)
        now += 1
        if len(bench.results) > before:
            before = len(bench.results)
            times.append(now)
    gaps = [after - last for last, after in pairwise(times)]
    dut._log.info("cycles from result to result: %s", gaps)
    assert len(times) == 10 and sum(gaps) <= 9 * (512 + 2 * CODERS + 23), gaps


@cocotb.test()
@cocotb.parametrize((("fill", "drain"), [("none", "none"), ("light", "heavy"), ("heavy", "none"), ("long_stalls", "one_cycle")]))
async def blocks_of_many_jobs(dut: Any, fill: str, drain: str) -> None:
    """Other codecs, other tables, raw blocks and blocks that become raw in turn: only the next block of the same kind is begun ahead."""
    bench = JobsBench(dut, fill, drain, seed=5)
    await bench.start()
    rng = random.Random(f"jobs:{fill}")
    tasks: list[Task] = []
    for _ in range(16):
        kind = rng.choice(("apack", "apack", "apack", "zvc", "raw", "even", "limit"))
        for _ in range(rng.randint(1, 5)):
            size = rng.choice((1, 2, 8, 9, 64, 65, 300, 511, 512))
            if kind == "limit":
                tasks.append((np.array(pending_values(TABLES[2], CODERS, 64, 200), np.uint8), apack(2), 2))
            elif kind == "even":
                tasks.append((np.array([rng.randrange(256) for _ in range(size)], np.uint8), apack(1), 1))
            elif kind == "apack":
                number = rng.choice((0, 0, 0, 2, 3))
                tasks.append((block_of(rng, number, size), apack(number), number))
            else:
                coding = Coding(kind, block_values=BLOCK_BYTES, zero=rng.choice((0, 7)) if kind == "zvc" else 0)
                tasks.append((block_of(rng, 0, size), coding, 0))
    expected = await code_and_check(bench, tasks)
    raw = sum(block.raw for block, (_, coding, _) in zip(expected, tasks, strict=True) if coding.codec == "apack")
    assert min(raw, len(tasks) - raw) >= 5


@cocotb.test()
async def a_block_that_waits_for_the_drain_is_not_coded_again(dut: Any) -> None:
    bench = JobsBench(dut)
    bench.drain_pauses = cycle([True] * 1500 + [False])
    await bench.start()
    rng = random.Random("late drain")
    await code_and_check(bench, [(block_of(rng, 0, 512), apack(0), 0) for _ in range(8)])


@cocotb.test()
async def a_block_that_becomes_raw_at_its_end(dut: Any) -> None:
    """Its coded words reach the raw ones in its last parts, when the next block has been begun: that one begins again."""
    bench = JobsBench(dut)
    await bench.start()
    rng = random.Random("late")
    tasks: list[Task] = []
    for _ in range(20):
        size = rng.randint(200, 512)
        tasks.append((np.array([rng.randrange(256) for _ in range(size)], np.uint8), apack(1), 1))
        if rng.random() < 0.5:
            tasks.append((block_of(rng, 1, rng.randint(1, 512)) // 16 * 16, apack(1), 1))
    expected = await code_and_check(bench, tasks)
    assert sum(block.raw for block in expected) >= 15


@cocotb.test()
async def reset_while_a_block_is_ahead(dut: Any) -> None:
    rng = random.Random("reset")
    bench = JobsBench(dut)
    await bench.start()
    for cycles in range(60, 140, 8):
        for _ in range(3):
            bench.send_block((block_of(rng, 0, 64), apack(0), 0))
        await wait_cycles(dut, cycles)
        bench.tasks.clear()
        bench.fill.clear()
        dut.task_valid.value = 0
        dut.rst.value = 1
        await wait_cycles(dut, 30)  # the drain in work ends
        dut.rst.value = 0
        await wait_cycles(dut, 3)
        bench.results.clear()
        bench.drained.clear()
        await code_and_check(bench, [(block_of(rng, 0, 100), apack(0), 0) for _ in range(4)])
        bench.results.clear()
        bench.drained.clear()


def test_lane_ahead(simulator: str) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:lane",
        toplevel="lane",
        parameters={"BLOCK_BYTES": BLOCK_BYTES, "ENCODE_CODECS": 11, "DECODE_CODECS": 3, "APACK_CODERS": CODERS},
        simulator=simulator,
        expected_tests=8,
    )
