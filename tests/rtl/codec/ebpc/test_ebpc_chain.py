# SPDX-License-Identifier: Apache-2.0
"""ebpc_encoder into ebpc_decoder: what goes in comes out, with no model between."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from codec.box import BoxConfig, edge_cases, raw_words
from harness import run_cocotb
from lib import clock
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource

WIDTH = int(os.environ.get("WIDTH", "8"))
BLOCK_BYTES = 512
DELAY = 100
"""Most cycles of a block beyond two for each value: of zeros, a word of A holds up to 204, and the decoder begins with a whole word."""


async def transfer(dut: Any, source: StreamSource, sink: StreamSink, what: str, values: list[int], bound: int) -> int:
    """One block through both; returns the cycles from start to the decoder's done."""
    words = raw_words(values, WIDTH)
    source.send(words)
    dut.values.value = len(values)
    dut.start.value = 1
    await RisingEdge(dut.clk)
    dut.start.value = 0
    cycle = 0
    while not int(dut.done.value) or cycle == 0:
        assert cycle < bound, f"{what}: no done within {bound} cycles"
        await RisingEdge(dut.clk)
        cycle += 1
    assert not int(dut.corrupt.value), f"{what}: corrupt"
    await RisingEdge(dut.clk)
    got, sink.beats[:] = list(sink.beats), []
    assert len(got) == len(words), f"{what}: {len(got)} raw words, expected {len(words)}"
    assert got == words, f"{what}: raw word {next(k for k in range(len(words)) if got[k] != words[k])} differs"
    assert source.idle, f"{what}: raw words were not taken"
    return cycle


@cocotb.test()
async def chain(dut: Any) -> None:
    """Every named edge, with pauses and without, signed and unsigned, with a zero point and without."""
    config = BoxConfig("ebpc", width=WIDTH, block_bytes=BLOCK_BYTES)
    rng = random.Random("chain")
    source, sink = StreamSource(dut, "s_raw"), StreamSink(dut, "m_raw")
    await clock.start(dut, start=0, values=1, zero=0, is_signed=1)
    blocks = 0
    for zero, signed in ((0, 1), (99, 0)):
        dut.zero.value, dut.is_signed.value = zero, signed
        for name, values in edge_cases(config, zero).items():
            profiles = ("none", "none") if blocks % 2 == 0 else (rng.choice(PROFILES), rng.choice(PROFILES))
            source.set_profile(profiles[0], blocks)
            sink.set_profile(profiles[1], blocks)
            cycles = await transfer(dut, source, sink, f"{name}, zero {zero}", values, 20 * len(values) + 2000)
            if profiles == ("none", "none"):
                assert cycles <= 2 * len(values) + DELAY, f"{name}: {cycles} cycles"
            blocks += 1
    assert blocks >= 60
    await sink.expect_silence()


def run(simulator: str, width: int) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:ebpc",
        toplevel="ebpc_chain",
        extra_sources=["ebpc_chain.v"],
        parameters={"W": width, "BLOCK_BYTES": BLOCK_BYTES},
        extra_env={"WIDTH": str(width)},
        expected_tests=1,
        simulator=simulator,
    )


def test_ebpc_chain() -> None:
    run("verilator", 8)


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16])
def test_ebpc_chain_whole(simulator: str, width: int) -> None:
    run(simulator, width)
