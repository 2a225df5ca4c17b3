# SPDX-License-Identifier: Apache-2.0
"""The quick builds of cores/builds.toml are no larger and no slower than their committed baseline."""

from __future__ import annotations

import pytest
import synth_report

BUILDS = [pytest.param(build, id=build.name, marks=() if build.quick else pytest.mark.slow) for build in synth_report.builds()]


@pytest.mark.parametrize("build", BUILDS)
def test_no_regression(build):
    row = synth_report.synthesise(build)
    assert row.lut > 0 and row.ff > 0 and row.fmax_mhz > 0
    assert list(synth_report.regressions(row, synth_report.load_baseline())) == []


ROW = synth_report.Row("x", "x", lut=1000, ff=1000, lutram=0, bram36=2.0, dsp=0, fmax_mhz=150, path=(), digest="")


@pytest.mark.parametrize(
    ("old", "worse"),
    [
        ({}, []),
        ({"lut": 975}, []),
        ({"lut": 960}, ["x: lut 1000, was 960"]),
        ({"bram36": 1.5}, ["x: bram36 2.0, was 1.5"]),
        ({"fmax_mhz": 157}, []),
        ({"fmax_mhz": 160}, ["x: 150 MHz, was 160 MHz"]),
    ],
)
def test_regressions_are_named(old, worse):
    was = {"lut": 1000, "ff": 1000, "lutram": 0, "bram36": 2.0, "dsp": 0, "fmax_mhz": 150, **old}
    assert list(synth_report.regressions(ROW, {"x": was})) == worse


def test_build_without_baseline_is_named():
    assert "not in" in next(synth_report.regressions(ROW, {}))


# ---- the named builds, as committed


NAMED = {
    "full": {"LUT": 0.65, "BRAM36": 0.65, "DSP": 0.65},
    "inference": {"LUT": 0.65, "BRAM36": 0.65, "DSP": 0.5},
    "small": {"LUT": 0.25, "FF": 0.25, "BRAM36": 0.25, "DSP": 0.25},
}
"""The share of an xc7z020 that a build may take, so that an accelerator fits beside it."""


def named(name):
    """A named build and its committed row."""
    build = next(build for build in synth_report.builds() if build.name == name)
    return build, synth_report.Row.load({"build": name, **synth_report.load_baseline()[name]})


@pytest.mark.parametrize("name", NAMED)
def test_named_builds_leave_room(name):
    _, row = named(name)
    for cell, share in NAMED[name].items():
        assert row.used()[cell] <= share * synth_report.XC7Z020[cell], (cell, row.used()[cell])
    assert len(row.paths) == synth_report.PATHS
    assert all(row.paths[n].ps >= row.paths[n + 1].ps for n in range(len(row.paths) - 1))
    assert row.paths[0].ps == pytest.approx(1e6 / row.fmax_mhz, rel=0.01)
    assert len({path.end for path in row.paths}) == len(row.paths)


@pytest.mark.parametrize("name", NAMED)
def test_named_builds_reach_their_clock(name):
    build, row = named(name)
    assert row.fmax_mhz >= build.clock_mhz


def test_readme_is_the_baselines():
    text = synth_report.README.read_text()
    assert text.partition(synth_report.MARK)[2].strip() == synth_report.readme(synth_report.load_baseline()).strip()


# ---- five worst paths, on a netlist small enough to count by hand


TOP = """
module chain(input wire clk, input wire [39:0] a, output reg slow_q, output reg [1:0] middle_q, output reg fast_q);
    reg [39:0] a_q;
    always @(posedge clk) begin
        a_q      <= a;
        slow_q   <= ^a_q;
        middle_q <= {^a_q[12:0], a_q[6] & a_q[7]};
        fast_q   <= a_q[0] & a_q[1];
    end
endmodule
"""


def slow_paths(name, top):
    """Arrival time of the slowest path of a module, and its slow paths."""
    module = top.split("module ")[1].split("(")[0]
    work = synth_report.WORK / name  # Yosys sees only what is below its working folder
    work.mkdir(parents=True, exist_ok=True)
    (work / "top.v").write_text(top)
    synth_report._yosys(
        work,
        "synth",
        f"read_verilog top.v; synth_xilinx -family xc7 -top {module} -flatten -noiopad -noclkbuf; write_verilog -noexpr netlist.v",
    )
    (work / "cells.v").write_text(synth_report._delays())
    worst, steps = synth_report._timing(work, module, "netlist.v")
    netlist = synth_report._Netlist((work / "netlist.v").read_text())
    return worst, [path for path, _ in synth_report._slow_paths(work, module, netlist, steps)]


def test_slow_paths_end_in_different_registers():
    """After the slowest register come the next ones, each once, slower first; what remains are paths to the ports."""
    worst, paths = slow_paths("test_slow_paths", TOP)
    assert paths[0].ps == worst
    assert [path.end for path in paths] == ["slow_q", "middle_q", "fast_q"]
    assert {path.begin for path in paths} == {"a_q"}
    assert paths[0].cells > paths[1].cells > paths[2].cells == 2  # a register and a LUT
    assert paths[0].ps > paths[1].ps > paths[2].ps


MEMORY = """
module store(input wire clk, input wire [39:0] a, input wire [3:0] at, input wire [3:0] from, output reg [3:0] out_q);
    reg [39:0] a_q;
    reg [3:0] at_q, from_q;
    reg [3:0] memory[0:15];
    always @(posedge clk) begin
        a_q          <= a;
        at_q         <= at;
        from_q       <= from;
        memory[at_q] <= {^a_q[39:0], ^a_q[38:0], ^a_q[37:0], ^a_q[36:0]};
        out_q        <= memory[from_q] & {4{^a_q[12:0]}};
    end
endmodule
"""


def test_a_memory_ends_one_of_the_slow_paths():
    """Its data pins are one end; the register that it is read into is another."""
    worst, paths = slow_paths("test_slow_paths_memory", MEMORY)
    assert paths[0].ps == worst
    assert [path.end for path in paths] == ["memory", "out_q"]
    assert [path.begin for path in paths] == ["a_q", "a_q"]
