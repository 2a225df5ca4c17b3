# SPDX-License-Identifier: Apache-2.0
"""The FuseSoC cores: each can be read, and the simulation target fails when a test fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import core_builds
import lint
import pytest
import yaml
from rtl_files import core_parameters
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


# ---- named builds as flags

BUILDS = core_builds.named_builds()
TARGETS = ("default", "lint", "sim", "synth", "vivado", "package_ip", "pynq_z2", "pynq_z1", "pynq_z2_open")


def test_every_target_is_here():
    core = yaml.safe_load((lint.ROOT / "fusesoc.core").read_text().removeprefix("CAPI=2:"))
    assert set(TARGETS) == set(core["targets"])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("build", BUILDS, ids=[build.name for build in BUILDS])
def test_a_flag_gives_a_target_the_parameters_of_its_build(build, target):
    """All that the target knows, and nothing else; only `pynq_top` knows less than the build says."""
    plain, flagged = core_parameters(IP, target), core_parameters(IP, target, build.name)
    assert flagged.items() == (plain | {name: value for name, value in build.parameters.items() if name in flagged}).items()
    assert set(build.parameters) - set(flagged) == ({"STREAM_BYTES"} & set(build.parameters) if target.startswith("pynq") else set())


def test_the_lines_of_the_builds_are_written_from_the_list():
    text = core_builds.CORE.read_text()
    without = core_builds.with_flags(text, [])
    assert "?" not in "".join(core_builds.LIST.findall(without)) and text.count("small? (LANES=2)") == 2
    assert core_builds.with_flags(without, BUILDS) == text


def test_lint_target_of_a_build(tmp_path):
    done = fusesoc("run", "--work-root", str(tmp_path), "--target=lint", "--flag=small", IP)
    assert done.returncode == 0, done.stdout[-4000:]
    parameters = yaml.safe_load(next(tmp_path.glob("*.eda.yml")).read_text())["parameters"]
    assert {name: parameters[name]["default"] for name in ("LANES", "APACK_CODERS", "APACK_TREE")} == {
        "LANES": 2,
        "APACK_CODERS": 10,
        "APACK_TREE": 1,
    }


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
