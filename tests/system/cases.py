# SPDX-License-Identifier: Apache-2.0
"""Tensors and comparisons that the system tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tensorpress.codecs import Coded, Coding
from tensorpress.engine import Engine
from tensorpress.tables import Table, histogram, optimal_table

Values = NDArray[np.uint8]

CODECS = ("raw", "zvc", "ebpc", "apack")
BLOCK = 256  # values of a block in most tests: many blocks in small tensors


def random_values(count: int, seed: int = 1) -> Values:
    """No structure: every codec falls back to raw."""
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8)


def sparse_values(count: int, seed: int = 1, density: float = 0.3) -> Values:
    """Mostly zero, small values else."""
    rng = np.random.default_rng(seed)
    values = np.minimum(rng.geometric(0.12, count), 255).astype(np.uint8)
    values[rng.random(count) > density] = 0
    return values


def mixed_values(count: int, seed: int = 1) -> Values:
    """Stretches of all kinds, so that coded and raw blocks of very different lengths follow each other."""
    rng = np.random.default_rng(seed)
    parts: list[Values] = []
    left = count
    while left > 0:
        length = int(rng.integers(1, 700))
        kind = rng.integers(0, 5)
        part = (
            np.zeros(length, np.uint8)
            if kind == 0
            else rng.integers(0, 256, length, np.uint8)
            if kind == 1
            else (rng.integers(0, 3, length, np.uint8) * (rng.random(length) < 0.2)).astype(np.uint8)
            if kind == 2
            else np.full(length, rng.integers(0, 256), np.uint8)
            if kind == 3
            else (np.cumsum(rng.integers(-2, 3, length)) % 256).astype(np.uint8)
        )
        parts.append(part)
        left -= length
    return np.concatenate(parts)[:count]


# name -> values; counts are around words (8), strobes, blocks (256), rounds of 8 lanes (2048) and index batches (16 blocks = 4096)
EDGES: dict[str, Callable[[], Values]] = {
    "one_value": lambda: np.array([7], np.uint8),
    "one_zero": lambda: np.zeros(1, np.uint8),
    "word_less_one": lambda: sparse_values(7),
    "word": lambda: sparse_values(8),
    "word_and_one": lambda: sparse_values(9),
    "strobe_granule_less_one": lambda: sparse_values(127),
    "block_less_one": lambda: sparse_values(BLOCK - 1),
    "block": lambda: sparse_values(BLOCK),
    "block_and_one": lambda: sparse_values(BLOCK + 1),
    "round_less_one": lambda: sparse_values(8 * BLOCK - 1),
    "round": lambda: sparse_values(8 * BLOCK),
    "round_and_one": lambda: sparse_values(8 * BLOCK + 1),
    "index_batch": lambda: sparse_values(16 * BLOCK),
    "index_batch_and_one": lambda: sparse_values(16 * BLOCK + 1),
    "many_index_batches": lambda: sparse_values(50 * BLOCK + 131),
    "all_zero": lambda: np.zeros(9 * BLOCK + 3, np.uint8),
    "all_equal": lambda: np.full(9 * BLOCK + 3, 200, np.uint8),
    "all_largest": lambda: np.full(9 * BLOCK + 5, 255, np.uint8),
    "no_zero": lambda: (1 + random_values(9 * BLOCK) % 15).astype(np.uint8),
    "alternating": lambda: np.tile(np.array([0, 255], np.uint8), 5 * BLOCK),
    "one_nonzero_a_block": lambda: (np.arange(9 * BLOCK) % BLOCK == BLOCK - 1).astype(np.uint8),
    "ramp": lambda: np.arange(9 * BLOCK, dtype=np.int64).astype(np.uint8),
    "incompressible": lambda: random_values(9 * BLOCK + 77),
    "largest_expansion": lambda: np.tile(np.array([0x80, 0x7F], np.uint8), 9 * BLOCK // 2),
    "mixed": lambda: mixed_values(30 * BLOCK + 11),
}


def table_for(values: Values) -> Table:
    """The APack table of some values."""
    return optimal_table(histogram(values, 8), 8)


def coding_of(codec: str, values: Values, *, block: int = BLOCK, zero: int = 0, signed: bool = True, coders: int = 8) -> Coding:
    """A coding that fits the values."""
    coding = Coding("raw", 8, block, 0, signed)
    if codec == "apack":
        return replace(coding, codec=codec, coders=coders, table=table_for(values))
    return replace(coding, codec=codec, zero=zero if codec != "raw" else 0)


def codecs_of(engine: Engine) -> list[str]:
    """The codecs that the engine has, in the order of their numbers."""
    return [codec for codec in CODECS if codec in engine.capabilities.codecs]


def coding_for(engine: Engine, codec: str, values: Values, **options: int | bool) -> Coding:
    """As :func:`coding_of`, with the engine's number of apack coders."""
    return coding_of(codec, values, coders=engine.capabilities.apack_coders or 8, **options)  # type: ignore[arg-type]


def assert_same_image(coded: Coded | None, expected: Coded) -> None:
    """Index and payload are the model's: lengths first, then every word."""
    assert coded is not None
    assert len(coded.index) == len(expected.index)
    np.testing.assert_array_equal(coded.index, expected.index)
    assert len(coded.payload) == len(expected.payload)
    np.testing.assert_array_equal(coded.payload, expected.payload)


def assert_same_values(values: Values | None, expected: Values) -> None:
    """Length first, then every value."""
    assert values is not None
    assert values.shape == expected.shape
    np.testing.assert_array_equal(values, expected)
