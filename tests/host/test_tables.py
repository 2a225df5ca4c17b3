# SPDX-License-Identifier: Apache-2.0
"""APack tables: rules, search, files."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_support import peaked_table, random_table
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorpress.codecs import Coding, decode, encode
from tensorpress.errors import FormatError, InputError, TableError
from tensorpress.tables import (
    Table,
    candidate_boundaries,
    cost_bits,
    histogram,
    load_tables,
    optimal_table,
    paper_table,
    profile,
    save_tables,
    table_bytes,
)

VMIN = tuple(range(0, 256, 16))
CUM = tuple(range(0, 1025, 64))


def changed(numbers: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*numbers[:place], value, *numbers[place + 1 :])


def test_offset_lengths() -> None:
    assert Table(8, VMIN, CUM).ol == (4,) * 16
    vmin = (0, 1, 3, 6, 10, 15, 32, 65, 66, 67, 68, 69, 70, 71, 72, 73)
    assert Table(8, vmin, CUM).ol == (0, 1, 2, 2, 3, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8)
    assert Table(4, tuple(range(16)), CUM).ol == (0,) * 16
    assert Table(16, tuple(range(16)), CUM).ol == (0,) * 15 + (16,)


@pytest.mark.parametrize(
    ("width", "vmin", "cum", "text"),
    [
        (8, changed(VMIN, 0, 1), CUM, "row 0: vmin"),
        (8, changed(VMIN, 5, 64), CUM, "row 5: vmin 64 does not pass"),
        (8, changed(VMIN, 15, 256), CUM, "row 15: vmin 256 is not below"),
        (4, VMIN, CUM, "not below 2\\^4"),
        (8, VMIN[:-1], CUM, "vmin must have 16"),
        (8, VMIN, CUM[:-1], "cum must have 17"),
        (8, VMIN, changed(CUM, 0, 1), "row 0: cum"),
        (8, VMIN, changed(CUM, 3, 128), "row 2: its count is 0"),
        (8, VMIN, changed(CUM, 16, 1023), "row 15: the counts end at 1023"),
        (8, VMIN, changed(CUM, 3, 192.0), "row 3: cum is not an integer"),
        (8, changed(VMIN, 1, True), CUM, "row 1: vmin is not an integer"),
        (32, VMIN, CUM, "width 32"),
        (8, "0123456789abcdef", CUM, "vmin must be a sequence"),
        (8, None, CUM, "vmin must be a sequence"),
    ],
)
def test_rules(width: int, vmin: Any, cum: Any, text: str) -> None:
    with pytest.raises(TableError, match=text):
        Table(width, vmin, cum)


@pytest.mark.parametrize("width", [4, 8, 16])
def test_json_and_files(width: int, tmp_path: Path) -> None:
    tables = {f"t{k}/ä": random_table(np.random.default_rng(k), width) for k in range(3)}
    for table in tables.values():
        assert Table.from_json(json.loads(json.dumps(table.to_json())), width) == table
    path = tmp_path / "tables.json"
    save_tables(path, tables)
    assert load_tables(path) == tables
    assert [entry.name for entry in tmp_path.iterdir()] == ["tables.json"]


def test_files_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tables.json"
    with pytest.raises(InputError, match="cannot read"):
        load_tables(path)
    with pytest.raises(InputError, match="cannot write"):
        save_tables(tmp_path / "none" / "x.json", {})
    with pytest.raises(InputError, match="must map"):
        save_tables(path, {"a": 3})  # type: ignore[dict-item]
    good = {"width": 8, "vmin": list(VMIN), "cum": list(CUM)}
    for text, kind, message in (
        ("", FormatError, "not a JSON"),
        ("[" * 100000, FormatError, "not a JSON"),
        ("[]", FormatError, "no format number"),
        ('{"format": 2, "tables": {}}', FormatError, "format 2"),
        ('{"format": true, "tables": {}}', FormatError, "format True"),
        ('{"format": 1}', FormatError, "no object"),
        (json.dumps({"format": 1, "tables": {"conv": 3}}), TableError, "tensor 'conv'"),
        (json.dumps({"format": 1, "tables": {"conv": {**good, "width": None}}}), TableError, "tensor 'conv': table width"),
        (json.dumps({"format": 1, "tables": {"conv": {**good, "cum": [0] * 17}}}), TableError, "tensor 'conv': row 0: its count"),
        (json.dumps({"format": 1, "tables": {"conv": {"width": 8}}}), TableError, "list 'vmin'"),
    ):
        path.write_text(text)
        with pytest.raises(kind, match=message):
            load_tables(path)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_files_with_flipped_bytes(seed: int, flips: int) -> None:
    import tempfile

    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables.json"
        save_tables(path, {"a": random_table(rng), "b": peaked_table()})
        content = bytearray(path.read_bytes())
        for _ in range(flips):
            content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(bytes(content[: rng.integers(len(content)) if seed % 4 == 0 else None]))
        try:
            tables = load_tables(path)
        except (FormatError, TableError):
            return
        assert all(isinstance(table, Table) for table in tables.values())


def ideal_cost(hist: np.ndarray, vmin: list[int], width: int) -> float:
    """The cost that the search minimises, in plain arithmetic."""
    total, ends = int(hist.sum()), [*vmin[1:], 1 << width]
    bits = 0.0
    for start, end in zip(vmin, ends, strict=True):
        inside = int(hist[start:end].sum())
        if inside:
            bits += inside * (math.ceil(math.log2(end - start)) - math.log2(inside / total))
    return bits


@pytest.mark.parametrize("seed", range(4))
def test_optimal_is_exact(seed: int) -> None:
    """Against a search through all tables: 15 of the boundaries of 20 values, the values above never occur."""
    rng = np.random.default_rng(seed)
    hist = np.zeros(256, np.int64)
    hist[:18] = rng.integers(0, 50, 18)
    best = min(ideal_cost(hist, [0, *inner], 8) for inner in itertools.combinations(range(1, 19), 15))
    assert ideal_cost(hist, list(optimal_table(hist).vmin), 8) <= best + 1e-6


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_optimal_is_never_worse(seed: int) -> None:
    """No boundary moved by itself makes it better, and neither the paper's search nor random tables are."""
    rng = np.random.default_rng(seed)
    hist = np.bincount((rng.normal(0, rng.uniform(1, 60), 3000).astype(int)) % 256, minlength=256) * (rng.random(256) < rng.uniform(0.2, 1))
    hist[0] += 1
    vmin = list(optimal_table(hist).vmin)
    best = ideal_cost(hist, vmin, 8)
    assert best <= ideal_cost(hist, list(paper_table(hist).vmin), 8) + 1e-6
    assert best <= ideal_cost(hist, list(random_table(rng).vmin), 8) + 1e-6
    for row in range(1, 16):
        for place in (vmin[row] - 1, vmin[row] + 1):
            other = [*vmin[:row], place, *vmin[row + 1 :]]
            if sorted(set(other)) == other and place < 256:
                assert best <= ideal_cost(hist, other, 8) + 1e-6


@pytest.mark.parametrize("width", [4, 8, 16])
def test_searches_at_all_widths(width: int) -> None:
    rng = np.random.default_rng(width)
    top = 1 << width
    for values in (
        np.array([top - 1]),
        np.full(1000, top // 2 - 1),
        rng.integers(0, top, 5000),
        np.rint(rng.normal(0, top / 40 + 1, 5000)).astype(np.int64) % top,
    ):
        values = values.astype(np.uint16 if width == 16 else np.uint8)
        hist = histogram(values, width)
        optimal, paper = optimal_table(hist, width), paper_table(hist, width)
        assert cost_bits(hist, optimal) <= cost_bits(hist, paper) * 1.01 + 1
        for table in (optimal, paper):
            coding = Coding("apack", width=width, block_values=1024 // width, table=table)
            assert np.array_equal(decode(encode(values, coding), len(values), coding), values)


def test_candidates() -> None:
    counts = histogram(np.random.default_rng(1).normal(0, 900, 20000).astype(np.int16), 16)
    bounds = candidate_boundaries(counts, 16)
    assert len(bounds) <= 1024 and bounds[0] == 0 and bounds[-1] == 65536 and (np.diff(bounds) > 0).all()
    assert set(range(0, 65537, 4096)) <= set(bounds.tolist())
    few = candidate_boundaries(histogram(np.array([5], np.uint16), 16), 16)
    assert {5, 6} <= set(few.tolist()) and len(few) >= 17


def test_shares_follow_the_counts() -> None:
    hist = np.zeros(256, np.int64)
    hist[:16] = [1000, 10] + [0] * 13 + [1]
    table = optimal_table(hist)
    shares = np.diff(table.cum)
    assert shares.min() == 1 and shares.sum() == 1024
    assert shares[np.searchsorted(table.vmin, 0, side="right") - 1] > 900


def test_histogram_and_cost() -> None:
    assert histogram(np.array([-1, -1, 0, 5], np.int8)).tolist() == [1, 0, 0, 0, 0, 1] + [0] * 249 + [2]
    hist = histogram(np.arange(256, dtype=np.uint8).repeat(3))
    assert cost_bits(hist, Table(8, VMIN, CUM)) == pytest.approx(256 * 3 * 8)
    for wrong in (np.zeros(256, np.int64), np.ones(255, np.int64), -np.ones(256, np.int64), np.ones(256)):
        with pytest.raises(InputError):
            optimal_table(wrong)
    with pytest.raises(InputError):
        histogram(np.zeros(3, np.uint32), 32)
    assert [table_bytes(width) for width in (4, 8, 16)] == [40, 48, 64]


@pytest.mark.parametrize("count", [10, 100000])
def test_profile_leaves_unseen_values_cheap(count: int) -> None:
    rng = np.random.default_rng(count)
    tensors = [np.rint(rng.normal(0, 3, count)).clip(-20, 20).astype(np.int8) for _ in range(3)]
    hist = profile(tensors)
    seen = sum(histogram(tensor) for tensor in tensors)
    assert hist.min() >= 1
    spread = hist.min() * 256 / hist.sum()  # no tensor has 127
    assert 1 / 512 < spread <= 1 / 256
    factor = (hist.sum() - 256 * hist.min()) // seen.sum()
    assert np.array_equal(hist, seen * factor + hist.min())
    table = optimal_table(hist)
    assert cost_bits(seen, table) <= cost_bits(seen, optimal_table(seen)) * 1.03 + 8
    for value in range(256):
        one = np.zeros(256, np.int64)
        one[value] = 1
        assert cost_bits(one, table) <= 18
    with pytest.raises(InputError):
        profile([])


def test_compressed_size_is_near_the_cost() -> None:
    values = np.rint(np.random.default_rng(8).normal(0, 12, 65536)).astype(np.int8)
    hist = histogram(values)
    table = optimal_table(hist)
    coded = encode(values, Coding("apack", table=table))
    # 16 blocks of at most 8 parts beyond the ideal, and the filling of two words
    assert cost_bits(hist, table) / 8 < coded.nbytes < cost_bits(hist, table) / 8 * 1.002 + 16 * (8 + 8 * 3 + 16)
