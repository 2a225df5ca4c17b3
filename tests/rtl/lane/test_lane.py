# SPDX-License-Identifier: Apache-2.0
"""The lane: blocks in, blocks out, against the software model; order, overlap, raw fallback, corrupt blocks, counters."""

from __future__ import annotations

import os
import random
from collections import deque

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles
from lib.profiles import pauses
from tensorpress.codecs import CODEC_NUMBERS, Coding, encode_block, raw_image

BLOCK_BYTES = 512
TOP = BLOCK_BYTES // 8 - 1


def raw_words(values: np.ndarray) -> list[int]:
    image = raw_image(values, 8).tobytes()
    image += bytes(-len(image) % 8)
    return np.frombuffer(image, "<u8").tolist()


class Bench:
    """Drives one lane as the sequencers do: task, words, result, drain."""

    def __init__(self, dut, fill_profile="none", drain_profile="none", seed=0):
        self.dut = dut
        self.tasks: deque = deque()
        self.fill: deque = deque()
        self.results: list = []
        self.drained: list = []
        self.fill_pauses = pauses(fill_profile, f"fill{seed}")
        self.drain_pauses = pauses(drain_profile, f"drain{seed}")
        self.decompress = False
        self.wide, self.raw_words = len(dut.drain_data) == 128, int(os.environ.get("RAW_WORDS", "1"))
        self.states = {"is_busy": 0, "is_starved": 0, "is_blocked": 0, "is_idle": 0}

    async def start(self):
        inputs = dict.fromkeys(
            [
                "job_codec",
                "job_decompress",
                "job_signed",
                "job_zero",
                "table_valid",
                "table_address",
                "table_data",
                "task_valid",
                "task_values",
                "task_a_words",
                "task_words",
                "task_raw",
                "fill_valid",
                "fill_data",
                "done_ready",
                "drain_enable",
                "drain_last",
                "drain_address",
            ],
            0,
        )
        await start(self.dut, **inputs)
        for coroutine in (self._tasks(), self._fill(), self._drain(), self._watch()):
            cocotb.start_soon(coroutine)

    async def job(self, coding: Coding, decompress: bool):
        dut = self.dut
        self.decompress, self.coding = decompress, coding
        dut.job_codec.value = CODEC_NUMBERS[coding.codec]
        dut.job_decompress.value = int(decompress)
        dut.job_zero.value = coding.zero
        dut.job_signed.value = int(coding.signed)
        dut.rst.value = 1
        await wait_cycles(dut, 2)
        dut.rst.value = 0
        await wait_cycles(dut, 3)

    def send(self, *, values, words, a_words=0, raw=False):
        self.tasks.append((values, a_words, words, raw))

    async def _tasks(self):
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if int(dut.task_valid.value) and int(dut.task_ready.value):
                self.fill.extend(self._task_words)
                dut.task_valid.value = 0
            elif not int(dut.task_valid.value) and self.tasks:
                values, a_words, words, raw = self.tasks.popleft()
                self._task_words = words
                dut.task_valid.value = 1
                dut.task_values.value = values
                dut.task_a_words.value = a_words
                dut.task_words.value = len(words)
                dut.task_raw.value = int(raw)

    async def _fill(self):
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if self.fill and not next(self.fill_pauses):
                dut.fill_valid.value = 1
                dut.fill_data.value = self.fill.popleft()
            else:
                dut.fill_valid.value = 0

    async def _drain(self):
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if not int(dut.done_valid.value) or next(self.drain_pauses):
                continue
            result = {name: int(getattr(dut, f"done_{name}").value) for name in ("a_words", "words", "raw", "corrupt")}
            dut.done_ready.value = 1
            await RisingEdge(dut.clk)
            dut.done_ready.value = 0
            self.results.append(result)
            up = result["words"] if self.decompress or result["raw"] else result["a_words"]
            addresses = [*range(up), *range(TOP, TOP - (result["words"] - up), -1)]
            may_pair = self.raw_words == 2 if result["raw"] else self.wide and self.decompress
            pairs = may_pair and len(self.drained) % 4 != 3  # one word at a time is always allowed
            if pairs:
                addresses = addresses[::2]
            self.drained.append([])
            cocotb.start_soon(self._collect(len(addresses), result["words"] if pairs else None, self.drained[-1]))
            for number, address in enumerate(addresses):
                dut.drain_enable.value = 1
                dut.drain_address.value = address
                dut.drain_last.value = int(number == len(addresses) - 1)
                await RisingEdge(dut.clk)
            dut.drain_enable.value = 0
            await RisingEdge(dut.clk)

    async def _collect(self, count, pair_words, into):
        # the enable that is written after this edge is seen at the next one; the data follows 3 cycles later
        for _ in range(4):
            await RisingEdge(self.dut.clk)
        for number in range(count):
            value = self.dut.drain_data.value
            parts = [value[64 * i + 63 : 64 * i] if self.wide else value for i in range(1 if pair_words is None else 2)]
            if pair_words is not None and 2 * number + 1 == pair_words:
                parts.pop()  # there is no second word
            into.extend(int(part) if part.is_resolvable else part for part in parts)
            await RisingEdge(self.dut.clk)

    async def _watch(self):
        await wait_cycles(self.dut, 4)
        while True:
            await RisingEdge(self.dut.clk)
            flags = [name for name in self.states if int(getattr(self.dut, name).value)]
            assert len(flags) == 1 or int(self.dut.rst.value), f"a lane is in one state at a time, not in {flags}"
            for name in flags:
                self.states[name] += 1

    async def finish(self, blocks, timeout=60_000):
        for _ in range(timeout):
            if len(self.drained) == blocks and len(self.drained[-1]) == self.results[-1]["words"]:
                break
            await RisingEdge(self.dut.clk)
        assert len(self.drained) == blocks, f"{len(self.drained)} of {blocks} blocks came"
        await wait_cycles(self.dut, 60)
        assert len(self.results) == blocks, "more blocks came than were sent"
        assert not int(self.dut.done_valid.value)


def some_blocks(seed, count=10):
    """Blocks of many lengths and densities, incompressible ones among them."""
    rng = np.random.default_rng(seed)
    blocks = []
    for number in range(count):
        length = [512, 1, 7, 8, 9, 511, 512, 300, 64, 505][number % 10]
        density = [0.5, 1.0, 0.0, 0.1, 0.9][number % 5]
        blocks.append((rng.integers(1, 256, length) * (rng.random(length) < density)).astype(np.uint8))
    return blocks


def check_coded(bench, first, tasks):
    """The results from `first` on, and what was drained, are the model's of these (values, coding); returns the model's blocks."""
    blocks = [encode_block(values, coding) for values, coding in tasks]
    for number, block in enumerate(blocks, first):
        what = f"block {number - first} of {len(blocks)}"
        assert bench.results[number] == {
            "a_words": 0 if block.raw else block.a_words,
            "words": block.a_words + block.b_words,
            "raw": int(block.raw),
            "corrupt": 0,
        }, what
        assert bench.drained[number] == block.payload.tolist(), what
    return blocks


async def compress_and_check(bench, blocks, coding):
    await bench.job(coding, decompress=False)
    for values in blocks:
        bench.send(values=len(values), words=raw_words(values), raw=coding.codec == "raw")
    first = len(bench.results)
    await bench.finish(first + len(blocks))
    check_coded(bench, first, [(values, coding) for values in blocks])


async def decompress_and_check(bench, blocks, coding):
    await bench.job(coding, decompress=True)
    for values in blocks:
        block = encode_block(values, coding)
        bench.send(values=len(values), words=block.payload.tolist(), a_words=block.a_words, raw=block.raw)
    first = len(bench.results)
    await bench.finish(first + len(blocks))
    for number, values in enumerate(blocks):
        assert bench.results[first + number]["corrupt"] == 0
        assert bench.drained[first + number] == raw_words(values), f"block {number}"


# each profile on each side, and the pairs that fill both slots, empty both, and let the two sides drift
BACK_PRESSURE = [
    ("none", "none"),
    ("none", "long_stalls"),
    ("light", "heavy"),
    ("heavy", "none"),
    ("one_cycle", "light"),
    ("long_stalls", "one_cycle"),
]
CODINGS = [Coding("zvc", block_values=512), Coding("zvc", block_values=512, zero=131), Coding("raw", block_values=512)]


@cocotb.test()
@cocotb.parametrize((("fill", "drain"), BACK_PRESSURE))
async def blocks_equal_the_model(dut, fill, drain):
    bench = Bench(dut, fill, drain, seed=3)
    await bench.start()
    for coding in CODINGS:
        blocks = [(block + coding.zero).astype(np.uint8) for block in some_blocks(seed=coding.zero)]
        await compress_and_check(bench, blocks, coding)
        await decompress_and_check(bench, blocks, coding)


@cocotb.test()
async def coded_sizes_around_the_raw_size(dut):
    """A block is stored raw exactly when its coded words reach its raw words: at the last value, in mid-block, not at all."""
    bench = Bench(dut)
    await bench.start()
    rng = np.random.default_rng(13)
    blocks, raw = [], []
    for length, most in ((512, 440), (504, 432), (128, 104), (8, -1)):  # most non-zero values that are not stored raw
        for others in (most - 1, most, most + 1, most + 8, length):
            values = np.zeros(length, np.uint8)
            values[rng.permutation(length)[: max(others, 0)]] = 7
            blocks.append(values)
            raw.append(encode_block(values, CODINGS[0]).raw)
    assert True in raw and False in raw
    await compress_and_check(bench, blocks, CODINGS[0])
    assert [bool(result["raw"]) for result in bench.results] == raw


@cocotb.test()
async def a_corrupt_block_is_reported_and_the_next_is_right(dut):
    bench = Bench(dut)
    await bench.start()
    coding = Coding("zvc", block_values=512)
    await bench.job(coding, decompress=True)
    values = some_blocks(seed=5)[0]
    block = encode_block(values, coding)
    payload = block.payload.tolist()
    bench.send(values=len(values), words=payload[: block.a_words + 3], a_words=block.a_words)
    bench.send(values=len(values), words=payload, a_words=block.a_words)
    bench.send(values=len(values), words=payload[: block.a_words - 1], a_words=block.a_words - 1)
    bench.send(values=len(values), words=payload, a_words=block.a_words)
    await bench.finish(4)
    assert [result["corrupt"] for result in bench.results] == [1, 0, 1, 0]
    assert bench.drained[1] == bench.drained[3] == raw_words(values)


@cocotb.test()
async def words_that_nobody_reads_are_dropped(dut):
    bench = Bench(dut, fill_profile="heavy")
    await bench.start()
    coding = Coding("zvc", block_values=512)
    await bench.job(coding, decompress=True)
    values = np.zeros(64, np.uint8)
    for _ in range(4):
        # one mask word, and B words that no mask bit asks for
        bench.send(values=64, words=[0, *range(1, 8)], a_words=1)
    await bench.finish(4)
    assert bench.drained == [raw_words(values)] * 4


@cocotb.test()
async def reset_in_mid_block_leaves_a_clean_lane(dut):
    rng = random.Random(11)
    bench = Bench(dut)
    await bench.start()
    coding = Coding("zvc", block_values=512)
    for _ in range(6):
        values = some_blocks(seed=rng.random().__hash__() % 1000)[0]
        await bench.job(coding, decompress=False)
        bench.send(values=len(values), words=raw_words(values))
        await wait_cycles(dut, rng.randint(1, 150))
        bench.tasks.clear()
        bench.fill.clear()
        dut.task_valid.value = 0
        dut.rst.value = 1
        await wait_cycles(dut, 3)
        bench.results.clear()
        bench.drained.clear()
        await compress_and_check(bench, some_blocks(seed=7, count=4), coding)
        bench.results.clear()
        bench.drained.clear()


@cocotb.test()
async def filling_coding_and_draining_overlap(dut):
    """Many dense blocks through one lane with no pause: the time is that of the codec alone (4 values a cycle), plus a little a block."""
    bench = Bench(dut)
    await bench.start()
    coding = Coding("zvc", block_values=512)
    values = (np.arange(512) % 2 * 7).astype(np.uint8)
    block = encode_block(values, coding)
    await bench.job(coding, decompress=False)
    for _ in range(16):
        bench.send(values=512, words=raw_words(values))
    cycles = 0
    while len(bench.results) < 16:
        await RisingEdge(dut.clk)
        cycles += 1
    assert cycles <= 16 * (512 // 4 + 40) + 100, cycles
    await bench.finish(16)
    assert all(words == block.payload.tolist() for words in bench.drained)
    assert bench.states["is_busy"] > 16 * 128


@cocotb.test()
async def raw_blocks_drain_while_others_are_coded(dut):
    """Raw and coded blocks in turn: with RAW_WORDS = 2 the coder's reads and the drain's take turns at the banks."""
    bench = Bench(dut, seed=8)
    await bench.start()
    coding = Coding("zvc", block_values=512)
    rng = np.random.default_rng(8)
    blocks = [rng.integers(1, 256, 512 - number).astype(np.uint8) if number % 2 else some_blocks(number)[0] for number in range(16)]
    await compress_and_check(bench, blocks, coding)
    assert sum(result["raw"] for result in bench.results) == 8
    await decompress_and_check(bench, blocks, coding)


def test_lane(simulator):
    run_lane(simulator)


@pytest.mark.parametrize("raw_words", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_lane_that_drains_pairs(icarus, raw_words):
    run_lane(icarus, DRAIN_WORDS=2, RAW_WORDS=raw_words)


def run_lane(simulator, **parameters):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:lane",
        toplevel="lane",
        parameters={"BLOCK_BYTES": BLOCK_BYTES, "ENCODE_CODECS": 3, "DECODE_CODECS": 3, **parameters},
        extra_env={"RAW_WORDS": str(parameters.get("RAW_WORDS", 1))},
        simulator=simulator,
        expected_tests=len(BACK_PRESSURE) + 6,
    )
