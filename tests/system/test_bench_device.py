# SPDX-License-Identifier: Apache-2.0
"""The benchmark's rows: which there are, and that their numbers fit together."""

from __future__ import annotations

import numpy as np
import pytest
from cases import codecs_of, sparse_values
from tensorpress.bench_device import LEAST_VALUES, bench
from tensorpress.engine import Engine
from tensorpress.errors import DeviceError, InputError


def test_rows(engine: Engine, request: pytest.FixtureRequest) -> None:
    build = request.node.callspec.params["device"].partition("-")[2]
    lanes = {"inference": 16, "small": 2}.get(build, 8)
    lines: list[str] = []
    tensors = {
        "act/a": sparse_values(20_000).reshape(100, 200).view(np.int8),
        "weight/b": np.zeros(9, np.uint8),
        "c": np.zeros(20_000, np.int16),
        "d": sparse_values(30_000, seed=3),
    }
    rows = bench(tensors, engine, network="net", zeros={"act/a": -3}, kinds={"d": "weight"}, least_values=10_000, progress=lines.append)
    codecs = codecs_of(engine)
    assert len(rows) == 2 * len(codecs) * 4
    assert [row["tensor"] for row in rows] == ["act/a"] * 4 * len(codecs) + ["d"] * 4 * len(codecs)
    assert {(row["codec"], row["direction"], row["endpoint"]) for row in rows} == {
        (codec, direction, endpoint) for codec in codecs for direction in ("compress", "decompress") for endpoint in ("ddr", "stream")
    }
    for row in rows:
        assert row["ok"] is True
        assert row["network"] == "net"
        assert row["kind"] == {"act/a": "act", "d": "weight"}[row["tensor"]]
        assert row["device"] == engine.device.name
        assert row["lanes"] == lanes
        assert row["values"] == row["raw_bytes"] == {"act/a": 20_000, "d": 30_000}[row["tensor"]]
        if row["codec"] == "raw":
            assert row["coded_bytes"] == row["raw_bytes"] + 8 * -(-row["values"] // 4096)
        elif row["tensor"] == "d":
            assert row["coded_bytes"] < row["raw_bytes"]
        if engine.device.has_cycles:
            assert row["cycles"] == row["count_cycles"] > 0
            assert row["values_per_cycle"] == row["values"] / row["cycles"]
        else:
            assert row["cycles"] is row["values_per_cycle"] is None
    assert len(lines) == 4
    assert "weight/b is left out: it has 9 values, fewer than 10000" in lines
    assert "c is left out: the hardware does 8-bit integers, this is int16" in lines
    assert LEAST_VALUES >= 256 << 10


def test_refusals(engine: Engine) -> None:
    tensors = {"a": sparse_values(1000)}
    with pytest.raises(InputError, match="unknown codec 'gzip'"):
        bench(tensors, engine, codecs=["gzip"], least_values=1)
    with pytest.raises(InputError, match="endpoint"):
        bench(tensors, engine, codecs=["raw"], endpoints=["usb"], least_values=1)  # type: ignore[list-item]
    missing = {"zvc", "ebpc", "apack"} - set(engine.capabilities.codecs)
    for codec in missing:
        with pytest.raises(DeviceError, match="not built in"):
            bench(tensors, engine, codecs=[codec], least_values=1)
