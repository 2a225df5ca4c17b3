# SPDX-License-Identifier: Apache-2.0
"""`bench --build`: the delivered bandwidth of a named build, its table and its plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from tensorpress import bench_bandwidth as bw
from tensorpress.choices import Choice
from tensorpress.cli import transfers as t
from tensorpress.cli.console import Report, check_place, counted, decimal, integer, make_table, new_file, progress
from tensorpress.engine import Endpoint, Engine
from tensorpress.errors import InputError
from tensorpress.tensors import NamedTensor

PLOTTED_BYTES = 32 << 10
"""Shorter tensors stay out of the plot, unless there are no others: they show how a job begins and ends."""

LEGEND = (
    "ratio: raw bytes / (index + payload + table). GB/s: 10^9 bytes of raw data a second at the build's clock; in brackets a raw job on the"
    " same memory. DDR bytes: read and written, index and payload."
)


def memories(text: str) -> tuple[str, ...]:
    """The value of ``--memory``: ``ideal``, ``ddr3`` or ``both``."""
    if text == "both":
        return bw.MEMORIES
    if text in bw.MEMORIES:
        return (text,)
    raise InputError(f"memory {text!r} is not one of both, {', '.join(bw.MEMORIES)}")


def endpoints(text: str) -> tuple[Endpoint, ...]:
    """The value of ``--endpoint``: ``stream``, ``ddr`` or ``both``."""
    known: dict[str, tuple[Endpoint, ...]] = {"stream": ("stream",), "ddr": ("ddr",), "both": ("stream", "ddr")}
    if text not in known:
        raise InputError(f"endpoint {text!r} is not one of {', '.join(known)}")
    return known[text]


def check_plot(path: Path | None) -> None:
    """See that the plot can be drawn, before the work begins."""
    if path is not None:
        check_place(path, suffixes=(".png", ".svg", ".pdf"))
        from tensorpress.experiments import plots

        if not plots.available():
            raise InputError("plots need the package matplotlib: pip install matplotlib")


def measure(
    report: Report,
    engine: Engine,
    tensors: Sequence[NamedTensor],
    codecs: Sequence[str] | None,
    *,
    build: str,
    clock_mhz: float,
    places: Sequence[str],
    sides: Sequence[Endpoint],
    plot: Path | None,
    plan: Any,
) -> None:
    """Run the benchmark; print the table of each network, write the rows and the plot."""
    work = [tensor for tensor, _ in plan(engine, tensors, ["raw"], Choice(), report)]  # tells of tensors that the device cannot take
    zeros = {tensor.name: tensor.zero_code() for tensor in work}
    with progress(len(work), f"measuring {build}") as step:
        for tensor in work:
            step(tensor.name)
            report.rows += bw.bandwidth(
                {tensor.name: tensor.values},
                engine,
                clock_mhz=clock_mhz,
                build=build,
                network=tensor.network,
                kinds={tensor.name: t.row_kind(tensor.kind)},
                codecs=codecs,
                endpoints=sides,
                memories=places,
                zeros=zeros,
                block_bytes=min(4096, engine.capabilities.block_bytes),
            )
    totals = bw.totals(report.rows)
    for network, kind in dict.fromkeys((row["network"], row["kind"]) for row in totals):
        members = [row for row in totals if (row["network"], row["kind"]) == (network, kind)]
        title = f"{network or 'tensors'}, {kind} ({counted(members[0]['tensors'], 'tensor')}, {integer(members[0]['raw_bytes'])} bytes)"
        report.table(table(members, title, places))
    report.line(LEGEND, style="dim")
    report.rows = [{name: value for name, value in row.items() if not name.startswith(("count_", "peak_"))} for row in report.rows]
    report.finish()
    if plot is not None:
        bounds = {f"{way}, {side}": bw.limits(engine, way, side, clock_mhz) for way in t.DIRECTIONS for side in sides}
        long = [row for row in report.rows if row["raw_bytes"] >= PLOTTED_BYTES]
        what = f"tensors of at least {PLOTTED_BYTES >> 10} KiB" if long else "all tensors"
        with new_file(plot, force=True) as temporary:
            bw.draw(long or report.rows, bounds, temporary, f"Build {build} at {clock_mhz:g} MHz, {what}")
        report.line(f"Plot: {plot}", style="dim")
    t.require_model_bytes(report.rows)


def table(rows: Sequence[dict[str, Any]], title: str, places: Sequence[str]) -> Table:
    """One line a codec, direction and raw side; the memories beside one another."""
    columns: list[Any] = ["codec", "direction", "raw side", ("ratio", "r")]
    for place in places:
        columns += [(f"v/cyc {place}", "r"), (f"GB/s {place}", "r"), ("(raw)", "r")]
    table = make_table(*columns, ("DDR bytes", "r"), ("(raw)", "r"), "bytes", title=title)
    before = None
    for key in dict.fromkeys((row["codec"], row["direction"], row["endpoint"]) for row in rows):
        members = {row["memory"]: row for row in rows if (row["codec"], row["direction"], row["endpoint"]) == key}
        first = next(iter(members.values()))
        cells = [key[0] if key[0] != before else "", key[1], key[2], decimal(first["ratio"])]
        for place in places:
            row = members[place]
            cells += [decimal(row["values_per_cycle"]), decimal(row["gb_per_s"]), f"({decimal(row['raw_job_gb_per_s'])})"]
        cells += [integer(first["ddr_bytes"]), f"({integer(first['raw_job_ddr_bytes'])})"]
        cells.append("[green]ok[/]" if all(row["ok"] for row in members.values()) else "[bold red]DIFFER[/]")
        table.add_row(*cells)
        before = key[0]
    return table
