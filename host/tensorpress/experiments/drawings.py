# SPDX-License-Identifier: Apache-2.0
"""What each experiment draws. Every function writes one PNG file and returns its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import plots
from .cdma import Offload, Trainer, oracle_s, step_s
from .ebpc import EBPC, METHODS, MapSize, ratio
from .papers import CLAIMS

Rows = Sequence[Mapping[str, Any]]
Curves = Mapping[str, Sequence[tuple[float, float]]]


def _names(rows: Rows) -> list[str]:
    return [str(row["network"]) for row in rows]


def _one(axes: Any) -> None:
    axes.axhline(1, color="#000000", linewidth=0.8)


# ------------------------------------------------------------------------------------------------------------------------ apack


def footprint(rows: Rows, methods: Sequence[str], path: Path) -> Path:
    """Coded over raw bits of weights and of activations, for each network and method."""
    drawing, axes = plots.figure(8.0, rows=2)
    for one, kind, title, claim in zip(axes, ("weight", "act"), ("weights", "activations"), CLAIMS["apack"], strict=False):
        there = [row for row in rows if row[f"{kind}_{methods[0]}"] is not None]
        plots.bars(
            one, _names(there), {method: [row[f"{kind}_{method}"] for row in there] for method in methods}, f"{title}, coded / raw bits"
        )
        _one(one)
        plots.claim(one, claim.value, f"mean of the APack paper, {claim.value:g}")
        plots.legend(one, len(methods) + 1)
    return plots.save(drawing, path)


def accelerator(rows: Rows, curves: Curves, memory_gb_s: float, macs_per_second: float, path: Path) -> Path:
    """Speed-up and energy efficiency of each network, and its speed-up against the memory's bandwidth."""
    drawing, axes = plots.figure(8.6, rows=2)
    series = {name: [row[field] for row in rows] for name, field in (("speed-up", "speedup"), ("energy efficiency", "energy"))}
    plots.bars(axes[0], _names(rows), series, "without / with APack (ratio)")
    _one(axes[0])
    for claim, colour in zip(CLAIMS["apack"][2:], plots.COLOURS, strict=False):
        plots.claim(axes[0], claim.value, f"mean of the APack paper: {claim.what} {claim.value:g}", colour)
    plots.legend(axes[0], 2)
    for number, (name, points) in enumerate(curves.items()):
        plots.line(axes[1], points, name, number)
    plots.log2_scale(axes[1])
    axes[1].axvline(memory_gb_s, color="#777777", linewidth=1, linestyle=":", label=f"{memory_gb_s:g} GB/s, as above")
    axes[1].set_xlabel(f"DRAM bandwidth (GB/s) beside {macs_per_second / 1e12:.3g} TMAC/s")
    axes[1].set_ylabel("speed-up (ratio)")
    plots.legend_beside(axes[1])
    return plots.save(drawing, path)


# ------------------------------------------------------------------------------------------------------------------------- ebpc


def map_ratios(rows: Rows, names: Sequence[str], path: Path) -> Path:
    """Raw over coded bits of each group of maps under each method."""
    drawing, axes = plots.figure(5.2)
    plots.bars(axes, names, {title: [row[f"{one}_ratio"] for row in rows] for one, title in METHODS.items()}, "raw bits / coded bits")
    _one(axes)
    plots.legend(axes, len(METHODS))
    return plots.save(drawing, path)


def frames(sizes: Sequence[MapSize], path: Path) -> Path | None:
    """EBPC's ratio of every frame, for networks with two frames or more; None where there are none."""
    per_network: dict[str, list[float]] = {}
    for name in dict.fromkeys(size.network for size in sizes):
        group = [size for size in sizes if size.network == name]
        ratios = [ratio([size for size in group if size.frame == frame], EBPC) for frame in dict.fromkeys(size.frame for size in group)]
        there = [value for value in ratios if value is not None]
        if len(there) > 1:
            per_network[name] = there
    if not per_network:
        return None
    drawing, axes = plots.figure()
    for number, there in enumerate(per_network.values()):
        mean = sum(there) / len(there)
        axes.plot([number] * len(there), there, "o", markersize=4, alpha=0.6, color=plots.COLOURS[0], label="" if number else "one frame")
        axes.plot([number - 0.2, number + 0.2], [mean, mean], color="#000000", label="" if number else "mean of the frames")
    axes.set_xticks(range(len(per_network)), list(per_network), rotation=35, ha="right", fontsize=8)
    axes.set_ylabel("EBPC, raw bits / coded bits")
    axes.set_ylim(bottom=0)
    plots.legend(axes)
    return plots.save(drawing, path)


def training(rows: Rows, path: Path) -> Path:
    """EBPC's ratio of maps and gradient maps in each number format, as the network learns."""
    drawing, axes = plots.figure()
    for number, (what, form) in enumerate(dict.fromkeys((row["what"], row["format"]) for row in rows)):
        points = [(row["epoch"], row[f"{EBPC}_ratio"]) for row in rows if (row["what"], row["format"]) == (what, form)]
        plots.line(axes, points, f"{what}s, {form}", number, dashed=what == "gradient")
    axes.set_xlabel("epochs of training")
    axes.set_ylabel("EBPC, raw bits / coded bits")
    axes.set_ylim(bottom=0)
    plots.legend_beside(axes)
    return plots.save(drawing, path)


# ------------------------------------------------------------------------------------------------------------------------- cdma


def gain(rows: Rows, curves: Curves, method: str, link_gb_s: float, path: Path) -> Path:
    """Gain over vDNN against the ratio, and where each network stands."""
    drawing, axes = plots.figure()
    by_name = {row["network"]: row for row in rows}
    for number, (name, points) in enumerate(curves.items()):
        plots.line(axes, [(x, 100 * y) for x, y in points], name, number)
        place = [by_name[name][f"{method}_ratio"]], [100 * by_name[name][f"{method}_gain"]]
        axes.plot(*place, "*", markersize=11, color="#ffffff", markeredgecolor="#000000", zorder=3)
    axes.plot([], [], "*", markersize=11, color="#ffffff", markeredgecolor="#000000", label=f"measured with {method}")
    plots.log2_scale(axes)
    axes.set_xlabel("compression ratio of the offloaded tensors (raw bytes / coded bytes)")
    axes.set_ylabel(f"gain over vDNN (%), link of {link_gb_s:g} GB/s")
    plots.legend_beside(axes)
    return plots.save(drawing, path)


def step_time(steps: Mapping[str, Sequence[Offload]], trainer: Trainer, methods: Sequence[str], path: Path) -> Path:
    """The time of a step of each network, as a multiple of the time without offload: work, and waiting for the link."""
    drawing, axes = plots.figure(5.2)
    names = list(steps)
    series: dict[str, list[float | None]] = {"no offload": [1.0] * len(names)}
    for title, method in (("vDNN", None), *((f"vDNN with {one}", one) for one in methods)):
        series[title] = [step_s(layers, trainer, method) / oracle_s(layers) for layers in steps.values()]
    plots.bars(axes, names, series, "time of a training step / time without offload")
    plots.legend(axes, len(series))
    return plots.save(drawing, path)
