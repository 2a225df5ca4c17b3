# SPDX-License-Identifier: Apache-2.0
"""What ``import tensorpress`` offers."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import tensorpress

HOST = Path(__file__).resolve().parents[2] / "host"


def test_every_public_name_is_that_of_its_module():
    assert len(tensorpress.__all__) > 30 and tensorpress.__version__ == "0.1.0"
    assert sorted(tensorpress.__all__) == sorted(["__version__", *(name for names in tensorpress._HOMES.values() for name in names)])
    for home, names in tensorpress._HOMES.items():
        module = import_module(f"tensorpress.{home}")
        for name in names:
            assert getattr(tensorpress, name) is getattr(module, name) and name in dir(tensorpress)
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = tensorpress.nothing_such


def test_the_example_works():
    outcome = doctest.testmod(tensorpress)
    assert outcome.attempted >= 4 and outcome.failed == 0


def test_import_alone_loads_nothing_heavy():
    code = "import sys, tensorpress; print(sorted({'numpy', 'numba', 'typer', 'rich'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "PYTHONPATH": str(HOST)}
    )
    assert done.stdout.strip() == "[]"
