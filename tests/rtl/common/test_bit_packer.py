# SPDX-License-Identifier: Apache-2.0
"""bit_packer: the words are the concatenated bits, zero-padded at each flush."""

from __future__ import annotations

import os
import random

import cocotb
import pytest
from harness import run_cocotb
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource

PAYLOAD = ("bits", "count", "flush")
CONFIGURATIONS = [(1, 1), (4, 4), (8, 8), (12, 4), (16, 1), (17, 1), (32, 8), (32, 1)]
MAX_BITS = int(os.environ.get("PACKER_MAX_BITS", "16"))
GRANULARITY = int(os.environ.get("PACKER_GRANULARITY", "1"))
BEATS = 300


def beat(rng: random.Random, count: int, flush: bool = False) -> dict[str, int]:
    """A beat with garbage behind its bits."""
    return {"bits": rng.getrandbits(MAX_BITS), "count": count, "flush": int(flush)}


def counts(rng: random.Random, kind: str) -> int:
    grains = MAX_BITS // GRANULARITY
    if kind == "full":
        return MAX_BITS
    if kind == "small":
        return GRANULARITY * rng.randint(0, min(1, grains))
    return GRANULARITY * rng.randint(0, grains)


def pack(beats: list[dict[str, int]]) -> list[int]:
    words, bits = [], ""
    for item in beats:
        bits += format(item["bits"], f"0{MAX_BITS}b")[: item["count"]]
        if item["flush"]:
            bits += "0" * (-len(bits) % 64)
        while len(bits) >= 64:
            words.append(int(bits[:64], 2))
            bits = bits[64:]
    return words


def stimulus(rng: random.Random, beats: int, kind: str, flush: float) -> list[dict[str, int]]:
    sent = [beat(rng, counts(rng, kind), rng.random() < flush) for _ in range(beats)]
    sent[-1]["flush"] = 1
    return sent


async def run(dut, sent, *, source_profile="none", sink_profile="none", timeout=60_000):
    source = StreamSource(dut, "s", payload=PAYLOAD, profile=source_profile, seed=5)
    sink = StreamSink(dut, "m", profile=sink_profile, seed=6)
    await start(dut)
    assert int(dut.empty.value) == 1
    expected = pack(sent)
    source.send(sent)
    received = await sink.receive(len(expected), timeout=timeout)
    assert received == expected
    await source.drain(timeout=timeout)
    await sink.expect_silence(20)
    assert source.accepted == len(sent)
    assert int(dut.empty.value) == 1


@cocotb.test()
@cocotb.parametrize(source_profile=PROFILES, sink_profile=PROFILES)
async def packs(dut, source_profile, sink_profile):
    rng = random.Random(f"{source_profile}:{sink_profile}:{MAX_BITS}:{GRANULARITY}")
    await run(dut, stimulus(rng, BEATS, "any", 0.03), source_profile=source_profile, sink_profile=sink_profile)


@cocotb.test()
@cocotb.parametrize(kind=["full", "small", "any"], flush=[0.0, 0.5, 1.0])
async def packs_kind(dut, kind, flush):
    await run(dut, stimulus(random.Random(f"{kind}{flush}"), BEATS, kind, flush), sink_profile="light")


@cocotb.test()
async def flush_without_bits_gives_nothing(dut):
    rng = random.Random(1)
    await run(dut, [beat(rng, 0, True), beat(rng, 0, True), beat(rng, 0, False)])


@cocotb.test()
async def flush_of_a_whole_word_adds_nothing(dut):
    rng = random.Random(2)
    bits, sent = 0, []
    while bits < 128:
        count = min(MAX_BITS - MAX_BITS % GRANULARITY, 128 - bits)
        bits += count
        sent.append(beat(rng, count, bits == 128))
    assert len(pack(sent)) == 2
    await run(dut, [*sent, beat(rng, 0, True)])


@cocotb.test()
async def is_one_beat_a_cycle(dut):
    """Full beats without pauses are all accepted back to back, and come out 3 cycles later."""
    source = StreamSource(dut, "s", payload=PAYLOAD)
    sink = StreamSink(dut, "m")
    await start(dut)
    rng = random.Random(3)
    sent = [beat(rng, MAX_BITS) for _ in range(320)]
    source.send(sent)
    expected = pack(sent)
    first = source.cycle
    while source.accepted < len(sent):
        await wait_cycles(dut, 1)
        assert source.cycle < first + len(sent) + 10
    assert source.cycle - first <= len(sent) + 2
    await wait_cycles(dut, 6)
    assert sink.beats == expected
    assert sink.cycles[-1] - sink.cycles[0] <= (len(expected) - 1) * 64 // MAX_BITS + 1


@cocotb.test()
async def reset_drops_bits(dut):
    source = StreamSource(dut, "s", payload=PAYLOAD)
    sink = StreamSink(dut, "m")
    await start(dut)
    rng = random.Random(4)
    for round_ in range(12):
        source.send([beat(rng, MAX_BITS) for _ in range(1 + 5 * round_)])
        await wait_cycles(dut, 2 + 3 * round_)
        source.clear()
        await reset(dut)
        await wait_cycles(dut, 1)
        assert int(dut.empty.value) == 1
        sink.clear()
        sent = stimulus(rng, 9, "any", 0.1)
        source.send(sent)
        expected = pack(sent)
        assert await sink.receive(len(expected), timeout=200) == expected
        await source.drain(timeout=100)
        await sink.expect_silence(10)


@pytest.mark.icarus_runs("8-8", "17-1")
@pytest.mark.parametrize(("max_bits", "granularity"), CONFIGURATIONS)
def test_bit_packer(simulator, max_bits, granularity):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:common",
        toplevel="bit_packer",
        parameters={"MAX_BITS": max_bits, "GRANULARITY": granularity},
        simulator=simulator,
        extra_env={"PACKER_MAX_BITS": str(max_bits), "PACKER_GRANULARITY": str(granularity)},
        expected_tests=len(PROFILES) ** 2 + 9 + 4,
    )
