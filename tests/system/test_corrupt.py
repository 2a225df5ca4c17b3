# SPDX-License-Identifier: Apache-2.0
"""Corrupt blocks through the RTL: each job ends as in the software model, block by block: the same error, or the same other values.

A job has six blocks in three lanes; one of the second lane is damaged. When the damage still decodes, the other blocks must be right, the
next one of the same lane among them; when it does not, the next job must be.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from cases import coding_for, random_values, sparse_values
from numpy.typing import NDArray
from shared_devices import SMALL_BUILD, settle, verilated
from tensorpress.codecs import Coded, decode, encode, index_entry, split_entry
from tensorpress.engine import Engine
from tensorpress.errors import FormatError, JobError

Words = NDArray[np.uint64]
Rng = np.random.Generator

BLOCK = 128
BLOCKS = 6
DAMAGED = 1


def _flip(rng: Rng, a: Words, b: Words) -> tuple[Words, Words]:
    """One bit of either stream."""
    both = np.concatenate([a, b])
    both[rng.integers(len(both))] ^= np.uint64(1) << np.uint64(rng.integers(64))
    return both[: len(a)], both[len(a) :]


def _flip_many(rng: Rng, a: Words, b: Words) -> tuple[Words, Words]:
    for _ in range(int(rng.integers(2, 20))):
        a, b = _flip(rng, a, b)
    return a, b


def _truncate(rng: Rng, a: Words, b: Words) -> tuple[Words, Words]:
    """Words at the end of A, of B, or of both are gone."""
    which = rng.integers(3)
    keep_a = len(a) if which == 1 else int(rng.integers(0, len(a) + 1))
    keep_b = len(b) if which == 0 else int(rng.integers(0, len(b) + 1))
    return (a[:keep_a], b[:keep_b]) if keep_a + keep_b else (a[:1], b[:0])


def _cut_bytes(rng: Rng, a: Words, b: Words) -> tuple[Words, Words]:
    """All bytes of a stream from some place on are zero."""
    both = np.concatenate([a, b])
    both.view("u1")[int(rng.integers(both.nbytes)) :] = 0
    return both[: len(a)], both[len(a) :]


def _random(rng: Rng, a: Words, b: Words) -> tuple[Words, Words]:
    """Random words, as many as there were or fewer."""
    words = rng.integers(0, 1 << 64, len(a) + len(b), np.uint64)
    at = int(rng.integers(0, len(words) + 1))
    return words[:at], words[at:]


DAMAGES: tuple[Callable[[Rng, Words, Words], tuple[Words, Words]], ...] = (_flip, _flip_many, _truncate, _cut_bytes, _random)


def _damaged(coded: Coded, change: Callable[[Rng, Words, Words], tuple[Words, Words]], rng: Rng) -> Coded:
    """A copy whose block `DAMAGED` has other streams; the index tells their lengths."""
    offset, a_words, b_words, raw = split_entry(int(coded.index[DAMAGED]))
    assert not raw
    end = offset + a_words + b_words
    a, b = change(rng, coded.payload[offset : offset + a_words].copy(), coded.payload[offset + a_words : end].copy())
    index = coded.index.copy()
    index[DAMAGED] = index_entry(offset, len(a), len(b), False)
    for block in range(DAMAGED + 1, len(index)):
        at, a_words, b_words, raw = split_entry(int(index[block]))
        index[block] = index_entry(at - (end - offset) + len(a) + len(b), a_words, b_words, raw)
    return Coded(index, np.concatenate([coded.payload[:offset], a, b, coded.payload[end:]]))


def _tensor(rng: Rng, number: int) -> NDArray[np.uint8]:
    values = sparse_values(BLOCKS * BLOCK - int(rng.integers(BLOCK)), seed=number, density=float(rng.uniform(0.1, 0.5)))
    values[2 * BLOCK : 3 * BLOCK] = random_values(BLOCK, seed=number)  # a raw block behind the damaged one
    return values


def _run(codec: str, count: int) -> None:
    device = verilated(lanes=3, **SMALL_BUILD)
    engine = Engine(device)
    rng = np.random.default_rng(count)
    refused = accepted = 0
    for number in range(count):
        if number % 10 == 0:
            values = _tensor(rng, number)
            coding = coding_for(engine, codec, values, block=BLOCK)
            good = encode(values, coding)
        change = DAMAGES[number % len(DAMAGES)]
        bad = _damaged(good, change, rng)
        try:
            expected = decode(bad, values.size, coding)
        except FormatError:
            with pytest.raises(JobError) as caught:
                engine.decompress(bad, values.size, coding)
            assert (caught.value.name, caught.value.block) == ("CORRUPT_BLOCK", DAMAGED), (number, change.__name__)
            refused += 1
            again = engine.decompress(good, values.size, coding)
            np.testing.assert_array_equal(again.values, values)
        else:
            result = engine.decompress(bad, values.size, coding)
            np.testing.assert_array_equal(result.values, expected, f"{number} {change.__name__}")
            np.testing.assert_array_equal(np.delete(expected, np.s_[BLOCK : 2 * BLOCK]), np.delete(values, np.s_[BLOCK : 2 * BLOCK]))
            accepted += 1
    assert refused > count // 20 and accepted > count // 20, (refused, accepted)
    settle(device)


@pytest.mark.parametrize("codec", ["zvc", "ebpc", "apack"])
def test_corrupt_blocks(codec: str) -> None:
    _run(codec, 300)


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["zvc", "ebpc", "apack"])
def test_ten_thousand_corrupt_blocks(codec: str) -> None:
    _run(codec, 10_000)
