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
from tensorpress.cli.console import Report, check_place, counted, decimal, integer, make_table, new_file, percent, progress
from tensorpress.engine import Endpoint, Engine
from tensorpress.errors import InputError
from tensorpress.tensors import NamedTensor

PLOTTED_BYTES = 32 << 10
"""Shorter tensors stay out of the plot, unless there are no others: they show how a job begins and ends."""

LEGEND = (
    "chain: all weights and activations as one queue of jobs. ratio: raw bytes / (index + payload + table). GB/s: 10^9 bytes of raw data a"
    " second at the build's clock; in brackets raw jobs on the same memory. DDR bytes: read and written, index and payload; of a chain"
    " descriptors and tables as well."
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
        for network in dict.fromkeys(tensor.network for tensor in work):
            members = [tensor for tensor in work if tensor.network == network]
            layers = [tensor.name for tensor in members if tensor.kind != "tensor"] or [tensor.name for tensor in members]
            report.rows += bw.bandwidth(
                {tensor.name: tensor.values for tensor in members},
                engine,
                clock_mhz=clock_mhz,
                build=build,
                network=network,
                kinds={tensor.name: t.row_kind(tensor.kind) for tensor in members},
                codecs=codecs,
                endpoints=sides,
                memories=places,
                zeros=zeros,
                progress=step,
                chain=layers,
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


RATES_LEGEND = (
    "values per cycle, in brackets the share of the bound: the lanes, the raw side, or 8 x ratio of the memory port, whichever is least;"
    " of chains, the share of the longest tensor's rate. Ideal memory, latency 40 cycles,"
    " bursts as an HP port takes them."
)


def chains(
    report: Report,
    engine: Engine,
    tensors: Sequence[NamedTensor],
    codecs: Sequence[str] | None,
    *,
    build: str,
    sides: Sequence[Endpoint],
    plan: Any,
) -> None:
    """Measure long tensors and chains of short ones, of the largest weight and the largest activation; print the table, write the rows."""
    work = [tensor for tensor, _ in plan(engine, tensors, ["raw"], Choice(), report)]
    largest: dict[str, NamedTensor] = {}
    for tensor in sorted(work, key=lambda one: one.array.size):
        largest[t.row_kind(tensor.kind)] = tensor
    with progress(len(largest), f"measuring {build}") as step:
        report.rows = bw.chain_rates(
            {kind: tensor.values for kind, tensor in largest.items()},
            engine,
            build=build,
            codecs=codecs,
            endpoints=sides,
            zeros={kind: tensor.zero_code() for kind, tensor in largest.items()},
            progress=step,
        )
    report.table(rates_table(report.rows, f"Build {build}: {', '.join(f'{kind} {one.name}' for kind, one in largest.items())}"))
    report.line(RATES_LEGEND, style="dim")
    report.rows = [{name: value for name, value in row.items() if not name.startswith(("count_", "peak_"))} for row in report.rows]
    report.finish()
    t.require_model_bytes(report.rows)


def rates_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """One line a tensor, codec, direction and raw side; the runs beside one another."""
    columns: list[Any] = ["values", "codec", "direction", "raw side", ("ratio", "r")]
    runs = list(dict.fromkeys((row["jobs"], row["job_values"]) for row in rows))
    columns += [(f"{jobs} x {size >> 10} KiB" if jobs > 1 else f"{size >> 10} KiB", "r") for jobs, size in runs]
    table = make_table(*columns, "bytes", title=title)
    for key in dict.fromkeys(tuple(row[name] for name in ("tensor", "codec", "direction", "endpoint")) for row in rows):
        members = [row for row in rows if tuple(row[name] for name in ("tensor", "codec", "direction", "endpoint")) == key]
        cells = [*key, decimal(members[0]["ratio"])]
        for row in members:
            share = row["of_bound"] if row["jobs"] == 1 else row["of_long"]
            cells.append(f"{decimal(row['values_per_cycle'])} ({percent(share)} %)")
        cells.append("[green]ok[/]" if all(row["ok"] for row in members) else "[bold red]DIFFER[/]")
        table.add_row(*cells)
    return table


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
