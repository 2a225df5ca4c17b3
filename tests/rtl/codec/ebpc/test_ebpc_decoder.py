# SPDX-License-Identifier: Apache-2.0
"""ebpc_decoder against the model: streams, back-pressure, aborts, cycles, and every single-bit fault of short blocks."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
import pytest
from codec.box import BoxConfig, DecoderBox, add_decoder_tests, add_fault_tests, mixed_values
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


def short_blocks() -> list[tuple[list[int], int]]:
    """Blocks of few words that use every kind of code: values, zero."""
    rng = random.Random("short blocks")
    top = (1 << WIDTH) - 1
    ramp = [5 + 3 * k for k in range(WIDTH + 1)]
    steps = [1 + (1 << (k % (WIDTH - 1))) for k in range(WIDTH)]
    return [([7] + [0] * 19 + steps, 7), (ramp, 0), (mixed_values(rng, 2 * WIDTH + 3, WIDTH, 0, 0.3), 0), ([top, 0, 0, 1], 0)]


KIT_TESTS = add_decoder_tests(globals(), CONFIG)
FAULT_TESTS = add_fault_tests(globals(), CONFIG, short_blocks(), FAULTY_OVERHEAD)


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


def run(
    simulator: str, *, width: int = 8, block_bytes: int = 512, signed: bool = True, tests: int, only: str | None = None, kit: str = "short"
) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:ebpc",
        toplevel="ebpc_decoder",
        parameters={"W": width, "BLOCK_BYTES": block_bytes},
        extra_env={"WIDTH": str(width), "BLOCK_BYTES": str(block_bytes), "SIGNED": str(int(signed)), "KIT": kit},
        expected_tests=tests,
        test_filter=only,
        simulator=simulator,
    )


def test_ebpc_decoder() -> None:
    run("verilator", tests=KIT_TESTS + FAULT_TESTS)


@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_decoder_edges(icarus: str, width: int) -> None:
    run(icarus, width=width, tests=3, only="decoder_(edges|back_to_back|random_words)")


def test_ebpc_decoder_throughput() -> None:
    run("verilator", block_bytes=4096, tests=1, only="decoder_throughput")


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_decoder_whole(simulator: str, width: int) -> None:
    run(simulator, width=width, tests=KIT_TESTS + FAULT_TESTS, kit="full")


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_decoder_unsigned(simulator: str, width: int) -> None:
    run(simulator, width=width, signed=False, tests=1, only="decoder_edges")
