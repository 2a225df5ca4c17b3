# SPDX-License-Identifier: Apache-2.0
"""The whole engine in simulation: images equal the model's byte for byte, every error code, abort; with the AXI checker on its port."""

from __future__ import annotations

import os

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.axi import Region
from lib.engine_bench import PAYLOAD, RAW, EngineBench
from lib.profiles import PROFILES
from tensorpress.codecs import Coded, Coding, encode, index_entry
from tensorpress.device.builds import checkout, engine_build

BLOCK = 512
NOWHERE = [Region(0, 0)]
ZVC = Coding("zvc", block_values=BLOCK, zero=9)
CODINGS = {"raw": Coding("raw", block_values=BLOCK), "zvc": ZVC, "small blocks": Coding("zvc", block_values=128)}
EDGES = (1, 7, 8, 9, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3)


def tensor(count: int, seed: int = 0, density: float = 0.6, zero: int = 9) -> np.ndarray:
    """Values of which `density` differ from `zero`, with an incompressible stretch in the middle."""
    rng = np.random.default_rng(seed + count)
    values = (zero + rng.integers(1, 256, count) * (rng.random(count) < density)).astype(np.uint8)
    values[count // 3 : count // 3 + BLOCK] = rng.integers(10, 255, len(values[count // 3 : count // 3 + BLOCK]))
    return values


@cocotb.test()
@cocotb.parametrize(name=tuple(CODINGS), stream=(False, True))
async def edges_equal_the_model(dut, name, stream):
    bench = EngineBench(dut)
    await bench.start()
    for count in EDGES:
        values = tensor(count)
        coded = await bench.compress(values, CODINGS[name], stream=stream)
        await bench.decompress(coded, values, CODINGS[name], stream=stream)


@cocotb.test()
@cocotb.parametrize(profile=PROFILES[1:])
async def every_back_pressure(dut, profile):
    bench = EngineBench(dut, profile=profile, seed=4, latency=(2, 30))
    await bench.start()
    values = tensor(9 * BLOCK + 77, seed=1)
    for stream in (False, True):
        coded = await bench.compress(values, ZVC, stream=stream)
        await bench.decompress(coded, values, ZVC, stream=stream)


@cocotb.test()
async def many_blocks_fill_the_index_ring_several_times(dut):
    bench = EngineBench(dut)
    await bench.start()
    coding = Coding("zvc", block_values=128)
    values = tensor(70 * 128 + 5, density=0.2, zero=0)
    await bench.decompress(await bench.compress(values, coding), values, coding)


@cocotb.test()
async def counters_explain_every_lane_cycle(dut):
    bench = EngineBench(dut)
    await bench.start()
    values = tensor(12 * BLOCK)
    coded = await bench.compress(values, ZVC)
    lanes = await bench.read("CAPABILITIES") & 31
    cycles = await bench.read("COUNT_CYCLES")
    states = [await bench.read(f"COUNT_LANE_{name}") for name in ("BUSY", "STARVED", "BLOCKED", "IDLE")]
    assert sum(states) == lanes * cycles
    assert all(states)
    assert await bench.read("COUNT_READ_BEATS") == len(values) // 8
    assert await bench.read("COUNT_WRITE_BEATS") == len(coded.payload) + len(coded.index)
    assert 1 <= await bench.read("PEAK_READS") <= 8 * len(bench.ports)
    assert [port.checker.read_beats > 0 for port in bench.ports] == [True] * len(bench.ports)
    assert 1 <= await bench.read("PEAK_WRITES") <= 8


@cocotb.test()
async def bad_jobs_are_refused(dut):
    bench = EngineBench(dut)
    await bench.start()
    bench.memory.checker.regions = NOWHERE
    job = {"values": 100, "decompress": False, "stream": False, "payload_words": 100}
    cases = [
        ("BAD_LENGTH", {"values": 0}),
        ("BAD_LENGTH", {"values": (1 << 28) + 1}),
        ("BAD_BLOCK", {"JOB_BLOCK_VALUES": 0}),
        ("BAD_BLOCK", {"JOB_BLOCK_VALUES": 100}),
        ("BAD_BLOCK", {"JOB_BLOCK_VALUES": 640}),
        ("BAD_ADDRESS", {"JOB_RAW_ADDRESS": 0x1004}),
        ("BAD_ADDRESS", {"JOB_INDEX_ADDRESS": 0x1001}),
        ("BAD_ADDRESS", {"JOB_PAYLOAD_ADDRESS": 0x1002}),
        ("BAD_ADDRESS", {"JOB_RAW_ADDRESS": 0xFFFF_FFF8}),
        ("BAD_ADDRESS", {"JOB_INDEX_ADDRESS": 0xFFFF_FFF8, "values": 200}),
        ("BAD_ADDRESS", {"JOB_PAYLOAD_ADDRESS": 0xFFFF_FFF8}),
    ]
    codecs = int(os.environ["CODECS"])
    missing = [codec for codec in range(16) if not (codecs | 1) >> codec & 1]
    cases += [("UNSUPPORTED_CODEC", {"JOB_CONFIG": codec | decompress << 4}) for codec in missing for decompress in (0, 1)]
    for expected, change in cases:
        assert await bench.job(ZVC, **{**job, **change}) == expected, change
    await bench.settle()
    await bench.write("JOB_CONFIG", 0)
    values = tensor(300)
    await bench.decompress(await bench.compress(values, ZVC), values, ZVC)


@cocotb.test()
async def bad_index_entries_are_found_at_their_block(dut):
    bench = EngineBench(dut)
    await bench.start()
    values = tensor(6 * BLOCK, seed=2, density=0.5)
    coded = encode(values, ZVC, implementation="reference")
    words = len(coded.payload)
    cases = [
        ("INDEX_MALFORMED", index_entry(0, 0, 0, False)),
        ("INDEX_MALFORMED", index_entry(0, 1, BLOCK // 8 - 1, True)),
        ("INDEX_MALFORMED", index_entry(0, 0, BLOCK // 8 - 1, True)),
        ("INDEX_MALFORMED", int(coded.index[4]) | 1 << 62),
        ("BLOCK_TOO_LARGE", index_entry(0, 8, BLOCK // 8 - 8, False)),
        ("BLOCK_TOO_LARGE", index_entry(0, 0x7FFF, 0x7FFF, False)),
        ("INDEX_OUT_OF_BOUNDS", index_entry(words - 1, 1, 1, False)),
        ("INDEX_OUT_OF_BOUNDS", index_entry(0xFFFF_FFFF, 8, 8, False)),
        ("CORRUPT_BLOCK", index_entry(0, 2, 1, False)),
    ]
    for expected, entry in cases:
        index = coded.index.copy()
        index[4] = entry
        bad = Coded(index, coded.payload)
        bench.load(bad)
        bench.memory.checker.regions = []
        error = await bench.job(ZVC, values=len(values), decompress=True, stream=False, payload_words=words)
        assert (error, bench.error_block) == (expected, 4), hex(entry)
        await bench.settle(20)
    await bench.decompress(coded, values, ZVC)


@cocotb.test()
async def a_full_payload_region_is_never_passed(dut):
    bench = EngineBench(dut)
    await bench.start()
    values = tensor(6 * BLOCK, seed=3)
    coded = encode(values, ZVC, implementation="reference")
    await bench.compress(values, ZVC)
    offsets = [int(entry) & 0xFFFF_FFFF for entry in coded.index]
    for missing, block in ((1, 5), (len(coded.payload) - offsets[3] - 1, 3), (len(coded.payload), 0)):
        capacity = len(coded.payload) - missing
        regions = bench.memory.checker.regions
        bench.memory.checker.regions = [*regions[:2], type(regions[2])(regions[2].start, regions[2].start + 8 * capacity, read=False)]
        error = await bench.job(ZVC, values=len(values), decompress=False, stream=False, payload_words=capacity)
        assert (error, bench.error_block) == ("PAYLOAD_FULL", block)
        bench.memory.checker.regions = regions
    await bench.compress(values, ZVC)


@cocotb.test()
async def stream_faults_are_named(dut):
    bench = EngineBench(dut)
    await bench.start()
    values = tensor(3 * BLOCK)
    bench.memory.checker.regions = []
    beats = bench.beats(values.tobytes())
    job = {"values": len(values), "decompress": False, "stream": True, "payload_words": 1000}
    for last_at, expected in ((0, "STREAM_UNDERRUN"), (63, "STREAM_UNDERRUN"), (100, "STREAM_UNDERRUN"), (None, "STREAM_OVERRUN")):
        bench.source.send(
            [
                {**beat, "last": int(number == last_at)}
                for number, beat in enumerate(beats[: len(beats) if last_at is None else last_at + 1])
            ]
        )
        assert await bench.job(ZVC, **job) == expected
        assert bench.source.idle
        coded = await bench.compress(values, ZVC, stream=True)
        await bench.decompress(coded, values, ZVC, stream=True)
        bench.memory.checker.regions = []


@cocotb.test()
async def error_responses_end_the_job(dut):
    bench = EngineBench(dut)
    await bench.start()
    values = tensor(5 * BLOCK + 96)
    coded = await bench.compress(values, ZVC)
    lanes = await bench.read("DIRECTIONS") & 31
    for number, port in enumerate(bench.ports):
        # blocks of odd lanes come through the second port; after a start the first block is that of lane 0
        blocks = [block for block in range(6) if len(bench.ports) == 1 or block % lanes % 2 == number]
        beats = sum(min(BLOCK, len(values) - BLOCK * block) // 8 for block in blocks)
        for beat in sorted({beat for beat in (0, 1, 17, 64, 130, 250, beats - 1) if beat < beats}):
            port.fail_read(beat, 2 + beat % 2)
            bench.memory.checker.regions = []
            assert await bench.job(ZVC, values=len(values), decompress=False, stream=False, payload_words=1000) == "READ_RESPONSE"
            assert bench.error_block == blocks[beat // (BLOCK // 8)], (number, beat)
            await bench.forget()
            assert await bench.compress(values, ZVC)
    for burst in (0, 1, 7):
        bench.memory.fail_write(burst, 3 - burst % 2)
        bench.memory.checker.regions = []
        assert await bench.job(ZVC, values=len(values), decompress=False, stream=False, payload_words=1000) == "WRITE_RESPONSE"
        await bench.forget()
        await bench.decompress(coded, values, ZVC)


@cocotb.test()
async def read_errors_of_coded_blocks_are_found_at_their_block(dut):
    """At each port, also where the index comes through the same one; nothing of the block or behind it is written."""
    bench = EngineBench(dut, latency=(5, 60), seed=6)
    await bench.start()
    values = tensor(7 * BLOCK, seed=4)
    coded = encode(values, ZVC, implementation="reference")
    offsets = [int(entry) & 0xFFFF_FFFF for entry in coded.index]
    for bad in range(7):
        bench.load(coded)
        bench.memory.write(RAW, b"\x5a" * len(values))
        word = PAYLOAD + 8 * offsets[bad]
        for port in bench.ports:
            port.fail_address(word)
        bench.memory.checker.regions = []
        assert await bench.job(ZVC, values=len(values), decompress=True, stream=False, payload_words=len(coded.payload)) == "READ_RESPONSE"
        assert bench.error_block == bad
        assert bench.memory.read(RAW + BLOCK * bad, BLOCK * (7 - bad)) == b"\x5a" * (BLOCK * (7 - bad))
        await bench.forget()
    await bench.decompress(coded, values, ZVC)


@cocotb.test()
@cocotb.parametrize(profile=("none", "heavy"))
async def jobs_of_a_queue_overlap(dut, profile):
    """Jobs of both directions in one queue; then one read error ends it at its job, whichever port it comes through."""
    bench = EngineBench(dut, profile=profile, latency=(5, 40), seed=7)
    await bench.start()
    counts = (3 * BLOCK + 9, 100, 2 * BLOCK, BLOCK, 5 * BLOCK + 1, 77, 4 * BLOCK)
    jobs = [bench.queued(number, tensor(count, seed=number), ZVC, decompress=number % 3 != 1) for number, count in enumerate(counts)]
    assert await bench.run_queue(jobs) == "NONE"
    assert await bench.read("QUEUE_JOBS") == len(jobs)
    for job in jobs:
        job.check(good=True)
    for bad in (2, 4, 5):
        for job in jobs:
            job.load()
        for port in bench.ports:
            port.fail_address(jobs[bad].last_read)
        assert await bench.run_queue(jobs) == "READ_RESPONSE"
        assert await bench.read("QUEUE_JOBS") == bad
        assert bench.error_block == (counts[bad] - 1) // BLOCK
        for number, job in enumerate(jobs[: bad + 1]):
            job.check(good=number < bad)
        await bench.forget()


@cocotb.test()
async def abort_at_any_time_leaves_a_clean_engine(dut):
    bench = EngineBench(dut, profile="light", seed=5)
    await bench.start()
    values = tensor(8 * BLOCK)
    coded = await bench.compress(values, ZVC)
    for decompress in (False, True):
        bench.memory.checker.regions = []
        for delay in (0, 3, 40, 90, 170, 333, 600):
            bench.load(coded)
            config = 1 | decompress << 4 | 9 << 8
            for name, value in (
                ("JOB_CONFIG", config),
                ("JOB_VALUES", len(values)),
                ("JOB_PAYLOAD_WORDS", len(coded.payload)),
                ("CONTROL", 1),
            ):
                await bench.write(name, value)
            for _ in range(delay):
                await RisingEdge(dut.aclk)
            await bench.write("CONTROL", 2)
            await bench.wait(5000)
            assert await bench.status() == "ABORTED"
            await bench.settle(30)
            assert bench.quiet
        bench.load(coded)
        await bench.decompress(coded, values, ZVC)
        await bench.compress(values, ZVC)


TESTS = 6 + len(PROFILES) - 1 + 11


TWO_PORTS = {"ENCODE_LANES": 3, "DECODE_LANES": 4, "MEMORY_PORTS": 2, "STREAM_BYTES": 16}


A_FEW = r"edges_equal_the_model/name=0/stream=True|error_responses|jobs_of_a_queue_overlap/profile=none"


@pytest.mark.icarus_runs("1-3")
@pytest.mark.parametrize(
    "lanes",
    [
        pytest.param({"LANES": 1}, id="1"),
        pytest.param({"LANES": 3}, id="3"),
        pytest.param({"ENCODE_LANES": 1, "DECODE_LANES": 3}, id="1-3"),
        pytest.param(TWO_PORTS, id="two_ports", marks=pytest.mark.slow),
    ],
)
def test_tensorpress_engine(simulator, lanes):
    run_engine(simulator, lanes, TESTS)


def test_two_memory_ports(icarus):
    """A few of the tests; the rest with ``--slow``, and in tests/system/test_memory_ports.py."""
    run_engine(icarus, TWO_PORTS, 3, A_FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "inference", "small"])
def test_named_builds(name):
    """The same with the parameters of each named build, but for the size of its blocks."""
    run_engine("verilator", engine_build(checkout(), name).parameters, TESTS)


def run_engine(simulator, parameters, expected_tests, test_filter=None):
    parameters = {"CODECS": 3, **parameters, "BLOCK_BYTES": BLOCK}
    run_cocotb(
        __file__,
        core="tensorpress:rtl:engine",
        toplevel="tensorpress_engine",
        parameters=parameters,
        extra_env={"CODECS": str(parameters["CODECS"]), "MEMORY_PORTS": str(parameters.get("MEMORY_PORTS", 1))},
        simulator=simulator,
        expected_tests=expected_tests,
        test_filter=test_filter,
        timeout=1200,
    )
