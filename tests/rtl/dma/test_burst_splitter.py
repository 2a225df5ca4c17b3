# SPDX-License-Identifier: Apache-2.0
"""burst_splitter: bursts equal those of a three-line model, one a cycle."""

from __future__ import annotations

import random

import cocotb
from harness import run_cocotb
from lib.clock import start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource

COMMAND = ("address", "words", "tag")
BURST = ("address", "beats", "tag", "last")


def split(commands: list[dict[str, int]]) -> list[dict[str, int]]:
    bursts = []
    for command in commands:
        address, words = command["address"], command["words"]
        while words:
            beats = min(words, 16 - address // 8 % 16)
            words -= beats
            bursts.append({"address": address, "beats": beats, "tag": command["tag"], "last": int(words == 0)})
            address += 8 * beats
    return bursts


EDGES = [
    (0, 1),
    (0, 16),
    (0, 17),
    (8, 16),
    (120, 1),
    (120, 2),
    (4088, 1),
    (4088, 2),
    (4096 - 128, 17),
    (4104, 15),
    (4104, 16),
    (0xFFFFFF80, 16),
    (0xFFFFFFF8, 1),
    (0, 65535),
]


def mix(rng: random.Random, count: int) -> list[dict[str, int]]:
    commands = []
    for _ in range(count):
        words = rng.choice([1, 1, 2, 3, rng.randint(1, 40), rng.randint(1, 200)])
        near_page = rng.randrange(1 << 19) * 4096 + 8 * rng.randint(-20, 20)
        address = rng.choice([near_page % (1 << 31), 8 * rng.randrange(1 << 28)])
        commands.append({"address": address, "words": words, "tag": rng.randrange(16)})
    return commands


@cocotb.test()
@cocotb.parametrize(source_profile=PROFILES, sink_profile=PROFILES)
async def splits(dut, source_profile, sink_profile):
    source = StreamSource(dut, "s", payload=COMMAND, profile=source_profile, seed=1)
    sink = StreamSink(dut, "m", payload=BURST, profile=sink_profile, seed=2)
    await start(dut)
    commands = mix(random.Random(source_profile + sink_profile), 60)
    expected = split(commands)
    source.send(commands)
    received = await sink.receive(len(expected), timeout=60_000)
    assert received == expected
    await sink.expect_silence()


@cocotb.test()
async def edges(dut):
    source = StreamSource(dut, "s", payload=COMMAND)
    sink = StreamSink(dut, "m", payload=BURST)
    await start(dut)
    commands = [{"address": address, "words": words, "tag": index} for index, (address, words) in enumerate(EDGES)]
    expected = split(commands)
    source.send(commands)
    received = await sink.receive(len(expected), timeout=60_000)
    assert received == expected
    for burst in received:
        assert 1 <= burst["beats"] <= 16
        assert burst["address"] // 128 == (burst["address"] + 8 * burst["beats"] - 1) // 128
    await sink.expect_silence()


@cocotb.test()
async def is_one_burst_a_cycle(dut):
    source = StreamSource(dut, "s", payload=COMMAND)
    sink = StreamSink(dut, "m", payload=BURST)
    await start(dut)
    commands = [{"address": 8 * index, "words": 1 + index % 40, "tag": 0} for index in range(120)]
    expected = split(commands)
    source.send(commands)
    while len(sink.beats) < len(expected):
        await wait_cycles(dut, 1)
        assert sink.cycle < len(expected) + 50
    assert sink.beats == expected
    assert sink.cycles[-1] - sink.cycles[0] == len(expected) - 1


def test_burst_splitter(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:dma",
        toplevel="burst_splitter",
        parameters={"TAG_WIDTH": 4},
        simulator=simulator,
        expected_tests=len(PROFILES) ** 2 + 2,
    )
