# SPDX-License-Identifier: Apache-2.0
"""What a build of the engine gives an accelerator: raw bytes a second, beside a plain raw job on the same memory in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from .bench_device import Case, chosen, known_codecs
from .engine import Direction, Endpoint, Engine
from .errors import InputError

MEMORIES = ("ideal", "ddr3")
"""The memories of a simulated device; that of a real one is called ``real``."""

PORT_BYTES = 8
"""Bytes that a memory port moves in a cycle in each direction."""

_WAYS: tuple[Direction, ...] = ("compress", "decompress")
_SHARED = ("network", "kind", "codec", "direction", "endpoint", "memory", "build", "device", "lanes", "clock_mhz")
_SUMS = ("values", "raw_bytes", "coded_bytes", "cycles", "ddr_bytes", "raw_job_cycles", "raw_job_ddr_bytes")


def memories_of(engine: Engine, asked: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return the memories to measure with: those asked for, or all that the device has.

    Raises
    ------
    InputError
        The device has no such memory.
    """
    there = MEMORIES if hasattr(engine.device, "set_memory") else ("real",)
    names = there if asked is None else tuple(asked)
    for name in names:
        if name not in there:
            raise InputError(f"device {engine.device.name!r} has no memory {name!r}; it has {', '.join(there)}")
    return names


def bandwidth(
    tensors: Mapping[str, npt.NDArray[Any]],
    engine: Engine,
    *,
    clock_mhz: float,
    build: str = "",
    network: str = "",
    kinds: Mapping[str, str] | None = None,
    codecs: Iterable[str] | None = None,
    endpoints: Sequence[Endpoint] = ("stream",),
    memories: Iterable[str] | None = None,
    block_bytes: int = 4096,
    zeros: Mapping[str, int] | None = None,
    least_values: int = 1,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Run every tensor with every codec and as a raw job, on each memory; compare with the software model.

    Parameters
    ----------
    tensors, network, kinds, codecs, block_bytes, zeros, least_values, progress
        As of :func:`~tensorpress.bench_device.bench`. `raw` is always measured.
    engine : Engine
        On a device that counts cycles.
    clock_mhz : float
        Clock of the engine, for the rates. A simulated DDR3 must have been told the same.
    build : str
        Name of the build, copied into the rows.
    endpoints : sequence of {"ddr", "stream"}
        The raw side.
    memories : iterable of str, optional
        See :data:`MEMORIES`; default: all of the device.

    Returns
    -------
    list of dict
        One row a tensor, codec, direction, raw side and memory: those of :func:`~tensorpress.bench_device.bench`, and ``build, memory,
        clock_mhz, ratio, gb_per_s`` (10^9 raw bytes a second), ``ddr_bytes`` (read and written), ``raw_job_cycles, raw_job_gb_per_s,
        raw_job_ddr_bytes`` of the raw job, and ``speedup`` over it.

    Raises
    ------
    InputError
        A codec, endpoint or memory is unknown; or the device counts no cycles.
    """
    if not engine.device.has_cycles:
        raise InputError(f"device {engine.device.name!r} counts no cycles: it has no bandwidth")
    names = known_codecs(engine, codecs)
    names = ("raw", *(name for name in names if name != "raw"))
    places = memories_of(engine, memories)
    rows: list[dict[str, Any]] = []
    for tensor, values, common in chosen(tensors, engine, network=network, kinds=kinds, least_values=least_values, progress=progress):
        cases = [
            Case.of(engine, tensors[tensor], values, codec, block_bytes=block_bytes, zero=(zeros or {}).get(tensor, 0)) for codec in names
        ]
        for memory in places:
            if memory != "real":
                engine.device.set_memory(memory)  # type: ignore[attr-defined]
            for endpoint in endpoints:
                plain: dict[str, dict[str, Any]] = {}
                for case in cases:
                    ways = [way for way in _WAYS if case.coding.codec in engine.capabilities.codecs_of(way)]
                    for row in case.run(endpoint, ways):
                        row |= {"memory": memory, "build": build, "clock_mhz": clock_mhz}
                        row["ddr_bytes"] = PORT_BYTES * (row["count_read_beats"] + row["count_write_beats"])
                        reference = plain.setdefault(row["direction"], row)  # raw comes first
                        row |= {f"raw_job_{name}": reference[name] for name in ("cycles", "ddr_bytes")}
                        rows.append(_rates(common | row))
    return rows


def _rates(row: dict[str, Any]) -> dict[str, Any]:
    per_second = row["raw_bytes"] * row["clock_mhz"] / 1e3
    return row | {
        "values_per_cycle": row["values"] / row["cycles"],
        "ratio": row["raw_bytes"] / row["coded_bytes"],
        "gb_per_s": per_second / row["cycles"],
        "raw_job_gb_per_s": per_second / row["raw_job_cycles"],
        "speedup": row["raw_job_cycles"] / row["cycles"],
    }


def totals(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add up the tensors of each network and kind: a row for each codec, direction, raw side and memory; ``tensors`` is their number."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in _SHARED), []).append(row)
    return [
        _rates(
            dict(zip(_SHARED, key, strict=True))
            | {"tensors": len(members), "ok": all(row["ok"] for row in members)}
            | {name: sum(row[name] for row in members) for name in _SUMS}
        )
        for key, members in found.items()
    ]


def limits(engine: Engine, direction: Direction, endpoint: Endpoint, clock_mhz: float) -> dict[str, float]:
    """What bounds the delivered bandwidth, in GB/s: ``port`` for each unit of ratio, ``lanes`` and ``raw side`` whatever the ratio.

    The lanes are counted with one value a cycle, the rate of apack and ebpc.
    """
    can = engine.capabilities
    lanes = can.encode_lanes if direction == "compress" else can.decode_lanes
    side = can.stream_bytes if endpoint == "stream" and direction == "decompress" else PORT_BYTES
    return {
        "port": PORT_BYTES * clock_mhz / 1e3,
        "lanes": lanes * can.width / 8 * clock_mhz / 1e3,
        "raw side": side * clock_mhz / 1e3,
    }


def draw(rows: Sequence[Mapping[str, Any]], bounds: Mapping[str, Mapping[str, float]], path: Path, title: str) -> Path:
    """Draw delivered bandwidth against ratio, a panel for each direction and raw side.

    Parameters
    ----------
    rows : sequence of mapping
        Of :func:`bandwidth` or :func:`totals`.
    bounds : mapping of panel to limits
        Of :func:`limits`; a panel is ``direction, raw side``, for example ``decompress, stream``.
    path : Path
        Where the picture goes; its suffix decides the format.
    title : str
        Above the panels.

    Raises
    ------
    InputError
        matplotlib is not installed.
    """
    from .experiments.plots import COLOURS, MARKERS, figure, save

    panels = [panel for panel in bounds if any(f"{row['direction']}, {row['endpoint']}" == panel for row in rows)]
    drawing, axes = figure(height=4.8 * len(panels), rows=len(panels))
    drawing.suptitle(title, fontsize=11)
    codecs = list(dict.fromkeys(row["codec"] for row in rows))
    memories = list(dict.fromkeys(row["memory"] for row in rows))
    ratios = [row["ratio"] for row in rows]
    left, right = min(0.95, 0.95 * min(ratios)), 1.05 * max(ratios)
    for one, panel in zip(axes if len(panels) > 1 else [axes], panels, strict=True):
        here = [row for row in rows if f"{row['direction']}, {row['endpoint']}" == panel]
        bound = bounds[panel]
        top = max(bound["lanes"], bound["raw side"], *(row["gb_per_s"] for row in here)) * 1.12
        one.plot(
            [left, right],
            [bound["port"] * left, bound["port"] * right],
            color="#000000",
            linewidth=1,
            label=f"memory port: {bound['port']:.2f} GB/s x ratio",
        )
        same = bound["raw side"] == bound["lanes"]
        lanes = f"lanes, a value a cycle{', and raw side' if same else ''}: {bound['lanes']:.2f} GB/s"
        one.axhline(bound["lanes"], color="#777777", linewidth=1, linestyle="--", label=lanes)
        if not same:
            one.axhline(bound["raw side"], color="#777777", linewidth=1, linestyle=":", label=f"raw side: {bound['raw side']:.2f} GB/s")
        for number, codec in enumerate(codecs):
            for memory in memories:
                points = [(row["ratio"], row["gb_per_s"]) for row in here if (row["codec"], row["memory"]) == (codec, memory)]
                if points:
                    colour = COLOURS[number % len(COLOURS)]
                    one.scatter(
                        [x for x, _ in points],
                        [y for _, y in points],
                        s=22 if memory != "ddr3" else 64,
                        marker=MARKERS[number % len(MARKERS)],
                        facecolors=colour if memory != "ddr3" else "none",
                        edgecolors=colour,
                        linewidths=0 if memory != "ddr3" else 1.0,
                        label=f"{codec}, {memory}",
                        zorder=3,
                    )
        one.set_xlim(left, right)
        one.set_ylim(0, top)
        one.set_title(panel, fontsize=10, loc="left")
        one.set_xlabel("ratio: raw bytes / coded bytes")
        one.set_ylabel("delivered bandwidth, GB/s of raw data")
        one.legend(fontsize=7.5, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return save(drawing, path)
