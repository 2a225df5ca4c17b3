# SPDX-License-Identifier: Apache-2.0
"""The devices of this machine, as fixtures. A test that takes `device` or `engine` runs on each of them, one that takes `rtl` or
`rtl_engine` on the Verilated one; with ``--slow`` also on each named build of the engine (cores/builds.toml).

The Verilated device is left out only where a tool that it needs is not installed; with TENSORPRESS_REQUIRE_VERILATED=1 (as in CI) that
fails. A build that fails is an error everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from shared_devices import BUILDS, MEMORY_BYTES, close_all, settle, verilated
from tensorpress.device.base import PoolDevice
from tensorpress.device.model import ModelDevice
from tensorpress.device.verilated import VerilatedDevice
from tensorpress.engine import Engine


def pytest_sessionfinish() -> None:
    close_all()


def _with_builds(*devices: str) -> list[Any]:
    """The devices with 8 lanes, and each with each build: ``verilated-small``; and the one with two memory ports."""
    names = [f"{device}-{build}" for device in devices for build in BUILDS] + ["verilated-two_ports"]
    return [*devices, *(pytest.param(name, marks=pytest.mark.slow) for name in names)]


def _opened(name: str) -> Iterator[PoolDevice]:
    device, _, build = name.partition("-")
    options: dict[str, Any] = {"build": build} if build in BUILDS else {"lanes": 8}
    if build == "two_ports":
        options = {"stream_bytes": 16, "memory_ports": 2, **options}
    if device == "model":
        with ModelDevice(memory_bytes=MEMORY_BYTES, **options) as model:
            yield model
            settle(model)
        return
    shared = verilated(**options)
    yield shared
    settle(shared)


@pytest.fixture(params=_with_builds("model", "verilated"))
def device(request: pytest.FixtureRequest) -> Iterator[PoolDevice]:
    """Each device in turn, fresh."""
    yield from _opened(request.param)


@pytest.fixture
def engine(device: PoolDevice) -> Engine:
    """The driver on each device in turn."""
    return Engine(device)


@pytest.fixture(params=_with_builds("verilated"))
def rtl(request: pytest.FixtureRequest) -> Iterator[PoolDevice]:
    """The Verilated device, fresh."""
    yield from _opened(request.param)


@pytest.fixture
def rtl_engine(rtl: VerilatedDevice) -> Engine:
    """The driver on the Verilated device."""
    return Engine(rtl)
