# SPDX-License-Identifier: Apache-2.0
"""codec_decoder: the whole box kit through the selection, and changes of codec between blocks."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from codec.box import BoxConfig, DecoderBox, add_decoder_tests, mixed_values
from harness import run_cocotb
from lib import clock
from tensorpress.codecs import CODEC_NUMBERS

BLOCK_BYTES = 512
CODECS = int(os.environ.get("CODECS", "2"))
CODEC = os.environ.get("CODEC", "zvc")


def config(codec: str) -> BoxConfig:
    return BoxConfig(codec, block_bytes=BLOCK_BYTES, inputs={"codec": CODEC_NUMBERS[codec]})


TESTS = add_decoder_tests(globals(), config(CODEC))


@cocotb.test()
async def changes(dut: Any) -> None:
    """The codecs of the build in turn, with rst between them; what is not selected stays silent."""
    names = [name for name in ("zvc", "ebpc") if CODECS >> CODEC_NUMBERS[name] & 1]
    boxes = {name: config(name) for name in names}
    box = DecoderBox(dut, boxes[names[0]])
    await box.begin()
    rng = random.Random(CODECS)
    for number in range(12):
        name = names[number % len(names)]
        box.config = boxes[name]
        dut.codec.value = CODEC_NUMBERS[name]
        await box.abort()
        await clock.wait_cycles(dut, 1)
        zero = rng.choice((0, 128))
        values = mixed_values(rng, rng.randint(1, BLOCK_BYTES), 8, zero, 0.5)
        block = box.config.streams(values, zero)
        await box.decode(f"block {number}, {name}", block.a_stream, block.b_stream, len(values), zero)
    await box.expect_silence()


@cocotb.test()
async def raw_is_silent(dut: Any) -> None:
    """Codec 0 has no decoder: with it selected, and more than one codec built, nothing is taken and nothing comes."""
    if CODECS & 14 in (2, 4, 8):
        return  # the only codec of a build is always selected
    box = DecoderBox(dut, config(CODEC))
    await box.begin()
    dut.codec.value = 0
    await clock.wait_cycles(dut, 2)
    box.a.send([1, 2, 3])
    box.b.send([1, 2, 3])
    dut.start.value = 1
    await RisingEdge(dut.clk)
    dut.start.value = 0
    for _ in range(60):
        await RisingEdge(dut.clk)
        for sink in box.sinks:
            assert not int(sink.valid.value)
        for source in box.sources:
            assert not source.accepted
        assert not int(dut.done.value)


@pytest.mark.parametrize(("codecs", "codec"), [(2, "zvc"), (6, "zvc"), (7, "ebpc")])
def test_codec_decoder(simulator: str, codecs: int, codec: str) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:codec",
        toplevel="codec_decoder",
        parameters={"BLOCK_BYTES": BLOCK_BYTES, "CODECS": codecs},
        extra_env={"CODECS": str(codecs), "CODEC": codec},
        expected_tests=TESTS + 2,
        simulator=simulator,
    )
