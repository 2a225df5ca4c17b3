# SPDX-License-Identifier: Apache-2.0
"""What `make bitstream-check` relies on: the stand-in for Vivado refuses what Vivado would, the netlist checks find faults, and the hooks
name what is missing. The whole check is a make target of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bitstream_check
import fusesoc_hooks
import pytest

ROOT = bitstream_check.ROOT
STUBS = bitstream_check.STUBS
HOOKS = ROOT / "scripts" / "fusesoc_hooks.py"
VERILOG = "module top #(parameter A = 1) (output wire [1:0] leds);\n  inner u_inner (.pin(leds[0]));\nendmodule\n"
PINS = """
set_property PACKAGE_PIN R14 [get_ports {leds[0]}]
set_property IOSTANDARD LVCMOS33 [get_ports {leds[0]}]
set_property PACKAGE_PIN P14 [get_ports {leds[1]}]
set_property IOSTANDARD LVCMOS33 [get_ports {leds[1]}]
"""
PROJECT = """
create_project p -force
set_property part xc7z020clg400-1 [current_project]
set_property generic {A=2} [get_filesets sources_1]
read_verilog {top.v}
read_xdc {pins.xdc}
set_property top top [current_fileset]
launch_runs synth_1
wait_on_run synth_1
launch_runs impl_1 -to_step write_bitstream
wait_on_run impl_1
"""
CLOCK = "create_clock -name c -period 8.0 [get_pins {u_inner/pin}]"


def vivado(folder: Path, script: str, pins: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not installed")
    (folder / "top.v").write_text(VERILOG)
    (folder / "pins.xdc").write_text(pins)
    (folder / "run.tcl").write_text(script)
    command = [str(STUBS / "vivado"), "-mode", "batch", "-source", "run.tcl"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_stand_in_takes_what_is_right(tmp_path):
    done = vivado(tmp_path, PROJECT, f"{PINS}\n{CLOCK}\n")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p.runs" / "impl_1" / "top.bit").read_bytes().startswith(bytes.fromhex("00090ff0"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("launch_runs synth_1", "launch_run synth_1", "unknown command launch_run"),
        ("part xc7z020clg400-1 [current_project]", "prat xc7z020clg400-1 [current_project]", "no property prat"),
        ("A=2", "B=2", "no parameter B"),
        ("{top.v}", "{other.v}", "no file other.v"),
        ("-to_step write_bitstream", "-to_stop write_bitstream", "unknown option -to_stop"),
        ("launch_runs synth_1\nwait_on_run synth_1\n", "", "impl_1 before synth_1"),
        ("top top", "top tip", "no module tip"),
    ],
)
def test_stand_in_refuses_wrong_scripts(tmp_path, old, new, message):
    assert old in PROJECT
    done = vivado(tmp_path, PROJECT.replace(old, new), f"{PINS}\n{CLOCK}\n")
    assert done.returncode == 1 and message in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (CLOCK, "", "no clock is constrained"),
        ("leds[1]", "leds[2]", "no port leds[2]"),
        ("u_inner/pin", "u_other/pin", "no instance u_other"),
        ("u_inner/pin", "u_inner/pan", "no pin pan"),
        ("set_property IOSTANDARD LVCMOS33 [get_ports {leds[1]}]", "", "leds[1] has no iostandard"),
        ("set_property IOSTANDARD LVCMOS33 [get_ports {leds[1]}]", "exec true", "exec"),
    ],
)
def test_stand_in_refuses_wrong_constraints(tmp_path, old, new, message):
    pins = f"{PINS}\n{CLOCK}\n"
    assert old in pins
    done = vivado(tmp_path, PROJECT, pins.replace(old, new))
    assert done.returncode == 1 and message in done.stderr


PORTS = {"LUT1": {"I": "input", "O": "output"}}


def lut(inside: object, outside: object) -> dict[str, object]:
    return {"type": "LUT1", "connections": {"I": [inside], "O": [outside]}}


@pytest.mark.parametrize(
    ("cells", "problems"),
    [
        ({"a": lut(2, 3)}, []),
        ({"a": lut(2, 3), "b": lut(3, 3)}, ["q has 2 drivers"]),
        ({"a": lut(2, 2)}, ["d has 2 drivers", "q is read but not driven"]),
        ({"a": lut(4, 3)}, ["n is read but not driven"]),
        ({"a": lut("x", 3)}, ["a.I (LUT1) reads an undefined constant"]),
    ],
)
def test_faults_of_a_netlist_are_found(cells, problems):
    module = {
        "ports": {"d": {"direction": "input", "bits": [2]}, "q": {"direction": "output", "bits": [3]}},
        "cells": cells,
        "netnames": {name: {"bits": [bit]} for name, bit in (("d", 2), ("q", 3), ("n", 4))},
    }
    assert sorted(bitstream_check._drivers(module, PORTS)) == problems


def hook(folder: Path, step: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, HOOKS, step], cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_missing_tools_are_named(tmp_path):
    done = hook(tmp_path, "check-open", PATH=str(tmp_path), CHIPDB="", PRJXRAY_DB_DIR=str(tmp_path))
    assert done.returncode == 1
    for name in (*fusesoc_hooks.OPEN_TOOLS, "CHIPDB", "PRJXRAY_DB_DIR"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_bitstream_is_named(tmp_path):
    assert "0 .eda.yml files" in hook(tmp_path, "overlay").stderr
    (tmp_path / "x.eda.yml").write_text("parameters: {LANES: {default: 2, paramtype: vlogparam}}\n")
    done = hook(tmp_path, "overlay")
    assert done.returncode == 1 and "the flow made no bitstream" in done.stderr and str(tmp_path / "x.bit") in done.stderr
    (tmp_path / "x.bit").write_bytes(bytes(1000))
    assert hook(tmp_path, "overlay").returncode == 0
    assert 'NAME="LANES" VALUE="2"' in (tmp_path / "overlay" / "tensorpress.hwh").read_text()
    assert (tmp_path / "overlay" / "tensorpress.bit").read_bytes() == bytes(1000)


def test_targets_are_those_that_are_promised():
    assert {"pynq_z2", "pynq_z1", "pynq_z2_open", "package_ip", "synth", "vivado", "lint", "sim"} <= set(bitstream_check.targets())
