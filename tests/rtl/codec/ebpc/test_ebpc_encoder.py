# SPDX-License-Identifier: Apache-2.0
"""ebpc_encoder against the model: streams, back-pressure, aborts, cycles."""

from __future__ import annotations

import os
from typing import Any

import cocotb
import pytest
from codec.box import BoxConfig, EncoderBox, add_encoder_tests
from codec.ebpc.kinds import kinds
from harness import run_cocotb

WIDTH = int(os.environ.get("WIDTH", "8"))
BLOCK_BYTES = int(os.environ.get("BLOCK_BYTES", "512"))
SIGNED = os.environ.get("SIGNED", "1") == "1"
OVERHEAD = {8: 33, 16: 44}
"""Most cycles of a block beyond one for each value, both `start` and `done` counted."""

CONFIG = BoxConfig(
    "ebpc",
    width=WIDTH,
    block_bytes=BLOCK_BYTES,
    signed=SIGNED,
    zeros=(0, 131 if WIDTH == 8 else 40_000),
    cycles=lambda values: values + OVERHEAD[WIDTH],
)
TESTS = add_encoder_tests(globals(), CONFIG)


if BLOCK_BYTES == 4096:

    @cocotb.test()
    async def encoder_throughput(dut: Any) -> None:
        """At least 0.99 values a cycle, start and done included, on each kind of data."""
        box = EncoderBox(dut, CONFIG)
        await box.begin()
        box.set_pressure({})
        for name, values in kinds().items():
            cycles = await box.encode(name, values, early=3)
            dut._log.info("%s: %d values in %d cycles, %.4f", name, len(values), cycles, len(values) / cycles)
            assert len(values) >= 0.99 * cycles, f"{name}: {cycles} cycles"


def run(simulator: str, *, width: int = 8, block_bytes: int = 512, signed: bool = True, tests: int, only: str | None = None) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:ebpc",
        toplevel="ebpc_encoder",
        parameters={"W": width, "BLOCK_BYTES": block_bytes},
        extra_env={"WIDTH": str(width), "BLOCK_BYTES": str(block_bytes), "SIGNED": str(int(signed))},
        expected_tests=tests,
        test_filter=only,
        simulator=simulator,
    )


def test_ebpc_encoder() -> None:
    run("verilator", tests=TESTS)


@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_encoder_edges(icarus: str, width: int) -> None:
    run(icarus, width=width, tests=2, only="encoder_(edges|back_to_back)")


def test_ebpc_encoder_unsigned() -> None:
    run("verilator", signed=False, tests=1, only="encoder_edges")


def test_ebpc_encoder_throughput() -> None:
    run("verilator", block_bytes=4096, tests=1, only="encoder_throughput")


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_encoder_whole(simulator: str, width: int) -> None:
    run(simulator, width=width, tests=TESTS)


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_encoder_unsigned_whole(simulator: str, width: int) -> None:
    run(simulator, width=width, signed=False, tests=1, only="encoder_edges")
