#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the tables of ``docs/BANDWIDTH.md`` from the rows that ``tensorpress bench --build NAME --json docs/bandwidth/NAME.json`` wrote."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "host"))

from tensorpress.bench_bandwidth import MEMORIES, totals  # noqa: E402

PAGE = ROOT / "docs" / "BANDWIDTH.md"
ROWS = ROOT / "docs" / "bandwidth"
MARK = "<!-- from here on written by: python scripts/bandwidth_page.py -->"
HEAD = (
    "| tensors | codec | direction | ratio | values a cycle, ideal | GB/s, ideal | raw job | GB/s, DDR3 | raw job | DDR bytes | raw job |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
)


def tables(folder: Path = ROWS) -> str:
    """The part of the page that comes from the rows: a section for each file, a line for each kind of tensor, codec and direction."""
    lines: list[str] = []
    for file in sorted(folder.glob("*.json")):
        rows = totals(json.loads(file.read_text()))
        lines += [
            "",
            f"## Build `{file.stem}` at {rows[0]['clock_mhz']:g} MHz",
            "",
            f"![delivered bandwidth against ratio](bandwidth/{file.stem}.png)",
        ]
        lines += ["", *HEAD, *_lines(rows)]
    return "\n".join(lines) + "\n"


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = ("network", "kind", "codec", "direction", "endpoint")
    for key in dict.fromkeys(tuple(row[name] for name in names) for row in rows):
        ideal, ddr3 = ({row["memory"]: row for row in rows if tuple(row[name] for name in names) == key}[memory] for memory in MEMORIES)
        cells = [f"{key[0]}, {key[1]}", key[2], f"{key[3]}, {key[4]}", f"{ideal['ratio']:.2f}", f"{ideal['values_per_cycle']:.2f}"]
        for row in (ideal, ddr3):
            cells += [f"{row['gb_per_s']:.2f}", f"{row['raw_job_gb_per_s']:.2f}"]
        cells += [f"{ideal['ddr_bytes']:,}", f"{ideal['raw_job_ddr_bytes']:,}"]
        yield f"| {' | '.join(cells)} |"


def main() -> int:
    """Rewrite the page."""
    text, _, _ = PAGE.read_text().partition(MARK)
    PAGE.write_text(text + MARK + "\n" + tables())
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
