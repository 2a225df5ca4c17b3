# SPDX-License-Identifier: Apache-2.0
"""docs/BANDWIDTH.md holds the numbers of the rows beside it."""

from __future__ import annotations

import json

import bandwidth_page
import pytest
from tensorpress.bench_bandwidth import totals

FILES = sorted(bandwidth_page.ROWS.glob("*.json"))


def test_page_is_what_the_rows_say():
    assert FILES
    assert bandwidth_page.PAGE.read_text().partition(bandwidth_page.MARK)[2].strip() == bandwidth_page.tables().strip()


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_rows_are_whole(file):
    """Every byte was right, both memories and a raw job are there, and the picture is beside them."""
    rows = json.loads(file.read_text())
    assert all(row["ok"] and row["build"] == file.stem for row in rows)
    assert {row["memory"] for row in rows} == {"ideal", "ddr3"}
    assert {row["codec"] for row in rows} > {"raw"}
    assert file.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
    for row in totals(rows):
        assert row["gb_per_s"] <= row["lanes"] * 8 * row["clock_mhz"] / 1e3
        if row["codec"] == "raw":
            assert row["speedup"] == 1
