# SPDX-License-Identifier: Apache-2.0
"""skid_buffer: every beat once and in order, full throughput, reset drops what is held."""

from __future__ import annotations

import random

import cocotb
from harness import run_cocotb
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource

BEATS = 250
WIDTH = 16


def words(seed: str, count: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.getrandbits(WIDTH) for _ in range(count)]


@cocotb.test()
@cocotb.parametrize(source_profile=PROFILES, sink_profile=PROFILES)
async def passes_all_beats(dut, source_profile, sink_profile):
    source = StreamSource(dut, "s", profile=source_profile, seed=1)
    sink = StreamSink(dut, "m", profile=sink_profile, seed=2)
    await start(dut)
    sent = words(source_profile + sink_profile, BEATS)
    source.send(sent)
    received = await sink.receive(BEATS, timeout=20_000)
    assert received == sent
    await sink.expect_silence()
    assert source.accepted == BEATS


@cocotb.test()
async def is_one_beat_a_cycle(dut):
    source = StreamSource(dut, "s")
    sink = StreamSink(dut, "m")
    await start(dut)
    sent = words("throughput", BEATS)
    source.send(sent)
    while len(sink.beats) < BEATS:
        await wait_cycles(dut, 1)
        assert sink.cycle < BEATS + 50
    assert sink.beats == sent
    assert sink.cycles[-1] - sink.cycles[0] == BEATS - 1


@cocotb.test()
async def reset_drops_what_is_held(dut):
    source = StreamSource(dut, "s")
    sink = StreamSink(dut, "m", profile=iter(lambda: True, False))
    await start(dut)
    source.send([1, 2, 3])
    await wait_cycles(dut, 6)
    assert source.accepted == 2, "the buffer has two places"
    source.clear()
    await reset(dut)
    sink.set_profile("none")
    await sink.expect_silence(10)
    source.send([7, 8])
    assert await sink.receive(2, timeout=20) == [7, 8]
    await sink.expect_silence(10)


def test_skid_buffer(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:common",
        toplevel="skid_buffer",
        parameters={"WIDTH": WIDTH},
        simulator=simulator,
        expected_tests=len(PROFILES) ** 2 + 2,
    )
