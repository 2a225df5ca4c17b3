# SPDX-License-Identifier: Apache-2.0
"""ram: strobes, latency, read enable, against a list of words."""

from __future__ import annotations

import os
import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles

CYCLES = 4000
WIDTH = int(os.environ.get("RAM_WIDTH", "64"))
DEPTH = int(os.environ.get("RAM_DEPTH", "512"))
STROBE = int(os.environ.get("RAM_STROBE", "64"))
LATENCY = 1 + int(os.environ.get("RAM_REGISTER", "1"))


def merge(old: int, new: int, strobes: int) -> int:
    mask = sum(((1 << STROBE) - 1) << (i * STROBE) for i in range(WIDTH // STROBE) if strobes >> i & 1)
    return (old & ~mask) | (new & mask)


async def fill(dut, rng) -> list[int]:
    memory = [rng.getrandbits(WIDTH) for _ in range(DEPTH)]
    for address, word in enumerate(memory):
        dut.write_enable.value = (1 << (WIDTH // STROBE)) - 1
        dut.write_address.value = address
        dut.write_data.value = word
        await RisingEdge(dut.clk)
    dut.write_enable.value = 0
    return memory


@cocotb.test()
async def random_traffic(dut):
    """Writes with random strobes and reads with random enables at other addresses, some of them written the cycle before."""
    rng = random.Random(f"{WIDTH}:{DEPTH}:{STROBE}:{LATENCY}")
    await start(dut, write_enable=0, write_address=0, write_data=0, read_enable=0, read_address=0)
    memory = await fill(dut, rng)
    pipe: list[int | None] = [None] * LATENCY  # what read_data must be after each edge; None: not known yet
    last_write = 0
    reads = 0
    for _ in range(CYCLES):
        strobes = rng.getrandbits(WIDTH // STROBE) if rng.random() < 0.7 else 0
        address, word = rng.randrange(DEPTH), rng.getrandbits(WIDTH)
        read_address = last_write if rng.random() < 0.4 else rng.randrange(DEPTH)
        enable = rng.random() < 0.6 and not (strobes and read_address == address)
        dut.write_enable.value = strobes
        dut.write_address.value = address
        dut.write_data.value = word
        dut.read_enable.value = int(enable)
        dut.read_address.value = read_address
        await RisingEdge(dut.clk)
        # values before this edge
        if pipe[-1] is not None:
            assert int(dut.read_data.value) == pipe[-1]
            reads += 1
        pipe = [memory[read_address] if enable else pipe[0], *pipe[:-1]]
        memory[address] = merge(memory[address], word, strobes)
        last_write = address
    assert reads > CYCLES // 2


@cocotb.test()
async def every_word_and_every_strobe(dut):
    rng = random.Random(7)
    await start(dut, write_enable=0, write_address=0, write_data=0, read_enable=0, read_address=0)
    memory = await fill(dut, rng)
    for strobe in range(WIDTH // STROBE):
        address, word = rng.randrange(DEPTH), rng.getrandbits(WIDTH)
        dut.write_enable.value = 1 << strobe
        dut.write_address.value = address
        dut.write_data.value = word
        await RisingEdge(dut.clk)
        memory[address] = merge(memory[address], word, 1 << strobe)
    dut.write_enable.value = 0
    seen = []
    dut.read_enable.value = 1
    for cycle in range(DEPTH + LATENCY):
        dut.read_address.value = min(cycle, DEPTH - 1)
        await RisingEdge(dut.clk)
        if cycle >= LATENCY:
            seen.append(int(dut.read_data.value))
    assert len(seen) == DEPTH
    assert seen == memory
    dut.read_enable.value = 0
    await wait_cycles(dut, 3)
    held = int(dut.read_data.value)
    dut.read_address.value = 0
    await wait_cycles(dut, 5)
    assert int(dut.read_data.value) == held == memory[-1]


@pytest.mark.parametrize(
    ("width", "depth", "strobe", "register"), [(64, 512, 64, 1), (64, 512, 16, 1), (64, 128, 16, 0), (8, 32, 8, 0), (32, 64, 1, 1)]
)
def test_ram(simulator, width, depth, strobe, register):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:common",
        toplevel="ram",
        parameters={"WIDTH": width, "DEPTH": depth, "STROBE_WIDTH": strobe, "OUTPUT_REGISTER": register},
        simulator=simulator,
        extra_env={"RAM_WIDTH": str(width), "RAM_DEPTH": str(depth), "RAM_STROBE": str(strobe), "RAM_REGISTER": str(register)},
        expected_tests=2,
    )
