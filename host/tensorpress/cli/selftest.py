# SPDX-License-Identifier: Apache-2.0
"""Does this device work? Registers, every codec on the edges where engines break, both raw sides, and recovery from errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorpress import tables
from tensorpress.cli.transfers import Transfer, transfer
from tensorpress.codecs import CODECS, Coded, Coding, encode
from tensorpress.engine import Endpoint, Engine
from tensorpress.errors import JobError
from tensorpress.registers import COUNTERS, ErrorCode
from tensorpress.tensors import NamedTensor

SEED = 5


@dataclass(frozen=True)
class Check:
    """The outcome of one group of checks.

    Attributes
    ----------
    name : str
        What was looked at.
    cases : int
        How many cases ran.
    cycles : int or None
        Clock cycles of the jobs, where they are counted.
    faults : tuple of str
        What was wrong; empty: all well.
    transfers : tuple of Transfer
        The tensors that went through.
    """

    name: str
    cases: int
    cycles: int | None
    faults: tuple[str, ...]
    transfers: tuple[Transfer, ...] = ()


def edge_tensors(block: int) -> dict[str, np.ndarray]:
    """Edge tensors of uint8 by name, for blocks of `block` values."""
    random = np.random.default_rng(SEED)
    sparse = np.where(random.random(2 * block + 100) < 0.1, random.integers(1, 256, 2 * block + 100), 0)
    bell = np.clip(np.rint(random.normal(128, 12, 3 * block)), 0, 255)
    edges = {
        "one value": np.array([77]),
        "a word less one": np.arange(7) * 11,
        "a word": np.arange(8) * 11,
        "a word and one": np.arange(9) * 11,
        "a block less one": bell[: block - 1],
        "a block": bell[:block],
        "a block and one": bell[: block + 1],
        "many blocks": np.tile(bell, 6)[: 17 * block + 5],
        "all zero": np.zeros(2 * block + 3),
        "all equal": np.full(block + 3, 201),
        "no zero": random.integers(1, 256, block),
        "alternating": np.tile([0, 255], block // 2 + 1),
        "sparse": sparse,
        "random": random.integers(0, 256, 2 * block + 1),
    }
    return {name: np.asarray(values).astype(np.uint8) for name, values in edges.items()}


def coding_of(engine: Engine, codec: str, values: np.ndarray, block: int, **changes: Any) -> Coding:
    """The coding of a test tensor."""
    table = tables.optimal_table(tables.histogram(values)) if CODECS[codec].uses_table else None
    return Coding(codec, block_values=block, coders=engine.capabilities.apack_coders or 8, table=table, **{"signed": False, **changes})


def checks(engine: Engine) -> Iterator[tuple[str, Any]]:
    """The groups of checks: a name, and a function that gives a :class:`Check`."""
    can = engine.capabilities
    yield "registers", lambda: check_registers(engine)
    block = min(1024, can.block_bytes)
    sides: tuple[Endpoint, ...] = ("ddr", "stream") if engine.device.has_streams else ("ddr",)
    for codec in can.codecs:
        for side in sides:
            yield f"{codec}, {side}", lambda codec=codec, side=side: check_codec(engine, codec, side, block)
    yield "largest blocks", lambda: check_largest(engine)
    yield "errors and recovery", lambda: check_errors(engine, block)


def check_registers(engine: Engine) -> Check:
    """SCRATCH keeps what is written, capabilities are possible ones, read-only registers stay."""
    faults: list[str] = []
    cases = 0
    for pattern in (0, 0xFFFFFFFF, 0xAAAAAAAA, 0x55555555, 0x01234567, *(1 << bit for bit in range(32))):
        engine.write("SCRATCH", pattern)
        if engine.read("SCRATCH") != pattern:
            faults.append(f"SCRATCH: wrote 0x{pattern:08x}, read 0x{engine.read('SCRATCH'):08x}")
        cases += 1
    before = engine.read("ID")
    engine.write("ID", before ^ 0xFFFFFFFF)
    if engine.read("ID") != before:
        faults.append("ID is not read-only")
    can = engine.capabilities
    if not (1 <= can.lanes <= 16 and 512 <= can.block_bytes <= 16384 and "raw" in can.codecs):
        faults.append(f"impossible CAPABILITIES: {can}")
    if engine.busy:
        faults.append("STATUS.BUSY is set while no job runs")
    return Check("registers", cases + 3, None, tuple(faults))


def check_codec(engine: Engine, codec: str, side: Endpoint, block: int) -> Check:
    """All edge tensors, both ways."""
    done: list[Transfer] = []
    for name, values in edge_tensors(block).items():
        changes = {"zero": 3, "signed": True} if name == "many blocks" else {}
        done += transfer(engine, named(name, values), coding_of(engine, codec, values, block, **changes), endpoint=side)
    return outcome(f"{codec}, {side}", done, engine)


def check_largest(engine: Engine) -> Check:
    """The build's largest block, with every codec."""
    largest = engine.capabilities.block_bytes
    values = edge_tensors(largest)["a block and one"]
    done: list[Transfer] = []
    for codec in engine.capabilities.codecs:
        done += transfer(engine, named("largest block", values), coding_of(engine, codec, values, largest))
    return outcome("largest blocks", done, engine)


def check_errors(engine: Engine, block: int) -> Check:
    """Damaged data ends in its error code, and the next job works."""
    values = edge_tensors(block)["many blocks"]
    good = named("after the error", values)
    codec = engine.capabilities.codecs[-1]
    coding = coding_of(engine, codec, values, block)
    coded = encode(values, coding)
    faults: list[str] = []
    done: list[Transfer] = []
    outside = coded.index.copy()
    outside[2] |= np.uint64(0xFFFFFFFF)
    reserved = coded.index.copy()
    reserved[1] |= np.uint64(1) << np.uint64(62)
    large = coded.index.copy()
    large[3] = (large[3] & np.uint64(0xFFFFFFFF)) | (np.uint64(0x7FFF) << np.uint64(47))
    cases = (
        (ErrorCode.INDEX_OUT_OF_BOUNDS, 2, Coded(outside, coded.payload), None),
        (ErrorCode.INDEX_MALFORMED, 1, Coded(reserved, coded.payload), None),
        (ErrorCode.BLOCK_TOO_LARGE, 3, Coded(large, coded.payload), None),
        (ErrorCode.PAYLOAD_FULL, None, None, 16),
    )
    for code, block_number, damaged, room in cases:
        try:
            if damaged is not None:
                engine.decompress(damaged, len(values), coding)
            else:
                with engine.compress_job(len(values), coding, payload_words=room) as job:
                    job.load_values(values)
                    job.run()
            faults.append(f"{code.name}: the job ended well")
        except JobError as error:
            if error.code != code or (block_number is not None and error.block != block_number):
                faults.append(f"expected {code.name} at block {block_number}, got {error}")
        done += transfer(engine, good, coding)
    check = outcome("errors and recovery", done, engine)
    return Check(check.name, check.cases + len(cases), check.cycles, (*faults, *check.faults), check.transfers)


def named(name: str, values: np.ndarray) -> NamedTensor:
    """A test tensor."""
    return NamedTensor(name, values, "tensor", "selftest", None, None, "uint8", "selftest")


def outcome(name: str, done: list[Transfer], engine: Engine) -> Check:
    """The check of what went through: bytes, and counters that add up."""
    faults = [one.mismatch for one in done if one.mismatch is not None]
    for one in done:
        if one.cycles is None:
            continue
        lane_cycles = sum(one.result.counters[counter] for counter in COUNTERS if counter.startswith("COUNT_LANE_"))
        if lane_cycles != one.lanes * one.cycles:
            faults.append(f"{one.tensor.name}: the LANE counters sum to {lane_cycles}, not to {one.lanes} lanes x {one.cycles} cycles")
    if engine.lost_interrupts:
        faults.append(f"{engine.lost_interrupts} interrupts were lost")
        engine.lost_interrupts = 0
    cycles = sum(one.cycles or 0 for one in done) or None
    return Check(name, len(done), cycles, tuple(faults), tuple(done))
