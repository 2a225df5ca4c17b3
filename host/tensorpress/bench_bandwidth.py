# SPDX-License-Identifier: Apache-2.0
"""What a build of the engine gives an accelerator: raw bytes a second, beside a plain raw job on the same memory in the same run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .bench_device import Case, chosen, known_codecs
from .engine import Direction, Endpoint, Engine
from .errors import InputError

MEMORIES = ("ideal", "ddr3")
"""The memories of a simulated device; that of a real one is called ``real``."""

PORT_BYTES = 8
"""Bytes that a memory port moves in a cycle in each direction."""

CHAIN = "chain"
"""Kind of the rows of whole chains."""

CHAIN_BYTES = 8 << 20
"""Raw bytes of a chain at most: it must fit the device's memory. Longer ones are run as several, one after the other."""

VALUES_PER_LANE = {"raw": 8, "zvc": 4}
"""Values a cycle of a lane; one with any other codec."""

RUNS = ((1, 1 << 20), (1, 1 << 18), (64, 1 << 14), (64, 1 << 12))
"""What :func:`chain_rates` measures: jobs of a chain, and values of each tensor. The first is the long tensor."""

_PIECES = 16  # different tensors in a chain

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
    block_bytes: int | None = None,
    zeros: Mapping[str, int] | None = None,
    least_values: int = 1,
    progress: Callable[[str], None] | None = None,
    chain: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Run every tensor with every codec and as a raw job, on each memory; compare with the software model.

    Parameters
    ----------
    tensors, network, kinds, codecs, zeros, least_values, progress
        As of :func:`~tensorpress.bench_device.bench`. `raw` is always measured.
    block_bytes : int, optional
        Raw bytes of a block; default: what suits the values of the job, or of the chain
        (:meth:`~tensorpress.engine.Capabilities.block_values_for`).
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
    chain : collection of str
        Names of the tensors that are also run as one queue of jobs for each codec and direction.

    Returns
    -------
    list of dict
        One row a tensor, codec, direction, raw side and memory: those of :func:`~tensorpress.bench_device.bench`, and ``build, memory,
        clock_mhz, block_values, ratio, gb_per_s`` (10^9 raw bytes a second), ``ddr_bytes`` (read and written), ``raw_job_cycles,
        raw_job_gb_per_s, raw_job_ddr_bytes`` of the raw job, ``speedup`` over it, and ``jobs``: 1. Then those of the chain, whose
        ``tensor`` and ``kind`` are :data:`CHAIN`, with the number of its ``jobs``, the cycles from its start to its end, and a chain of
        raw jobs beside it.

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
    about: list[dict[str, Any]] = []  # of the members of the chain
    joined: list[tuple[npt.NDArray[Any], npt.NDArray[Any], int]] = []

    def case(array: npt.NDArray[Any], values: npt.NDArray[Any], codec: str, zero: int, together: int) -> Case:
        return Case.of(engine, array, values, codec, block_bytes=block_bytes or suitable_block_bytes(engine, together), zero=zero)

    for tensor, values, common in chosen(tensors, engine, network=network, kinds=kinds, least_values=least_values, progress=progress):
        zero = (zeros or {}).get(tensor, 0)
        if tensor in chain:
            about.append(common)
            joined.append((tensors[tensor], values, zero))
        cases = [[case(tensors[tensor], values, codec, zero, values.size)] for codec in names]
        rows += _on_memories(engine, cases, common, places, endpoints, build=build, clock_mhz=clock_mhz)
    if about:
        whole = about[0] | {"tensor": CHAIN, "kind": CHAIN}
        whole |= {name: sum(one[name] for one in about) for name in ("values", "raw_bytes")}
        cases = [[case(array, values, codec, zero, whole["values"]) for array, values, zero in joined] for codec in names]
        rows += _on_memories(engine, cases, whole, places, endpoints, build=build, clock_mhz=clock_mhz)
    return rows


def _on_memories(
    engine: Engine,
    by_codec: Sequence[Sequence[Case]],
    common: Mapping[str, Any],
    places: Sequence[str],
    endpoints: Sequence[Endpoint],
    *,
    build: str,
    clock_mhz: float,
) -> Iterator[dict[str, Any]]:
    """Rows of one tensor, or of one chain: a list of cases for each codec, raw first."""
    for memory in places:
        if memory != "real":
            engine.device.set_memory(memory)  # type: ignore[attr-defined]
        for endpoint in endpoints:
            plain: dict[str, dict[str, Any]] = {}
            for cases in by_codec:
                ways = [way for way in _WAYS if cases[0].coding.codec in engine.capabilities.codecs_of(way)]
                single = common["kind"] != CHAIN
                for row in cases[0].run(endpoint, ways) if single else (run_chain(cases, endpoint, way) for way in ways):
                    row |= {"memory": memory, "build": build, "clock_mhz": clock_mhz, "jobs": len(cases)}
                    row["block_values"] = cases[0].coding.block_values
                    row["ddr_bytes"] = PORT_BYTES * (row["count_read_beats"] + row["count_write_beats"])
                    reference = plain.setdefault(row["direction"], row)
                    row |= {f"raw_job_{name}": reference[name] for name in ("cycles", "ddr_bytes")}
                    yield _rates(dict(common) | row)


def suitable_block_bytes(engine: Engine, values: int) -> int:
    """Raw bytes of a block that suits so many values, of one job or of a chain."""
    return engine.capabilities.block_values_for(values) * engine.capabilities.width // 8


def run_chain(cases: Sequence[Case], endpoint: Endpoint, direction: Direction) -> dict[str, Any]:
    """Run tensors as one queue of jobs, in chains of at most :data:`CHAIN_BYTES`; returns what only this run has of a row."""
    engine = cases[0].engine
    sums: dict[str, int] = {}
    right = True
    left = list(cases)
    while left:
        count, size = 0, 0
        while count < len(left) and (count == 0 or size + left[count].values.nbytes <= CHAIN_BYTES):
            size += left[count].values.nbytes
            count += 1
        part, left = left[:count], left[count:]
        with ExitStack() as stack:
            results = engine.run_chain([stack.enter_context(case.job(endpoint, direction)) for case in part])
        right = right and all(case.is_right(result) for case, result in zip(part, results, strict=True))
        for name, number in results[0].counters.items():  # of the whole chain
            before = sums.get(name, 0)
            sums[name] = max(before, number) if name.startswith("PEAK_") else before + number
    values, cycles = sum(len(case.values) for case in cases), sums["COUNT_CYCLES"]
    row: dict[str, Any] = {"codec": cases[0].coding.codec, "direction": direction, "endpoint": endpoint}
    row |= {"coded_bytes": sum(case.coded_bytes for case in cases), "cycles": cycles, "values_per_cycle": values / cycles, "ok": right}
    return row | {name.lower(): number for name, number in sums.items()}


def bound(engine: Engine, codec: str, direction: Direction, endpoint: Endpoint, ratio: float) -> float:
    """Values a cycle that a build cannot exceed: those of its lanes, of its raw side, and of its memory with data of this ratio."""
    lanes = engine.capabilities.lanes_of(direction)
    coded, raw = _port_bytes(engine, direction, endpoint)
    return min(lanes * VALUES_PER_LANE.get(codec, 1), raw, coded * ratio)


def _port_bytes(engine: Engine, direction: Direction, endpoint: Endpoint) -> tuple[int, int]:
    """Bytes that the coded side and the raw side move in a cycle; a second memory port only reads."""
    can = engine.capabilities
    reads = PORT_BYTES * can.memory_ports
    if direction == "decompress":
        return reads, can.stream_bytes if endpoint == "stream" else PORT_BYTES
    return PORT_BYTES, PORT_BYTES if endpoint == "stream" else reads


def chain_rates(
    tensors: Mapping[str, npt.NDArray[Any]],
    engine: Engine,
    *,
    build: str = "",
    codecs: Iterable[str] | None = None,
    endpoints: Sequence[Endpoint] = ("stream",),
    runs: Sequence[tuple[int, int]] = RUNS,
    zeros: Mapping[str, int] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Rates of long tensors, and of chains of short ones beside them.

    Parameters
    ----------
    tensors : mapping of str to numpy.ndarray
        Where the values come from: each is cut into the tensors of a run, and repeated where it is too short.
    engine, build, codecs, endpoints, zeros, progress
        As of :func:`bandwidth`.
    runs : sequence of (int, int)
        Jobs of a chain and values of each; the first run is what `of_long` refers to.

    Returns
    -------
    list of dict
        One row a tensor, run, codec, direction and raw side: ``build, tensor, jobs, job_values, block_values, codec, direction, endpoint,
        values, coded_bytes, ratio, cycles, values_per_cycle, of_bound`` (share of :func:`bound`), ``of_long`` (share of the first run's
        rate), ``ok``, and the counters.

    Raises
    ------
    InputError
        As of :func:`bandwidth`.
    """
    if not engine.device.has_cycles:
        raise InputError(f"device {engine.device.name!r} counts no cycles: it has no bandwidth")
    rows: list[dict[str, Any]] = []
    for tensor, values, _ in chosen(tensors, engine, network="", kinds=None, least_values=1, progress=progress):
        for codec in known_codecs(engine, codecs):
            long: dict[tuple[str, str], float] = {}
            for jobs, size in runs:
                block_bytes = suitable_block_bytes(engine, jobs * size)
                pieces = np.resize(values, (min(jobs, _PIECES), size))
                own = tensors[tensor].dtype
                zero = (zeros or {}).get(tensor, 0)
                cases = [Case.of(engine, piece.view(own), piece, codec, block_bytes=block_bytes, zero=zero) for piece in pieces]
                cases = [cases[number % len(cases)] for number in range(jobs)]
                for endpoint in endpoints:
                    for way in _WAYS:
                        if codec not in engine.capabilities.codecs_of(way):
                            continue
                        row: dict[str, Any] = {"build": build, "tensor": tensor, "jobs": jobs, "job_values": size, "values": jobs * size}
                        row["block_values"] = cases[0].coding.block_values
                        row |= run_chain(cases, endpoint, way)
                        row["ratio"] = row["values"] / row["coded_bytes"]
                        rate = row["values_per_cycle"]
                        row["of_bound"] = rate / bound(engine, codec, way, endpoint, row["ratio"])
                        row["of_long"] = rate / long.setdefault((endpoint, way), rate)
                        rows.append(row)
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
    """Add up the tensors of each network and kind: a row for each codec, direction, raw side and memory; ``tensors`` is their number.

    A chain, whose kind is :data:`CHAIN`, is a row of its own.
    """
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in _SHARED), []).append(row)
    return [
        _rates(
            dict(zip(_SHARED, key, strict=True))
            | {"tensors": sum(row.get("jobs", 1) for row in members), "ok": all(row["ok"] for row in members)}
            | {name: sum(row[name] for row in members) for name in _SUMS}
        )
        for key, members in found.items()
    ]


def limits(engine: Engine, direction: Direction, endpoint: Endpoint, clock_mhz: float) -> dict[str, float]:
    """What bounds the delivered bandwidth, in GB/s: ``port`` for each unit of ratio, ``lanes`` and ``raw side`` whatever the ratio.

    ``port`` is that of the memory ports which move coded data.
    The lanes are counted with one value a cycle, the rate of apack and ebpc.
    """
    can = engine.capabilities
    coded, raw = _port_bytes(engine, direction, endpoint)
    return {
        "port": coded * clock_mhz / 1e3,
        "lanes": can.lanes_of(direction) * can.width / 8 * clock_mhz / 1e3,
        "raw side": raw * clock_mhz / 1e3,
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
