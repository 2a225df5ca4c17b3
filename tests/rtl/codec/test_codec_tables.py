# SPDX-License-Identifier: Apache-2.0
"""codec_tables for codecs without tables: load is answered in the next cycle, without error and without a word to the lanes."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib import clock


@cocotb.test()
async def answers(dut: Any) -> None:
    await clock.start(dut, load=0, codec=0, table_valid=0, table_address=0, table_data=0)
    for codec in (0, 1, 2, 1, 0):
        dut.load.value, dut.codec.value = 1, codec
        await RisingEdge(dut.clk)
        dut.load.value, dut.codec.value = 0, 15
        assert not int(dut.load_done.value)
        await RisingEdge(dut.clk)
        assert int(dut.load_done.value), f"codec {codec}: no answer in the cycle after load"
        assert not int(dut.load_error.value)
        for _ in range(4):
            await RisingEdge(dut.clk)
            assert not int(dut.load_done.value)
            assert not int(dut.lane_table_valid.value)


@cocotb.test()
async def table_words_and_reset(dut: Any) -> None:
    """Table words reach no lane in a build without tables; a reset drops the answer."""
    await clock.start(dut, load=0, codec=0, table_valid=0, table_address=0, table_data=0)
    for address in range(40):
        dut.table_valid.value, dut.table_address.value, dut.table_data.value = 1, address, address * 77
        await RisingEdge(dut.clk)
        assert not int(dut.lane_table_valid.value)
    dut.table_valid.value = 0
    dut.load.value, dut.codec.value, dut.rst.value = 1, 1, 1
    await RisingEdge(dut.clk)
    dut.load.value, dut.rst.value = 0, 0
    for _ in range(5):
        await RisingEdge(dut.clk)
        assert not int(dut.load_done.value)


def test_codec_tables(simulator: str) -> None:
    run_cocotb(
        __file__, core="tensorpress:rtl:codec", toplevel="codec_tables", parameters={"CODECS": 7}, simulator=simulator, expected_tests=2
    )
