# SPDX-License-Identifier: Apache-2.0
"""apack_encoder against the model: streams, back-pressure, aborts, limits, expansion, cycles, tables."""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import cocotb
import pytest
from codec.apack.apack_tables import FILES, bus_words, largest_pending, likely_values, make_table, pending_values, tensor_blocks
from codec.box import FULL_KIT, BoxConfig, EncoderBox, add_encoder_tests, pressures
from harness import run_cocotb
from lib import clock
from tensorpress.tables import Table

BLOCK_BYTES = int(os.environ.get("BLOCK_BYTES", "512"))
CODERS = int(os.environ.get("CODERS", "8"))
WIDTH = int(os.environ.get("WIDTH", "8"))
TABLE = make_table(os.environ.get("TABLE", "zeros"), WIDTH)
SPARE = 2 * CODERS + 64
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
KIT_TESTS = add_encoder_tests(globals(), CONFIG) if WIDTH != 4 else 0
OWN_TESTS = 5


def use_table(box: EncoderBox, table: Table) -> None:
    """Another table for the model; `load_table` gives it to the encoder."""
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
        use_table(box, make_table(kind, WIDTH))
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
    use_table(box, make_table("middle", WIDTH))
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
    use_table(box, make_table("skew" if WIDTH != 4 else "skew_last", WIDTH))
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
    """A block of likely values: one value a cycle, and at most 80 cycles more (8 coders)."""
    box = EncoderBox(dut, CONFIG)
    await box.begin()
    rng = random.Random("rate")
    for kind in ("middle",) if WIDTH == 4 else ("zeros", "random 2", "even"):
        use_table(box, make_table(kind, WIDTH))
        await box.load_table()
        values = likely_values(rng, box.config.table, CONFIG.block_values)
        box.set_pressure({})
        taken = await box.encode(f"likely values, table {kind}", values, early=3)
        dut._log.info("table %s: %d values in %d cycles", kind, len(values), taken)
        assert taken <= len(values) + SPARE
    await clock.wait_cycles(dut, 1)
    await box.expect_silence()


@cocotb.test()
async def encoder_ahead(dut: Any) -> None:
    """`start` of each block ahead of the done before it: no cycle is lost for a late start, and nothing of one block gets into the next."""
    box = EncoderBox(dut, CONFIG)
    await box.begin()
    kind = "even" if WIDTH == 4 else "middle"
    use_table(box, make_table(kind, WIDTH))
    await box.load_table()
    rng = random.Random("ahead")

    def some_blocks(count: int) -> list[list[int]]:
        sizes = [rng.choice((1, 2, 8, 9, CODERS, 64, 65, rng.randint(10, min(CONFIG.block_values, 600)))) for _ in range(count)]
        return [likely_values(rng, box.config.table, size) for size in sizes]

    # long enough that the start is ahead indeed; the last one is not followed by another
    size = min(CONFIG.block_values, 300)
    blocks = [likely_values(rng, box.config.table, size) for _ in range(8)]
    done = await box.encode_ahead(blocks, itertools.repeat(0))
    gaps = [after - before for before, after in itertools.pairwise(done)]
    dut._log.info("%d values a block, cycles from done to done: %s", size, gaps)
    assert sum(gaps) <= len(gaps) * (size + 11 * CODERS // 4 + 18)
    assert all(when > before + 4 for before in done for when in box.b.cycles if when > before)
    await box.encode_ahead(some_blocks(25), itertools.repeat(0))
    await box.encode_ahead(some_blocks(25), iter(lambda: rng.choice((0, 1, 2, 5, 20, 30, 40, 50, 70)), None))
    for number, pressure in enumerate(pressures(EncoderBox.PORTS)):
        box.set_pressure(pressure, number)
        await box.encode_ahead(some_blocks(8), iter(lambda: rng.choice((0, 0, 3, 30)), None))
    box.set_pressure({})
    # a block past the limit among others: it ends, and its neighbours are whole
    past = pending_values(box.config.table, CODERS, 64, min(25 * CODERS, CONFIG.block_values)) if WIDTH != 4 else None
    if past:
        assert box.config.streams(past, 0).limit
        await box.encode_ahead([*some_blocks(3), past, *some_blocks(3), past, past, *some_blocks(2)], itertools.repeat(0))
    # rst while one block ends and the next has been started
    for cycles in range(0, 60, 3):
        await box.begin_block(some_blocks(1)[0], 0)
        while not box.raw.idle:
            await clock.wait_cycles(dut, 1)
        await clock.wait_cycles(dut, cycles % 30)
        if box.running:
            await box.begin_block(some_blocks(1)[0], 0)
            await clock.wait_cycles(dut, cycles)
        await box.abort()
        await box.encode("after rst", some_blocks(1)[0])
    # rst while the last slots of a block are on their way; the values of the next one emit nothing, so that it could be taken for ended
    use_table(box, make_table("skew" if WIDTH != 4 else "even", WIDTH))
    await box.load_table()
    for cycles in range(2 * CODERS + 8, 2 * CODERS + 40):
        await box.begin_block([0] * CODERS, 0)
        await clock.wait_cycles(dut, cycles)
        await box.abort()
        await box.encode(f"after rst in cycle {cycles}", [0] * 40)
    await box.expect_silence()


if BLOCK_BYTES == 4096 and WIDTH == 8:

    @cocotb.test()
    async def encoder_tensors(dut: Any) -> None:
        """Blocks of real tensors, each tensor with its own table: at most 80 cycles more than values."""
        box = EncoderBox(dut, CONFIG)
        await box.begin()
        box.set_pressure({})
        slowest = blocks = 0
        for name, table, values in tensor_blocks(os.environ.get("TENSORS", ""), every=FULL_KIT):
            use_table(box, table)
            if len(box.config.streams(values, 0).a_stream) > BLOCK_WORDS:
                continue  # the lane stops it
            await box.load_table()
            taken = await box.encode(name, values, early=3)
            dut._log.info("%s: %d values in %d cycles", name, len(values), taken)
            assert taken <= len(values) + SPARE, f"{name}: {len(values)} values took {taken} cycles"
            slowest, blocks = max(slowest, taken - len(values)), blocks + 1
        dut._log.info("%d blocks, at most %d cycles more than values", blocks, slowest)
        assert blocks or "TENSORS" in os.environ
        await box.expect_silence()

    @cocotb.test()
    async def encoder_adversarial(dut: Any) -> None:
        """What the data alone can make the encoder wait, at worst: the table in README.md."""
        box = EncoderBox(dut, CONFIG)
        await box.begin()
        rng = random.Random("adversarial")
        cases: dict[str, tuple[str, list[int]]] = {}
        for pending in (17, 40, 63):
            table = make_table("middle", WIDTH)
            cases[f"runs of {pending} pending bits in all coders, again and again"] = (
                "middle",
                pending_values(table, CODERS, pending, 2800, again=True),
            )
        skew = make_table("skew", WIDTH)
        cases["a row of count 1 at each value"] = ("skew", [skew.vmin[rng.randint(1, 15)] for _ in range(2800)])
        cases["the same, from one coder only"] = ("skew", [skew.vmin[rng.randint(1, 15)] if k % CODERS == 0 else 0 for k in range(4096)])
        for name, (kind, values) in cases.items():
            use_table(box, make_table(kind, WIDTH))
            await box.load_table()
            box.set_pressure({})
            taken = await box.encode(name, values, early=3)
            dut._log.info("%s: %d values in %d cycles, %.3f", name, len(values), taken, len(values) / taken)
            assert taken <= 2 * len(values) + SPARE, f"{name}: {len(values)} values took {taken} cycles"
        await box.expect_silence()


def run(
    simulator: str,
    *,
    block_bytes: int = 512,
    coders: int = 8,
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
        toplevel="apack_encoder",
        parameters={"BLOCK_BYTES": block_bytes, "CODERS": coders, "W": width},
        extra_env=variant | ({"TENSORS": str(tensors)} if tensors else {}),
        expected_tests=tests,
        simulator=simulator,
        test_filter=only,
    )


ALL = KIT_TESTS + OWN_TESTS


def test_apack_encoder() -> None:
    run("verilator", tests=ALL)


def test_apack_encoder_edges(icarus: str) -> None:
    run(icarus, tests=2, only="encoder_(edges|back_to_back)")


@pytest.mark.slow
def test_apack_encoder_whole(simulator: str) -> None:
    run(simulator, tests=ALL)


def test_apack_encoder_full_block() -> None:
    run("verilator", block_bytes=4096, table="random 1", tests=3, only="encoder_(rate|tensors|adversarial)")


@pytest.mark.slow
def test_apack_encoder_full_block_whole() -> None:
    run("verilator", block_bytes=4096, table="random 1", tests=3, only="encoder_(rate|tensors|cycles)", kit="full")


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_apack_encoder_tensors_of_a_folder(file: Path) -> None:
    run("verilator", block_bytes=4096, table="random 1", tests=1, only="encoder_tensors", tensors=file)


@pytest.mark.slow
@pytest.mark.parametrize(("coders", "width", "table"), [(16, 16, "random 2"), (10, 8, "random 3")])
def test_apack_encoder_variant(coders: int, width: int, table: str) -> None:
    run("verilator", coders=coders, width=width, table=table, tests=ALL)


@pytest.mark.slow
def test_apack_encoder_4_bits() -> None:
    run("verilator", width=4, table="even", coders=13, tests=OWN_TESTS, only="encoder_(tables|pending|one_busy_coder|rate)")
