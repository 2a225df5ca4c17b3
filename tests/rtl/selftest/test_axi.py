# SPDX-License-Identifier: Apache-2.0
"""The AXI memory and the AXI checker themselves: a good master copies, every fault of a master is named."""

from __future__ import annotations

import os
import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import CocotbFailure, run_cocotb
from lib.axi import DECERR, AxiMemory, Region
from lib.clock import start, wait_cycles
from lib.profiles import PROFILES

BURSTS = 40
LENGTH = BURSTS * 128
DESTINATION = 65536
FAULT = int(os.environ.get("FAULT", "0"))
REGIONS = [Region(0, LENGTH, write=False, name="source"), Region(DESTINATION, DESTINATION + LENGTH, read=False, name="destination")]


async def copy(dut, memory, timeout=20_000):
    data = random.Random(LENGTH).randbytes(LENGTH)
    memory.write(0, data)
    await start(dut, fault=FAULT)
    for _ in range(timeout):
        await RisingEdge(dut.clk)
        if int(dut.finished.value):
            break
    else:
        raise AssertionError(f"not finished after {timeout} cycles")
    await memory.wait_idle()
    assert memory.read(0, LENGTH) == data
    assert memory.read(DESTINATION, LENGTH) == data
    assert memory.read(DESTINATION + LENGTH, 64) == b"\xee" * 64
    assert [burst.address for burst in memory.checker.reads] == list(range(0, LENGTH, 128))
    assert [burst.address for burst in memory.checker.writes] == list(range(DESTINATION, DESTINATION + LENGTH, 128))
    assert memory.checker.read_beats == memory.checker.write_beats == 16 * BURSTS


@cocotb.test()
@cocotb.parametrize(profile=PROFILES, ready_after_valid=[False, True])
async def copies(dut, profile, ready_after_valid):
    memory = AxiMemory(
        dut, regions=REGIONS, profile=profile, ready_after_valid=ready_after_valid, latency=(0, 30), max_reads=1, max_writes=1
    )
    await copy(dut, memory)
    assert int(dut.errors.value) == 0


@cocotb.test()
async def latency_is_as_asked(dut):
    cycles = []
    for latency in (5, 25):
        memory = AxiMemory(dut, regions=REGIONS, latency=(latency, latency))
        await start(dut, fault=FAULT)
        while not int(dut.finished.value):
            await RisingEdge(dut.clk)
        cycles.append(memory.checker.cycle)
        memory._task.cancel()
    assert cycles[1] - cycles[0] == 2 * BURSTS * 20


@cocotb.test()
async def errors_come_where_asked(dut):
    memory = AxiMemory(dut, regions=REGIONS)
    memory.fail_read(0)
    memory.fail_read(77, DECERR)
    memory.fail_write(BURSTS - 1)
    await copy(dut, memory)
    assert int(dut.errors.value) == 3


@cocotb.test()
async def reset_clears(dut):
    memory = AxiMemory(dut, regions=REGIONS)
    await start(dut, fault=FAULT)
    await wait_cycles(dut, 300)
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    memory.clear()
    await wait_cycles(dut, 2)
    memory._task.cancel()
    memory = AxiMemory(dut, regions=REGIONS)
    await copy(dut, memory)


def run(simulator, fault=0, expected_tests=13, test_filter=None):
    return run_cocotb(
        __file__,
        core=None,
        extra_sources=["selftest_copy.v"],
        toplevel="selftest_copy",
        parameters={"BURSTS": BURSTS},
        extra_env={"FAULT": str(fault)},
        simulator=simulator,
        expected_tests=expected_tests,
        test_filter=test_filter,
    )


def test_axi_memory(simulator):
    run(simulator)


FAULTS = {
    1: "more than 16 beats",
    2: "crosses a 4 KiB boundary",
    3: "has size 2",
    4: "payload changed before it was taken",
    5: "awvalid fell before",
    6: "wlast is 1 at beat 15 of 16",
    7: "outside of the regions that may be written",
    8: "not finished after 20000 cycles",
    9: "burst type 0",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_checker_sees_fault(simulator, fault):
    with pytest.raises(CocotbFailure, match=FAULTS[fault]):
        run(simulator, fault, 1, "copies/profile=2/ready_after_valid=True")
