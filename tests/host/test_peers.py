# SPDX-License-Identifier: Apache-2.0
"""The peers: each count against a second way of counting, or the codec whose whole-tensor form it is."""

from __future__ import annotations

import itertools
import math
import sys
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from tensorpress.codecs import Coding, encode_block
from tensorpress.errors import InputError
from tensorpress.peers import PEERS, available, code_lengths, coded_bits, entropy_bits
from tensorpress.peers.shapeshifter import bit_lengths
from tensorpress.values import unsigned_values


def samples(width: int) -> dict[str, np.ndarray]:
    """Signed and unsigned tensors of 1..4096 values, with and without zeros, smooth and not."""
    rng = np.random.default_rng(width)
    high = 1 << (width - 1)
    signed, unsigned = {4: (np.int8, np.uint8), 8: (np.int8, np.uint8), 16: (np.int16, np.uint16), 32: (np.int32, np.uint32)}[width]
    walk = np.cumsum(rng.integers(-2, 3, 1000))
    return {
        "one": np.array([high - 1], unsigned),
        "zeros": np.zeros(37, signed),
        "alternating": np.tile([-high, high - 1], 40).astype(signed),
        "sparse": (rng.integers(-high, high, 4096) * (rng.random(4096) < 0.2)).astype(signed),
        "smooth": (walk % (2 * high)).astype(unsigned),
        "noise": rng.integers(0, 2 * high, 3001, np.int64).astype(unsigned),
        "long runs": np.repeat(rng.integers(0, 3, 40), rng.integers(1, 60, 40)).astype(unsigned),
    }


CASES = [(width, name) for width in (4, 8, 16, 32) for name in samples(width)]
every = pytest.mark.parametrize(("width", "name"), CASES)
planes = pytest.mark.parametrize(("width", "name"), [case for case in CASES if case[0] in (8, 16)])


@every
def test_entropy_is_that_of_the_counts(width, name):
    values = samples(width)[name]
    total = values.size
    expected = -sum(n * math.log2(n / total) for n in Counter(values.tolist()).values())
    assert coded_bits("entropy", values, width) == pytest.approx(expected, abs=1)
    assert entropy_bits(list(Counter(values.tolist()).values())) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("counts", [[7], [0, 3, 0], [1, 1], [5, 1, 1, 1, 2], list(range(100)), [2**k for k in range(30)]])
def test_huffman_lengths_make_a_shortest_prefix_code(counts):
    lengths = code_lengths(counts)
    assert [length > 0 for length in lengths] == [count > 0 for count in counts]
    present = [(count, length) for count, length in zip(counts, lengths, strict=True) if count]
    if len(present) > 1:  # a complete prefix code, and no shorter one for a rarer symbol
        assert sum(Fraction(1, 2**length) for _, length in present) == 1
        assert all(a[1] >= b[1] for a, b in itertools.permutations(present, 2) if a[0] < b[0])
        total = sum(count for count, _ in present)
        assert entropy_bits(counts) <= sum(count * length for count, length in present) + 1e-6 < entropy_bits(counts) + total
    if counts == [5, 1, 1, 1, 2]:
        assert sum(count * length for count, length in present) == 20


def test_huffman_counts_its_table_and_each_byte_of_a_value():
    values = np.array([0x0102, 0x0103, 0x0102, 0x0102], np.uint16)
    assert coded_bits("huffman", values, 16) == 2 * 256 * 5 + 4 + 4
    assert coded_bits("huffman", np.array([3, 3, 4, 5], np.uint8), 4) == 16 * 5 + 6


@every
@pytest.mark.parametrize("zero", [0, 3])
def test_run_lengths_and_zero_value_compression(width, name, zero):
    values = samples(width)[name]
    flat = unsigned_values(values, width).tolist()
    runs = [(key, len(list(group))) for key, group in itertools.groupby(flat)]
    assert coded_bits("rle", values, width) == sum(math.ceil(length / 16) * (width + 4) for _, length in runs)
    zero_rle = sum(math.ceil(length / 16) * 5 if key == zero else length * (1 + width) for key, length in runs)
    assert coded_bits("zero-rle", values, width, zero=zero) == zero_rle
    if width != 4:
        block = encode_block(values, Coding("zvc", width=width, block_values=4096, zero=zero))
        assert coded_bits("zvc-whole", values, width, zero=zero) == block.a_bits + block.b_bits


@planes
@pytest.mark.parametrize("signed", [False, True])
def test_bit_planes_are_those_of_ebpc(width, name, signed):
    values = samples(width)[name]
    coding = Coding("ebpc", width=width, block_values=4096, zero=5, signed=signed)
    block = encode_block(values, coding)
    assert coded_bits("ebpc-whole", values, width, zero=5, signed=signed) == block.a_bits + block.b_bits
    ones = values | values.dtype.type(1)  # no zeros, so that stream B has all values
    assert coded_bits("bpc", ones, width, signed=signed) == encode_block(ones, Coding("ebpc", width=width, signed=signed)).b_bits


def test_bpc_codes_zeros_too():
    assert coded_bits("bpc", np.zeros(16, np.uint8), 8) == 2 * (8 + 6)  # base, and a run of 9 empty planes


@every
def test_shapeshifter(width, name):
    values = samples(width)[name]
    zero = 2

    def size(signed: bool) -> int:
        total = 0
        shifted = [(v - zero) % (1 << width) for v in unsigned_values(values, width).tolist()]
        for first in range(0, len(shifted), 16):
            group = shifted[first : first + 16]
            numbers = [u - (1 << width) if signed and u >> (width - 1) else u for u in group]
            widths = [(n if n >= 0 else ~n).bit_length() + signed for n in numbers]
            total += len(group) + {4: 2, 8: 3, 16: 4, 32: 5}[width] + sum(n != 0 for n in numbers) * max(1, *widths)
        return total

    assert coded_bits("shapeshifter", values, width, zero=zero) == min(size(True), size(False))


def test_bit_lengths_at_the_powers_of_two():
    numbers = np.array([0, *(2**k + d for k in range(1, 32) for d in (-1, 0)), 2**32 - 1], np.uint32)
    assert bit_lengths(numbers).tolist() == [int(n).bit_length() for n in numbers]


@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer.compress])
def test_general_compressors_give_their_bytes_back(name):
    peer = PEERS[name]
    if peer.missing():
        pytest.skip(f"{peer.missing()} is not installed")
    values = samples(8)["sparse"]
    data = values.tobytes()
    packed = peer.compress(data)
    assert peer.decompress(packed, len(data)) == data
    assert coded_bits(name, values, 8) == 8 * len(packed) < 8 * len(data)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_vela_codes_weights_less_their_zero_point(dtype):
    codec = pytest.importorskip("ethosu.mlw_codec")
    rng = np.random.default_rng(4)
    weights = (rng.normal(0, 9, 3000).round() + (128 if dtype is np.uint8 else 0)).astype(dtype)
    zero = 128 if dtype is np.uint8 else 0
    packed = codec.encode((weights.astype(int) - zero).tolist())
    assert coded_bits("vela", weights, 8, zero=zero) == 8 * len(packed) < 0.9 * 8 * weights.size
    assert codec.decode(packed)[:3000] == (weights.astype(int) - zero).tolist()


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    found, missing = available(["zlib-9", "lz4"])
    assert list(found) == ["zlib-9"] and missing == {"lz4": "lz4"}
    with pytest.raises(InputError, match=r"lz4 needs the package lz4"):
        coded_bits("lz4", np.zeros(3, np.uint8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gzip", np.zeros(3, np.uint8)), "unknown compressor 'gzip'"),
        (("bpc", np.zeros(3, np.uint8), 4), "bpc takes no 4-bit values"),
        (("rle", np.zeros(0, np.uint8)), "empty tensor"),
        (("rle", np.zeros(3, np.float32), 32), "dtype float32"),
    ],
)
def test_wrong_use(arguments, message):
    with pytest.raises(InputError, match=message):
        coded_bits(*arguments)
    with pytest.raises(InputError, match="zero 256"):
        coded_bits("zero-rle", np.zeros(3, np.uint8), zero=256)
