# SPDX-License-Identifier: Apache-2.0
"""apack_encoder against the model: streams, back-pressure, aborts, limits, expansion, cycles, tables."""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from codec.apack.apack_tables import bus_words, largest_pending, likely_values, make_table, pending_values
from codec.box import BoxConfig, EncoderBox, add_encoder_tests, pressures
from harness import run_cocotb
from lib import clock

BLOCK_BYTES = int(os.environ.get("BLOCK_BYTES", "512"))
CODERS = int(os.environ.get("CODERS", "8"))
WIDTH = int(os.environ.get("WIDTH", "8"))
TABLE = make_table(os.environ.get("TABLE", "zeros"), WIDTH)
CONFIG = BoxConfig(
    "apack",
    width=WIDTH,
    block_bytes=BLOCK_BYTES,
    coders=CODERS,
    table=TABLE,
    table_words=bus_words(TABLE),
    zeros=(0,),
    cycles=lambda values: values + 3 * CODERS + 60,
)
BLOCK_WORDS = BLOCK_BYTES // 8
KIT_TESTS = add_encoder_tests(globals(), CONFIG) if WIDTH != 4 else 0
OWN_TESTS = 4


def use_table(box: EncoderBox, kind: str) -> None:
    """Another table for the model; `load_table` gives it to the encoder."""
    table = make_table(kind, WIDTH)
    box.config = replace(CONFIG, table=table, table_words=bus_words(table))


async def encode_any(box: EncoderBox, what: str, values: list[int], pressure: dict[str, str], seed: int) -> str:
    """Code a block that may expand: then A keeps inside its largest block, and the block ends all the same."""
    box.set_pressure(pressure, seed)
    expected = box.config.streams(values, 0)
    if expected.limit or len(expected.a_stream) <= BLOCK_WORDS:
        await box.encode(what, values, slow=True)
        return "limit" if expected.limit else "coded"
    await box.begin_block(values, 0)
    _, results = await box._wait_done((40 * len(values) + 4000) * 60, what)
    assert results == {"limit": 0, "a_words": BLOCK_WORDS}, what
    right = [int(word) for word in expected.a_stream]
    for beat in box.a.beats:  # the last place is the one that takes all further parts
        for part in range(4):
            if beat["strb"] >> (3 - part) & 1 and (beat["address"], part) != (BLOCK_WORDS - 1, 3):
                got, wanted = beat["data"] >> (48 - 16 * part) & 0xFFFF, right[beat["address"]] >> (48 - 16 * part) & 0xFFFF
                assert got == wanted, f"{what}: part {part} of word {beat['address']} is {got:04x}, expected {wanted:04x}"
    assert list(box.b.beats) == [int(word) for word in expected.b_stream], f"{what}: stream B"
    box.a.clear()
    box.b.clear()
    return "expanded"


@cocotb.test()
async def encoder_tables(dut: Any) -> None:
    """Tables that fit the data and tables that do not, one after the other; blocks of all sizes, some of which expand."""
    box = EncoderBox(dut, CONFIG)
    await box.begin()
    rng = random.Random("tables")
    outcomes = []
    kinds = ["even"] if WIDTH == 4 else ["even", "zeros", "skew", "skew_last", "wide", "middle", "random 2", "narrow 1", "narrow 2"]
    for number, kind in enumerate(kinds * 2 if WIDTH != 4 else kinds * 6):
        use_table(box, kind)
        await box.load_table()
        for size in (rng.randint(1, CODERS), rng.randint(CODERS, 100), min(CONFIG.block_values, rng.randint(400, 1100))):
            data = rng.choice(("likely", "uniform", "one"))
            values = {
                "likely": likely_values(rng, box.config.table, size),
                "uniform": [rng.randrange(1 << WIDTH) for _ in range(size)],
                "one": [rng.randrange(1 << WIDTH)] * size,
            }[data]
            pressure = {port: rng.choice(("none", "light")) for port in EncoderBox.PORTS}
            outcomes.append(await encode_any(box, f"{kind}, {size} values, {data}", values, pressure, number))
    assert outcomes.count("coded") >= 15
    await box.expect_silence()


@cocotb.test()
async def encoder_pending(dut: Any) -> None:
    """The pending counter at 17, 20, 40, 63 and past the limit, without pauses and with every one."""
    box = EncoderBox(dut, CONFIG)
    await box.begin()
    use_table(box, "middle")
    await box.load_table()
    outcomes = []
    for pending in (17, 20, 40, 63, 64):
        values = pending_values(box.config.table, CODERS, pending, min(25 * CODERS, CONFIG.block_values))
        reached = largest_pending(values, box.config.table, CODERS)
        assert reached == pending or reached > 63 < pending
        for number, pressure in enumerate([{}, *pressures(EncoderBox.PORTS)]):
            if number == 0 or (number + pending) % 4 == 0 or pending == 63:
                outcomes.append(await encode_any(box, f"{pending} pending bits, pauses {pressure}", values, pressure, number))
    assert outcomes.count("limit") >= 3 and outcomes.count("coded") >= 25
    await box.encode("after the limit", list(range(16)))
    await box.expect_silence()


@cocotb.test()
async def encoder_one_busy_coder(dut: Any) -> None:
    """One coder emits nearly all bits while A stands still: its queue of places fills up, and nothing is lost."""
    box = EncoderBox(dut, CONFIG)
    await box.begin()
    use_table(box, "skew" if WIDTH != 4 else "skew_last")
    await box.load_table()
    rng = random.Random("busy")
    often = max(range(16), key=lambda row: box.config.table.cum[row + 1] - box.config.table.cum[row])
    rows = [row for row in range(16) if row != often]
    count = min(CONFIG.block_values, 70 * CODERS)
    for busy in range(0, CODERS, 3):
        values = [box.config.table.vmin[rng.choice(rows) if k % CODERS == busy else often] for k in range(count)]
        for number, profile in enumerate(("none", "heavy", "long_stalls")):
            assert await encode_any(box, f"coder {busy} is busy, A {profile}", values, {"m_a": profile}, number) == "coded"
        # A stands still for long, then flows
        box.set_pressure({})
        box.a.set_profile(itertools.chain(itertools.repeat(True, 900), itertools.repeat(False)))
        await box.encode(f"coder {busy} is busy, A late", values)
    await box.expect_silence()


@cocotb.test()
async def encoder_rate(dut: Any) -> None:
    """A block of likely values: one value a cycle, and at most 84 cycles more (8 coders)."""
    box = EncoderBox(dut, CONFIG)
    await box.begin()
    rng = random.Random("rate")
    for kind in ("middle",) if WIDTH == 4 else ("zeros", "random 2", "even"):
        use_table(box, kind)
        await box.load_table()
        values = likely_values(rng, box.config.table, CONFIG.block_values)
        box.set_pressure({})
        taken = await box.encode(f"likely values, table {kind}", values, early=3)
        dut._log.info("table %s: %d values in %d cycles", kind, len(values), taken)
        assert taken <= len(values) + 3 * CODERS + 60
    await clock.wait_cycles(dut, 1)
    await box.expect_silence()


def run(
    simulator: str, *, block_bytes: int = 512, coders: int = 8, width: int = 8, table: str = "zeros", tests: int, only: str | None = None
) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:apack",
        toplevel="apack_encoder",
        parameters={"BLOCK_BYTES": block_bytes, "CODERS": coders, "W": width},
        extra_env={"BLOCK_BYTES": str(block_bytes), "CODERS": str(coders), "WIDTH": str(width), "TABLE": table},
        expected_tests=tests,
        simulator=simulator,
        test_filter=only,
    )


def test_apack_encoder(simulator: str) -> None:
    run(simulator, tests=KIT_TESTS + OWN_TESTS)


def test_apack_encoder_full_block() -> None:
    run("verilator", block_bytes=4096, table="random 1", tests=2, only="encoder_(rate|cycles)")


@pytest.mark.parametrize(("coders", "width", "table"), [(16, 16, "random 2"), (10, 8, "random 3")])
def test_apack_encoder_variant(coders: int, width: int, table: str) -> None:
    run("verilator", coders=coders, width=width, table=table, tests=KIT_TESTS + OWN_TESTS)


def test_apack_encoder_4_bits() -> None:
    run("verilator", width=4, table="even", coders=13, tests=OWN_TESTS, only="encoder_(tables|pending|one_busy_coder|rate)")
