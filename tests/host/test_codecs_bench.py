# SPDX-License-Identifier: Apache-2.0
"""The software benchmark: a row for each direction, sizes as the codecs make them. No times are judged."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tensorpress.bench_software import bench
from tensorpress.codecs import Coding, encode
from tensorpress.errors import InputError

KEYS = {"network", "tensor", "kind", "codec", "direction", "device", "values", "raw_bytes", "coded_bytes", "mb_per_s", "ok"}


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    tensors = {
        "weight/a": rng.normal(0, 9, 5000).astype(np.int8),
        "act/b": (rng.normal(0, 9, (50, 60)) * (rng.random((50, 60)) < 0.4)).astype(np.int16),
    }
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    said: list[str] = []
    rows = bench(tensors, network="net", compressors=("zlib-6", "lz4"), progress=said.append)
    assert [(row["tensor"], row["codec"], row["direction"]) for row in rows] == [
        (tensor, codec, direction)
        for tensor in tensors
        for codec in ("zvc", "ebpc", "apack", "zlib-6")
        for direction in ("compress", "decompress")
    ]
    assert said[0] == "lz4 is left out: the package lz4 is not installed"
    for row in rows:
        assert set(row) == KEYS and row["ok"] is True and row["mb_per_s"] > 0
        assert row["network"] == "net" and row["device"] == "software"
        assert row["kind"] == ("weight" if row["tensor"] == "weight/a" else "activation")
        assert (row["values"], row["raw_bytes"]) == ((5000, 5000) if row["tensor"] == "weight/a" else (3000, 6000))
    sizes = {(row["tensor"], row["codec"]): row["coded_bytes"] for row in rows}
    assert sizes["act/b", "ebpc"] == encode(tensors["act/b"], Coding("ebpc", width=16, block_values=2048)).nbytes
    with pytest.raises(InputError, match="unknown compressor"):
        bench(tensors, compressors=("gzip",))
