# SPDX-License-Identifier: Apache-2.0
"""The devices of a board where pynq is not installed, as on most PCs; where it is, tests/pynq has the rest."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tensorpress.cli import app
from tensorpress.device import open_device
from tensorpress.errors import DeviceNotFoundError
from typer.testing import CliRunner


@pytest.fixture
def bitstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(sys.modules, "pynq", None)
    (tmp_path / "design.bit").touch()
    (tmp_path / "design.hwh").touch()
    return tmp_path / "design.bit"


def test_a_board_needs_pynq(bitstream: Path) -> None:
    with pytest.raises(DeviceNotFoundError, match=r"the package pynq cannot be imported .* a board has it on its SD card image"):
        open_device("pynq", bitstream=bitstream)
    with pytest.raises(DeviceNotFoundError, match=r"pip install 'tensorpress\[pynq\]'"):
        open_device("pynq-sim")


def test_the_command_says_so(bitstream: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(10, np.uint8))
    for options in (["--device", "pynq", "--bitstream", str(bitstream)], ["--device", "pynq-sim"]):
        result = CliRunner().invoke(app, ["run", str(tmp_path / "a.npy"), *options])
        assert result.exit_code == 3
        assert result.stderr.splitlines()[-1].startswith("error: the package pynq cannot be imported")
