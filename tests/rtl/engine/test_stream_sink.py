# SPDX-License-Identifier: Apache-2.0
"""The stream sink: words that come alone or in pairs become whole beats, in order, whatever waits."""

from __future__ import annotations

import random

import cocotb
import pytest
from harness import run_cocotb
from lib.clock import start
from lib.streams import StreamSink, StreamSource


@cocotb.test()
@cocotb.parametrize(profile=("none", "light", "heavy"))
async def words_become_beats(dut, profile):
    rng = random.Random(3)
    width = len(dut.m_axis_tkeep)
    source = StreamSource(dut, "s", payload=("data", "both", "last", "tail"), profile=profile, seed=1)
    sink = StreamSink(dut, "m_axis", payload=("data", "keep", "last"), profile=profile, seed=2)
    await start(dut, drop=0)
    expected = []
    for _ in range(40):
        count, tail = rng.choice((1, 2, 3, 16, 17, 33)), rng.randrange(8)
        data = bytes(rng.getrandbits(8) for _ in range(8 * (count - 1) + (tail or 8)))
        words = [int.from_bytes(data[8 * k : 8 * k + 8], "little") for k in range(count)]
        place = 0
        while place < count:
            both = width == 16 and place % 2 == 0 and place + 1 < count and rng.random() < 0.7
            step = 2 if both else 1
            junk = 0 if both or width == 8 else rng.getrandbits(64) << 64
            word = words[place] | (words[place + 1] << 64 if both else junk)
            last = place + step == count
            source.send([{"data": word, "both": int(both), "last": int(last), "tail": tail if last else rng.randrange(8)}])
            place += step
        for at in range(0, len(data), width):
            part = data[at : at + width]
            keep = (1 << len(part)) - 1
            expected.append({"data": int.from_bytes(part, "little"), "keep": keep, "last": int(at + width >= len(data))})
    beats = await sink.receive(len(expected), timeout=60_000)
    for beat in beats:  # bytes that are not kept are nobody's
        beat["data"] &= sum(0xFF << 8 * k for k in range(width) if beat["keep"] >> k & 1)
    assert beats == expected
    await sink.expect_silence()


@pytest.mark.parametrize("width", [8, 16])
def test_stream_sink(simulator, width):
    run_cocotb(
        __file__, core="tensorpress:rtl:engine", toplevel="stream_sink", parameters={"BYTES": width}, simulator=simulator, expected_tests=3
    )
