# SPDX-License-Identifier: Apache-2.0
"""status_leds: busy is stretched, the error shows, the heart beats.

At 1 MHz an eighth of a second is 125,000 cycles: the tests move the counter.
"""

from __future__ import annotations

from typing import Any

import cocotb
from harness import run_cocotb
from lib import clock

EIGHTH = 125_000


async def _next_tick(dut: Any) -> None:
    """To just behind the next eighth of a second."""
    dut.count_q.value = EIGHTH - 6
    await clock.wait_cycles(dut, 8)


@cocotb.test()
async def heart_beats(dut: Any) -> None:
    """Four eighths dark, four lit."""
    await clock.start(dut, busy=0, error=0)
    seen = []
    for _ in range(16):
        seen.append(int(dut.led_heartbeat.value))
        await _next_tick(dut)
        assert int(dut.count_q.value) < 5, "the counter began anew"
    assert seen == [0, 0, 0, 0, 1, 1, 1, 1] * 2


@cocotb.test()
async def short_jobs_are_seen(dut: Any) -> None:
    """One busy cycle lights the LED until the next eighth but one, at most."""
    await clock.start(dut, busy=0, error=0)
    await clock.wait_cycles(dut, 20)
    assert not int(dut.led_busy.value)
    dut.busy.value = 1
    await clock.wait_cycles(dut, 1)
    dut.busy.value = 0
    await clock.wait_cycles(dut, 1000)
    assert int(dut.led_busy.value)
    await _next_tick(dut)
    await clock.wait_cycles(dut, 3)
    assert not int(dut.led_busy.value)


@cocotb.test()
async def error_follows(dut: Any) -> None:
    """The LED is the state, a cycle later."""
    await clock.start(dut, busy=0, error=0)
    for level in (1, 0, 1, 0):
        dut.error.value = level
        await clock.wait_cycles(dut, 3)
        assert int(dut.led_error.value) == level


def test_status_leds(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:cores:pynq",
        toplevel="status_leds",
        parameters={"CLOCK_MHZ": 1},
        simulator=simulator,
        expected_tests=3,
    )
