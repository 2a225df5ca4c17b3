# SPDX-License-Identifier: Apache-2.0
"""The job counters: random activity against a Python sum; cleared at the start, held after the end, peaks."""

from __future__ import annotations

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles

LANE_COUNTS = ("lane_busy", "lane_starved", "lane_blocked")
EVENTS = {
    "read_beats": "read_beats",
    "read_wait": "read_wait",
    "write_beat": "write_beats",
    "write_wait": "write_wait",
    "stream_wait": "stream_wait",
}
COUNTS = ("cycles", *LANE_COUNTS, "lane_idle", *EVENTS.values())


class Bench:
    def __init__(self, dut, seed: int):
        self.dut, self.rng, self.lanes = dut, random.Random(seed), len(dut.lane_busy)

    async def start(self) -> None:
        await start(self.dut, **dict.fromkeys(("start", "busy", *LANE_COUNTS, *EVENTS, "reads", "writes"), 0))

    def activity(self, most: int) -> dict[str, int]:
        """Drive random inputs and return what they add; each lane is in one of the four states."""
        dut, rng = self.dut, self.rng
        step = dict.fromkeys(COUNTS, 0)
        step["cycles"] = 1
        masks = dict.fromkeys(LANE_COUNTS, 0)
        for lane in range(self.lanes):
            state = rng.choice((*LANE_COUNTS, "lane_idle"))
            step[state] += 1
            if state in masks:
                masks[state] |= 1 << lane
        for name, mask in masks.items():
            getattr(dut, name).value = mask
        for name, count in EVENTS.items():
            step[count] = rng.randrange(3) if name == "read_beats" else int(rng.random() < 0.4)  # two memory ports
            getattr(dut, name).value = step[count]
        step["reads"], step["writes"] = rng.randint(0, most), rng.randint(0, most)
        dut.reads.value, dut.writes.value = step["reads"], step["writes"]
        return step

    async def job(self, cycles: int, most: int) -> None:
        """A job of `cycles` busy cycles, with activity before and after it that must not count."""
        dut = self.dut
        self.activity(255)
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        sums = dict.fromkeys(COUNTS, 0)
        peaks = {"reads": 0, "writes": 0}
        for _ in range(cycles):
            dut.busy.value = 1
            step = self.activity(most)
            for name in COUNTS:
                sums[name] += step[name]
            for name in peaks:
                peaks[name] = max(peaks[name], step[name])
            await RisingEdge(dut.clk)
        dut.busy.value = 0
        for _ in range(20):
            self.activity(255)
            await RisingEdge(dut.clk)
        for _ in range(2):
            assert {name: int(getattr(dut, f"count_{name}").value) for name in COUNTS} == sums
            assert {name: int(getattr(dut, f"peak_{name}").value) for name in peaks} == peaks
            assert sum(sums[f"lane_{name}"] for name in ("busy", "starved", "blocked", "idle")) == self.lanes * sums["cycles"]
            await wait_cycles(dut, 30)  # held


@cocotb.test()
async def sums_peaks_clear_and_hold(dut):
    bench = Bench(dut, seed=1)
    await bench.start()
    for cycles, most in ((1, 8), (2, 3), (100, 255), (300, 16), (7, 2), (64, 0)):
        await bench.job(cycles, most)


@cocotb.test()
async def every_event_counts_alone(dut):
    bench = Bench(dut, seed=2)
    await bench.start()
    every_lane = (1 << bench.lanes) - 1
    for name, count in (*EVENTS.items(), *((name, name) for name in LANE_COUNTS)):
        for other in (*EVENTS, *LANE_COUNTS, "reads", "writes"):
            getattr(dut, other).value = 0
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        dut.busy.value = 1
        getattr(dut, name).value = every_lane if name in LANE_COUNTS else 1
        await wait_cycles(dut, 9)
        dut.busy.value = 0
        await wait_cycles(dut, 3)
        lanes = bench.lanes
        expected = dict.fromkeys(COUNTS, 0) | {"cycles": 9, "lane_idle": 9 * lanes} | {count: 9}
        if name in LANE_COUNTS:
            expected |= {count: 9 * lanes, "lane_idle": 0}
        assert {other: int(getattr(dut, f"count_{other}").value) for other in COUNTS} == expected


@pytest.mark.icarus_runs("3")
@pytest.mark.parametrize("lanes", [1, 3, 16])
def test_job_counters(simulator, lanes):
    run_cocotb(
        __file__, core="tensorpress:rtl:engine", toplevel="job_counters", parameters={"LANES": lanes}, simulator=simulator, expected_tests=2
    )
