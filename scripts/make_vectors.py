#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the test vectors tests/vectors/*.json (FORMAT.md section 7) from the reference models. Seeds are part of the names.

Usage: make_vectors.py [folder]
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "host"))

from tensorpress.codecs import Coded, Coding, decode, encode, encode_block, index_entry, split_entry  # noqa: E402
from tensorpress.errors import FormatError  # noqa: E402
from tensorpress.tables import Table, histogram, optimal_table  # noqa: E402
from tensorpress.values import UNSIGNED, raw_image  # noqa: E402

Values = npt.NDArray[Any]

PENDING = (17, 20, 40, 63, 64)
"""Largest number of pending bits of the adversarial apack vectors; 64 is past the limit."""


def edges(width: int, block: int, zero: int) -> dict[str, Values]:
    """Named values that every codec gets."""
    rng = np.random.default_rng(width)
    top = 1 << width

    def near(count: int) -> Values:
        return (np.rint(rng.normal(0, 3, count)).astype(np.int64) * (rng.random(count) < 0.6) + zero) % top

    cases = {
        "one_value": np.array([5 + zero]),
        "one_zero": np.array([zero]),
        "block_less_1_seed": near(block - 1),
        "block_seed": near(block),
        "block_plus_1_seed": near(block + 1),
        "three_blocks_and_a_bit_seed": near(3 * block + 7),
        "all_zero": np.full(2 * block, zero),
        "all_equal": np.full(2 * block, zero + 3),
        "no_zero_seed": 1 + zero + rng.integers(0, 4, block),
        "alternating": zero + np.tile([0, 1], block),
        "alternating_extremes": np.tile([top // 2, top // 2 - 1], block // 2),
        "ramp": np.arange(block),
        "expansion_seed": rng.integers(0, top, 2 * block),
        "raw_between_coded_seed": np.concatenate([near(block), rng.integers(0, top, block), near(block)]),
    }
    return {name.replace("seed", f"seed{width}"): (values % top).astype(UNSIGNED[width]) for name, values in cases.items()}


def pending_case(target: int, width: int, coders: int) -> tuple[Table, Values]:
    """A table and values that make each of ``coders`` coders reach exactly ``target`` pending bits.

    After a start of probable values each value is of the row that holds the middle of the interval, as nothing is put out then. Odd
    seeds end with
    probable values, even ones at once, so that the flush has the pending bits. Only the limit makes the block raw.
    """
    for seed in range(100000):
        rng = np.random.default_rng([target, width, seed])
        vmin = np.sort(rng.choice(np.arange(1, 1 << width), 15, replace=False)).tolist()
        cum = [0, *np.sort(rng.choice(np.arange(1, 1024), 15, replace=False)).tolist(), 1024]
        probable = np.diff(cum) ** 2 / np.sum(np.diff(cum) ** 2)
        start = rng.choice(16, 400 // coders, p=probable).tolist()
        rows: list[int] = []
        low, high, pending = 0, 0xFFFF, 0
        while pending < target and len(rows) < 600:
            size = high - low + 1
            middle = bisect_right([low + (size * count >> 10) for count in cum[:16]], 0x7FFF) - 1
            row = start[len(rows)] if len(rows) < len(start) else middle
            rows.append(row)
            low, high = low + (size * cum[row] >> 10), low + (size * cum[row + 1] >> 10) - 1
            while True:
                if high < 0x8000 or low >= 0x8000:
                    pending, base = 0, 0x8000 * (low >= 0x8000)
                elif low >= 0x4000 and high < 0xC000:
                    pending, base = pending + 1, 0x4000
                else:
                    break
                low, high = 2 * (low - base), 2 * (high - base) + 1
        if pending != target or len(rows) <= len(start):
            continue
        tail = rng.choice(16, 200 // coders, p=probable).tolist() if seed % 2 else []
        table = Table(width, (0, *vmin), tuple(cum))
        values = np.repeat(np.array([table.vmin[row] for row in rows + tail]), coders).astype(UNSIGNED[width])
        block = encode_block(values, Coding("apack", width=width, coders=coders, table=table))
        if block.raw == block.limit == (target > 63):
            return table, values
    raise AssertionError(f"no case with {target} pending bits found")


def described(name: str, values: Values, coding: Coding, coded: Coded) -> dict[str, Any]:
    """One vector: parameters, and memory images in hexadecimal."""
    entry: dict[str, Any] = {"name": name, "codec": coding.codec, "width": coding.width, "block_values": coding.block_values}
    if coding.definition.uses_zero:
        entry["zero"] = coding.zero
    if coding.definition.uses_signed:
        entry["signed"] = coding.signed
    if coding.table is not None:
        entry["coders"] = coding.coders
        entry["table"] = coding.table.to_json()
    return {
        **entry,
        "values": len(values),
        "raw": raw_image(values, coding.width).tobytes().hex(),
        "index": coded.index.tobytes().hex(),
        "payload": coded.payload.tobytes().hex(),
    }


def vector(name: str, values: Values, coding: Coding) -> dict[str, Any]:
    """Compress with the reference model, and check that it comes back."""
    coded = encode(values, coding, implementation="reference")
    if not np.array_equal(decode(coded, len(values), coding, implementation="reference"), values):
        raise AssertionError(f"{name} does not come back")
    return described(name, values, coding, coded)


def tables_for(values: Values, width: int) -> Table:
    """The optimal table of these values."""
    return optimal_table(histogram(values, width), width)


def good_vectors() -> dict[str, list[dict[str, Any]]]:
    """The vectors of each codec."""
    files: dict[str, list[dict[str, Any]]] = {"raw": [], "zvc": [], "ebpc": [], "apack": []}
    for width in (4, 8, 16, 32):
        block = 1024 // width
        for name, values in edges(width, block, 0).items():
            label = f"w{width}_{name}"
            if name.startswith(("one_value", "block")):
                files["raw"].append(vector(label, values, Coding("raw", width=width, block_values=block)))
            if width in (8, 16, 32):
                files["zvc"].append(vector(label, values, Coding("zvc", width=width, block_values=block)))
            if width in (8, 16):
                files["ebpc"].append(vector(label, values, Coding("ebpc", width=width, block_values=block)))
            if width in (4, 8, 16):
                coding = Coding("apack", width=width, block_values=block, table=tables_for(values, width))
                files["apack"].append(vector(label, values, coding))
        if width in (8, 16):
            for name, values in edges(width, block, 1 << (width - 1)).items():
                half = 1 << (width - 1)
                label = f"w{width}_zero{half}_{name}"
                files["zvc"].append(vector(label, values, Coding("zvc", width=width, block_values=block, zero=half)))
                coding = Coding("ebpc", width=width, block_values=block, zero=half, signed=False)
                files["ebpc"].append(vector(f"{label}_unsigned", values, coding))
    large = np.random.default_rng(4096)
    values = (np.rint(large.normal(0, 6, 4100)).clip(-128, 127) * (large.random(4100) < 0.5)).astype(np.int8).view(np.uint8)
    for codec in files:
        table = tables_for(values, 8) if codec == "apack" else None
        files[codec].append(vector("w8_default_block_plus_4_seed4096", values, Coding(codec, table=table)))
    for coders in (1, 2, 3, 7, 15, 16):
        coding = Coding("apack", block_values=1024, coders=coders, table=tables_for(values, 8))
        files["apack"].append(vector(f"w8_coders{coders}_seed4096", values[:1500], coding))
    for width in (8, 16):
        for coders in (1, 8):
            for target in PENDING:
                table, values = pending_case(target, width, coders)
                coding = Coding("apack", width=width, block_values=4096, coders=coders, table=table)
                files["apack"].append(vector(f"w{width}_pending{target}_coders{coders}", values, coding))
    return files


def corrupt_vectors() -> list[dict[str, Any]]:
    """Damaged tensors: each must end in an error at its block, found in the index or in the streams."""
    rng = np.random.default_rng(7)
    values = (np.rint(rng.normal(0, 9, 520)) * (rng.random(520) < 0.2)).astype(np.int8).view(np.uint8)
    vectors = []
    for codec in ("raw", "zvc", "ebpc", "apack"):
        coding = Coding(codec, block_values=128, table=tables_for(values, 8) if codec == "apack" else None)
        coded = encode(values, coding, implementation="reference")
        last = len(coded.index) - 1
        entries = [split_entry(entry) for entry in coded.index.tolist()]

        def add(name: str, kind: str, block: int, entry: int, coding: Coding = coding, coded: Coded = coded) -> None:
            index = coded.index.copy()
            index[block] = entry
            damaged = Coded(index, coded.payload)
            try:
                decode(damaged, len(values), coding, implementation="reference")
            except FormatError as error:
                if error.block != block:
                    raise AssertionError(f"{name}: error at block {error.block}, expected {block}") from error
            else:
                raise AssertionError(f"{name}: no error")
            described_vector = described(f"{coding.codec}_{name}_seed7", values, coding, damaged)
            vectors.append({**described_vector, "error": {"block": block, "where": kind}})

        offset, a_words, b_words, raw = entries[2]
        good_entry = index_entry(offset, a_words, b_words, raw)
        add("reserved_bit", "index", 2, good_entry | 1 << 62)
        add("past_the_payload", "index", 2, index_entry(len(coded.payload), a_words, b_words, raw))
        add("offset_all_ones", "index", 0, good_entry | 0xFFFFFFFF)
        add("entry_all_ones", "index", last, (1 << 64) - 1)
        add("not_smaller_than_raw", "index", 2, index_entry(0, 8, 8, False))
        add("raw_with_stream_a", "index", 1, index_entry(0, 1, 16, True))
        add("raw_too_short", "index", 1, index_entry(0, 0, 15, True))
        add("raw_too_long", "index", last, index_entry(0, 0, 2, True))
        if codec != "raw":
            add("no_words", "streams", 1, index_entry(0, 0, 0, False))
            add("stream_a_short", "streams", 2, index_entry(offset, a_words - 1, b_words, False))
            add("stream_b_short", "streams", 2, index_entry(offset, a_words, b_words - 1, False))
    return vectors


def render(note: str, vectors: list[dict[str, Any]]) -> str:
    """A file: one vector a line."""
    names = [entry["name"] for entry in vectors]
    if len(set(names)) != len(names):
        raise AssertionError("two vectors have one name")
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in vectors)
    return f'{{"note":{json.dumps(note)},"vectors":[\n{lines}\n]}}\n'


def files() -> dict[str, str]:
    """File name -> contents of everything that this script writes."""
    good = good_vectors()
    made = {
        f"{codec}.json": render(f"Tensors compressed with {codec}; made by scripts/make_vectors.py.", vectors)
        for codec, vectors in good.items()
    }
    note = "Damaged tensors and where their error is found; made by scripts/make_vectors.py."
    made["corrupt.json"] = render(note, corrupt_vectors())
    return made


def coding_of(entry: dict[str, Any]) -> Coding:
    """The coding of a vector."""
    coding = Coding(entry["codec"], width=entry["width"], block_values=entry["block_values"]) if "table" not in entry else None
    if coding is None:
        table = Table.from_json(entry["table"], entry["width"])
        return Coding(entry["codec"], width=entry["width"], block_values=entry["block_values"], coders=entry["coders"], table=table)
    return replace(coding, zero=entry.get("zero", 0), signed=entry.get("signed", True))


def main() -> int:
    """Write the files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "vectors"
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{folder / name}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
