# SPDX-License-Identifier: Apache-2.0
"""The FuseSoC cores: each can be read, and the simulation target fails when a test fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lint
import pytest
from tensorpress import verilator_root

IP = "tensorpress:ip:tensorpress"


def fusesoc(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    variables = {**verilator_root.prepare(), **env}
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    variables["PYTHONPATH"] = str(lint.ROOT / "host")
    command = [sys.executable, "-m", "fusesoc.main", "--config", str(lint.ROOT / "fusesoc.conf"), *arguments]
    return subprocess.run(
        command,
        cwd=lint.ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1500,
        check=False,
    )


@pytest.mark.parametrize("path", lint.core_paths(), ids=lambda path: path.stem)
def test_core_can_be_read(path):
    done = fusesoc("core", "show", lint.core_name(path))
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout and "ERROR" not in done.stdout


def test_missing_core_is_an_error():
    assert fusesoc("core", "show", "tensorpress:rtl:no_such_core").returncode != 0


@pytest.mark.slow
def test_simulation_target_passes_and_fails():
    work = str(lint.ROOT / "build" / "fusesoc" / "test_cores")
    run = ("run", "--work-root", work, "--target", "sim", IP, "--LANES", "2", "--BLOCK_BYTES", "512")
    good = fusesoc(*run)
    assert good.returncode == 0, good.stdout[-4000:]
    assert "3 of 3 cocotb tests passed" in good.stdout
    bad = fusesoc(*run, TENSORPRESS_SMOKE_FAULT="1")
    assert bad.returncode != 0
    assert "1 of 3 cocotb tests failed: no_fault_is_injected" in bad.stdout
