# SPDX-License-Identifier: Apache-2.0
"""apack_decoder against the model: streams, back-pressure, aborts, corrupt streams, cycles, tables."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import cocotb
import pytest
from codec.apack.apack_tables import FILES, bus_words, likely_values, make_table, pending_values, tensor_blocks
from codec.box import FULL_KIT, BoxConfig, DecoderBox, add_decoder_tests, add_fault_tests, pressures
from harness import run_cocotb
from tensorpress.codecs.blocks import decode_block
from tensorpress.tables import Table

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
FAULTY_SPARE = 128
"""The same for a block of any bits at all."""


def short_blocks() -> list[tuple[list[int], int]]:
    """Blocks of few words: values, zero."""
    rng = random.Random("short blocks")
    uniform = [rng.randrange(1 << WIDTH) for _ in range(2 * CODERS + 3)]
    return [(likely_values(rng, TABLE, 3 * CODERS), 0), (uniform, 0), ([TABLE.vmin[9]] * (CODERS - 3), 0)]


FAULT_TESTS = add_fault_tests(globals(), CONFIG, short_blocks(), FAULTY_SPARE)


def use_table(box: DecoderBox, table: Table) -> None:
    """Another table for the model; `load_table` gives it to the decoder."""
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
        use_table(box, make_table(kind, WIDTH))
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
    use_table(box, make_table("middle", WIDTH))
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
        use_table(box, make_table("even" if WIDTH == 4 else ("skew", "wide", "narrow 3", "zeros")[number % 4], WIDTH))
        await box.load_table()
        count = rng.randint(1, min(CONFIG.block_values, 400))
        a = [rng.getrandbits(64) for _ in range(rng.randint(0, BLOCK_WORDS))]
        b = [rng.getrandbits(64) for _ in range(rng.randint(0, BLOCK_WORDS))]
        found += decode_block(a, b, count, box.config.coding(0))[1]
        taken = await box.decode(f"random streams {number}", a, b, count)
        assert taken <= count + FAULTY_SPARE, f"random streams {number}: {count} values took {taken} cycles"
    assert 5 <= found <= 35, f"{found} of 40 are corrupt"
    use_table(box, make_table("even", WIDTH))
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
        use_table(box, make_table(kind, WIDTH))
        await box.load_table()
        values = likely_values(rng, box.config.table, CONFIG.block_values)
        box.set_pressure({})
        taken = await box.decode(f"likely values, table {kind}", *streams(box, values), len(values), early=3)
        dut._log.info("table %s: %d values in %d cycles", kind, len(values), taken)
        assert taken <= len(values) + SPARE
    await box.expect_silence()


if BLOCK_BYTES == 4096 and WIDTH == 8:

    @cocotb.test()
    async def decoder_tensors(dut: Any) -> None:
        """Blocks of real tensors, each tensor with its own table: at most 41 cycles more than values."""
        box = DecoderBox(dut, CONFIG)
        await box.begin()
        box.set_pressure({})
        slowest = blocks = 0
        for name, table, values in tensor_blocks(os.environ.get("TENSORS", ""), every=FULL_KIT):
            use_table(box, table)
            if box.config.streams(values, 0).raw:
                continue  # a decoder never gets it
            await box.load_table()
            taken = await box.decode(name, *streams(box, values), len(values), early=3)
            dut._log.info("%s: %d values in %d cycles", name, len(values), taken)
            assert taken <= len(values) + SPARE, f"{name}: {len(values)} values took {taken} cycles"
            slowest, blocks = max(slowest, taken - len(values)), blocks + 1
        dut._log.info("%d blocks, at most %d cycles more than values", blocks, slowest)
        assert blocks or "TENSORS" in os.environ
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
    kit: str = "short",
    tensors: Path | None = None,
) -> None:
    variant = {"BLOCK_BYTES": str(block_bytes), "CODERS": str(coders), "WIDTH": str(width), "TABLE": table, "KIT": kit}
    run_cocotb(
        __file__,
        core="tensorpress:rtl:apack",
        toplevel="apack_decoder",
        parameters={"BLOCK_BYTES": block_bytes, "CODERS": coders, "TREE": tree, "W": width},
        extra_env=variant | ({"TENSORS": str(tensors)} if tensors else {}),
        expected_tests=tests,
        simulator=simulator,
        test_filter=only,
    )


ALL = KIT_TESTS + FAULT_TESTS + OWN_TESTS


def test_apack_decoder() -> None:
    run("verilator", tests=ALL)


def test_apack_decoder_edges(icarus: str) -> None:
    run(icarus, tests=3, only="decoder_(edges|back_to_back|random_words)")


def test_apack_decoder_full_block() -> None:
    run("verilator", block_bytes=4096, table="random 1", tests=2, only="decoder_(rate|tensors)")


def test_apack_decoder_tree(icarus: str) -> None:
    run(icarus, coders=10, tree=1, tests=3, only="decoder_(back_to_back|corrupt_in_time|rate)")


@pytest.mark.slow
def test_apack_decoder_whole(simulator: str) -> None:
    run(simulator, tests=ALL, kit="full")


@pytest.mark.slow
def test_apack_decoder_full_block_whole() -> None:
    run("verilator", block_bytes=4096, table="random 1", tests=3, only="decoder_(rate|tensors|cycles)", kit="full")


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_apack_decoder_tensors_of_a_folder(file: Path) -> None:
    run("verilator", block_bytes=4096, table="random 1", tests=1, only="decoder_tensors", tensors=file)


@pytest.mark.slow
def test_apack_decoder_tree_whole(simulator: str) -> None:
    run(simulator, coders=10, tree=1, tests=ALL)


@pytest.mark.slow
@pytest.mark.parametrize(("coders", "tree"), [(16, 1), (13, 0)])
def test_apack_decoder_16_bits(coders: int, tree: int) -> None:
    run("verilator", width=16, coders=coders, tree=tree, table="random 2", tests=ALL)


@pytest.mark.slow
def test_apack_decoder_4_bits() -> None:
    only = "decoder_(tables|pending|corrupt_in_time|rate|every_bit_flipped|every_truncation|random_words)"
    run("verilator", width=4, table="even", coders=9, tests=OWN_TESTS + FAULT_TESTS, only=only)
