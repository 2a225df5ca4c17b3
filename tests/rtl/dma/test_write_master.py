# SPDX-License-Identifier: Apache-2.0
"""write_master: memory holds exactly what was sent, strobes included; error pulses, halt, bandwidth."""

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
from lib.streams import StreamSource

COMMAND = ("address", "words", "last_strobe")
OUTSTANDING = int(os.environ.get("WRITE_OUTSTANDING", "8"))
BASE, SIZE = 0x1000_0000, 1 << 16
REGION = Region(BASE, BASE + SIZE, read=False)


class Pulses:
    """Counts the pulses of the module, and notes the cycles of the W beats."""

    def __init__(self, dut):
        self.errors: list[int] = []
        self.beats = self.cycle = 0
        self.taken: list[int] = []
        cocotb.start_soon(self.run(dut))

    async def run(self, dut):
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            if int(dut.rst.value):
                continue
            assert int(dut.outstanding.value) <= OUTSTANDING
            self.beats += int(dut.beat.value)
            if int(dut.error.value):
                self.errors.append(int(dut.error_response.value))
            if int(dut.m_axi_wvalid.value) and int(dut.m_axi_wready.value):
                self.taken.append(self.cycle)


async def bench(dut, *, command_profile="none", data_profile="none", **memory):
    """Sources of commands and data, memory and pulses, after reset."""
    commands = StreamSource(dut, "s_cmd", payload=COMMAND, profile=command_profile, seed=1)
    data = StreamSource(dut, "s_data", payload=(), profile=data_profile, seed=2)
    data.fields = {"data": dut.s_data}
    dut.s_data.value = 0
    axi = AxiMemory(dut, regions=[REGION], max_writes=OUTSTANDING, **memory)
    pulses = Pulses(dut)
    await start(dut, halt=0)
    return commands, data, axi, pulses


def mix(rng: random.Random, count: int) -> list[dict[str, int]]:
    commands = []
    for _ in range(count):
        words = rng.choice([1, 1, 1, 2, 3, rng.randint(1, 40), rng.randint(1, 100)])
        near_page = 4096 * rng.randrange(1, SIZE // 4096 - 1) + 8 * rng.randint(-20, 20)
        offset = rng.choice([near_page, 8 * rng.randrange((SIZE - 800) // 8)])
        strobe = rng.choice([0xFF, 0xFF, (1 << rng.randint(1, 8)) - 1])
        commands.append({"address": BASE + offset, "words": words, "last_strobe": strobe})
    return commands


def words_for(rng: random.Random, commands) -> list[int]:
    return [rng.getrandbits(64) for _ in range(sum(command["words"] for command in commands))]


def image(commands, words, limit: int | None = None) -> bytes:
    """The region after the first `limit` words (default all) of the commands."""
    memory, position = bytearray(b"\xee" * SIZE), 0
    for command in commands:
        for index in range(command["words"]):
            if position == limit:
                return bytes(memory)
            strobe = command["last_strobe"] if index == command["words"] - 1 else 0xFF
            data = words[position].to_bytes(8, "little")
            at = command["address"] - BASE + 8 * index
            for byte in range(8):
                if strobe >> byte & 1:
                    memory[at + byte] = data[byte]
            position += 1
    return bytes(memory)


async def finished(dut, commands, data, axi, timeout=60_000):
    await commands.drain(timeout=timeout)
    await data.drain(timeout=timeout)
    await axi.wait_idle(quiet=20, timeout=timeout)
    assert int(dut.idle.value) == 1


@cocotb.test()
@cocotb.parametrize(profile=PROFILES, data_profile=PROFILES)
async def writes(dut, profile, data_profile):
    rng = random.Random(profile + data_profile)
    commands, data, axi, pulses = await bench(
        dut, command_profile="light", data_profile=data_profile, profile=profile, latency=(1, 30), seed=3
    )
    sent = mix(rng, 40)
    words = words_for(rng, sent)
    commands.send(sent)
    data.send(words)
    await finished(dut, commands, data, axi)
    assert axi.checker.write_beats == len(words) == data.accepted == pulses.beats
    assert axi.read(BASE, SIZE) == image(sent, words)
    assert pulses.errors == []


@cocotb.test()
async def waits_for_no_ready(dut):
    commands, data, axi, _ = await bench(dut, ready_after_valid=True)
    rng = random.Random(5)
    sent = mix(rng, 30)
    words = words_for(rng, sent)
    commands.send(sent)
    data.send(words)
    await finished(dut, commands, data, axi)
    assert axi.read(BASE, SIZE) == image(sent, words)


@cocotb.test()
async def takes_no_data_without_a_command(dut):
    commands, data, axi, _ = await bench(dut)
    data.send([1, 2, 3])
    await wait_cycles(dut, 30)
    assert data.accepted == 0
    assert int(dut.idle.value) == 1
    commands.send({"address": BASE + 8, "words": 3, "last_strobe": 0xFF})
    await finished(dut, commands, data, axi)
    assert axi.read(BASE + 8, 24) == b"".join(word.to_bytes(8, "little") for word in (1, 2, 3))


@cocotb.test()
async def error_responses(dut):
    """Each bad response gives one pulse; all words are still written."""
    commands, data, axi, pulses = await bench(dut, latency=(2, 9))
    rng = random.Random(6)
    sent = mix(rng, 30)
    words = words_for(rng, sent)
    bad = {0: SLVERR, 1: DECERR, 2: 1, 9: SLVERR, 25: DECERR}
    for burst, response in bad.items():
        axi.fail_write(burst, response)
    commands.send(sent)
    data.send(words)
    await finished(dut, commands, data, axi)
    assert pulses.errors == list(bad.values())
    assert axi.read(BASE, SIZE) == image(sent, words)


@cocotb.test()
@cocotb.parametrize(profile=["none", "light", "heavy", "long_stalls"])
async def halts(dut, profile):
    """Halt at any moment: issued bursts take their words and finish, nothing else is written; after a reset all works again."""
    rng = random.Random(profile)
    commands, data, axi, _ = await bench(dut, profile=profile, data_profile="light", latency=(1, 40), seed=4)
    halted_in_flight = halted_before_data = 0
    for _ in range(25):
        axi.write(BASE, b"\xee" * SIZE)
        sent = mix(rng, 12)
        words = words_for(rng, sent)
        commands.send(sent)
        data.send(words)
        await wait_cycles(dut, rng.randint(1, 120))
        dut.halt.value = 1
        issued = len(axi.checker.writes)
        halted_in_flight += len(axi.checker.open_writes) > 0
        halted_before_data += any(burst.done == 0 for burst in axi.checker.open_writes)
        await wait_cycles(dut, 1)
        commands.queue.clear()
        await commands.drain(timeout=10)
        for _ in range(5000):
            if int(dut.idle.value):
                break
            await wait_cycles(dut, 1)
        assert int(dut.idle.value) == 1
        await wait_cycles(dut, 20)
        assert int(dut.idle.value) == 1
        assert len(axi.checker.writes) - issued <= 2
        assert axi.checker.idle
        count = sum(burst.beats for burst in axi.checker.writes)
        assert axi.checker.write_beats == count
        assert data.accepted == count
        assert axi.read(BASE, SIZE) == image(sent, words, count)
        dut.halt.value = 0
        data.clear()
        data.accepted = 0
        await reset(dut)
        axi.clear()
    assert halted_in_flight > 5
    assert halted_before_data > 2
    axi.write(BASE, b"\xee" * SIZE)
    sent = mix(rng, 10)
    words = words_for(rng, sent)
    commands.send(sent)
    data.send(words)
    await finished(dut, commands, data, axi)
    assert axi.read(BASE, SIZE) == image(sent, words)


@cocotb.test()
@cocotb.parametrize(words=[512, 100, 16])
async def bandwidth(dut, words):
    """64 KiB with a response latency of 40 cycles: at least 0.97 beats a cycle from the first beat on, for any length of command."""
    total = SIZE // 8
    commands, data, axi, pulses = await bench(dut, latency=(40, 40), accept=16)
    sent = [{"address": BASE + 8 * at, "words": min(words, total - at), "last_strobe": 0xFF} for at in range(0, total, words)]
    rng = random.Random(words)
    payload = words_for(rng, sent)
    commands.send(sent)
    data.send(payload)
    await finished(dut, commands, data, axi)
    assert len(pulses.taken) == total
    assert axi.read(BASE, SIZE) == image(sent, payload)
    cycles = pulses.taken[-1] - pulses.taken[0] + 1
    dut._log.info("%d beats in %d cycles, %d bursts outstanding", total, cycles, axi.checker.peak_writes)
    # OUTSTANDING bursts in a round trip of a burst, 40 cycles and a few; unaligned commands also have short bursts
    mean = total / len(axi.checker.writes)
    limit = min(1.0, OUTSTANDING * mean / (mean + 45))
    assert total / cycles >= (0.97 if words % 16 == 0 or OUTSTANDING >= 8 else 0.9) * limit


@cocotb.test()
async def short_commands(dut):
    """Commands of 1..3 words with a quick memory: the W channel has no bubbles."""
    commands, data, axi, pulses = await bench(dut, latency=(1, 1))
    sent = [{"address": BASE + 32 * index, "words": 1 + index % 3, "last_strobe": 0xFF} for index in range(300)]
    payload = words_for(random.Random(8), sent)
    commands.send(sent)
    data.send(payload)
    await finished(dut, commands, data, axi)
    assert len(pulses.taken) == len(payload)
    assert axi.read(BASE, SIZE) == image(sent, payload)
    if OUTSTANDING >= 8:
        assert pulses.taken[-1] - pulses.taken[0] <= len(payload) + 10


@pytest.mark.icarus_runs("5")
@pytest.mark.parametrize("outstanding", [2, pytest.param(4, marks=pytest.mark.slow), 5, 8, pytest.param(16, marks=pytest.mark.slow)])
def test_write_master(simulator, outstanding):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:dma",
        toplevel="write_master",
        parameters={"OUTSTANDING": outstanding},
        simulator=simulator,
        extra_env={"WRITE_OUTSTANDING": str(outstanding)},
        expected_tests=len(PROFILES) ** 2 + 3 + 4 + 3 + 1,
        timeout=1200,
    )
