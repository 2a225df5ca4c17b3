# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/FORMAT.md are what the models make."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from apack_oracle import decode_block as oracle
from host_support import DTYPES, ROOT
from tensorpress.codecs import CODECS, Coding, decode_block, encode_block, index_entry, raw_image, split_entry, values_from_raw
from tensorpress.container import Reader, compress_tensor, decompress_tensor, write
from tensorpress.tables import Table

TEXT = (ROOT / "docs" / "FORMAT.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```example ([a-z-]+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def fields(body: str) -> dict[str, str]:
    pairs = [line.split(" = ", 1) for line in body.strip().splitlines()]
    assert all(len(pair) == 2 for pair in pairs)
    return dict(pairs)


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split()]


def examples(kind: str) -> list[Any]:
    return [pytest.param(body, id=f"{kind}-{k}") for k, (name, body) in enumerate(EXAMPLES) if name == kind]


def test_all_examples_are_known() -> None:
    assert Counter(name for name, _ in EXAMPLES) == {"raw-image": 2, "index-entry": 2, "streams": 5, "file": 1}
    assert {fields(body)["codec"] for name, body in EXAMPLES if name == "streams"} == {"apack", "ebpc", "zvc"}


@pytest.mark.parametrize("body", examples("raw-image"))
def test_raw_image(body: str) -> None:
    example = fields(body)
    width, values, image = int(example["width"]), numbers(example["values"]), bytes.fromhex(example["image"])
    assert raw_image(np.array(values, DTYPES[width]), width).tobytes() == image
    assert values_from_raw(image, len(values), width).tolist() == values


@pytest.mark.parametrize("body", examples("index-entry"))
def test_index_entry(body: str) -> None:
    example = fields(body)
    parts = [int(example[key]) for key in ("offset", "a_words", "b_words", "raw")]
    entry = int.from_bytes(bytes.fromhex(example["bytes"]), "little")
    assert index_entry(parts[0], parts[1], parts[2], bool(parts[3])) == entry
    assert list(split_entry(entry)) == parts


@pytest.mark.parametrize("body", examples("streams"))
def test_streams(body: str) -> None:
    example = fields(body)
    width, values = int(example["width"]), numbers(example["values"])
    table = Table(width, tuple(numbers(example["vmin"])), tuple(numbers(example["cum"]))) if "vmin" in example else None
    coding = Coding(
        example["codec"],
        width=width,
        block_values=1024 // width,
        zero=int(example.get("zero", 0)),
        signed=example.get("signed", "1") == "1",
        coders=int(example.get("S", 8)),
        table=table,
    )
    block = encode_block(np.array(values, DTYPES[width]), coding)
    a, b = bytes.fromhex(example["a"]), bytes.fromhex(example["b"])
    assert block.a_stream.byteswap().tobytes() == a
    assert block.b_stream.byteswap().tobytes() == b
    decoded, corrupt = decode_block(block.a_stream, block.b_stream, len(values), coding)
    assert decoded.tolist() == values and not corrupt
    if table is not None:
        assert oracle(a, b, len(values), width, list(table.vmin), list(table.cum), coding.coders) == values
        # Each coder asks for one part beyond its first, so its bits are the parts k and k + S.
        for k in range(2):
            bits = "".join(format(byte, "08b") for part in (k, k + 2) for byte in a[2 * part : 2 * part + 2])
            assert bits == example[f"coder{k}"].ljust(32, "0")
        for k, coder in enumerate((example["coder0"], example["coder1"])):
            assert sum(numbers(example["shifts"])[k::2]) + 2 == len(coder)


def test_file(tmp_path: Any) -> None:
    body = next(body for name, body in EXAMPLES if name == "file")
    content = bytes.fromhex("".join(line[6:53] for line in body.splitlines()))
    assert [int(line[:4], 16) for line in body.splitlines()] == list(range(0, len(content), 16))
    path = tmp_path / "example.tpz"
    path.write_bytes(content)
    values = np.zeros(24, np.uint8)
    values[[1, 4, 5]] = 7, 255, 1
    with Reader(path) as reader:
        assert reader.names == ["t"] and reader.metadata == {}
        tensor = reader.tensor("t")
        assert split_entry(int(tensor.coded.index[0])) == (0, 1, 1, False)
        assert np.array_equal(decompress_tensor(tensor), values)
    write(tmp_path / "again.tpz", [compress_tensor("t", values, codec="zvc", block_values=128)])
    assert (tmp_path / "again.tpz").read_bytes() == content


def test_codec_numbers_are_the_documented_ones() -> None:
    rows = re.findall(r"^\| (\d) \| `(\w+)` \| .*? \| .*? \| ([\d, ]+) \|", TEXT, re.MULTILINE)
    documented = {name: (int(number), tuple(int(width) for width in widths.split(", "))) for number, name, widths in rows}
    assert documented == {name: (codec.number, codec.widths) for name, codec in CODECS.items()}
