# SPDX-License-Identifier: Apache-2.0
"""The fill router: lanes, the bytes behind the tensor's end, blocks that have arrived."""

from __future__ import annotations

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles

INPUTS = ["read_valid", "read_data", "read_tag", "read_last", "stream_valid", "stream_data", "stream_tag", "stream_last"]


class Bench:
    def __init__(self, dut):
        self.dut = dut
        self.lanes = len(dut.fill_valid)
        self.job = self.blocks = 0
        self.expected: tuple[int, int | None] = (0, None)

    async def start(self) -> None:
        await start(self.dut, **dict.fromkeys(INPUTS, 0))

    async def cycle(self, source: str | None, *, data: int = 0, job: int = 0, tail: int = 0, lane: int = 0, last: bool = False) -> None:
        """Offer one word from `source` (or none), and check what came of the word before."""
        dut = self.dut
        for name in ("read", "stream"):
            getattr(dut, f"{name}_valid").value = int(name == source)
            noise = random.getrandbits(73)
            here = name == source
            getattr(dut, f"{name}_data").value = data if here else noise & (1 << 64) - 1
            getattr(dut, f"{name}_tag").value = (job << 7 | tail << 4 | lane) if here else noise >> 61 & 0xFFF
            getattr(dut, f"{name}_last").value = int(last) if here else noise >> 72
        await RisingEdge(dut.clk)
        fill, word = self.expected
        assert int(dut.fill_valid.value) == fill
        if word is not None:
            assert int(dut.fill_data.value) == word
        assert (int(dut.job.value), int(dut.blocks.value)) == (self.job, self.blocks)
        if source is None:
            self.expected = (0, None)
            return
        used = tail if last and tail else 8
        self.expected = (1 << lane, data & (1 << 8 * used) - 1)
        self.blocks = (self.blocks if job == self.job else 0) + last
        self.job = job


@cocotb.test()
async def every_tail_in_every_lane(dut):
    bench = Bench(dut)
    await bench.start()
    ones = (1 << 64) - 1
    for source in ("read", "stream"):
        for lane in range(bench.lanes):
            for tail in range(8):
                await bench.cycle(source, data=ones, tail=tail, lane=lane)
                await bench.cycle(source, data=ones, tail=tail, lane=lane, last=True)
    await bench.cycle(None)
    assert bench.blocks == 2 * bench.lanes * 8


@cocotb.test()
async def random_words_of_several_jobs(dut):
    rng = random.Random(1)
    bench = Bench(dut)
    await bench.start()
    for _ in range(3000):
        source = rng.choice(("read", "read", "stream", None))
        job = rng.choice((bench.job, bench.job, bench.job, rng.randrange(32)))
        await bench.cycle(
            source,
            data=rng.getrandbits(64),
            job=job,
            tail=rng.randrange(8),
            lane=rng.randrange(bench.lanes),
            last=rng.random() < 0.4,
        )
    await bench.cycle(None)


@cocotb.test()
async def reset_clears_the_count(dut):
    bench = Bench(dut)
    await bench.start()
    for _ in range(5):
        await bench.cycle("read", data=1, last=True)
    dut.rst.value = 1
    dut.read_valid.value = 1
    await wait_cycles(dut, 2)
    assert int(dut.blocks.value) == 0
    assert int(dut.fill_valid.value) == 0
    dut.rst.value = 0
    bench.blocks, bench.expected = 0, (0, None)
    await bench.cycle("stream", data=2, last=True)
    await bench.cycle(None)


@pytest.mark.icarus_runs("3")
@pytest.mark.parametrize("lanes", [1, 3, 16])
def test_fill_router(simulator, lanes):
    run_cocotb(
        __file__, core="tensorpress:rtl:engine", toplevel="fill_router", parameters={"LANES": lanes}, simulator=simulator, expected_tests=3
    )
