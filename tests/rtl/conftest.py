# SPDX-License-Identifier: Apache-2.0
"""The simulators of the RTL tests."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

NO_ICARUS = "Icarus Verilog (iverilog) is not installed"


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
