# SPDX-License-Identifier: Apache-2.0
"""Clock and reset, for modules with ``clk`` and ``rst`` and for tops with ``aclk`` and ``aresetn``."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

PERIOD_NS = 10


def clock_of(dut: Any) -> Any:
    """The clock signal of `dut`: ``clk`` or ``aclk``."""
    clock = getattr(dut, "aclk", None)  # first: a top with AMBA names may have a wire clk inside
    return dut.clk if clock is None else clock


class Reset:
    """The reset of a module: ``aresetn`` (active low), ``rst`` (active high), or none."""

    def __init__(self, dut: Any) -> None:
        self.signal, self.active = getattr(dut, "aresetn", None), 0
        if self.signal is None:
            self.signal, self.active = getattr(dut, "rst", None), 1

    def is_active(self) -> bool:
        """True while the reset is active or unknown; a module without reset never is in reset."""
        if self.signal is None:
            return False
        value = self.signal.value
        return not value.is_resolvable or int(value) == self.active

    def set(self, active: bool) -> None:
        """Assert or release the reset."""
        if self.signal is not None:
            self.signal.value = self.active if active else 1 - self.active


async def start(dut: Any, *, cycles: int = 4, **inputs: int) -> None:
    """Start the clock, drive `inputs` (name = value), hold the reset for `cycles` cycles.

    Create stream drivers first: they set their own signals. Returns right after the edge at which the module has left reset:
    values written now are seen by the module at the next edge.
    """
    for name, value in inputs.items():
        getattr(dut, name).value = value
    Reset(dut).set(True)
    cocotb.start_soon(Clock(clock_of(dut), PERIOD_NS, unit="ns").start(start_high=False))
    await wait_cycles(dut, cycles)
    Reset(dut).set(False)
    await wait_cycles(dut, 1)


async def reset(dut: Any, *, cycles: int = 1) -> None:
    """Reset a running module for `cycles` cycles."""
    Reset(dut).set(True)
    await wait_cycles(dut, cycles)
    Reset(dut).set(False)


async def wait_cycles(dut: Any, cycles: int) -> None:
    """Wait for `cycles` rising edges."""
    clock = clock_of(dut)
    for _ in range(cycles):
        await RisingEdge(clock)
