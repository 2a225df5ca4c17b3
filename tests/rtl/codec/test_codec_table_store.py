# SPDX-License-Identifier: Apache-2.0
"""The store of tables: each lane gets the table it asks for, whole and in order, whatever the others ask for."""

from __future__ import annotations

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start


@cocotb.test()
async def every_lane_gets_its_table(dut):
    rng = random.Random(1)
    lanes = len(dut.want)
    await start(dut, write_valid=0, write_number=0, write_row=0, write_data=0, want=0, want_number=0)
    tables = {number: [rng.getrandbits(10) << 16 | rng.getrandbits(8) for _ in range(16)] for number in range(32)}
    for number, rows in tables.items():
        for row, data in enumerate(rows):
            dut.write_valid.value, dut.write_number.value, dut.write_row.value, dut.write_data.value = 1, number, row, data
            await RisingEdge(dut.clk)
    dut.write_valid.value = 0
    wants: dict[int, int] = {}
    got: dict[int, list[int]] = {}
    served = 0
    for _ in range(4000):
        for lane in range(lanes):
            if lane not in wants and rng.random() < 0.02:
                wants[lane], got[lane] = rng.randrange(32), []
        dut.want.value = sum(1 << lane for lane in wants)
        dut.want_number.value = sum(number << 5 * lane for lane, number in wants.items())
        await RisingEdge(dut.clk)
        if not int(dut.bus_valid.value):
            continue
        number, row, data = int(dut.bus_number.value), int(dut.bus_row.value), int(dut.bus_data.value)
        assert data == tables[number][row]
        for lane in [lane for lane, wanted in wants.items() if wanted == number]:
            if row == len(got[lane]):
                got[lane].append(data)
            if len(got[lane]) == 16:
                assert got[lane] == tables[number]
                del wants[lane]
                served += 1
    assert served >= 40


@pytest.mark.parametrize("lanes", [1, 16])
def test_codec_table_store(simulator, lanes):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:codec",
        toplevel="codec_table_store",
        parameters={"LANES": lanes},
        simulator=simulator,
        expected_tests=1,
    )
