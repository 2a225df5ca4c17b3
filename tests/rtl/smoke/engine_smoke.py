# SPDX-License-Identifier: Apache-2.0
"""A short run of the engine in any build, for ``fusesoc run --target=sim``: registers, then each codec both ways over DDR and stream
ports."""

from __future__ import annotations

import os

import cocotb
import numpy as np
from lib.engine_bench import EngineBench
from tensorpress.codecs import CODEC_NUMBERS, Coding
from tensorpress.registers import REG

VALUES = 1500


@cocotb.test()
async def registers_answer(dut):
    bench = EngineBench(dut)
    await bench.start()
    assert await bench.read("ID") == 0x54505A31
    await bench.write("SCRATCH", 0xC0FFEE)
    assert await bench.read("SCRATCH") == 0xC0FFEE
    assert REG["CAPABILITIES"].offset == 8


@cocotb.test()
async def every_codec_there_and_back(dut):
    bench = EngineBench(dut, profile="light", seed=1)
    await bench.start()
    built = (await bench.read("CAPABILITIES") >> 16) & 0xF
    rng = np.random.default_rng(1)
    values = (rng.integers(1, 30, VALUES) * (rng.random(VALUES) < 0.4)).astype(np.uint8)
    for codec in ("raw", "zvc", "ebpc"):
        if built >> CODEC_NUMBERS[codec] & 1:
            for stream in (False, True):
                coding = Coding(codec, block_values=256)
                await bench.decompress(await bench.compress(values, coding, stream=stream), values, coding, stream=stream)


@cocotb.test()
async def no_fault_is_injected(dut):
    assert os.environ.get("TENSORPRESS_SMOKE_FAULT", "") == ""
