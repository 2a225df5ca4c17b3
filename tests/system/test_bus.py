# SPDX-License-Identifier: Apache-2.0
"""The RTL against a memory and partners that misbehave: stalls, error responses, silence, resets; and the checker that watches them.

These need the Verilated device: only there can the bus be made to fail at a chosen beat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from cases import BLOCK, assert_same_image, assert_same_values, codecs_of, coding_for, mixed_values, random_values, sparse_values
from shared_devices import SMALL_BUILD, settle, verilated
from tensorpress.codecs import encode
from tensorpress.device.verilated import CHANNELS, HEAVY_STALLS, LIGHT_STALLS, LONG_STALLS, Stall, Timing, VerilatedDevice
from tensorpress.engine import Engine, Result
from tensorpress.errors import DeviceError, DeviceTimeoutError, InputError, JobError, ProtocolError
from tensorpress.registers import REG, ErrorCode

ENDPOINTS = ("ddr", "stream")
COUNT = 12 * BLOCK + 5


def _round_trips(engine: Engine, values: np.ndarray, *, block: int = BLOCK) -> list[Result]:
    """Every codec, both directions, both endpoints; each result compared with the model."""
    results = []
    for codec in codecs_of(engine):
        coding = coding_for(engine, codec, values, block=block)
        expected = encode(values, coding)
        for endpoint in ENDPOINTS:
            compressed = engine.compress(values, coding, source=endpoint)  # type: ignore[arg-type]
            assert_same_image(compressed.coded, expected)
            decompressed = engine.decompress(expected, values.size, coding, sink=endpoint)  # type: ignore[arg-type]
            assert_same_values(decompressed.values, values)
            results += [compressed, decompressed]
    return results


# ---- stalls and timings


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("stalls", [LIGHT_STALLS, HEAVY_STALLS, LONG_STALLS], ids=["light", "heavy", "long"])
def test_stalls_everywhere(rtl: VerilatedDevice, rtl_engine: Engine, stalls: dict[str, Stall], seed: int) -> None:
    rtl.configure(
        Timing(read_latency=5 + 20 * seed, write_latency=seed, read_outstanding=1 + 2 * seed, write_outstanding=2 * seed, stalls=stalls)
    )
    _round_trips(rtl_engine, mixed_values(COUNT, seed))


@pytest.mark.parametrize("channel", CHANNELS)
def test_stalls_on_one_channel(rtl: VerilatedDevice, rtl_engine: Engine, channel: str) -> None:
    """One channel nearly stands still while the others run freely."""
    if channel in ("ar1", "r1") and rtl_engine.capabilities.memory_ports == 1:
        pytest.skip("there is no second memory port")
    rtl.configure(Timing(stalls={channel: Stall(0.9, 6)}))
    _round_trips(rtl_engine, mixed_values(4 * BLOCK + 5))


@pytest.mark.parametrize(
    "timing",
    [
        Timing(read_latency=0, write_latency=0, read_outstanding=16, write_outstanding=16),
        Timing(read_latency=300, write_latency=300),
        Timing(read_outstanding=1, write_outstanding=1),
        Timing(read_rate=0.25),
        Timing(write_rate=0.25),
        Timing(shared_rate=0.5),
        Timing(address_waits_for_data=True),
        Timing(address_waits_for_data=True, write_outstanding=1, stalls={"w": Stall(0.5, 5), "aw": Stall(0.5, 5)}),
    ],
    ids=["ideal", "slow", "one_at_a_time", "reads_quarter", "writes_quarter", "shared_half", "aw_waits_for_w", "aw_waits_for_w_stalls"],
)
def test_memory_timings(rtl: VerilatedDevice, rtl_engine: Engine, timing: Timing) -> None:
    rtl.configure(timing)
    _round_trips(rtl_engine, mixed_values(COUNT))


# ---- error responses


@pytest.mark.parametrize("response", ["SLVERR", "DECERR"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("direction", ["compress", "decompress"])
def test_read_responses(
    rtl: VerilatedDevice, rtl_engine: Engine, direction: str, endpoint: Literal["ddr", "stream"], response: Literal["SLVERR", "DECERR"]
) -> None:
    """An error on any read beat: first, last of a burst, in the index, in the payload, the last of the job."""
    values = mixed_values(COUNT)
    coding = coding_for(rtl_engine, "zvc", values)
    expected = encode(values, coding)
    before = rtl.statistic("second_port_beats")
    call, beats = _job(rtl_engine, direction, endpoint, values, coding, expected, "COUNT_READ_BEATS")
    beats -= rtl.statistic("second_port_beats") - before
    if direction == "compress" and endpoint == "stream":
        assert beats == 0
        rtl.fail_reads(0, 10)
        call()  # reads nothing, so nothing can fail
        return
    failed = 0
    for beat in sorted({0, 1, 12, 13, 15, 16, beats // 2, beats - 1}):
        for count in (1, 3):
            rtl.fail_reads(beat, count, response=response)
            with pytest.raises(JobError) as caught:
                call()
            assert caught.value.name == "READ_RESPONSE"
            assert caught.value.block <= len(expected.index)
            failed += 1
    assert failed == 16
    rtl.fail_reads(beats, 1)  # the beat after the last: never read
    call()
    rtl.fail_reads(0, 0)
    call()


@pytest.mark.parametrize("response", ["SLVERR", "DECERR"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("direction", ["compress", "decompress"])
def test_write_responses(
    rtl: VerilatedDevice, rtl_engine: Engine, direction: str, endpoint: Literal["ddr", "stream"], response: Literal["SLVERR", "DECERR"]
) -> None:
    """An error response to any write burst, also to the last one of the job."""
    values = mixed_values(COUNT)
    coding = coding_for(rtl_engine, "zvc", values)
    expected = encode(values, coding)
    call, _ = _job(rtl_engine, direction, endpoint, values, coding, expected, "COUNT_WRITE_BEATS")
    before = rtl.statistic("write_bursts")
    call()
    bursts = rtl.statistic("write_bursts") - before
    if direction == "decompress" and endpoint == "stream":
        assert bursts == 0
        return
    assert bursts >= 12
    for burst in range(bursts):
        rtl.fail_writes(burst, response=response)
        with pytest.raises(JobError) as caught:
            call()
        assert caught.value.name == "WRITE_RESPONSE"
        assert caught.value.block <= len(expected.index)
    rtl.fail_writes(bursts)
    call()


def _job(
    engine: Engine, direction: str, endpoint: Literal["ddr", "stream"], values: np.ndarray, coding: Any, expected: Any, counter: str
) -> tuple[Callable[[], None], int]:
    """A call that runs the job and checks its result, and a counter of one good run."""

    def call() -> Result:
        if direction == "compress":
            result = engine.compress(values, coding, source=endpoint)
            assert_same_image(result.coded, expected)
        else:
            result = engine.decompress(expected, values.size, coding, sink=endpoint)
            assert_same_values(result.values, values)
        return result

    counted = call().counters[counter]
    return lambda: (call(), None)[1], counted


def test_errors_under_stalls(rtl: VerilatedDevice, rtl_engine: Engine) -> None:
    """Corrupt data, errors and stalls together: each job ends in a named error or well, and nothing is written outside."""
    rng = np.random.default_rng(5)
    values = mixed_values(COUNT)
    coding = coding_for(rtl_engine, "zvc", values)
    names = set()
    for number in range(60):
        rtl.configure(Timing(read_latency=int(rng.integers(0, 60)), stalls=(LIGHT_STALLS, HEAVY_STALLS)[number % 2]))
        coded = encode(values, coding)
        kind = number % 3
        try:
            if kind == 0:
                rtl.fail_reads(int(rng.integers(0, 400)))
                rtl_engine.compress(values, coding)
            elif kind == 1:
                rtl.fail_writes(int(rng.integers(0, 30)))
                rtl_engine.compress(values, coding, source="stream")
            else:
                coded.index[int(rng.integers(len(coded.index)))] ^= np.uint64(1 << int(rng.integers(64)))
                rtl_engine.decompress(coded, values.size, coding, sink=ENDPOINTS[number // 3 % 2])  # type: ignore[arg-type]
        except JobError as error:
            names.add(error.name)
        rtl.fail_reads(0, 0)
        rtl.fail_writes(0, 0)
    assert names >= {"READ_RESPONSE", "WRITE_RESPONSE", "INDEX_MALFORMED"}
    _round_trips(rtl_engine, values)


# ---- abort, reset, silence


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("direction", ["compress", "decompress"])
def test_abort_at_any_time(rtl: VerilatedDevice, rtl_engine: Engine, direction: str, endpoint: Literal["ddr", "stream"]) -> None:
    """An abort in any phase of a job ends it in bounded time; the bus is left clean and the next job is right."""
    values = mixed_values(COUNT)
    coding = coding_for(rtl_engine, "zvc", values)
    expected = encode(values, coding)
    aborted = 0
    for cycles in [*range(0, 40, 3), *range(40, 900, 47)]:
        rtl.configure(Timing(stalls=LIGHT_STALLS if cycles % 2 else {}))
        job = (
            rtl_engine.compress_job(values.size, coding, source=endpoint)
            if direction == "compress"
            else rtl_engine.decompress_job(values.size, coding, len(expected.payload), sink=endpoint)
        )
        with job:
            if direction == "compress":
                job.load_values(values)
            else:
                job.load_coded(expected)
            job.start()
            rtl.run(cycles)
            aborted += job.abort()
            assert not rtl_engine.busy
            assert rtl.statistic("reads_open") == rtl.statistic("writes_open") == 0
            rtl.run(100)  # nothing more may come
            rtl.stream_clear()
        if cycles % 9 == 0:
            _round_trips(rtl_engine, values[: 3 * BLOCK])
    assert aborted >= 20


def test_reset_in_mid_job(rtl: VerilatedDevice, rtl_engine: Engine) -> None:
    """aresetn low at any time: outputs go quiet, and the engine is as new."""
    values = mixed_values(COUNT)
    coding = coding_for(rtl_engine, "zvc", values)
    for cycles in (0, 1, 5, 17, 50, 120, 300, 301, 450):
        with rtl_engine.compress_job(values.size, coding) as job:
            job.load_values(values)
            job.start()
            rtl.run(cycles)
            rtl.reset()
            assert not rtl_engine.busy
            assert rtl_engine.status()["STATUS.DONE"] == 0
            rtl_engine.reset()
        _round_trips(rtl_engine, values[:BLOCK])


@pytest.mark.parametrize("direction", ["compress", "decompress"])
def test_dead_memory(rtl: VerilatedDevice, rtl_engine: Engine, direction: str) -> None:
    """A memory that never answers: the driver gives up in time and says what it saw; reset() makes the next job work."""
    values = mixed_values(COUNT)
    coding = coding_for(rtl_engine, "zvc", values)
    coded = encode(values, coding)
    for cycles in (0, 150):
        job = (
            rtl_engine.compress_job(values.size, coding)
            if direction == "compress"
            else rtl_engine.decompress_job(values.size, coding, len(coded.payload))
        )
        with job:
            if direction == "compress":
                job.load_values(values)
            else:
                job.load_coded(coded)
            rtl.set_dead(cycles == 0)
            job.start()
            rtl.run(cycles)
            rtl.set_dead(True)
            began = rtl.statistic("cycle")
            with pytest.raises(DeviceTimeoutError, match="did not end within") as caught:
                job.wait()
            assert rtl.statistic("cycle") - began < 1_000_000
            assert caught.value.status["STATUS.BUSY"] == 1
            assert caught.value.status["COUNT_CYCLES"] > 0
            with pytest.raises(DeviceTimeoutError, match="did not stop"):
                job.abort()
            if cycles == 0:  # the memory is still dead: only a reset of the device helps
                rtl_engine.reset()
                assert not rtl_engine.busy
                rtl.set_dead(False)
            else:  # it lives again: the abort goes through
                rtl.set_dead(False)
                rtl_engine.reset()
                assert rtl_engine.status()["STATUS.ERROR_CODE"] == ErrorCode.ABORTED
        _round_trips(rtl_engine, values)


# ---- the checker itself


def test_checker_sees_foreign_accesses(rtl: VerilatedDevice, rtl_engine: Engine) -> None:
    """With windows a word too small, the very last access of a job is a violation that names cycle, channel and address."""
    values = mixed_values(COUNT)
    coding = coding_for(rtl_engine, "zvc", values)
    with rtl_engine.compress_job(values.size, coding) as job:
        job.load_values(values)
        job.run()
        assert job.raw is not None
        raw = (job.raw.address, job.raw.address + -(-values.size // 8) * 8)
        index = (job.index.address, job.index.address + 8 * job.blocks)
        payload = (job.payload.address, job.payload.address + 8 * len(encode(values, coding).payload))
        for reads, writes, channel in (
            ([(raw[0], raw[1] - 8)], [index, payload], "AR"),
            ([(raw[0] + 8, raw[1])], [index, payload], "AR"),
            ([raw], [(index[0], index[1] - 1), payload], "W"),
            ([raw], [index, (payload[0] + 1, payload[1])], "W"),
            ([raw], [index, (payload[0], payload[1] - 1)], "W"),
        ):
            rtl.set_windows(reads, writes)
            rtl_engine.write("CONTROL", 1)
            with pytest.raises(ProtocolError, match=rf"cycle \d+: {channel}: .* 0x[0-9a-f]+.* outside"):
                rtl.wait(None, cycles=100_000)
            rtl.reset()
            for name, value in (("JOB_VALUES", values.size), ("JOB_BLOCK_VALUES", BLOCK), ("JOB_PAYLOAD_WORDS", job.payload_words)):
                rtl_engine.write(name, value)
            rtl_engine.write("JOB_CONFIG", REG["JOB_CONFIG"].pack(CODEC=1))
            rtl_engine.write("JOB_RAW_ADDRESS", raw[0])
            rtl_engine.write("JOB_INDEX_ADDRESS", index[0])
            rtl_engine.write("JOB_PAYLOAD_ADDRESS", payload[0])
            rtl_engine.write("IRQ_ENABLE", 1)
        rtl.set_windows([raw], [index, payload])
        rtl_engine.write("CONTROL", 1)
        assert rtl.wait(None, cycles=100_000)
        rtl_engine.write("IRQ_STATUS", 1)


def test_address_outside_the_memory(rtl: VerilatedDevice, rtl_engine: Engine) -> None:
    """Addresses where no memory is answer DECERR, and the job says so."""
    for raw, payload, code in ((0x8000_0000, 0x1001_0000, ErrorCode.READ_RESPONSE), (0x1000_0000, 0x8000_0000, ErrorCode.WRITE_RESPONSE)):
        rtl.set_windows([(0, 1 << 32)], [(0, 1 << 32)])
        for name, value in (("JOB_VALUES", 4096), ("JOB_BLOCK_VALUES", 256), ("JOB_PAYLOAD_WORDS", 512), ("JOB_CONFIG", 0)):
            rtl_engine.write(name, value)
        rtl_engine.write("JOB_RAW_ADDRESS", raw)
        rtl_engine.write("JOB_INDEX_ADDRESS", 0x1002_0000)
        rtl_engine.write("JOB_PAYLOAD_ADDRESS", payload)
        rtl_engine.write("IRQ_ENABLE", 1)
        rtl_engine.write("CONTROL", 1)
        assert rtl.wait(None, cycles=10_000)
        assert REG["STATUS"].unpack(rtl_engine.read("STATUS"))["ERROR_CODE"] == code
        rtl_engine.write("IRQ_STATUS", 1)


def test_registers(rtl: VerilatedDevice, rtl_engine: Engine) -> None:
    """Read-only registers ignore writes, read/write ones hold them, also under stalls and back to back."""
    rtl.configure(Timing(stalls={"lite": Stall(0.5, 5)}))
    rng = np.random.default_rng(3)
    written = {}
    for name, register in REG.items():
        if register.access == "rw":
            mask = sum(field.mask for field in register.fields.values()) or 0xFFFF_FFFF
            written[name] = int(rng.integers(1 << 32)) & mask
            rtl_engine.write(name, written[name])
        elif register.access == "ro":
            before = rtl_engine.read(name)
            rtl_engine.write(name, before ^ 0xFFFF_FFFF)
            assert rtl_engine.read(name) == before, name
    assert len(written) >= 9
    assert {name: rtl_engine.read(name) for name in written} == written
    assert not rtl_engine.busy


def test_settings_are_checked(rtl: VerilatedDevice) -> None:
    with pytest.raises(InputError, match="no such channel: xy"):
        rtl.configure(Timing(stalls={"xy": Stall(0.5)}))
    with pytest.raises(InputError, match="no such statistic"):
        rtl.statistic("moon_phase")
    with pytest.raises(InputError, match="needs a limit"):
        rtl.wait(None)
    with pytest.raises(InputError, match="8-byte beats"):
        rtl.stream_send(b"1234567", last=False)
    with pytest.raises(DeviceError, match="gave 0 bytes"):
        rtl.stream_receive(8)


# ---- counters and rates


def test_counters_are_consistent(rtl: VerilatedDevice, rtl_engine: Engine) -> None:
    """Each lane is in one state each cycle; the engine's counts of beats are the memory's; limits are kept."""
    values = mixed_values(40 * BLOCK)
    lanes = rtl_engine.capabilities.lanes
    for timing in (Timing(), Timing(stalls=HEAVY_STALLS)):
        rtl.configure(timing)
        before = [rtl.statistic("read_beats"), rtl.statistic("write_beats")]
        results = _round_trips(rtl_engine, values)
        for result in results:
            counters = result.counters
            states = sum(counters[f"COUNT_LANE_{state}"] for state in ("BUSY", "STARVED", "BLOCKED", "IDLE"))
            assert states == lanes * counters["COUNT_CYCLES"]
            assert result.cycles == counters["COUNT_CYCLES"] > 0
            assert counters["COUNT_READ_WAIT"] <= result.cycles
            assert counters["COUNT_WRITE_WAIT"] <= result.cycles
            assert counters["COUNT_STREAM_WAIT"] <= result.cycles
        after = [rtl.statistic("read_beats"), rtl.statistic("write_beats")]
        for number, counter in enumerate(("COUNT_READ_BEATS", "COUNT_WRITE_BEATS")):
            assert sum(result.counters[counter] for result in results) == after[number] - before[number]


def test_stream_waits_are_counted(rtl: VerilatedDevice, rtl_engine: Engine) -> None:
    values = sparse_values(8 * BLOCK)
    coding = coding_for(rtl_engine, "raw", values)
    counts = []
    for probability in (0.0, 0.8):
        rtl.configure(Timing(stalls={"stream_in": Stall(probability, 8), "stream_out": Stall(probability, 8)}))
        counts.append(
            (
                rtl_engine.compress(values, coding, source="stream").counters["COUNT_STREAM_WAIT"],
                rtl_engine.decompress(encode(values, coding), values.size, coding, sink="stream").counters["COUNT_STREAM_WAIT"],
            )
        )
    assert counts[1][0] > counts[0][0] + 100
    assert counts[1][1] > counts[0][1] + 100


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("kind", ["sparse", "dense", "zero"])
@pytest.mark.parametrize("rtl", ["verilated"], indirect=True)
def test_rate(rtl: VerilatedDevice, rtl_engine: Engine, kind: str, endpoint: Literal["ddr", "stream"]) -> None:
    """8 lanes behind a memory of latency 40 with 4 outstanding bursts: at least 7.2 values a cycle, every codec, both directions.

    The lanes begin one block's transfer (512 cycles) after each other. For a coder of one value a cycle that start costs 3584 cycles a job:
    at 64 blocks it leaves 7.0, at 128 blocks 7.4, so that is the size measured here; raw and zvc are as fast with half of that.
    """
    whole = {"sparse": sparse_values, "dense": random_values, "zero": lambda n: np.zeros(n, np.uint8)}[kind](1 << 19)
    rtl.configure(Timing(read_latency=40, read_outstanding=4, write_outstanding=4))
    rates = {}
    for codec in codecs_of(rtl_engine):
        for values in (whole[: whole.size // 2], whole) if codec in ("raw", "zvc") else (whole,):
            coding = coding_for(rtl_engine, codec, values, block=4096)
            expected = encode(values, coding)
            compressed = rtl_engine.compress(values, coding, source=endpoint)
            assert_same_image(compressed.coded, expected)
            decompressed = rtl_engine.decompress(expected, values.size, coding, sink=endpoint)
            assert_same_values(decompressed.values, values)
            rates[codec, values.size] = (compressed.values_per_cycle or 0, decompressed.values_per_cycle or 0)
    assert len(rates) >= 4
    assert all(rate >= 7.2 for pair in rates.values() for rate in pair), rates


@pytest.mark.parametrize("rtl", ["verilated"], indirect=True)
def test_apack_codes_a_value_a_cycle(rtl: VerilatedDevice, rtl_engine: Engine) -> None:
    """Nothing in a lane holds its coders up, at 7 bits a value, where streams A and B both flow: it is busy 70 cycles a block more."""
    values = np.clip(np.random.default_rng(7).normal(128, 24, 64 * 4096), 0, 255).astype(np.uint8)
    coding = coding_for(rtl_engine, "apack", values, block=4096)
    compressed = rtl_engine.compress(values, coding, source="stream")
    assert compressed.coded is not None and compressed.raw_blocks == 0
    decompressed = rtl_engine.decompress(compressed.coded, values.size, coding, sink="stream")
    assert_same_values(decompressed.values, values)
    for result in (compressed, decompressed):
        busy = result.counters["COUNT_LANE_BUSY"]
        assert values.size < busy <= values.size + 70 * result.blocks, busy


# ---- other builds


# 16 lanes with all codecs take minutes to build
@pytest.mark.parametrize(("lanes", "options"), [(1, {}), (3, {}), (16, {"codecs": 0b0011})])
def test_lane_counts(lanes: int, options: dict[str, Any]) -> None:
    """Other builds make the same bytes: the image does not depend on the number of lanes."""
    device = verilated(lanes=lanes, **SMALL_BUILD, **options)
    engine = Engine(device)
    assert engine.capabilities.lanes == lanes
    assert engine.capabilities.block_bytes == SMALL_BUILD["block_bytes"]
    for stalls in ({}, LIGHT_STALLS):
        device.configure(Timing(stalls=stalls))
        for blocks in (1, lanes, lanes + 1, 2 * lanes + 1, 40):
            for result in _round_trips(engine, mixed_values(blocks * 128 - 3, seed=blocks), block=128):
                counters = result.counters
                states = sum(counters[f"COUNT_LANE_{state}"] for state in ("BUSY", "STARVED", "BLOCKED", "IDLE"))
                assert states == lanes * counters["COUNT_CYCLES"]
    with pytest.raises(DeviceError, match="largest block has 1024"):
        engine.compress(np.zeros(9, np.uint8), coding_for(engine, "raw", np.zeros(9, np.uint8), block=1152))
    settle(device)
