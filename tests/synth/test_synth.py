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
