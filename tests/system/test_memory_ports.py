# SPDX-License-Identifier: Apache-2.0
"""The engine with two memory ports: the rates that they are there for, and errors, pauses, aborts and queues at both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from cases import BLOCK, assert_same_image, assert_same_values, coding_for, mixed_values, random_values, sparse_values
from shared_devices import TWO_PORTS, settle, verilated
from tensorpress.codecs import encode
from tensorpress.device.verilated import HEAVY_STALLS, LIGHT_STALLS, LONG_STALLS, Stall, Timing, VerilatedDevice
from tensorpress.engine import Engine
from tensorpress.errors import JobError
from test_queue import run as run_queue
from test_queue import some_items

LONG = 512 << 10
"""Values of a tensor whose rate is measured."""


@pytest.fixture
def device() -> Iterator[VerilatedDevice]:
    shared = verilated(**TWO_PORTS)
    yield shared
    settle(shared)


@pytest.fixture
def engine(device: VerilatedDevice) -> Engine:
    return Engine(device)


def round_trips(engine: Engine, values: np.ndarray) -> None:
    """Both codecs, directions and raw sides, compared with the model; the memory's beats are the engine's."""
    for codec in ("raw", "zvc"):
        coding = coding_for(engine, codec, values)
        expected = encode(values, coding)
        for side in ("ddr", "stream"):
            beats = engine.device.statistic("read_beats")  # type: ignore[attr-defined]
            compressed = engine.compress(values, coding, source=side)  # type: ignore[arg-type]
            assert_same_image(compressed.coded, expected)
            result = engine.decompress(expected, values.size, coding, sink=side)  # type: ignore[arg-type]
            assert_same_values(result.values, values)
            beats = engine.device.statistic("read_beats") - beats  # type: ignore[attr-defined]
            assert compressed.counters["COUNT_READ_BEATS"] + result.counters["COUNT_READ_BEATS"] == beats


def test_capabilities(engine: Engine) -> None:
    assert engine.capabilities.memory_ports == 2
    assert str(engine.capabilities).endswith(", two memory ports")


@pytest.mark.parametrize("codec", ["raw", "zvc"])
def test_raw_blocks_to_a_wide_stream(device: VerilatedDevice, engine: Engine, codec: str) -> None:
    """What cannot be compressed feeds a stream of 16 bytes: half of it comes through each port."""
    values = random_values(LONG)
    coding = coding_for(engine, codec, values, block=4096)
    before = device.statistic("second_port_beats")
    result = engine.decompress(encode(values, coding), LONG, coding, sink="stream")
    assert_same_values(result.values, values)
    assert device.statistic("second_port_beats") - before == LONG // 16
    assert result.cycles is not None and LONG / result.cycles >= 15, LONG / (result.cycles or 1)


def test_compressing_reads_through_both_ports(engine: Engine) -> None:
    """Sparse values, so that the one port that writes is not the limit; 4 lanes of zvc take 16 values a cycle."""
    values = sparse_values(LONG, density=0.2)
    coding = coding_for(engine, "zvc", values, block=4096)
    result = engine.compress(values, coding)
    assert_same_image(result.coded, encode(values, coding))
    assert result.cycles is not None and LONG / result.cycles >= 14, LONG / (result.cycles or 1)


def test_both_ports_share_one_ddr3(device: VerilatedDevice, engine: Engine) -> None:
    """More than a port gives (8 bytes a cycle), and less than the DRAM's 2.1 GB/s at 150 MHz."""
    values = random_values(LONG)
    coding = coding_for(engine, "raw", values, block=4096)
    device.set_memory("ddr3")
    result = engine.decompress(encode(values, coding), LONG, coding, sink="stream")
    assert_same_values(result.values, values)
    assert result.cycles is not None and 9 < LONG / result.cycles < 14, LONG / (result.cycles or 1)


STALLS = {
    "light": LIGHT_STALLS,
    "heavy": HEAVY_STALLS,
    "long": LONG_STALLS,
    **{name: {name: Stall(0.9, 9)} for name in ("ar", "r", "ar1", "r1")},
    "first": {"ar": Stall(0.02, 400), "r": Stall(0.02, 400)},
    "second": {"ar1": Stall(0.02, 400), "r1": Stall(0.02, 400)},
}


@pytest.mark.parametrize("stalls", STALLS)
def test_pauses(device: VerilatedDevice, engine: Engine, stalls: str) -> None:
    """At both ports, and at one while the other runs ahead of it."""
    device.configure(Timing(read_latency=17, read_outstanding=3, stalls=STALLS[stalls]))
    round_trips(engine, mixed_values(40 * BLOCK + 5))
    run_queue(engine, some_items(engine, 20, seed=6))


@pytest.mark.parametrize("response", ["SLVERR", "DECERR"])
@pytest.mark.parametrize("stalls", [{}, {"r": Stall(0.1, 40)}, {"r1": Stall(0.1, 40)}], ids=["none", "first_late", "second_late"])
@pytest.mark.parametrize("port", [0, 1])
def test_errors_name_their_block(device: VerilatedDevice, engine: Engine, port: int, stalls: dict[str, Stall], response: str) -> None:
    """Of each port's own blocks, in both directions; the next job is right."""
    values = mixed_values(12 * BLOCK + 40, seed=3)
    coding = coding_for(engine, "zvc", values)
    expected = encode(values, coding)
    lanes = engine.capabilities.lanes
    device.configure(Timing(stalls=stalls))
    blocks = [block for block in range(13) if block % lanes % 2 == port]
    for place in range(len(blocks)):
        for direction in ("compress", "decompress") if port else ("compress",):  # the first port brings the index as well
            sizes = [coding.raw_words_of(block, values.size) for block in blocks]
            if direction == "decompress":
                sizes = [(int(expected.index[block]) >> 32 & 0x7FFF) + (int(expected.index[block]) >> 47 & 0x7FFF) for block in blocks]
            for beat in (sum(sizes[:place]), sum(sizes[: place + 1]) - 1):
                device.fail_reads(beat, response=response, port=port)  # type: ignore[arg-type]
                with pytest.raises(JobError) as caught:
                    engine.compress(values, coding) if direction == "compress" else engine.decompress(expected, values.size, coding)
                assert (caught.value.name, caught.value.block) == ("READ_RESPONSE", blocks[place])
                device.fail_reads(0, 0, port=port)  # type: ignore[arg-type]
        assert_same_image(engine.compress(values, coding).coded, expected)


@pytest.mark.parametrize("number", [2, 40])
def test_queues(engine: Engine, number: int) -> None:
    run_queue(engine, some_items(engine, number, seed=number))


def test_an_abort_waits_for_both_ports(device: VerilatedDevice, engine: Engine) -> None:
    """Bursts that are on the way at either port end; the next job is right."""
    values = mixed_values(30 * BLOCK)
    coding = coding_for(engine, "zvc", values)
    expected = encode(values, coding)
    busy = 0
    for slow in ("r", "r1"):
        device.configure(Timing(stalls={slow: Stall(0.3, 30)}))
        for cycles in range(50, 800, 125):
            with engine.decompress_job(values.size, coding, len(expected.payload)) as job:
                job.load_coded(expected)
                job.start()
                device.run(cycles)
                busy += device.statistic("reads_open") > 0
                engine.write("CONTROL", 2)
                with pytest.raises(JobError, match="ABORTED"):
                    job.wait()
                assert device.statistic("reads_open") == 0
            assert_same_values(engine.decompress(expected, values.size, coding).values, values)
    assert busy > 6
