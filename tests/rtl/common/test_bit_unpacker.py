# SPDX-License-Identifier: Apache-2.0
"""bit_unpacker: each window is the next bits of the stream; at the end it shows zeros and how many bits are real."""

from __future__ import annotations

import os
import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES, pauses
from lib.streams import ProtocolViolation, StreamSource

CONFIGURATIONS = [(1, 1), (4, 4), (8, 8), (12, 4), (16, 1), (17, 1), (32, 8), (32, 1)]
MAX_BITS = int(os.environ.get("UNPACKER_MAX_BITS", "16"))
GRANULARITY = int(os.environ.get("UNPACKER_GRANULARITY", "1"))


def grains(rng: random.Random, low: int = 0) -> int:
    return GRANULARITY * rng.randint(low, MAX_BITS // GRANULARITY)


class Reader:
    """Consumes the windows, and compares each with the string of all bits."""

    def __init__(self, dut, words, *, profile="none", consume="any", seed=0):
        self.dut, self.rng = dut, random.Random(f"{profile}{consume}{seed}")
        self.bits = "".join(format(word, "064b") for word in words)
        self.position = self.beats = self.cycle = 0
        self.cycles: list[int] = []
        self.pauses, self.kind = pauses(profile, f"reader{seed}"), consume
        self.task = cocotb.start_soon(self.run())

    def _choose(self) -> int:
        if self.kind == "full":
            return MAX_BITS
        return grains(self.rng, 1 if self.kind == "some" else 0)

    async def run(self):
        dut, waiting = self.dut, None
        dut.m_ready.value = 0
        dut.m_consume.value = 0
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            if int(dut.rst.value):
                waiting = None
                continue
            if int(dut.m_valid.value):
                rest = self.bits[self.position : self.position + MAX_BITS]
                window = int(rest.ljust(MAX_BITS, "0"), 2)
                seen = (int(dut.m_available.value), int(dut.m_bits.value))
                assert seen == (len(rest), window), f"at bit {self.position} of {len(self.bits)}, cycle {self.cycle}"
                if waiting is not None and waiting != seen:
                    raise ProtocolViolation("the window changed before it was taken")
                if int(dut.m_ready.value):
                    self.position = min(self.position + int(dut.m_consume.value), len(self.bits))
                    self.beats += 1
                    self.cycles.append(self.cycle)
                    waiting = None
                else:
                    waiting = seen
            elif waiting is not None:
                raise ProtocolViolation("m_valid fell before the window was taken")
            # m_consume is anything while not m_valid
            dut.m_consume.value = self._choose()
            dut.m_ready.value = int(not next(self.pauses))

    async def finish(self, timeout: int) -> None:
        """Until all bits are consumed."""
        for _ in range(timeout):
            if self.position == len(self.bits):
                return
            await RisingEdge(self.dut.clk)
        raise AssertionError(f"{self.position} of {len(self.bits)} bits within {timeout} cycles")


async def end_after(dut, source):
    """s_end as the lane gives it: high from the moment at which every word has been handed over."""
    while not source.idle:
        await RisingEdge(dut.clk)
    dut.s_end.value = 1


async def unpack(dut, words, *, source_profile="none", reader_profile="none", consume="some", seed=0, late_end=0):
    source = StreamSource(dut, "s", profile=source_profile, seed=seed)
    await start(dut, s_end=0, m_ready=0, m_consume=0)
    reader = Reader(dut, words, profile=reader_profile, consume=consume, seed=seed)
    source.send(words)
    if late_end:
        await source.drain()
        await wait_cycles(dut, late_end)
        dut.s_end.value = 1
    else:
        cocotb.start_soon(end_after(dut, source))
    await reader.finish(60_000)
    beats = reader.beats
    # past the end: always valid, empty, zero (the reader compares)
    await wait_cycles(dut, 400 if reader_profile == "long_stalls" else 60)
    assert reader.beats > beats
    assert source.accepted == len(words)
    assert int(dut.m_valid.value) == 1
    assert int(dut.m_available.value) == 0


def random_words(seed: str, count: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.getrandbits(64) for _ in range(count)]


@cocotb.test()
@cocotb.parametrize(source_profile=PROFILES, reader_profile=PROFILES)
async def unpacks(dut, source_profile, reader_profile):
    words = random_words(f"{source_profile}{reader_profile}", 40 if MAX_BITS > 4 else 12)
    await unpack(dut, words, source_profile=source_profile, reader_profile=reader_profile)


@cocotb.test()
@cocotb.parametrize(count=[0, 1, 2, 3], consume=["any", "some", "full"], late_end=[0, 30])
async def short_streams(dut, count, consume, late_end):
    await unpack(dut, [(1 << 64) - 1] * count, consume=consume, seed=count, late_end=late_end)


@cocotb.test()
async def is_one_beat_a_cycle(dut):
    """Full windows, one each cycle, while words come."""
    count = 8 * MAX_BITS
    words = random_words("throughput", count)
    source = StreamSource(dut, "s")
    await start(dut, s_end=0, m_ready=0, m_consume=0)
    reader = Reader(dut, words, consume="full")
    source.send(words)
    cocotb.start_soon(end_after(dut, source))
    began = reader.cycle
    await reader.finish(64 * count // MAX_BITS + 200)
    beats = -(-64 * count // MAX_BITS)
    body = beats - 4  # the last windows wait for s_end
    assert reader.cycles[body - 1] - reader.cycles[0] == body - 1
    assert reader.cycles[0] - began <= 8
    assert reader.cycles[beats - 1] - reader.cycles[0] <= beats + 6


@cocotb.test()
async def reset_between_streams(dut):
    source = StreamSource(dut, "s")
    await start(dut, s_end=0, m_ready=0, m_consume=0)
    for round_ in range(10):
        words = random_words(f"reset{round_}", 6)
        reader = Reader(dut, words, profile="light", consume="some", seed=round_)
        source.send(words)
        if round_ % 2:
            cocotb.start_soon(end_after(dut, source))
            await reader.finish(3000)
        else:
            await wait_cycles(dut, 5 + 3 * round_)
        reader.task.cancel()
        source.clear()
        dut.s_end.value = 0
        dut.m_ready.value = 0
        await reset(dut)
    await wait_cycles(dut, 1)
    assert int(dut.m_valid.value) == 0


@pytest.mark.icarus_runs("8-8", "17-1")
@pytest.mark.parametrize(("max_bits", "granularity"), CONFIGURATIONS)
def test_bit_unpacker(simulator, max_bits, granularity):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:common",
        toplevel="bit_unpacker",
        parameters={"MAX_BITS": max_bits, "GRANULARITY": granularity},
        simulator=simulator,
        extra_env={"UNPACKER_MAX_BITS": str(max_bits), "UNPACKER_GRANULARITY": str(granularity)},
        expected_tests=len(PROFILES) ** 2 + 24 + 2,
    )
