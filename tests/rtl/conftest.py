# SPDX-License-Identifier: Apache-2.0
"""The simulators of the RTL tests."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

NO_ICARUS = "Icarus Verilog (iverilog) is not installed"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the variants that ``icarus_runs`` leaves out as slow: Icarus sees in one variant what was never reset, and is slow."""
    for item in items:
        runs = item.get_closest_marker("icarus_runs")
        name = item.name.partition("[")[2].rstrip("]")
        if runs is not None and name.startswith("icarus-") and name.removeprefix("icarus-") not in runs.args:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def icarus() -> str:
    """Icarus, which builds at once: for short tests of further parameters; skipped where it is not installed."""
    if shutil.which("iverilog") is None:
        pytest.skip(NO_ICARUS)
    return "icarus"


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request: pytest.FixtureRequest) -> str:
    """Every RTL test runs under both simulators; Icarus is optional."""
    if request.param == "icarus" and shutil.which("iverilog") is None:
        pytest.skip(NO_ICARUS)
    return str(request.param)
