# SPDX-License-Identifier: Apache-2.0
"""The bandwidth benchmark: which rows there are, that their numbers fit together, and that the picture holds them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import codecs_of, sparse_values
from shared_devices import SMALL_BUILD, settle, verilated
from tensorpress import bench_bandwidth
from tensorpress.bench_bandwidth import CHAIN, bandwidth, bound, chain_rates, draw, limits, memories_of, totals
from tensorpress.device.model import ModelDevice
from tensorpress.engine import Engine
from tensorpress.errors import InputError

CLOCK = 150.0


@pytest.fixture(scope="module")
def engine() -> Any:
    device = verilated(lanes=1, **SMALL_BUILD)
    yield Engine(device)
    device.set_memory("ideal")
    settle(device)


@pytest.fixture(scope="module")
def rows(engine: Engine) -> list[dict[str, Any]]:
    tensors = {"a": sparse_values(20_000), "b": sparse_values(9_000, seed=3), "wide": np.zeros(9, np.uint16)}
    kinds = {"a": "activation", "b": "weight", "wide": "weight"}
    return bandwidth(
        tensors, engine, clock_mhz=CLOCK, build="one", network="net", kinds=kinds, block_bytes=1024, endpoints=("stream", "ddr")
    )


def test_rows(engine: Engine, rows: list[dict[str, Any]]) -> None:
    cases = {(row["tensor"], row["codec"], row["direction"], row["endpoint"], row["memory"]) for row in rows}
    assert len(rows) == len(cases) == 2 * len(codecs_of(engine)) * 2 * 2 * 2
    plain = {tuple(row[n] for n in ("tensor", "direction", "endpoint", "memory")): row for row in rows if row["codec"] == "raw"}
    for row in rows:
        assert row["ok"] and row["build"] == "one" and row["network"] == "net" and row["lanes"] == 1
        assert row["ddr_bytes"] == 8 * (row["count_read_beats"] + row["count_write_beats"])
        assert row["gb_per_s"] == pytest.approx(row["raw_bytes"] / (row["cycles"] / (CLOCK * 1e6)) / 1e9)
        assert row["values_per_cycle"] == row["values"] / row["cycles"]
        reference = plain[tuple(row[name] for name in ("tensor", "direction", "endpoint", "memory"))]
        assert row["raw_job_cycles"] == reference["cycles"] and row["raw_job_ddr_bytes"] == reference["ddr_bytes"]
        assert row["raw_job_gb_per_s"] == pytest.approx(reference["gb_per_s"])
        assert row["speedup"] == pytest.approx(row["gb_per_s"] / reference["gb_per_s"])
        # a word at most is read or written beyond what is stored: the ends of index, payload and raw image
        coded = row["ddr_bytes"] - (row["raw_bytes"] if row["endpoint"] == "ddr" else 0)
        table = 64 if row["codec"] == "apack" else 0
        assert 0 <= coded - (row["coded_bytes"] - table) <= 24, row


@pytest.mark.parametrize("most", [8 << 20, 10_000], ids=["one", "several"])
def test_a_chain_beside_its_jobs(engine: Engine, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """One queue of tensors: hardly more cycles than the jobs one by one; the same bytes besides descriptors, statuses and tables."""
    monkeypatch.setattr(bench_bandwidth, "CHAIN_BYTES", most)
    tensors = {"a": sparse_values(5_000), "b": sparse_values(6_001, seed=3), "alone": sparse_values(700, seed=5)}
    for codecs in (["zvc"], ["apack"]):
        if codecs[0] not in codecs_of(engine):
            continue
        rows = bandwidth(
            tensors,
            engine,
            clock_mhz=CLOCK,
            codecs=codecs,
            block_bytes=1024,
            endpoints=("stream", "ddr"),
            memories=["ideal"],
            chain=["a", "b"],
        )
        assert [row["jobs"] for row in rows] == [1] * 24 + [2] * 8
        for row in rows[24:]:
            members = [
                one
                for one in rows[:24]
                if one["tensor"] in ("a", "b") and all(one[name] == row[name] for name in ("codec", "direction", "endpoint"))
            ]
            assert len(members) == 2 and row["ok"] and row["tensor"] == row["kind"] == CHAIN
            for name in ("values", "raw_bytes", "coded_bytes"):
                assert row[name] == sum(one[name] for one in members)
            assert row["cycles"] <= sum(one["cycles"] for one in members) + 250 * len(members)
            tables = 2 if row["codec"] == "apack" else 0
            assert row["ddr_bytes"] - sum(one["ddr_bytes"] for one in members) == 2 * (40 + 24) + 64 * tables
            states = [row[f"count_lane_{state}"] for state in ("busy", "starved", "blocked", "idle")]
            assert sum(states) == engine.capabilities.lanes * row["cycles"]
        sums = totals(rows)
        assert [row["tensors"] for row in sums] == [3] * 8 + [2] * 8


def test_chain_rates(engine: Engine) -> None:
    rows = chain_rates({"a": sparse_values(3_000)}, engine, build="one", codecs=["zvc"], runs=((1, 9_000), (20, 500)))
    assert [(row["jobs"], row["direction"]) for row in rows] == [(1, "compress"), (1, "decompress"), (20, "compress"), (20, "decompress")]
    for row in rows:
        assert row["ok"] and row["values"] == (9_000 if row["jobs"] == 1 else 10_000)
        assert row["of_bound"] == row["values_per_cycle"] / bound(engine, "zvc", row["direction"], "stream", row["ratio"])
        long = next(one for one in rows if one["direction"] == row["direction"])
        assert row["of_long"] == row["values_per_cycle"] / long["values_per_cycle"]
    with ModelDevice() as model, pytest.raises(InputError, match="counts no cycles"):
        chain_rates({"a": sparse_values(1000)}, Engine(model))


@pytest.mark.parametrize(
    ("encode_lanes", "decode_lanes", "block_bytes", "count", "expected"),
    [
        (8, 8, 4096, 1 << 20, 4096),
        (8, 8, 4096, 25 * 8 * 4096, 4096),
        (8, 8, 4096, 25 * 8 * 4096 - 1, 4096 - 128),
        (8, 8, 16384, 1 << 18, 1280),
        (4, 16, 4096, 1 << 18, 1024),
        (16, 4, 4096, 1 << 18, 1024),
        (8, 8, 4096, 100, 1024),
        (1, 1, 512, 1 << 20, 512),
        (1, 1, 16384, 1 << 16, 2560),
    ],
)
def test_block_of_a_job_of_its_own(
    engine: Engine, encode_lanes: int, decode_lanes: int, block_bytes: int, count: int, expected: int
) -> None:
    """A twenty-fifth of a lane's share in steps of 128 bytes, 1024..4096, and no more than the hardware takes."""
    can = replace(engine.capabilities, encode_lanes=encode_lanes, decode_lanes=decode_lanes, block_bytes=block_bytes)
    assert can.block_values_for(count) == expected


def test_blocks_where_none_is_asked_for(engine: Engine) -> None:
    """Those that suit the values of the job, or of the whole chain."""
    can = engine.capabilities
    values = {"a": sparse_values(9_000), "b": sparse_values(70_000)}
    rows = bandwidth(values, engine, clock_mhz=CLOCK, codecs=["zvc"], memories=["ideal"], chain=["a", "b"])
    assert {(row["tensor"], row["block_values"]) for row in rows} == {
        ("a", can.block_values_for(9_000)),
        ("b", can.block_values_for(70_000)),
        (CHAIN, can.block_values_for(79_000)),
    }
    rows = chain_rates({"a": values["a"]}, engine, codecs=["zvc"], runs=((1, 9_000), (3, 30_000)))
    assert {(row["jobs"], row["block_values"]) for row in rows} == {(1, can.block_values_for(9_000)), (3, can.block_values_for(90_000))}


def test_bound(engine: Engine) -> None:
    assert bound(engine, "apack", "decompress", "stream", 9.0) == 1  # the lane
    assert bound(engine, "zvc", "compress", "ddr", 9.0) == 4
    assert bound(engine, "raw", "decompress", "stream", 0.5) == 4  # the port
    assert bound(engine, "raw", "decompress", "stream", 9.0) == 8  # the raw side


def test_totals(rows: list[dict[str, Any]]) -> None:
    sums = totals(rows)
    assert len(sums) == len(rows)  # one tensor of each kind
    both = totals([{**row, "kind": "tensor"} for row in rows])
    assert len(both) == len(rows) // 2
    for row in both:
        members = [one for one in rows if all(one[name] == row[name] for name in ("codec", "direction", "endpoint", "memory"))]
        assert row["tensors"] == len(members) == 2 and row["ok"]
        assert row["cycles"] == sum(one["cycles"] for one in members)
        assert row["ratio"] == sum(one["raw_bytes"] for one in members) / sum(one["coded_bytes"] for one in members)
    assert not totals([{**rows[0], "ok": False}])[0]["ok"]


def test_limits(engine: Engine) -> None:
    assert limits(engine, "decompress", "stream", 150.0) == {"port": 1.2, "lanes": 0.15, "raw side": 1.2}


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_picture(engine: Engine, rows: list[dict[str, Any]], tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    bounds = {f"{way}, {side}": limits(engine, way, side, CLOCK) for way in ("compress", "decompress") for side in ("ddr", "stream")}  # type: ignore[arg-type]
    path = draw(rows, bounds, tmp_path / f"plot.{suffix}", "one lane")
    assert path.read_bytes()[:4] == {"png": b"\x89PNG", "svg": b"<?xm"}[suffix]
    assert path.stat().st_size > 10_000


def test_refusals(engine: Engine) -> None:
    values = {"a": sparse_values(1000)}
    with pytest.raises(InputError, match="no memory 'sram'; it has ideal, ddr3"):
        bandwidth(values, engine, clock_mhz=CLOCK, memories=["sram"])
    with pytest.raises(InputError, match="unknown codec 'gzip'"):
        bandwidth(values, engine, clock_mhz=CLOCK, codecs=["gzip"])
    with ModelDevice() as model:
        with pytest.raises(InputError, match="counts no cycles"):
            bandwidth(values, Engine(model), clock_mhz=CLOCK)
        assert memories_of(Engine(model)) == ("real",)
