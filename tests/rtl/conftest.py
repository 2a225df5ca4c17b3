# SPDX-License-Identifier: Apache-2.0
"""The simulators of the RTL tests."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

ICARUS = shutil.which("iverilog") is not None
NO_ICARUS = "Icarus Verilog (iverilog) is not installed"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with ``icarus_runs``, share the variants out between the simulators; what is left over is slow.

    Those named run under Icarus, which sees what was never reset but is slow, the others under Verilator; or all, where there is no Icarus.
    """
    for item in items:
        runs = item.get_closest_marker("icarus_runs")
        if runs is None:
            continue
        simulator, _, variant = item.name.partition("[")[2].rstrip("]").partition("-")
        if variant not in runs.args if simulator == "icarus" else ICARUS and variant in runs.args:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def icarus() -> str:
    """Icarus, which builds at once: for short tests of further parameters; skipped where it is not installed."""
    if not ICARUS:
        pytest.skip(NO_ICARUS)
    return "icarus"


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request: pytest.FixtureRequest) -> str:
    """Every RTL test runs under both simulators; Icarus is optional."""
    if request.param == "icarus" and not ICARUS:
        pytest.skip(NO_ICARUS)
    return str(request.param)
