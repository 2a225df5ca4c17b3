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
    """Mark the variants that ``icarus_runs`` leaves out as slow: Icarus sees in one variant what was never reset, and is slow.

    With ``alone=True`` Verilator leaves that one to Icarus.
    """
    for item in items:
        runs = item.get_closest_marker("icarus_runs")
        if runs is None or "[" not in item.name:
            continue
        simulator, _, variant = item.name.partition("[")[2].rstrip("]").partition("-")
        if variant not in runs.args if simulator == "icarus" else variant in runs.args and runs.kwargs.get("alone", False):
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
