# SPDX-License-Identifier: Apache-2.0
"""The plots of the experiments, as PNG files. matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#777777")
"""Okabe and Ito's colours, which most people can tell apart."""
MARKERS = "osD^vP*X"
INCHES, DPI = (9.0, 4.6), 130


def available() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def figure(height: float = INCHES[1], columns: int = 1, rows: int = 1) -> tuple[Any, Any]:
    """An empty figure of one or more axes, beside or below one another.

    Raises
    ------
    InputError
        matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("plots need the package matplotlib: pip install matplotlib, or tensorpress[report]") from error
    drawing = Figure(figsize=(INCHES[0], height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots(rows, columns)
    for one in [axes] if columns * rows == 1 else axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", color="#dddddd", linewidth=0.7)
        one.set_axisbelow(True)
    return drawing, axes


def save(drawing: Any, path: Path) -> Path:
    """Write the figure; returns its path."""
    metadata = {".png": {"Software": "tensorpress"}, ".svg": {"Creator": "tensorpress", "Date": None}}
    drawing.savefig(path, metadata=metadata.get(path.suffix, {}))
    return path


def bars(axes: Any, groups: Sequence[str], series: Mapping[str, Sequence[float | None]], label: str) -> None:
    """Groups of bars, one colour a series; what is None has no bar."""
    width = 0.84 / max(1, len(series))
    for number, (name, values) in enumerate(series.items()):
        places = [place + (number - (len(series) - 1) / 2) * width for place, value in enumerate(values) if value is not None]
        axes.bar(places, [value for value in values if value is not None], width * 0.94, label=name, color=COLOURS[number % len(COLOURS)])
    axes.set_xticks(range(len(groups)), groups, rotation=35, ha="right", fontsize=8)
    axes.set_ylabel(label)


def log2_scale(axes: Any) -> None:
    """A logarithmic x axis with plain numbers."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:g}")


def line(axes: Any, points: Sequence[tuple[float, float]], name: str, number: int, *, dashed: bool = False) -> None:
    """A line with markers, in the colour of its number."""
    colour = COLOURS[number % len(COLOURS)]
    axes.plot(
        [x for x, _ in points],
        [y for _, y in points],
        label=name,
        color=colour,
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        linewidth=1.5,
        linestyle="--" if dashed or number >= len(COLOURS) else "-",
    )


def claim(axes: Any, value: float, name: str, colour: str = "#000000") -> None:
    """A horizontal line at a figure of a paper."""
    axes.axhline(value, color=colour, linewidth=1, linestyle=":", label=name)


def legend(axes: Any, columns: int = 1) -> None:
    """The legend, above the axes when it has several columns."""
    if columns > 1:
        axes.legend(ncols=columns, fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.02))
    else:
        axes.legend(fontsize=8, frameon=False)


def legend_beside(axes: Any) -> None:
    """The legend of many lines, to the right of the axes."""
    axes.legend(fontsize=7.5, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
