# SPDX-License-Identifier: Apache-2.0
"""reset_sync: low at once, high STAGES cycles after the reset ends, low from the start."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, Timer
from harness import run_cocotb


async def _cycles_to_release(dut: Any) -> int:
    for cycle in range(1, 40):
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        if int(dut.aresetn.value):
            return cycle
    raise AssertionError("the reset never ends")


@cocotb.test()
async def starts_low_without_a_reset(dut: Any) -> None:
    """With reset_n high from the beginning there is a reset all the same."""
    dut.reset_n.value = 1
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    await Timer(1, "ns")
    assert not int(dut.aresetn.value)
    await _cycles_to_release(dut)


@cocotb.test()
async def falls_at_once_and_rises_with_the_clock(dut: Any) -> None:
    """At every moment within a cycle."""
    dut.reset_n.value = 1
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    await Timer(300, "ns")
    for moment in range(1, 9):
        await FallingEdge(dut.clk)
        await Timer(moment if moment != 5 else 6, "ns")
        dut.reset_n.value = 0
        await Timer(1, "ns")
        assert not int(dut.aresetn.value), "without waiting for the clock"
        await FallingEdge(dut.clk)
        dut.reset_n.value = 1
        assert await _cycles_to_release(dut) == int(dut.STAGES.value)
        await Timer(200, "ns")
        assert int(dut.aresetn.value)


def test_reset_sync(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:cores:pynq",
        toplevel="reset_sync",
        parameters={"STAGES": 4},
        simulator=simulator,
        expected_tests=2,
    )
