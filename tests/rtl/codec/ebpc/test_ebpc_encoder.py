# SPDX-License-Identifier: Apache-2.0
"""ebpc_encoder against the model: streams, back-pressure, aborts, cycles."""

from __future__ import annotations

import os

import pytest
from codec.box import BoxConfig, add_encoder_tests
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


def run(simulator: str, width: int, block_bytes: int, signed: bool, only: str | None = None) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:ebpc",
        toplevel="ebpc_encoder",
        parameters={"W": width, "BLOCK_BYTES": block_bytes},
        extra_env={"WIDTH": str(width), "BLOCK_BYTES": str(block_bytes), "SIGNED": str(int(signed))},
        expected_tests=1 if only else TESTS,
        test_filter=only,
        simulator=simulator,
    )


@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_encoder(simulator: str, width: int) -> None:
    run(simulator, width, 512, True)


@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_encoder_unsigned(simulator: str, width: int) -> None:
    run(simulator, width, 512, False, "encoder_edges")


def test_ebpc_encoder_cycles_of_large_blocks() -> None:
    run("verilator", 8, 4096, True, "encoder_cycles")
