# SPDX-License-Identifier: Apache-2.0
"""tests/vectors are what the script makes, and all implementations agree with them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import make_vectors
import numpy as np
import pytest
from apack_oracle import EndOfStream
from apack_oracle import decode_block as oracle
from host_support import ROOT
from tensorpress.codecs import Coded, Coding, decode, decode_block, encode, encode_block, split_entry, values_from_raw
from tensorpress.errors import FormatError

FOLDER = ROOT / "tests" / "vectors"
NAMES = ("raw", "zvc", "ebpc", "apack")
IMPLEMENTATIONS = ("reference", "fast")


@cache
def load(name: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["vectors"]


def parameters(*names: str) -> list[Any]:
    return [pytest.param(vector, id=f"{name}-{vector['name']}") for name in names for vector in load(name)]


def images(vector: dict[str, Any]) -> tuple[Coding, Coded, np.ndarray]:
    coded = Coded(*(np.frombuffer(bytes.fromhex(vector[key]), np.uint64) for key in ("index", "payload")))
    values = values_from_raw(bytes.fromhex(vector["raw"]), vector["values"], vector["width"])
    return make_vectors.coding_of(vector), coded, values


def test_the_script_makes_these_files() -> None:
    made = make_vectors.files()
    assert set(made) == {f"{name}.json" for name in (*NAMES, "corrupt")}
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name} differs: run scripts/make_vectors.py"
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000


def test_the_edges_are_there() -> None:
    counts = {name: len(load(name)) for name in (*NAMES, "corrupt", "ebpc_peer")}
    assert counts["zvc"] >= 60 and counts["ebpc"] >= 50 and counts["apack"] >= 60 and counts["corrupt"] == 41 and counts["ebpc_peer"] == 16
    names = {vector["name"] for vector in load("apack")}
    for target in (17, 20, 40, 63, 64):
        assert f"w8_pending{target}_coders8" in names


@pytest.mark.parametrize("vector", parameters(*NAMES))
def test_good(vector: dict[str, Any]) -> None:
    coding, coded, values = images(vector)
    for implementation in IMPLEMENTATIONS:
        made = encode(values, coding, implementation=implementation)
        assert made.index.tobytes().hex() == vector["index"]
        assert made.payload.tobytes().hex() == vector["payload"]
        back = decode(coded, len(values), coding, implementation=implementation)
        assert back.dtype == values.dtype and np.array_equal(back, values)


@pytest.mark.parametrize("vector", parameters("corrupt"))
def test_corrupt(vector: dict[str, Any]) -> None:
    coding, coded, values = images(vector)
    for implementation in IMPLEMENTATIONS:
        with pytest.raises(FormatError) as caught:
            decode(coded, len(values), coding, implementation=implementation)
        assert caught.value.block == vector["error"]["block"]
        assert ("streams end" in str(caught.value)) == (vector["error"]["where"] == "streams")


@pytest.mark.parametrize("vector", parameters("apack"))
def test_apack_against_the_independent_decoder(vector: dict[str, Any]) -> None:
    coding, coded, values = images(vector)
    assert coding.table is not None
    checked = 0
    for number, entry in enumerate(coded.index.tolist()):
        offset, a_words, b_words, raw = split_entry(entry)
        if raw:
            continue
        start = number * coding.block_values
        expected = values[start : start + coding.block_values].tolist()
        data = coded.payload[offset : offset + a_words + b_words].tobytes()
        arguments = (len(expected), coding.width, list(coding.table.vmin), list(coding.table.cum), coding.coders)
        assert oracle(data[: 8 * a_words], data[8 * a_words :], *arguments) == expected
        with pytest.raises(EndOfStream):
            oracle(data[: 8 * a_words - 8], data[8 * a_words :], *arguments)
        checked += 1
    assert checked == len(coded.index) - coded.raw_blocks


def test_pending_vectors_hit_the_limit_exactly() -> None:
    seen = 0
    for vector in load("apack"):
        if "pending" not in vector["name"]:
            continue
        coding, coded, values = images(vector)
        block = encode_block(values, coding)
        past = "pending64" in vector["name"]
        assert block.limit == past and block.raw == past and coded.raw_blocks == past
        assert (len(block.a_stream) == 0) == past
        seen += 1
    assert seen == 20


@pytest.mark.parametrize("vector", parameters("ebpc_peer"))
def test_ebpc_peer(vector: dict[str, Any]) -> None:
    width = vector["width"]
    values = values_from_raw(bytes.fromhex(vector["raw"]), vector["values"], width)
    coding = Coding("ebpc", width=width, block_values=16384 // width)
    block = encode_block(values, coding)
    assert (block.a_bits, block.b_bits) == (vector["a_bits"], vector["b_bits"])
    for stream, key in ((block.a_stream, "a"), (block.b_stream, "b")):
        expected = bytes.fromhex(vector[key])
        made = stream.byteswap().tobytes()
        assert made[: len(expected)] == expected
        assert not any(made[len(expected) :]) and len(made) - len(expected) < 8
    back, corrupt = decode_block(block.a_stream, block.b_stream, len(values), coding)
    assert not corrupt and np.array_equal(back, values)
