# SPDX-License-Identifier: Apache-2.0
"""Jobs that go well, on every device: the coded image equals the model's byte for byte, and the values come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import (
    BLOCK,
    CODECS,
    EDGES,
    assert_same_image,
    assert_same_values,
    codecs_of,
    coding_for,
    mixed_values,
    random_values,
    sparse_values,
    table_for,
)
from tensorpress.codecs import encode
from tensorpress.device import BufferPart
from tensorpress.device.base import PoolDevice
from tensorpress.engine import Engine

ENDPOINTS = ("ddr", "stream")


def _need(engine: Engine, codec: str) -> None:
    if codec not in engine.capabilities.codecs:
        pytest.skip(f"this device is built without {codec}")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("codec", CODECS)
def test_edges(engine: Engine, codec: str, edge: str, endpoint: str) -> None:
    _need(engine, codec)
    values = EDGES[edge]()
    coding = coding_for(engine, codec, values)
    expected = encode(values, coding)

    compressed = engine.compress(values, coding, source=endpoint)  # type: ignore[arg-type]
    assert_same_image(compressed.coded, expected)
    assert compressed.blocks == len(expected.index)
    assert compressed.raw_blocks == expected.raw_blocks
    assert compressed.payload_words == len(expected.payload)

    decompressed = engine.decompress(expected, values.size, coding, sink=endpoint)  # type: ignore[arg-type]
    assert_same_values(decompressed.values, values)
    assert decompressed.blocks == len(expected.index)
    assert decompressed.raw_blocks == expected.raw_blocks
    assert decompressed.payload_words == len(expected.payload)


@pytest.mark.parametrize("codec", CODECS)
def test_block_sizes(engine: Engine, codec: str) -> None:
    _need(engine, codec)
    largest = engine.capabilities.block_bytes
    for block in (128, 384, largest - 128, largest):
        values = mixed_values(9 * block + 13 if block < 1024 else 2 * block + 13, seed=block)
        coding = coding_for(engine, codec, values, block=block)
        expected = encode(values, coding)
        assert_same_image(engine.compress(values, coding).coded, expected)
        assert_same_values(engine.decompress(expected, values.size, coding).values, values)


@pytest.mark.parametrize("codec", ["zvc", "ebpc"])
@pytest.mark.parametrize("zero", [1, 128, 255])
def test_zero_point(engine: Engine, codec: str, zero: int) -> None:
    _need(engine, codec)
    values = (sparse_values(3000, seed=zero).astype(np.int64) + zero).astype(np.uint8)
    for signed in (True, False):
        coding = coding_for(engine, codec, values, zero=zero, signed=signed)
        expected = encode(values, coding)
        assert expected.raw_blocks < len(expected.index)
        assert_same_image(engine.compress(values, coding).coded, expected)
        assert_same_values(engine.decompress(expected, values.size, coding).values, values)


def test_int8_and_shape(engine: Engine) -> None:
    values = (sparse_values(6 * 7 * 11).astype(np.int8) - 3).reshape(6, 7, 11)
    coding = coding_for(engine, "zvc", values.view(np.uint8), zero=253)
    result = engine.compress(values, coding)
    assert_same_image(result.coded, encode(values, coding))
    assert result.coded is not None
    back = engine.decompress(result.coded, values.size, coding).values
    assert back is not None
    np.testing.assert_array_equal(back.view(np.int8).reshape(values.shape), values)


@pytest.mark.parametrize("codec", CODECS)
def test_raw_fallback(engine: Engine, codec: str) -> None:
    """Incompressible data cost 8 bytes a block and nothing more."""
    _need(engine, codec)
    values = random_values(20 * BLOCK + 9)
    coding = coding_for(engine, codec, values)
    result = engine.compress(values, coding)
    assert result.blocks == result.raw_blocks == 21
    assert result.payload_words == -(-values.size // 8)
    assert_same_image(result.coded, encode(values, coding))


def test_many_jobs(engine: Engine) -> None:
    """Codec, size, direction, endpoints and table change from job to job; nothing of one may show in the next."""
    rng = np.random.default_rng(7)
    codecs = codecs_of(engine)
    assert len(codecs) >= 2
    done = set()
    for number in range(40):
        codec = codecs[int(rng.integers(len(codecs)))]
        endpoint = ENDPOINTS[int(rng.integers(2))]
        values = mixed_values(int(rng.integers(1, 12 * BLOCK)), seed=number)
        coding = coding_for(
            engine, codec, values, block=int(rng.choice([128, 256, 512])), zero=int(rng.choice([0, 3])), signed=bool(rng.integers(2))
        )
        expected = encode(values, coding)
        if rng.integers(2):
            assert_same_image(engine.compress(values, coding, source=endpoint).coded, expected)  # type: ignore[arg-type]
        else:
            assert_same_values(engine.decompress(expected, values.size, coding, sink=endpoint).values, values)  # type: ignore[arg-type]
        done.add(codec)
    assert done == set(codecs)


def test_next_table_while_a_job_runs(engine: Engine, device: PoolDevice) -> None:
    """The table of the next job is loaded while one runs: that one keeps its table, the next has the new one."""
    _need(engine, "apack")
    values = sparse_values(12 * BLOCK)
    coding = coding_for(engine, "apack", values)
    following = replace(coding, table=table_for(random_values(values.size) % 50))
    assert following.table is not None
    for endpoint in ENDPOINTS:
        with engine.compress_job(values.size, coding, source="stream") as job:
            device.stream_send(values[: 5 * BLOCK], last=False)  # type: ignore[attr-defined]
            job.start()
            assert not device.wait(None, cycles=3000)  # type: ignore[attr-defined]
            assert engine.busy
            engine.load_table(following.table)
            device.stream_send(values[5 * BLOCK :])  # type: ignore[attr-defined]
            job.wait()
            assert_same_image(job.result().coded, encode(values, coding))
        with engine.compress_job(values.size, following, source=endpoint) as job:  # type: ignore[arg-type]
            job.load_values(values)
            job.start(load_table=False)
            job.wait()
            assert_same_image(job.result().coded, encode(values, following))


def test_kept_buffers(engine: Engine) -> None:
    """A job can run again and again on its buffers, with new data and with the old."""
    coding = coding_for(engine, "zvc", np.zeros(1, np.uint8))
    with engine.compress_job(5000, coding) as job:
        for seed in range(3):
            values = mixed_values(5000, seed)
            job.load_values(values)
            expected = encode(values, coding)
            for _ in range(2):
                assert_same_image(job.run().coded, expected)


@pytest.mark.parametrize("offset", [-8, 0, 8, 2048 + 24])
@pytest.mark.parametrize("count", [700, 701, 4096])
def test_addresses_and_bytes_around(device: PoolDevice, engine: Engine, offset: int, count: int) -> None:
    """Buffers that begin and end anywhere around a 4 KiB boundary, packed closely: no byte next to a destination changes."""
    values = mixed_values(count, seed=count + offset)
    coding = coding_for(engine, "zvc", values, block=128)
    expected = encode(values, coding)
    index_bytes, payload_bytes = 8 * len(expected.index), 8 * len(expected.payload)
    with device.allocate(8 * 4096, 4096) as whole:
        start = 4096 + offset

        def fill() -> None:
            whole.array[:] = np.arange(whole.nbytes) % 251
            whole.sync_to_device()

        fill()
        index = BufferPart(whole, start, index_bytes)
        payload = BufferPart(whole, start + index_bytes, payload_bytes)
        raw = BufferPart(whole, start + index_bytes + payload_bytes + 8, -(-count // 8) * 8)
        with engine.compress_job(count, coding, payload_words=len(expected.payload), raw=raw, index=index, payload=payload) as job:
            job.load_values(values)
            before = whole.array.copy()
            assert_same_image(job.run().coded, expected)
        before[start : start + index_bytes] = expected.index.view(np.uint8)
        before[start + index_bytes : start + index_bytes + payload_bytes] = expected.payload.view(np.uint8)
        whole.sync_from_device()
        np.testing.assert_array_equal(whole.array, before)

        fill()
        target = BufferPart(whole, raw.start, count)  # ends on any byte
        with engine.decompress_job(count, coding, len(expected.payload), raw=target, index=index, payload=payload) as job:
            job.load_coded(expected)
            before = whole.array.copy()
            assert_same_values(job.run().values, values)
        before[target.start : target.start + count] = values
        whole.sync_from_device()
        np.testing.assert_array_equal(whole.array, before)


def test_index_in_any_order(engine: Engine) -> None:
    """The index says where blocks lie: they may lie in any order, and one payload may serve several blocks."""
    values = sparse_values(8 * BLOCK)
    coding = coding_for(engine, "zvc", values)
    coded = encode(values, coding)
    order = np.array([3, 3, 0, 7, 1, 6, 6, 2])
    coded.index = coded.index[order]
    expected = values.reshape(8, BLOCK)[order].reshape(-1)
    assert_same_values(engine.decompress(coded, values.size, coding).values, expected)


@pytest.mark.parametrize("codec", CODECS)
def test_data_counters(engine: Engine, codec: str) -> None:
    """Every word crosses the bus exactly once."""
    _need(engine, codec)
    values = mixed_values(20 * BLOCK + 3)
    coding = coding_for(engine, codec, values)
    expected = encode(values, coding)
    coded_words, words = len(expected.index) + len(expected.payload), -(-values.size // 8)
    for endpoint, through_ddr in (("ddr", 1), ("stream", 0)):
        counters = engine.compress(values, coding, source=endpoint).counters  # type: ignore[arg-type]
        assert (counters["COUNT_READ_BEATS"], counters["COUNT_WRITE_BEATS"]) == (words * through_ddr, coded_words)
        counters = engine.decompress(expected, values.size, coding, sink=endpoint).counters  # type: ignore[arg-type]
        assert (counters["COUNT_READ_BEATS"], counters["COUNT_WRITE_BEATS"]) == (coded_words, words * through_ddr)
