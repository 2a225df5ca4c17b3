# SPDX-License-Identifier: Apache-2.0
"""Compressed tensors and .tpz files: every dtype, and whatever the bytes, nothing but FormatError."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_support import WIDTHS
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorpress import container
from tensorpress.codecs import Coded, Coding
from tensorpress.container import DTYPES, CompressedTensor, Reader, compress_tensor, decompress_tensor, write
from tensorpress.errors import FormatError, InputError, TensorpressError

ml_dtypes = pytest.importorskip("ml_dtypes")


def numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name)) if name in ("bfloat16", "int4", "uint4") else np.dtype(name)


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def small(name: str, shape: tuple[int, ...] = (3, 5, 70)) -> np.ndarray:
    rng = np.random.default_rng(len(name))
    low = -3 if not name.startswith("u") else 0
    return (rng.integers(low, 7, shape) * (rng.random(shape) < 0.5)).astype(numpy_dtype(name))


def sample(folder: Path) -> Path:
    """A file with one tensor of each codec."""
    path = folder / "sample.tpz"
    tensors = [compress_tensor(f"{codec}/x", small("int8"), codec=codec, block_values=256) for codec in WIDTHS]
    tensors.append(compress_tensor("turned", small("float16"), codec="ebpc", block_values=128, order=(2, 0, 1)))
    write(path, tensors, {"model": "größe", "empty": ""})
    return path


@pytest.mark.parametrize("codec", list(WIDTHS))
@pytest.mark.parametrize("dtype", list(DTYPES))
def test_round_trip(dtype: str, codec: str, tmp_path: Path) -> None:
    width = DTYPES[dtype]
    array = small(dtype)
    if width not in WIDTHS[codec]:
        with pytest.raises(InputError, match=f"tensor 'x'.*no width {width}|tensor 'x'.*needs a table"):
            compress_tensor("x", array, codec=codec, block_values=1024 // width)
        return
    for order in (None, (2, 0, 1), (0, 1, 2)):
        tensor = compress_tensor("x", array, codec=codec, block_values=1024 // width, order=order)
        assert same_bits(decompress_tensor(tensor), array)
        write(tmp_path / "x.tpz", [tensor])
        with Reader(tmp_path / "x.tpz") as reader:
            stored = reader.tensor("x")
            assert (stored.dtype, stored.shape, stored.order, stored.coding, stored.crc32) == (
                dtype,
                (3, 5, 70),
                order,
                tensor.coding,
                tensor.crc32,
            )
            assert stored.coded_bytes == tensor.coded_bytes and stored.raw_bytes == (1050 * width + 7) // 8
            assert same_bits(decompress_tensor(stored), array)


def test_many_tensors(tmp_path: Path) -> None:
    path = sample(tmp_path)
    assert os.listdir(tmp_path) == ["sample.tpz"]
    with Reader(path) as reader:
        assert reader.names == ["raw/x", "zvc/x", "ebpc/x", "apack/x", "turned"] and len(reader) == 5
        assert "zvc/x" in reader and "x" not in reader
        assert reader.metadata == {"model": "größe", "empty": ""}
        tensors = list(reader)
        for tensor in tensors:
            assert same_bits(decompress_tensor(tensor), small(tensor.dtype))
        with pytest.raises(InputError, match="no tensor 'x'"):
            reader.tensor("x")
    assert same_bits(decompress_tensor(tensors[0]), small("int8"))  # stays usable
    with pytest.raises(InputError, match="closed"):
        reader.tensor("zvc/x")
    content = path.read_bytes()
    header = json.loads(content[16 : 16 + int.from_bytes(content[8:16], "little")])
    for entry in header["tensors"].values():
        assert entry["index"][0] % 64 == 0 and entry["payload"][0] % 64 == 0
    again = tmp_path / "again.tpz"
    write(again, {tensor.name: tensor for tensor in tensors}, {"model": "größe", "empty": ""})
    assert again.read_bytes() == content
    write(again, [])
    with Reader(again) as reader:
        assert len(reader) == 0 and list(reader) == []


def test_scalars_and_sizes() -> None:
    tensor = compress_tensor("s", np.int8(-5), codec="zvc")
    assert tensor.shape == () and tensor.count == 1 and tensor.raw_bytes == 1 and tensor.coded_bytes == 16
    assert decompress_tensor(tensor).item() == -5
    table = compress_tensor("t", np.zeros(4096, np.int8), codec="apack")
    assert table.coded_bytes == table.coded.nbytes + 48 and table.ratio == 4096 / table.coded_bytes


def test_views_without_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "_small_dtype", lambda name: None)
    bits = np.array([0x3F80, 0x4000, 0], np.uint16)
    tensor = compress_tensor("b", bits, codec="ebpc", block_values=64, dtype="bfloat16")
    assert tensor.dtype == "bfloat16" and same_bits(decompress_tensor(tensor), bits)
    signed = np.array([-8, 7, -1, 0, 3], np.int8)
    assert same_bits(decompress_tensor(compress_tensor("i", signed, codec="raw", block_values=256, dtype="int4")), signed)
    unsigned = np.array([15, 0, 8], np.uint8)
    assert same_bits(decompress_tensor(compress_tensor("u", unsigned, codec="raw", block_values=256, dtype="uint4")), unsigned)


def test_nan() -> None:
    for dtype in ("float32", "float16", "bfloat16"):
        array = np.zeros((4, 5), numpy_dtype(dtype))
        array[2, 3] = np.nan
        array[3, 1] = np.nan
        width = DTYPES[dtype]
        with pytest.raises(InputError, match=r"tensor 'x': NaN at index \[2, 3\] \(2 in all\)"):
            compress_tensor("x", array, codec="zvc", width=width, block_values=1024 // width)
        tensor = compress_tensor("x", array, codec="zvc", block_values=1024 // width, allow_nan=True)
        assert same_bits(decompress_tensor(tensor), array)
        array[:] = np.inf
        assert same_bits(decompress_tensor(compress_tensor("x", array, codec="zvc", block_values=1024 // width)), array)


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        (("x", np.zeros((2, 0), np.int8)), {"codec": "zvc"}, r"'x' is empty \(shape \[2, 0\]\)"),
        (("x", np.zeros(2, np.int64)), {"codec": "zvc"}, "dtype int64"),
        (("x", np.zeros(2, complex)), {"codec": "zvc"}, "dtype complex128"),
        (("x", np.zeros(2, np.int8)), {"codec": "zvc", "dtype": "bfloat16"}, "int8 cannot be taken as bfloat16"),
        (("x", np.full(2, 9, np.int8)), {"codec": "raw", "block_values": 256, "dtype": "int4"}, "9 at index 0"),
        (("x", np.zeros((2, 2), np.int8)), {"codec": "zvc", "order": (0, 0)}, "no permutation"),
        (("x", np.zeros(2, np.int8)), {}, "name a codec"),
        (("x", np.zeros(2, np.int8)), {"codec": "zvc", "level": 3}, "unknown option"),
        (("x", np.zeros(2, np.int8), Coding("zvc")), {"zero": 3}, "options as well"),
        (("x", np.zeros(2, np.int16), Coding("zvc")), {}, "16 bits"),
        (("", np.zeros(2, np.int8), Coding("zvc")), {}, "name"),
        (("\ud800", np.zeros(2, np.int8), Coding("zvc")), {}, "Unicode"),
    ],
)
def test_tensors_that_are_refused(arguments: tuple[Any, ...], options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        compress_tensor(*arguments, **options)


def test_damage_is_named(tmp_path: Path) -> None:
    tensor = compress_tensor("conv", np.repeat(np.arange(4, dtype=np.int8), 256), codec="zvc", block_values=256)
    flipped = tensor.coded.payload.copy()
    flipped[-1] ^= np.uint64(1)
    damaged = CompressedTensor("conv", "int8", (1024,), tensor.coding, Coded(tensor.coded.index, flipped), None, tensor.crc32)
    with pytest.raises(FormatError, match="tensor 'conv': the values have CRC"):
        decompress_tensor(damaged)
    index = tensor.coded.index.copy()
    index[2] |= np.uint64(1 << 62)
    damaged.coded = Coded(index, tensor.coded.payload)
    with pytest.raises(FormatError, match="tensor 'conv', block 2: bit 62"):
        decompress_tensor(damaged)
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "x.tpz", [damaged])
    assert os.listdir(tmp_path) == []


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = compress_tensor("a", np.zeros(10, np.int8), codec="zvc")
    path = tmp_path / "x.tpz"
    write(path, [tensor])
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(InputError, match="disk full"):
            write(path, [tensor], {"new": "notes"})
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.tpz"]
    for wrong, text in (
        (lambda: write(path, [tensor, tensor]), "two tensors"),
        (lambda: write(path, [tensor], {"a": 3}), "metadata"),  # type: ignore[dict-item]
        (lambda: write(tmp_path / "none" / "x.tpz", [tensor]), "cannot write"),
        (lambda: Reader(tmp_path / "none.tpz"), "cannot read"),
        (lambda: Reader(tmp_path), "cannot read"),
    ):
        with pytest.raises(InputError, match=text):
            wrong()
    assert path.read_bytes() == before


def rebuilt(content: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with another header; regions stay where they were if the header does not grow past its filling."""
    length = int.from_bytes(content[8:16], "little")
    header = json.loads(content[16 : 16 + length])
    header = change(header) or header
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + len(text).to_bytes(8, "little") + text + content[16 + len(text) :]


def entry_with(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    def change(header: dict[str, Any]) -> None:
        entry = header["tensors"]["a"]
        for key, value in changes.items():
            if value is None:
                del entry[key]
            else:
                entry[key] = value

    return change


HEADER_FAULTS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda header: [1], "not an object"),
    (lambda header: header.update(format=2), "format 2 is unknown"),
    (lambda header: header.update(format=True), "format True is unknown"),
    (lambda header: header.update(metadata={"a": 1}), "metadata"),
    (lambda header: header.update(tensors=[]), "no object 'tensors'"),
    (lambda header: header["tensors"].update(a=3), "tensor 'a': its description"),
    (lambda header: header["tensors"].update({"": header["tensors"].pop("a")}), "name"),
    (entry_with(codec="lzma"), "tensor 'a': unknown codec"),
    (entry_with(codec=3), "'codec' is not of type str"),
    (entry_with(codec=None), "no 'codec'"),
    (entry_with(W=16), "tensor 'a': "),
    (entry_with(W=True), "'W' is not of type int"),
    (entry_with(W=8.0), "'W' is not of type int"),
    (entry_with(block_values=100), "block_values 100"),
    (entry_with(block_values=10**30), "block_values 1000"),
    (entry_with(dtype="int64"), "unknown dtype"),
    (entry_with(dtype="int16"), "dtype int16 has 16 bits"),
    (entry_with(shape=[1100]), "9 blocks need 72"),
    (entry_with(shape=[0]), "shape"),
    (entry_with(shape=[-1, -1000]), "shape"),
    (entry_with(shape=["9"]), "shape"),
    (entry_with(shape=[10**30]), "do not fit"),
    (entry_with(shape=[1] * 33), "33 dimensions"),
    (entry_with(order=[1]), "no permutation"),
    (entry_with(order=[True]), "no permutation"),
    (entry_with(order=[[]]), "no permutation"),
    (entry_with(order={}), "'order' is not of type list"),
    (entry_with(S=0), "coders 0"),
    (entry_with(S=None), "no 'S'"),
    (entry_with(tables=[]), "0 tables"),
    (entry_with(tables=[3]), "tensor 'a': a table must be an object"),
    (entry_with(tables=[{"vmin": [0] * 16, "cum": [0] * 17}]), "row 1: vmin"),
    (entry_with(crc32=-1), "crc32"),
    (entry_with(crc32="x"), "'crc32' is not of type int"),
    (entry_with(index=[64, 64]), "overlaps"),
    (entry_with(index=[1, 64]), "does not start on 64"),
    (entry_with(index=[64 * 10**20, 64]), "ends past the file"),
    (entry_with(index=[-64, 64]), "is not"),
    (entry_with(index=[1024]), "is not"),
    (entry_with(payload=[640, 9]), "whole words"),
    (entry_with(payload=[640, 10**9 * 8]), "ends past the file"),
    (entry_with(payload=None), "no 'payload'"),
]


@pytest.mark.parametrize("number", range(len(HEADER_FAULTS)))
def test_headers_that_are_refused(number: int, tmp_path: Path) -> None:
    change, text = HEADER_FAULTS[number]
    path = tmp_path / "x.tpz"
    tensor = compress_tensor("a", small("int8", (1000,)), codec="apack", block_values=128)
    write(path, [tensor], {"space": "x" * 400})
    content = path.read_bytes()
    path.write_bytes(rebuilt(content, lambda header: header["metadata"].clear()))
    with Reader(path) as reader:
        assert same_bits(decompress_tensor(reader.tensor("a")), small("int8", (1000,)))

    def both(header: dict[str, Any]) -> Any:
        header["metadata"].clear()
        return change(header)

    path.write_bytes(rebuilt(content, both))
    with pytest.raises(FormatError, match=text):
        Reader(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "0 bytes"),
        (b"TPZ1" + bytes(11), "15 bytes"),
        (b"TPZ2" + bytes(12), "starts with"),
        (b"TPZ1" + bytes(3) + b"\1" + bytes(8), "bytes 4 to 7"),
        (b"TPZ1" + bytes(4) + b"\xff" * 8, "ends past the file"),
        (b"TPZ1" + bytes(12), "not JSON"),
        (b"TPZ1" + bytes(4) + (100000).to_bytes(8, "little") + b"[" * 100000, "not JSON"),
        (b"TPZ1" + bytes(4) + (10000).to_bytes(8, "little") + b"1" * 10000, "not JSON"),
        (b"TPZ1" + bytes(4) + (3).to_bytes(8, "little") + b"NaN", "not JSON"),
        (b"TPZ1" + bytes(4) + (3).to_bytes(8, "little") + b'"\xff"', "not JSON"),
        (b"TPZ1" + bytes(4) + (13).to_bytes(8, "little") + b'{"a":1,"a":2}', "key twice"),
    ],
)
def test_files_that_are_refused(content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tpz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=text):
        Reader(path)


def read_all(path: Path) -> int:
    """Read and decompress everything; errors on purpose count as well."""
    outcomes = 0
    try:
        with Reader(path) as reader:
            for name in reader.names:
                try:
                    tensor = reader.tensor(name)
                    assert decompress_tensor(tensor).shape == tensor.shape
                except FormatError as error:
                    assert error.tensor == name
                outcomes += 1
    except FormatError:
        outcomes += 1
    return outcomes


@pytest.fixture(scope="module")
def sample_bytes(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    folder = tmp_path_factory.mktemp("fuzz")
    return sample(folder).read_bytes(), folder / "damaged.tpz"


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_any_damage_is_survived(sample_bytes: tuple[bytes, Path], seed: int) -> None:
    content, path = bytearray(sample_bytes[0]), sample_bytes[1]
    rng = np.random.default_rng(seed)
    header = 16 + int.from_bytes(content[8:16], "little")
    kind = seed % 5
    if kind == 0:  # bits of the header
        for _ in range(int(rng.integers(1, 4))):
            content[rng.integers(header)] ^= 1 << int(rng.integers(8))
    elif kind == 1:  # bits of the regions
        for _ in range(int(rng.integers(1, 20))):
            content[rng.integers(header, len(content))] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        content = content[: rng.integers(len(content))]
    elif kind == 3:  # digits of the header
        for place in rng.integers(16, header, 200):
            if chr(content[place]).isdigit():
                content[place] = ord("0") + int(rng.integers(10))
                break
    else:
        start = rng.integers(len(content))
        size = int(rng.integers(1, 200))
        content[start : start + size] = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
    path.write_bytes(bytes(content))
    try:
        assert read_all(path) >= 0
    except TensorpressError as error:
        pytest.fail(f"not a FormatError: {error!r}")


@settings(max_examples=60)
@given(st.binary(max_size=300), st.booleans())
def test_random_bytes(sample_bytes: tuple[bytes, Path], data: bytes, with_start: bool) -> None:
    path = sample_bytes[1]
    path.write_bytes((b"TPZ1" + bytes(4) + len(data).to_bytes(8, "little") if with_start else b"") + data)
    with pytest.raises(FormatError):
        Reader(path)
