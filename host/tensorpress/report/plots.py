# SPDX-License-Identifier: Apache-2.0
"""The pictures of a report, as PNG bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np

from tensorpress.errors import InputError
from tensorpress.tables import TOTAL, Table

from .hardware import KINDS
from .measure import CHANNEL_FIRST, Measured
from .summary import BEST, methods, samples_of, title, total, totals

COLOURS = {"apack": "#2563eb", "ebpc": "#d97706", CHANNEL_FIRST: "#b45309", "zvc": "#059669", BEST: "#111827", "entropy": "#111827"}
MARKERS = {"apack": "o", "ebpc": "s", CHANNEL_FIRST: "D", "zvc": "^"}
GREY = "#9ca3af"
DPI = 110


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise InputError("reports need the package matplotlib: pip install 'tensorpress[report]'") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _png(pyplot: Any, figure: Any) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
    return stream.getvalue()


def layers(members: Sequence[Measured], kind: str) -> dict[str, list[Measured]]:
    """Tensors of a kind by layer, in the order of the model; one a sample."""
    groups: dict[str, list[Measured]] = {}
    for one in members:
        if one.kind == kind:
            groups.setdefault(one.layer, []).append(one)
    return groups


def _axes(pyplot: Any, members: Sequence[Measured], height: float) -> tuple[Any, list[tuple[str, dict[str, list[Measured]], Any]]]:
    """A figure with one axes for each kind that there is."""
    groups = [(kind, layers(members, kind)) for kind in KINDS]
    groups = [(kind, group) for kind, group in groups if group]
    figure, axes = pyplot.subplots(len(groups), 1, figsize=(9.2, height * len(groups)), squeeze=False, layout="constrained")
    return figure, [(kind, group, axes[row, 0]) for row, (kind, group) in enumerate(groups)]


def _finish_layers(axes: Any, kind: str, group: dict[str, list[Measured]]) -> None:
    count = len(group)
    axes.set_xlim(0.3, count + 0.7)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    ops = [members[0].op for members in group.values()]
    if count <= 40 and any(ops):
        axes.set_xticks(range(1, count + 1), [f"{number}  {_short(op)}" for number, op in enumerate(ops, 1)], rotation=90, fontsize=7)
    axes.set_xlabel(f"{'weight tensor' if kind == 'weight' else kind}, in the order of the file")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)


def _legend(axes: Any) -> None:
    """Above the axes, to the right: nothing is hidden."""
    axes.legend(
        fontsize=8, ncols=6, loc="lower right", bbox_to_anchor=(1, 1), frameon=False, columnspacing=1.2, handlelength=1.6, borderpad=0
    )


def _short(op: str) -> str:
    text = op.replace("DEPTHWISE_CONV_2D", "DW_CONV").replace("FULLY_CONNECTED", "FC").replace("AVERAGE", "AVG")
    return text[:14].lower() if text.isupper() else text[:14]


def ratios(network: str, members: Sequence[Measured]) -> bytes:
    """Ratio of each layer by codec, with the line that order-0 entropy allows."""
    pyplot = _matplotlib()
    figure, parts = _axes(pyplot, members, 3.5)
    for kind, group, axes in parts:
        places = np.arange(1, len(group) + 1)
        sums = [total(network, kind, tensors) for tensors in group.values()]
        bound = [one.raw_bytes / one.coded["entropy"][1] if one.coded["entropy"][1] else math.nan for one in sums]
        axes.step(places, bound, where="mid", color=COLOURS["entropy"], linewidth=1, linestyle="--", label="order-0 entropy (bound)")
        for method, marker in MARKERS.items():
            values = [math.nan if (ratio := one.ratio(method)) is None else ratio for one in sums]
            if all(math.isnan(value) for value in values):
                continue
            if method == CHANNEL_FIRST and values == [one.ratio("ebpc") for one in sums]:
                continue
            axes.plot(places, values, marker=marker, markersize=4, linewidth=0.8, color=COLOURS[method], label=title(method))
        shown = [value for line in axes.lines for value in line.get_ydata() if np.isfinite(value)]
        axes.axhline(1, color=GREY, linewidth=0.8)
        if max(shown) > 12:
            axes.set_yscale("log")
            ticks = [tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if min(shown) * 0.8 <= tick <= max(shown) * 1.2]
            axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        else:
            axes.set_ylim(0, max(shown) * 1.08)
        axes.set_ylabel("ratio, raw / coded bytes")
        axes.set_title(f"{network}: {KINDS[kind].lower()}", fontsize=10, loc="left")
        _finish_layers(axes, kind, group)
        _legend(axes)
    return _png(pyplot, figure)


def traffic(network: str, members: Sequence[Measured]) -> bytes:
    """Bytes of each layer across the memory port at one run, raw and with the smallest codec."""
    pyplot = _matplotlib()
    figure, parts = _axes(pyplot, members, 3.0)
    count = samples_of(members)
    for kind, group, axes in parts:
        places = np.arange(1, len(group) + 1)
        share = 1000 * (count if kind == "activation" else 1)
        raw = [sum(one.transfers * one.raw_bytes for one in tensors) / share for tensors in group.values()]
        axes.bar(places, raw, 0.85, color=GREY, label="raw")
        bottom = np.zeros(len(group))
        for codec in ("apack", "ebpc", "zvc", "raw"):
            coded = np.array(
                [sum(one.transfers * one.best_bytes for one in tensors if one.best == codec) / share for tensors in group.values()]
            )
            if coded.any():
                label = "stored raw" if codec == "raw" else f"coded, {title(codec)}"
                axes.bar(places, coded, 0.5, bottom=bottom, color=COLOURS.get(codec, "#6b7280"), label=label)
                bottom += coded
        axes.set_ylabel("memory traffic of one run, kB")
        axes.set_title(f"{network}: {KINDS[kind].lower()}", fontsize=10, loc="left")
        _finish_layers(axes, kind, group)
        _legend(axes)
    return _png(pyplot, figure)


def histogram(one: Measured) -> bytes:
    """The values of a tensor with the ranges of its APack table, and what a value costs in each."""
    assert one.table is not None
    pyplot = _matplotlib()
    table = Table.from_json(one.table, one.width)
    figure, axes = pyplot.subplots(figsize=(9.2, 3.4), layout="constrained")
    size = 1 << one.width
    step = size / len(one.histogram)
    shares = 100 * np.array(one.histogram) / one.values
    edges = [*table.vmin, size]
    for row, (start, end) in enumerate(pairwise(edges)):
        axes.axvspan(start, end, color="#dbeafe" if row % 2 else "#eff6ff", linewidth=0, label="ranges of the table" if row == 1 else None)
    unit = "values" if step == 1 else f"{step:g} values"
    axes.bar(np.arange(len(shares)) * step, shares, step, align="edge", color="#374151", label=f"share of {unit}")
    axes.set_xlim(0, size)
    axes.set_ylabel(f"share of all values, % per {'value' if step == 1 else unit}")
    note = "" if one.dtype.startswith("u") else f"; {one.dtype} in unsigned view"
    axes.set_xlabel(f"value ({one.width} bits{note}; zero is {one.zero})")
    if shares.max() > 40:
        axes.set_yscale("log")
    cost = [length + math.log2(TOTAL / (high - low)) for length, low, high in zip(table.ol, table.cum[:-1], table.cum[1:], strict=True)]
    right = axes.twinx()
    right.stairs(cost, edges, color="#dc2626", linewidth=1.2, label="bits a value, APack")
    right.axhline(one.width, color="#dc2626", linewidth=0.7, linestyle=":", label=f"raw: {one.width} bits")
    right.set_ylim(0, max(*cost, one.width) * 1.1)
    right.set_ylabel("bits a value", color="#dc2626")
    sample = f", input {one.sample}" if one.sample else ""
    name = one.layer if len(one.layer) < 60 else f"{one.layer[:29]}...{one.layer[-28:]}"
    axes.set_title(f"{one.network}: {name}{sample}, entropy {one.entropy:.2f} bits", fontsize=9, loc="left")
    handles = [handle for part in (axes, right) for handle in part.get_legend_handles_labels()[0]]
    figure.legend(handles, [handle.get_label() for handle in handles], fontsize=8, loc="outside lower center", ncols=4, frameon=False)
    return _png(pyplot, figure)


def comparison(measured: Sequence[Measured]) -> bytes:
    """Ratio of every method over all tensors of a kind, all networks together."""
    pyplot = _matplotlib()
    names = [name for name in methods(measured) if name != "entropy"]
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in measured)]
    figure, axes = pyplot.subplots(1, len(kinds), figsize=(9.2, 0.27 * len(names) + 1.1), squeeze=False, layout="constrained", sharey=True)
    for column, kind in enumerate(kinds):
        part = axes[0, column]
        members = [one for one in measured if one.kind == kind]
        whole = total("", kind, members)
        values = [whole.ratio(name) for name in names]
        for place, (name, value) in enumerate(zip(names, values, strict=True)):
            if value is None:
                continue
            part.barh(place, value, 0.72, color=COLOURS.get(name, GREY))
            part.text(
                value,
                place,
                f" {value:.2f}{'*' if whole.partial(name) else ''}",
                va="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6},
            )
        raw, coded = whole.coded["entropy"]
        bound = raw / coded if coded else math.nan
        part.axvline(bound, color=COLOURS["entropy"], linestyle="--", linewidth=1, label="order-0 entropy (bound)")
        part.axvline(1, color=GREY, linewidth=0.8)
        part.set_yticks(range(len(names)), [title(name) for name in names], fontsize=8)
        part.set_xlabel("ratio, raw / coded bytes")
        part.set_title(f"{KINDS[kind]}, {whole.values / 1e6:.1f} M values", fontsize=10, loc="left")
        part.set_xlim(0, max(value for value in (*values, raw / coded if coded else 1) if value is not None) * 1.15)
        part.legend(fontsize=7, loc="lower right")
    axes[0, 0].invert_yaxis()
    return _png(pyplot, figure)


def networks(measured: Sequence[Measured]) -> bytes:
    """Ratio of our codecs for each network."""
    pyplot = _matplotlib()
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in measured)]
    sums = totals(measured)
    figure, axes = pyplot.subplots(len(kinds), 1, figsize=(9.2, 3.3 * len(kinds)), squeeze=False, layout="constrained")
    codecs = [name for name in ("apack", "ebpc", CHANNEL_FIRST, "zvc") if any(name in one.coded for one in sums)]
    for row, kind in enumerate(kinds):
        part = axes[row, 0]
        members = [one for one in sums if one.kind == kind]
        places, width = np.arange(len(members)), 0.8 / len(codecs)
        for number, codec in enumerate(codecs):
            values = [one.ratio(codec) or math.nan for one in members]
            part.bar(places + (number - (len(codecs) - 1) / 2) * width, values, width * 0.92, color=COLOURS[codec], label=title(codec))
        for place, one in zip(places, members, strict=True):
            raw, coded = one.coded["entropy"]
            if coded:
                part.hlines(
                    raw / coded, place - 0.45, place + 0.45, color=COLOURS["entropy"], linestyle="--", linewidth=1.1,
                    label="order-0 entropy (bound)" if place == 0 else None,
                )  # fmt: skip
        part.axhline(1, color=GREY, linewidth=0.8)
        part.set_xticks(places, [one.network for one in members], rotation=25, ha="right", fontsize=8)
        part.set_ylabel("ratio, raw / coded bytes")
        part.set_title(f"{KINDS[kind]}, ratio by network", fontsize=10, loc="left")
        part.grid(axis="y", alpha=0.3)
        part.set_axisbelow(True)
        _legend(part)
    return _png(pyplot, figure)
