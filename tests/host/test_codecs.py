# SPDX-License-Identifier: Apache-2.0
"""All codecs: round trip, identical bytes of both implementations, size bound, damaged input."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from host_support import DTYPES, ROOT, WIDTHS, peaked_table, random_table
from hypothesis import given, settings
from hypothesis import strategies as st
from make_vectors import pending_case
from tensorpress.codecs import (
    CODEC_NUMBERS,
    Coded,
    Coding,
    apack,
    decode,
    decode_block,
    ebpc_numpy,
    encode,
    encode_block,
    index_entry,
    raw_image,
    split_entry,
    values_from_raw,
    zvc,
)
from tensorpress.errors import FormatError, InputError, TableError
from tensorpress.tables import Table, histogram, optimal_table

KINDS = ("uniform", "peaked", "walk", "constant", "sparse", "table", "pending")


@st.composite
def cases(draw: st.DrawFn, codecs: tuple[str, ...] = tuple(CODEC_NUMBERS)) -> tuple[Coding, np.ndarray]:
    """A coding, and values of some kind that fill a part of a block, or several."""
    codec = draw(st.sampled_from(codecs))
    width = draw(st.sampled_from(WIDTHS[codec]))
    block = 1024 // width * draw(st.sampled_from([1, 2, 3, 5]))
    count = draw(st.sampled_from([1, 2, 7, block - 1, block, block + 1, 2 * block + 5, draw(st.integers(1, 3 * block))]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(KINDS))
    zero = draw(st.sampled_from([0, 1, 1 << (width - 1), (1 << width) - 1]))
    top = 1 << width
    table = None
    if codec == "apack":
        table = draw(st.sampled_from([random_table(rng, width), peaked_table(width)]))
    if kind == "uniform":
        values = rng.integers(0, top, count)
    elif kind == "peaked":
        values = np.rint(rng.normal(0, rng.choice([0.3, 2.0, 9.0]), count)).astype(np.int64) + zero
    elif kind == "walk":
        values = np.cumsum(rng.integers(-1, 2, count)) + zero
    elif kind == "constant":
        values = np.full(count, rng.integers(top))
    elif kind == "sparse" or table is None:
        values = rng.integers(0, top, count) * (rng.random(count) < 0.1) + zero
    elif kind == "table":
        values = np.array(table.vmin)[rng.choice(16, count, p=np.diff(table.cum) / 1024)]
    else:
        values = np.array(table.vmin)[[bisect_middle(table.cum)] * count]
    values = (values % top).astype(DTYPES[width])
    if table is not None and kind in ("peaked", "sparse"):
        table = optimal_table(histogram(values, width), width)
    coders = draw(st.integers(1, 16))
    return Coding(codec, width=width, block_values=block, zero=zero, signed=draw(st.booleans()), coders=coders, table=table), values


def bisect_middle(cum: tuple[int, ...]) -> int:
    return int(np.searchsorted(cum, 512, side="right")) - 1


@settings(max_examples=80)
@given(cases())
def test_round_trip_and_identical_bytes(case: tuple[Coding, np.ndarray]) -> None:
    coding, values = case
    slow, fast = (encode(values, coding, implementation=name) for name in ("reference", "fast"))
    assert slow.index.tolist() == fast.index.tolist()
    assert slow.payload.tolist() == fast.payload.tolist()
    again = encode(values, coding)
    assert np.array_equal(again.index, fast.index) and np.array_equal(again.payload, fast.payload)
    for name in ("reference", "fast", "auto"):
        back = decode(fast, len(values), coding, implementation=name)
        assert back.dtype == DTYPES[coding.width] and back.shape == values.shape
        assert np.array_equal(back, values)
    raw_words = sum(coding.raw_words_of(block, len(values)) for block in range(coding.blocks(len(values))))
    assert fast.nbytes <= 8 * (raw_words + len(fast.index))
    assert fast.nbytes == 8 * (len(fast.index) + len(fast.payload))


@settings(max_examples=80)
@given(cases(), st.integers(0, 2**32))
def test_damaged_tensors_give_an_error_or_values(case: tuple[Coding, np.ndarray], seed: int) -> None:
    """And both implementations the same."""
    coding, values = case
    coded = encode(values, coding)
    rng = np.random.default_rng(seed)
    index, payload = coded.index.copy(), coded.payload.copy()
    for _ in range(int(rng.integers(0, 4))):
        payload[rng.integers(len(payload))] ^= np.uint64(1) << np.uint64(rng.integers(64))
    for _ in range(int(rng.integers(0, 3))):
        place = rng.integers(len(index))
        offset, a_words, b_words, raw = split_entry(int(index[place]))
        change = rng.integers(5)
        if change == 0:
            index[place] ^= np.uint64(1) << np.uint64(rng.integers(64))
        elif change == 1:
            index[place] = index_entry(offset, max(a_words - 1, 0), b_words, raw)
        elif change == 2:
            index[place] = index_entry(offset, a_words, max(b_words - 1, 0), raw)
        elif change == 3:
            index[place] = index_entry(int(rng.integers(len(payload))), a_words, b_words, raw)
        else:
            index[place] = index_entry(0, min(a_words + 1, len(payload)), max(b_words - 1, 0), False)
    if seed % 5 == 0:
        payload = payload[: rng.integers(0, len(payload))]
    results: list[Any] = []
    for name in ("reference", "fast"):
        try:
            results.append(decode(Coded(index, payload), len(values), coding, implementation=name).tolist())
        except FormatError as error:
            assert error.block is not None
            results.append(str(error))
    assert len(results) == 2 and results[0] == results[1]


@settings(max_examples=80)
@given(cases(("zvc", "ebpc", "apack")), st.integers(0, 2**32))
def test_random_bits_as_a_block(case: tuple[Coding, np.ndarray], seed: int) -> None:
    coding, values = case
    rng = np.random.default_rng(seed)
    count = min(len(values), coding.block_values)
    words = coding.raw_words_of(0, count)
    total = int(rng.integers(0, words))
    a_words = int(rng.integers(0, total + 1))
    payload = rng.integers(0, 1 << 64, total, dtype=np.uint64) & rng.integers(0, 1 << 64, total, dtype=np.uint64)
    coded = Coded(np.array([index_entry(0, a_words, total - a_words, False)], np.uint64), payload)
    results = []
    for name in ("reference", "fast"):
        try:
            results.append(decode(coded, count, coding, implementation=name).tolist())
        except FormatError as error:
            assert error.block == 0
            results.append(str(error))
    assert results[0] == results[1]
    stream = payload.byteswap()
    decoded, corrupt = decode_block(stream[:a_words], stream[a_words:], count, coding)
    assert len(decoded) == count and corrupt == isinstance(results[0], str)


@pytest.mark.parametrize(("width", "target"), [(4, 17), (8, 17), (8, 33), (8, 62), (8, 63), (8, 64), (16, 20), (16, 63), (16, 64)])
def test_apack_pending(width: int, target: int) -> None:
    coders = 5
    table, values = pending_case(target, width, coders)
    coding = Coding("apack", width=width, coders=coders, table=table)
    for name in ("reference", "fast"):
        coded = encode(values, coding, implementation=name)
        assert coded.raw_blocks == (target > 63)
        assert np.array_equal(decode(coded, len(values), coding, implementation=name), values)


def test_leftover_words_and_any_order_of_blocks_are_fine() -> None:
    values = np.repeat(np.arange(4, dtype=np.uint8), 128)
    for codec in ("raw", "zvc", "ebpc", "apack"):
        coding = Coding(codec, block_values=128, table=peaked_table() if codec == "apack" else None)
        coded = encode(values, coding)
        entries = [split_entry(entry) for entry in coded.index.tolist()]
        parts, index, offset = [], [0] * 4, 0
        for block in (2, 0, 3, 1):
            start, a_words, b_words, raw = entries[block]
            parts.append(coded.payload[start : start + a_words + b_words])
            more = 0
            if not raw and a_words + b_words + 1 < 16:
                parts.append(np.array([2**64 - 1], np.uint64))  # a word of B that nobody reads
                more = 1
            index[block] = index_entry(offset, a_words, b_words + more, raw)
            offset += a_words + b_words + more
        shuffled = Coded(np.array(index, np.uint64), np.concatenate(parts))
        assert len(shuffled.payload) == offset
        for name in ("reference", "fast"):
            assert np.array_equal(decode(shuffled, 512, coding, implementation=name), values)


def test_expected_sizes() -> None:
    """Sizes to the byte."""
    zeros = np.zeros(4096, np.int8)
    assert encode(zeros, Coding("zvc")).nbytes == 8 + 512
    assert encode(zeros, Coding("ebpc")).nbytes == 8 + 160
    assert encode(zeros, Coding("raw")).nbytes == 8 + 4096
    # peaked_table gives 0 a share of 1009/1024, 0.0213 bit: 8 coders of 512 values take a first part and one more each.
    assert encode(zeros, Coding("apack", table=peaked_table())).nbytes == 8 + 8 * 4
    ramp = (1 + np.arange(4096) % 8).astype(np.uint8)
    assert encode(ramp, Coding("ebpc")).nbytes == 8 + 512 + 512 * 3
    assert encode(np.random.default_rng(1).integers(0, 256, 4096).astype(np.uint8), Coding("ebpc")).raw_blocks == 1


def test_ebpc_needs_the_zero_point() -> None:
    values = (np.random.default_rng(2).normal(0, 2, 4096) * (np.random.default_rng(3).random(4096) < 0.3)).astype(np.int64)
    shifted = (values + 200).astype(np.uint8)
    plain = Coding("ebpc")
    with_zero = replace(plain, zero=200)
    assert encode(shifted, with_zero).payload.tolist() == encode(values.astype(np.int8), plain).payload.tolist()
    assert encode(shifted, with_zero).nbytes < encode(shifted, plain).nbytes


def test_signs_dtypes_and_shapes() -> None:
    values = np.random.default_rng(4).integers(-128, 128, (3, 5, 7)).astype(np.int8)
    coding = Coding("zvc", block_values=128)
    assert encode(values, coding).payload.tolist() == encode(values.ravel().view(np.uint8), coding).payload.tolist()
    turned = np.asfortranarray(values)
    assert encode(turned, coding).payload.tolist() == encode(values, coding).payload.tolist()
    big_endian = np.arange(10, dtype=">i2")
    back = decode(encode(big_endian, Coding("zvc", width=16, block_values=64)), 10, Coding("zvc", width=16, block_values=64))
    assert back.tolist() == list(range(10))
    small = np.array([-8, -1, 0, 7], np.int8)
    assert raw_image(small, 4).tobytes() == b"\xf8\x70"
    assert values_from_raw(b"\xf8\x70", 4, 4).tolist() == [8, 15, 0, 7]
    assert values_from_raw(b"\xf8\x70", 3, 4).tolist() == [8, 15, 0]


@pytest.mark.parametrize(
    ("values", "width", "text"),
    [
        (np.zeros(0, np.uint8), 8, "empty"),
        (np.zeros(3, np.float32), 32, "float32"),
        (np.zeros(3, np.uint16), 8, "uint16"),
        (np.array([0, 16], np.uint8), 4, "16 at index 1"),
        (np.array([-9], np.int8), 4, "-9 at index 0"),
    ],
)
def test_values_that_are_refused(values: np.ndarray, width: int, text: str) -> None:
    with pytest.raises(InputError, match=text):
        encode(values, Coding("raw", width=width, block_values=1024 // width))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"codec": "lzma"}, "unknown codec"),
        ({"codec": "ebpc", "width": 4}, "no width 4"),
        ({"codec": "zvc", "block_values": 100}, "block_values 100"),
        ({"codec": "zvc", "block_values": 0}, "block_values 0"),
        ({"codec": "zvc", "block_values": 16384 + 128}, "at most 16384"),
        ({"codec": "zvc", "block_values": 4096.0}, "must be an integer"),
        ({"codec": "zvc", "zero": 256}, "zero 256"),
        ({"codec": "zvc", "zero": -1}, "zero -1"),
        ({"codec": "ebpc", "signed": 1}, "signed"),
        ({"codec": "apack", "coders": 0, "table": peaked_table()}, "coders 0"),
        ({"codec": "apack", "coders": 17, "table": peaked_table()}, "coders 17"),
        ({"codec": "zvc", "table": peaked_table()}, "takes no table"),
    ],
)
def test_codings_that_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        Coding(**options)


def test_apack_needs_its_table() -> None:
    with pytest.raises(TableError, match="needs a table"):
        Coding("apack")
    with pytest.raises(TableError, match="width 8"):
        Coding("apack", width=16, table=peaked_table())


def test_block_interface() -> None:
    coding = Coding("apack", block_values=128, table=peaked_table())
    rng = np.random.default_rng(5)
    for values in (rng.integers(0, 256, 128).astype(np.uint8), np.zeros(100, np.uint8)):
        block = encode_block(values, coding)
        assert block.values == len(values)
        assert block.raw == (len(block.a_stream) + len(block.b_stream) >= coding.raw_words_of(0, len(values)))
        assert len(block.a_stream) > 0 and not block.limit
        back, corrupt = decode_block(block.a_stream, block.b_stream, len(values), coding)
        assert not corrupt and np.array_equal(back, values)
        coded = encode(values, coding)
        assert block.payload.tolist() == coded.payload.tolist()
        assert split_entry(int(coded.index[0])) == (0, block.a_words, block.b_words, block.raw)
    with pytest.raises(InputError, match=r"1\.\.128"):
        encode_block(np.zeros(129, np.uint8), coding)
    with pytest.raises(InputError, match="implementation"):
        encode(np.zeros(1, np.uint8), coding, implementation="quick")


def test_index_of_another_length() -> None:
    coding = Coding("zvc", block_values=128)
    coded = encode(np.zeros(300, np.uint8), coding)
    for count in (128, 256, 385):
        with pytest.raises(FormatError, match="index entries"):
            decode(coded, count, coding)
    with pytest.raises(InputError):
        decode(coded, 0, coding)


@pytest.mark.parametrize("seed", range(12))
def test_apack_side_by_side(seed: int) -> None:
    """The numpy version that serves machines without numba, on enough blocks that they are decoded side by side."""
    rng = np.random.default_rng(seed)
    width = (4, 8, 16)[seed % 3]
    count = int(rng.integers(1, 30 * 1024 // width))
    values = (np.rint(rng.normal(0, (1 << width) / (8, 40, 100)[seed // 3 % 3], count)).astype(int) % (1 << width)).astype(DTYPES[width])
    table = optimal_table(histogram(values, width), width)
    if seed >= 9:
        table, block = pending_case((20, 63, 64)[seed - 9], width, 3)
        values = np.tile(np.concatenate([block, np.zeros(-len(block) % (1024 // width), block.dtype)]), 10)
    size = 1024 // width if seed < 9 else len(values) // 10
    coding = Coding("apack", width=width, block_values=size, coders=3 if seed >= 9 else int(rng.integers(1, 17)), table=table)
    coded = encode(values, coding, implementation="reference")
    index, payload = apack.numpy_encode(values, coding)
    assert index.tolist() == coded.index.tolist() and payload.tolist() == coded.payload.tolist()
    for _ in range(4):
        out = np.zeros(len(values), DTYPES[width])
        corrupt = apack.numpy_decode(index, payload, out, coding)
        try:
            expected = decode(Coded(index, payload), len(values), coding, implementation="reference")
        except FormatError as error:
            assert corrupt == error.block
        else:
            assert corrupt == -1 and np.array_equal(out, expected)
        payload[rng.integers(len(payload), size=3)] ^= np.uint64(rng.integers(1 << 62))
        place = rng.integers(len(index))
        if split_entry(int(index[place]))[1] > 1:
            index[place] -= np.uint64(1 << 32)


@pytest.mark.parametrize("module", [zvc, ebpc_numpy], ids=["zvc", "ebpc"])
@settings(max_examples=60)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_versions_in_numpy(module: ModuleType, data: st.DataObject, seed: int) -> None:
    """Those for machines without numba: the same bytes and values, and the same block where a tensor is damaged."""
    coding, values = data.draw(cases(("zvc",) if module is zvc else ("ebpc",)))
    numpy_encode, numpy_decode = (module.numpy_encode, module.numpy_decode) if module is zvc else (module.encode, module.decode)
    coded = encode(values, coding)
    index, payload = numpy_encode(values, coding)
    assert index.tolist() == coded.index.tolist() and payload.tolist() == coded.payload.tolist()
    rng = np.random.default_rng(seed)
    for _ in range(3):
        out, expected = (np.zeros(len(values), values.dtype) for _ in range(2))
        corrupt = numpy_decode(index, payload, out, coding)
        try:
            expected = decode(Coded(index, payload), len(values), coding)
        except FormatError as error:
            assert corrupt == error.block
        else:
            assert corrupt == -1 and np.array_equal(out, expected)
        payload[rng.integers(len(payload))] ^= np.uint64(rng.integers(1 << 62))
        place = rng.integers(len(index))
        if split_entry(int(index[place]))[1] > 0:
            index[place] -= np.uint64(1 << 32)


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("signed", [True, False])
def test_ebpc_in_numpy_on_many_blocks(width: int, signed: bool) -> None:
    """More values than are coded at once, blocks of all kinds side by side, and a short last one."""
    rng = np.random.default_rng(width)
    kinds = [
        rng.integers(0, 1 << width, 70000),
        np.rint(rng.normal(0, 5, 70000)),
        np.cumsum(rng.integers(-1, 2, 70000)),
        np.zeros(70000),
        rng.integers(0, 99, 70001) * (rng.random(70001) < 0.2),
    ]
    values = (np.concatenate(kinds).astype(np.int64) % (1 << width)).astype(DTYPES[width])
    coding = Coding("ebpc", width=width, block_values=1024, zero=3, signed=signed)
    coded = encode(values, coding)
    assert 0 < coded.raw_blocks < len(coded.index)
    index, payload = ebpc_numpy.encode(values, coding)
    assert index.tolist() == coded.index.tolist() and payload.tolist() == coded.payload.tolist()
    out = np.zeros(len(values), values.dtype)
    assert ebpc_numpy.decode(index, payload, out, coding) == -1 and np.array_equal(out, values)


@pytest.mark.parametrize("width", [4, 8, 16])
@pytest.mark.parametrize("coders", [1, 8, 16])
def test_long_blocks_of_apack(width: int, coders: int) -> None:
    """Blocks in which the compiled coders hand on many chunks, also such as end in ones: two kinds of values, two of tables."""
    rng = np.random.default_rng(width + coders)
    middle = peaked_middle(width)
    values = np.array(middle.vmin)[np.where(rng.random(20000) < 0.9, bisect_middle(middle.cum), rng.integers(0, 16, 20000))]
    for table in (middle, optimal_table(histogram(values.astype(DTYPES[width]), width), width)):
        coding = Coding("apack", width=width, block_values=4096, coders=coders, table=table)
        slow, fast = (encode(values.astype(DTYPES[width]), coding, implementation=name) for name in ("reference", "fast"))
        assert slow.index.tolist() == fast.index.tolist() and slow.payload.tolist() == fast.payload.tolist()
        assert fast.raw_blocks < len(fast.index)
        assert np.array_equal(decode(fast, len(values), coding), values)


def peaked_middle(width: int) -> Table:
    """A table whose row 8 has the middle of the interval, so that pending bits grow."""
    shares = [4] * 8 + [1024 - 15 * 4] + [4] * 7
    return Table(width, tuple(range(16)), (0, *np.cumsum(shares).tolist()))


def test_numba_is_loaded_at_the_first_use_only() -> None:
    program = """
import sys
import numpy as np
import tensorpress.cli.app
from tensorpress.codecs import Coding, encode
assert "numba" not in sys.modules
encode(np.zeros(128, np.uint8), Coding("raw", block_values=128))
assert "numba" not in sys.modules
encode(np.zeros(128, np.uint8), Coding("zvc", block_values=128))
print("numba" in sys.modules)
"""
    for environment, loaded in (({}, "True"), ({"TENSORPRESS_NO_NUMBA": "1"}, "False")):
        if loaded == "True":
            pytest.importorskip("numba")
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=120,
            env={"PYTHONPATH": str(ROOT / "host"), **environment},
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.strip() == loaded


def test_without_numba() -> None:
    """The package works where numba cannot be imported, and makes the same bytes."""
    program = """
import sys
sys.modules["numba"] = None
import numpy as np
from tensorpress.codecs import Coding, encode, decode
from tensorpress.codecs.jit import have_numba
from tensorpress.tables import histogram, optimal_table
assert not have_numba()
rng = np.random.default_rng(6)
values = (np.rint(rng.normal(0, 4, 3000)) * (rng.random(3000) < 0.5)).astype(np.int8)
for codec in ("raw", "zvc", "ebpc", "apack"):
    coding = Coding(codec, block_values=1024, table=optimal_table(histogram(values)) if codec == "apack" else None)
    coded = encode(values, coding)
    assert np.array_equal(decode(coded, 3000, coding).view(np.int8), values)
    print(codec, coded.index.tobytes().hex() + coded.payload.tobytes().hex())
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env={"PYTHONPATH": str(ROOT / "host")}
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.split()
    assert lines[::2] == ["raw", "zvc", "ebpc", "apack"]
    rng = np.random.default_rng(6)
    values = (np.rint(rng.normal(0, 4, 3000)) * (rng.random(3000) < 0.5)).astype(np.int8)
    for codec, image in zip(lines[::2], lines[1::2], strict=True):
        coding = Coding(codec, block_values=1024, table=optimal_table(histogram(values)) if codec == "apack" else None)
        coded = encode(values, coding)
        assert coded.index.tobytes().hex() + coded.payload.tobytes().hex() == image
