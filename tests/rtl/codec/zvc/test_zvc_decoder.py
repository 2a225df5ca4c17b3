# SPDX-License-Identifier: Apache-2.0
"""zvc_decoder against the model: streams, back-pressure, aborts, cycles."""

from __future__ import annotations

import os

import pytest
from codec.box import BoxConfig, add_decoder_tests
from harness import run_cocotb

BLOCK_BYTES = int(os.environ.get("BLOCK_BYTES", "512"))
CONFIG = BoxConfig("zvc", block_bytes=BLOCK_BYTES, zeros=(0, 1, 128, 255), cycles=lambda values: -(-values // 4) + 14)
TESTS = add_decoder_tests(globals(), CONFIG)


def run(simulator: str, block_bytes: int) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:zvc",
        toplevel="zvc_decoder",
        parameters={"BLOCK_BYTES": block_bytes},
        extra_env={"BLOCK_BYTES": str(block_bytes)},
        expected_tests=TESTS,
        simulator=simulator,
    )


def test_zvc_decoder(simulator: str) -> None:
    run(simulator, 512)


@pytest.mark.slow
def test_zvc_decoder_full_block(simulator: str) -> None:
    run(simulator, 4096)
