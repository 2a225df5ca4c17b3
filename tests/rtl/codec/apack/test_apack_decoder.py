# SPDX-License-Identifier: Apache-2.0
"""apack_decoder against the model: streams, back-pressure, aborts, corrupt streams, cycles, tables."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from codec.apack.apack_tables import bus_words, likely_values, make_table, pending_values
from codec.box import BoxConfig, DecoderBox, add_decoder_tests, pressures
from harness import run_cocotb
from tensorpress.codecs.blocks import decode_block

BLOCK_BYTES = int(os.environ.get("BLOCK_BYTES", "512"))
CODERS = int(os.environ.get("CODERS", "8"))
WIDTH = int(os.environ.get("WIDTH", "8"))
TABLE = make_table(os.environ.get("TABLE", "zeros"), WIDTH)
SPARE = CODERS + 33
"""Cycles from start to done beyond one a value."""
CONFIG = BoxConfig(
    "apack",
    width=WIDTH,
    block_bytes=BLOCK_BYTES,
    coders=CODERS,
    table=TABLE,
    table_words=bus_words(TABLE),
    zeros=(0,),
    cycles=lambda values: values + SPARE,
)
BLOCK_WORDS = BLOCK_BYTES // 8
KIT_TESTS = add_decoder_tests(globals(), CONFIG) if WIDTH != 4 else 0
OWN_TESTS = 4


def use_table(box: DecoderBox, kind: str) -> None:
    """Another table for the model; `load_table` gives it to the decoder."""
    table = make_table(kind, WIDTH)
    box.config = replace(CONFIG, table=table, table_words=bus_words(table))


def streams(box: DecoderBox, values: list[int]) -> tuple[list[int], list[int]]:
    """The model's streams, also of a block that would be stored raw for its size."""
    block = box.config.streams(values, 0)
    assert not block.limit
    return [int(word) for word in block.a_stream], [int(word) for word in block.b_stream]


@cocotb.test()
async def decoder_tables(dut: Any) -> None:
    """Tables that fit the data and tables that do not, one after the other; blocks of all sizes, some of which have expanded."""
    box = DecoderBox(dut, CONFIG)
    await box.begin()
    rng = random.Random("tables")
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
            if box.config.streams(values, 0).limit:
                continue
            box.set_pressure({port: rng.choice(("none", "light")) for port in DecoderBox.PORTS}, number)
            await box.decode(f"{kind}, {size} values, {data}", *streams(box, values), size, slow=True)
    await box.expect_silence()


@cocotb.test()
async def decoder_pending(dut: Any) -> None:
    """Streams with 17, 20, 40 and 63 pending bits, without pauses and with every one."""
    box = DecoderBox(dut, CONFIG)
    await box.begin()
    use_table(box, "middle")
    await box.load_table()
    for pending in (17, 20, 40, 63):
        values = pending_values(box.config.table, CODERS, pending, min(25 * CODERS, CONFIG.block_values))
        for number, pressure in enumerate([{}, *pressures(DecoderBox.PORTS)]):
            if number == 0 or (number + pending) % 4 == 0:
                box.set_pressure(pressure, number)
                await box.decode(f"{pending} pending bits, pauses {pressure}", *streams(box, values), len(values), slow=True)
    await box.expect_silence()


@cocotb.test()
async def decoder_corrupt_in_time(dut: Any) -> None:
    """Random and truncated streams end within the block and 128 cycles, and only missing bits count as corrupt."""
    box = DecoderBox(dut, CONFIG)
    await box.begin()
    box.set_pressure({})
    rng = random.Random("corrupt")
    found = 0
    for number in range(40):
        use_table(box, "even" if WIDTH == 4 else ("skew", "wide", "narrow 3", "zeros")[number % 4])
        await box.load_table()
        count = rng.randint(1, min(CONFIG.block_values, 400))
        a = [rng.getrandbits(64) for _ in range(rng.randint(0, BLOCK_WORDS))]
        b = [rng.getrandbits(64) for _ in range(rng.randint(0, BLOCK_WORDS))]
        found += decode_block(a, b, count, box.config.coding(0))[1]
        taken = await box.decode(f"random streams {number}", a, b, count)
        assert taken <= count + 128, f"random streams {number}: {count} values took {taken} cycles"
    assert 5 <= found <= 35, f"{found} of 40 are corrupt"
    use_table(box, "even")
    await box.load_table()
    values = likely_values(rng, box.config.table, min(CONFIG.block_values, 300))
    await box.decode("a good block after them", *streams(box, values), len(values))
    await box.expect_silence()


@cocotb.test()
async def decoder_rate(dut: Any) -> None:
    """A block of likely values: one value a cycle, and at most 41 cycles more (8 coders)."""
    box = DecoderBox(dut, CONFIG)
    await box.begin()
    rng = random.Random("rate")
    for kind in ("middle",) if WIDTH == 4 else ("zeros", "random 2", "even"):
        use_table(box, kind)
        await box.load_table()
        values = likely_values(rng, box.config.table, CONFIG.block_values)
        box.set_pressure({})
        taken = await box.decode(f"likely values, table {kind}", *streams(box, values), len(values), early=3)
        dut._log.info("table %s: %d values in %d cycles", kind, len(values), taken)
        assert taken <= len(values) + SPARE
    await box.expect_silence()


def run(
    simulator: str,
    *,
    block_bytes: int = 512,
    coders: int = 8,
    tree: int = 0,
    width: int = 8,
    table: str = "zeros",
    tests: int,
    only: str | None = None,
) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:apack",
        toplevel="apack_decoder",
        parameters={"BLOCK_BYTES": block_bytes, "CODERS": coders, "TREE": tree, "W": width},
        extra_env={"BLOCK_BYTES": str(block_bytes), "CODERS": str(coders), "WIDTH": str(width), "TABLE": table},
        expected_tests=tests,
        simulator=simulator,
        test_filter=only,
    )


def test_apack_decoder(simulator: str) -> None:
    run(simulator, tests=KIT_TESTS + OWN_TESTS)


def test_apack_decoder_full_block() -> None:
    run("verilator", block_bytes=4096, table="random 1", tests=2, only="decoder_(rate|cycles)")


def test_apack_decoder_tree() -> None:
    run("verilator", coders=10, tree=1, tests=KIT_TESTS + OWN_TESTS)


@pytest.mark.parametrize(("coders", "tree"), [(16, 1), (13, 0)])
def test_apack_decoder_16_bits(coders: int, tree: int) -> None:
    run("verilator", width=16, coders=coders, tree=tree, table="random 2", tests=KIT_TESTS + OWN_TESTS)


def test_apack_decoder_4_bits() -> None:
    run("verilator", width=4, table="even", coders=9, tests=OWN_TESTS, only="decoder_(tables|pending|corrupt_in_time|rate)")
