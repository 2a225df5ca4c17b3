# SPDX-License-Identifier: Apache-2.0
"""Devices that the system tests share: each Verilated build is made and opened once."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tensorpress.device.base import PoolDevice
from tensorpress.device.verilated import Timing, VerilatedDevice
from tensorpress.errors import DeviceNotFoundError

MEMORY_BYTES = 4 << 20
SMALL_BUILD: dict[str, Any] = {"block_bytes": 1024, "optimise": 1}
"""What builds of other lane counts have in common: they must build fast, they run briefly."""
BUILDS = ("full", "inference", "small")
"""The named builds of the engine, which tests run with ``--slow``."""
TWO_PORTS: dict[str, Any] = {"lanes": 4, "codecs": 0b0011, "stream_bytes": 16, "memory_ports": 2, "optimise": 1}
"""A build with two memory ports; with all codecs and 8 lanes, tests run it with ``--slow``."""

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
            device.fail_reads(0, 0, port=1)
            device.fail_writes(0, 0)
            device.set_memory("ideal")
        device.reset()


def close_all() -> None:
    """Close the shared devices."""
    while _open:
        _open.popitem()[1].close()
