# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the order (fast to slow), the mark ``slow``, and a last line about simulators that are not here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
ORDER = ("host", "formal", "rtl", "system", "synth")
"""Folders (or the words after ``test_`` of files beside them) in the order in which their tests run; others come first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    items.sort(key=_station)


def _station(item: pytest.Item) -> int:
    try:
        first = item.path.relative_to(TESTS).parts[0]
    except ValueError:
        return -1
    name = first.removeprefix("test_").removesuffix(".py")
    return ORDER.index(name) if name in ORDER else -1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if shutil.which("iverilog") is None:
        terminalreporter.write_line(
            "NOTE: Icarus Verilog (iverilog) is not installed: the RTL tests ran under Verilator only.", yellow=True
        )
