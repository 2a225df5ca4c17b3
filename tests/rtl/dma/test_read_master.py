# SPDX-License-Identifier: Apache-2.0
"""read_master: every word of every command in order, with its tag; error pulses, halt, bandwidth."""

from __future__ import annotations

import os
import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.axi import DECERR, SLVERR, AxiMemory, Region
from lib.clock import reset, start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamMonitor, StreamSource

COMMAND = ("address", "words", "tag")
OUTSTANDING = int(os.environ.get("READ_OUTSTANDING", "8"))
BASE, SIZE = 0x1000_0000, 1 << 16
REGION = Region(BASE, BASE + SIZE, write=False)


class Data(StreamMonitor):
    """The data port: valid only. Beats are (word, tag, last)."""

    def __init__(self, dut):
        self.errors: list[int] = []
        super().__init__(dut, "m_data", payload=())

    def _sample(self, cycle):
        return (int(self.dut.m_data.value), int(self.dut.m_data_tag.value), int(self.dut.m_data_last.value))

    def _drive(self):
        if self.reset.is_active():
            return
        if int(self.dut.error.value):
            self.errors.append(int(self.dut.error_response.value))
        assert int(self.dut.beats_valid.value) == int(self.dut.m_data_valid.value)
        assert int(self.dut.outstanding.value) <= OUTSTANDING


async def bench(dut, *, command_profile="none", **memory):
    """Command source, data monitor and memory, after reset."""
    commands = StreamSource(dut, "s_cmd", payload=COMMAND, profile=command_profile, seed=1)
    axi = AxiMemory(dut, regions=[REGION], max_reads=OUTSTANDING, **memory)
    axi.write(BASE, random.Random(1).randbytes(SIZE))
    data = Data(dut)
    await start(dut, halt=0)
    return commands, axi, data


def mix(rng: random.Random, count: int) -> list[dict[str, int]]:
    commands = []
    for index in range(count):
        words = rng.choice([1, 1, 1, 2, 3, rng.randint(1, 40), rng.randint(1, 100)])
        near_page = 4096 * rng.randrange(1, SIZE // 4096 - 1) + 8 * rng.randint(-20, 20)
        offset = rng.choice([near_page, 8 * rng.randrange((SIZE - 800) // 8)])
        commands.append({"address": BASE + offset, "words": words, "tag": index % 16})
    return commands


def expected(axi: AxiMemory, commands) -> list[tuple[int, int, int]]:
    beats = []
    for command in commands:
        for index in range(command["words"]):
            word = int.from_bytes(axi.read(command["address"] + 8 * index, 8), "little")
            beats.append((word, command["tag"], int(index == command["words"] - 1)))
    return beats


async def idle_within(dut, cycles: int) -> None:
    for _ in range(cycles):
        await RisingEdge(dut.clk)
        if int(dut.idle.value):
            return
    raise AssertionError(f"not idle within {cycles} cycles")


@cocotb.test()
@cocotb.parametrize(profile=PROFILES, command_profile=PROFILES)
async def reads(dut, profile, command_profile):
    rng = random.Random(profile + command_profile)
    commands, axi, data = await bench(dut, command_profile=command_profile, profile=profile, latency=(1, 30), seed=3)
    sent = mix(rng, 40)
    beats = expected(axi, sent)
    commands.send(sent)
    received = await data.receive(len(beats), timeout=60_000)
    assert received == beats
    await data.expect_silence(50)
    assert int(dut.idle.value) == 1
    assert data.errors == []
    assert axi.checker.read_beats == len(beats)


@cocotb.test()
async def waits_for_no_ready(dut):
    commands, axi, data = await bench(dut, ready_after_valid=True)
    sent = mix(random.Random(5), 30)
    beats = expected(axi, sent)
    commands.send(sent)
    assert await data.receive(len(beats), timeout=20_000) == beats
    await data.expect_silence(30)


@cocotb.test()
async def error_responses(dut):
    """Each bad beat gives one pulse with its response; the data still comes, to the last word."""
    commands, axi, data = await bench(dut, latency=(2, 9))
    sent = mix(random.Random(6), 30)
    beats = expected(axi, sent)
    bad = {0: SLVERR, 1: DECERR, 17: SLVERR, len(beats) // 2: 1, len(beats) - 1: DECERR}
    for beat, response in bad.items():
        axi.fail_read(beat, response)
    commands.send(sent)
    assert await data.receive(len(beats), timeout=20_000) == beats
    await data.expect_silence(30)
    assert data.errors == list(bad.values())


@cocotb.test()
@cocotb.parametrize(profile=["none", "light", "heavy", "long_stalls"])
async def halts(dut, profile):
    """Halt at any moment: what was issued is delivered, nothing else; after a reset all works again."""
    rng = random.Random(profile)
    commands, axi, data = await bench(dut, profile=profile, latency=(1, 40), seed=4)
    halted_in_flight = 0
    for _ in range(25):
        sent = mix(rng, 12)
        beats = expected(axi, sent)
        commands.send(sent)
        await wait_cycles(dut, rng.randint(1, 120))
        dut.halt.value = 1
        issued = len(axi.checker.reads)
        in_flight = len(axi.checker.open_reads)
        await wait_cycles(dut, 1)
        # the command that is offered now may still be taken, and is dropped
        commands.queue.clear()
        await commands.drain(timeout=10)
        await idle_within(dut, 5000)
        await wait_cycles(dut, 3)
        assert int(dut.idle.value) == 1
        # at most the AR that was asserted, and the one that was loaded at the edge of halt
        assert len(axi.checker.reads) - issued <= 2
        assert axi.checker.idle
        halted_in_flight += in_flight > 0
        count = sum(burst.beats for burst in axi.checker.reads)
        assert len(data.beats) == count
        assert data.beats == beats[:count]
        await wait_cycles(dut, 20)
        assert len(data.beats) == count
        dut.halt.value = 0
        await reset(dut)
        axi.clear()
        data.clear()
    assert halted_in_flight > 5
    sent = mix(rng, 10)
    beats = expected(axi, sent)
    commands.send(sent)
    assert await data.receive(len(beats), timeout=20_000) == beats


@cocotb.test()
@cocotb.parametrize(words=[512, 100, 16])
async def bandwidth(dut, words):
    """64 KiB with a latency of 40 cycles: at least 0.97 beats a cycle from the first beat on, for any length of command."""
    total = SIZE // 8
    commands, axi, data = await bench(dut, latency=(40, 40), accept=16)
    sent = [{"address": BASE + 8 * at, "words": min(words, total - at), "tag": 0} for at in range(0, total, words)]
    beats = expected(axi, sent)
    commands.send(sent)
    while len(data.beats) < total:
        await wait_cycles(dut, 1)
        assert data.cycle < 2 * total
    assert data.beats == beats
    cycles = data.cycles[-1] - data.cycles[0] + 1
    dut._log.info("%d beats in %d cycles, %d bursts outstanding", total, cycles, axi.checker.peak_reads)
    # OUTSTANDING bursts in the time from an address to its last beat; unaligned commands also have short bursts, in clusters
    mean = total / len(axi.checker.reads)
    limit = min(1.0, OUTSTANDING * mean / (mean + 45))
    assert total / cycles >= (0.97 if words % 16 == 0 or OUTSTANDING >= 8 else 0.9) * limit


@cocotb.test()
async def short_commands(dut):
    """Commands of one word: one address a cycle while bursts may be outstanding."""
    commands, axi, data = await bench(dut, latency=(1, 1))
    sent = [{"address": BASE + 8 * index, "words": 1, "tag": index % 16} for index in range(400)]
    beats = expected(axi, sent)
    commands.send(sent)
    while len(data.beats) < 400:
        await wait_cycles(dut, 1)
        assert data.cycle < 2400
    assert data.beats == beats
    if OUTSTANDING >= 8:
        assert data.cycles[-1] - data.cycles[0] <= 410


@pytest.mark.icarus_runs("5")
@pytest.mark.parametrize("outstanding", [2, pytest.param(4, marks=pytest.mark.slow), 5, 8, pytest.param(16, marks=pytest.mark.slow)])
def test_read_master(simulator, outstanding):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:dma",
        toplevel="read_master",
        parameters={"TAG_WIDTH": 4, "OUTSTANDING": outstanding},
        simulator=simulator,
        extra_env={"READ_OUTSTANDING": str(outstanding)},
        expected_tests=len(PROFILES) ** 2 + 2 + 4 + 3 + 1,
        timeout=1200,
    )
