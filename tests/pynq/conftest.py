# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of pynq, which run in an environment of their own (``make test-pynq``): pynq needs numpy 1.x and an old pydantic.

Where pynq is not installed nothing is collected here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynq_support import BUILD, MEMORY_BYTES

if importlib.util.find_spec("pynq") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def bitstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .bit of the simulated board, with its .hwh."""
    from tensorpress.device.pynq_sim import write_bitstream

    return write_bitstream(tmp_path_factory.mktemp("bitstream"), BUILD)


@pytest.fixture
def board() -> Iterator[object]:
    """A simulated board, pynq's active device; at the end nothing may be allocated on it."""
    from tensorpress.device.pynq_sim import activate

    made = activate(memory_bytes=MEMORY_BYTES)
    yield made
    made.close()
