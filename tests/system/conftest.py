# SPDX-License-Identifier: Apache-2.0
"""The devices of this machine, as fixtures. A test that takes `device` or `engine` runs on each of them.

The Verilated device is left out only where a tool that it needs is not installed; with TENSORPRESS_REQUIRE_VERILATED=1 (as in CI) that
fails. A build that fails is an error everywhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tensorpress.device.base import PoolDevice
from tensorpress.device.model import ModelDevice
from tensorpress.device.verilated import Timing, VerilatedDevice
from tensorpress.engine import Engine
from tensorpress.errors import DeviceNotFoundError

MEMORY_BYTES = 4 << 20
SMALL_BUILD: dict[str, Any] = {"block_bytes": 1024, "optimise": 1}
"""What builds of other lane counts have in common: they must build fast, they run briefly."""

_open: dict[tuple[tuple[str, Any], ...], VerilatedDevice] = {}


def verilated(**options: Any) -> VerilatedDevice:
    """The Verilated device with these options, built once and shared by the tests; skips where a tool is missing."""
    key = tuple(sorted(options.items()))
    if key not in _open:
        try:
            _open[key] = VerilatedDevice(memory_bytes=MEMORY_BYTES, **options)
        except DeviceNotFoundError as error:
            if os.environ.get("TENSORPRESS_REQUIRE_VERILATED") == "1":
                raise
            pytest.skip(str(error))
    return _open[key]


def settle(device: PoolDevice) -> None:
    """After a test: nothing may have leaked, and the next test finds the device as new."""
    try:
        device.memory.check_guards()
        leaks = device.memory.leaks
        assert not leaks, f"buffers were not freed: {leaks}"
    finally:
        for buffer in device.memory.leaks:
            buffer.free()
        if isinstance(device, VerilatedDevice):
            device.set_dead(False)
            device.check_windows(True)
            device.configure(Timing())
            device.fail_reads(0, 0)
            device.fail_writes(0, 0)
        device.reset()


def pytest_sessionfinish(session: pytest.Session) -> None:
    while _open:
        _open.popitem()[1].close()


@pytest.fixture(params=["model", "verilated"])
def device(request: pytest.FixtureRequest) -> Iterator[PoolDevice]:
    """Each device in turn, fresh."""
    if request.param == "model":
        with ModelDevice(memory_bytes=MEMORY_BYTES) as model:
            yield model
            settle(model)
        return
    shared = verilated(lanes=8)
    yield shared
    settle(shared)


@pytest.fixture
def engine(device: PoolDevice) -> Engine:
    """The driver on each device in turn."""
    return Engine(device)


@pytest.fixture
def rtl() -> Iterator[VerilatedDevice]:
    """The Verilated device with 8 lanes, fresh."""
    shared = verilated(lanes=8)
    yield shared
    settle(shared)


@pytest.fixture
def rtl_engine(rtl: VerilatedDevice) -> Engine:
    """The driver on the Verilated device."""
    return Engine(rtl)
