# SPDX-License-Identifier: Apache-2.0
"""The fetch of a queued job: five words of its descriptor, sixteen of its table, error responses at each word."""

from __future__ import annotations

import random

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles

FIELDS = ("config", "next", "values", "block_values", "raw_address", "index_address", "payload_address", "payload_words")


async def fetch(
    dut, words: list[int], table: list[int], *, gap: int, bad: int | None = None
) -> tuple[list[tuple[int, int]], int, bool, bool]:
    """Play the memory for one fetch; returns table writes, words read, error, unreadable."""
    rng = random.Random(gap)
    memory = {0x1000 + 8 * k: words[2 * k] | words[2 * k + 1] << 32 for k in range(5)}
    memory |= {0x2000 + 8 * k: table[2 * k] | table[2 * k + 1] << 32 for k in range(8)}
    dut.address.value, dut.go.value = 0x1000, 1
    await RisingEdge(dut.clk)
    dut.go.value = 0
    queue: list[int] = []
    written, given = [], 0
    for _ in range(400):
        dut.cmd_ready.value = int(rng.random() < 0.5)
        valid = bool(queue) and rng.random() < 1 / (1 + gap)
        dut.s_valid.value, dut.s_error.value = int(valid), int(valid and given == bad)
        dut.s_data.value = queue.pop(0) if valid else rng.getrandbits(64)
        given += valid
        await RisingEdge(dut.clk)
        if int(dut.cmd_valid.value) and int(dut.cmd_ready.value):
            first, count = int(dut.cmd_address.value), int(dut.cmd_words.value)
            queue += [memory[first + 8 * k] for k in range(count)]
        if int(dut.table_valid.value):
            written.append((int(dut.table_address.value), int(dut.table_data.value)))
        if int(dut.done.value):
            return written, given, bool(int(dut.error.value)), bool(int(dut.unreadable.value))
    raise AssertionError("no end")


@cocotb.test()
@cocotb.parametrize(gap=(0, 3))
async def descriptors_and_tables(dut, gap):
    rng = random.Random(1)
    await start(dut, go=0, address=0, cmd_ready=0, s_valid=0, s_data=0, s_error=0)
    for codec, at, has_table in ((3, 0x2000, True), (1, 0x2000, False), (3, 0, False), (2, 0x2000, False), (3, 0x2000, True)):
        words = [rng.getrandbits(28) << 4 | codec, *(rng.getrandbits(32) for _ in range(7)), at, 0]
        table = [rng.getrandbits(32) for _ in range(16)]
        written, given, error, _ = await fetch(dut, words, table, gap=gap)
        assert not error and given == (13 if has_table else 5)
        assert written == (list(enumerate(table)) if has_table else [])
        assert [int(getattr(dut, f"job_{name}").value) for name in FIELDS] == words[:8]
        await wait_cycles(dut, 3)


@cocotb.test()
async def error_responses(dut):
    await start(dut, go=0, address=0, cmd_ready=0, s_valid=0, s_data=0, s_error=0)
    for bad in range(13):
        _, given, error, unreadable = await fetch(dut, [3, *[7] * 7, 0x2000, 0], list(range(16)), gap=1, bad=bad)
        assert error and unreadable == (bad < 5) and given == (5 if bad < 5 else 13), bad
        await wait_cycles(dut, 3)
    assert not (await fetch(dut, [3, *[7] * 7, 0x2000, 0], list(range(16)), gap=0))[2]


def test_job_fetch(simulator):
    run_cocotb(__file__, core="tensorpress:rtl:engine", toplevel="job_fetch", simulator=simulator, expected_tests=3)
