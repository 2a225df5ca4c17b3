# SPDX-License-Identifier: Apache-2.0
"""ebpc_decoder against the model: streams, back-pressure, aborts, cycles, and every single-bit fault of short blocks."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
import pytest
from codec.box import BoxConfig, DecoderBox, add_decoder_tests, mixed_values
from codec.ebpc.kinds import kinds
from harness import run_cocotb

WIDTH = int(os.environ.get("WIDTH", "8"))
BLOCK_BYTES = int(os.environ.get("BLOCK_BYTES", "512"))
SIGNED = os.environ.get("SIGNED", "1") == "1"
OVERHEAD = {8: 24, 16: 28}
"""Most cycles of a block beyond one for each value, both `start` and `done` counted."""
FAULTY_OVERHEAD = 64
"""The same for a block of any bits at all."""

CONFIG = BoxConfig(
    "ebpc",
    width=WIDTH,
    block_bytes=BLOCK_BYTES,
    signed=SIGNED,
    zeros=(0, 131 if WIDTH == 8 else 40_000),
    cycles=lambda values: values + OVERHEAD[WIDTH],
)
TESTS = add_decoder_tests(globals(), CONFIG) + 2


def short_blocks() -> list[tuple[list[int], int]]:
    """Blocks of few words that use every kind of code: values, zero."""
    rng = random.Random("short blocks")
    top = (1 << WIDTH) - 1
    ramp = [5 + 3 * k for k in range(WIDTH + 1)]
    steps = [1 + (1 << (k % (WIDTH - 1))) for k in range(WIDTH)]
    return [(ramp, 0), ([7] + [0] * 19 + steps, 7), (mixed_values(rng, 2 * WIDTH + 3, WIDTH, 0, 0.3), 0), ([top, 0, 0, 1], 0)]


@cocotb.test()
async def decoder_every_bit_flipped(dut: Any) -> None:
    """Each bit of short blocks, one at a time: the model's values or `corrupt`, in bounded cycles."""
    box = DecoderBox(dut, CONFIG)
    await box.begin()
    flips = 0
    for values, zero in short_blocks():
        block = CONFIG.streams(values, zero)
        good = [int(word) for word in block.a_stream], [int(word) for word in block.b_stream]
        for side, bit in [(number, bit) for number in (0, 1) for bit in range(64 * len(good[number]))]:
            streams = list(good[0]), list(good[1])
            streams[side][bit // 64] ^= 1 << (63 - bit % 64)
            what = f"bit {bit} of {'AB'[side]} flipped, {len(values)} values"
            cycles = await box.decode(what, *streams, len(values), zero)
            assert cycles <= len(values) + FAULTY_OVERHEAD, f"{what}: {cycles} cycles"
            flips += 1
    assert flips >= 500
    await box.expect_silence()


@cocotb.test()
async def decoder_every_truncation(dut: Any) -> None:
    """Streams cut at each word, and zeros from each byte on: bounded cycles, and `corrupt` exactly when a bit is missing."""
    box = DecoderBox(dut, CONFIG)
    await box.begin()
    rng = random.Random("truncation")
    values = mixed_values(rng, 90, WIDTH, 0, 0.2)
    block = CONFIG.streams(values, 0)
    good = [int(word) for word in block.a_stream], [int(word) for word in block.b_stream]
    for side in (0, 1):
        for words in range(len(good[side])):
            streams = [list(good[0]), list(good[1])]
            streams[side] = streams[side][:words]
            cycles = await box.decode(f"{words} words of {'AB'[side]}", *streams, len(values), 0)
            assert cycles <= len(values) + FAULTY_OVERHEAD
        for byte in range(8 * len(good[side])):
            streams = [list(good[0]), list(good[1])]
            word = byte // 8
            streams[side][word] &= ~((1 << (64 - 8 * (byte % 8))) - 1) & ((1 << 64) - 1)
            streams[side][word + 1 :] = [0] * (len(good[side]) - word - 1)
            cycles = await box.decode(f"zeros from byte {byte} of {'AB'[side]}", *streams, len(values), 0)
            assert cycles <= len(values) + FAULTY_OVERHEAD
    for number in range(20):
        streams = [[rng.getrandbits(64) for _ in range(rng.randint(0, 12))] for _ in range(2)]
        cycles = await box.decode(f"random words {number}", *streams, len(values), 0)
        assert cycles <= len(values) + FAULTY_OVERHEAD
    cycles = await box.decode("intact", *good, len(values), 0)
    assert cycles <= len(values) + OVERHEAD[WIDTH]
    await box.expect_silence()


if BLOCK_BYTES == 4096:

    @cocotb.test()
    async def decoder_throughput(dut: Any) -> None:
        """At least 0.99 values a cycle, start and done included, on each kind of data."""
        box = DecoderBox(dut, CONFIG)
        await box.begin()
        box.set_pressure({})
        for name, values in kinds().items():
            block = CONFIG.streams(values, 0)
            cycles = await box.decode(name, block.a_stream, block.b_stream, len(values), early=3)
            dut._log.info("%s: %d values in %d cycles, %.4f", name, len(values), cycles, len(values) / cycles)
            assert len(values) >= 0.99 * cycles, f"{name}: {cycles} cycles"


def run(simulator: str, width: int, block_bytes: int, signed: bool, only: str | None = None) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:ebpc",
        toplevel="ebpc_decoder",
        parameters={"W": width, "BLOCK_BYTES": block_bytes},
        extra_env={"WIDTH": str(width), "BLOCK_BYTES": str(block_bytes), "SIGNED": str(int(signed))},
        expected_tests=1 if only else TESTS,
        test_filter=only,
        simulator=simulator,
    )


@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_decoder(simulator: str, width: int) -> None:
    run(simulator, width, 512, True)


@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_decoder_unsigned(simulator: str, width: int) -> None:
    run(simulator, width, 512, False, "decoder_edges")


def test_ebpc_decoder_throughput() -> None:
    run("verilator", 8, 4096, True, "decoder_throughput")
