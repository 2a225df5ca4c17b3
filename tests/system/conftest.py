# SPDX-License-Identifier: Apache-2.0
"""The devices of this machine, as fixtures. A test that takes `device` or `engine` runs on each of them.

The Verilated device is left out only where a tool that it needs is not installed; with TENSORPRESS_REQUIRE_VERILATED=1 (as in CI) that
fails. A build that fails is an error everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from shared_devices import MEMORY_BYTES, close_all, settle, verilated
from tensorpress.device.base import PoolDevice
from tensorpress.device.model import ModelDevice
from tensorpress.device.verilated import VerilatedDevice
from tensorpress.engine import Engine


def pytest_sessionfinish() -> None:
    close_all()


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
