# SPDX-License-Identifier: Apache-2.0
"""Loading tensors: each kind of file, each source of metadata, and each bad input with a message that names file and tensor."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file
from tensorpress.demo import DEMO_TENSORS
from tensorpress.errors import InputError
from tensorpress.tensors import NamedTensor, load_tensors

RANDOM = np.random.default_rng(11)


def tensor(array, **changes) -> NamedTensor:
    array = np.asarray(array)
    known = {"name": "t", "kind": "tensor", "network": "n", "zero_point": None, "channel_axis": None, "dtype": array.dtype.name}
    return NamedTensor(array=array, **{**known, **changes})


def write_safetensors(path, header: dict, data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def refused(path, *parts: str, **options) -> None:
    """Loading fails with one line that holds every part."""
    with pytest.raises(InputError) as caught:
        load_tensors(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(path), *parts):
        assert part in message


# ------------------------------------------------------------------------------------------------------------------ good files


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "float32"])
def test_npy_keeps_dtype_shape_and_values(tmp_path, dtype):
    array = RANDOM.integers(0, 100, (3, 5, 7)).astype(dtype)
    np.save(tmp_path / "one.npy", array)
    (loaded,) = load_tensors(tmp_path / "one.npy")
    assert (loaded.name, loaded.kind, loaded.network, loaded.dtype) == ("one", "tensor", "one", dtype)
    assert loaded.zero_point is None and loaded.channel_axis is None
    assert loaded.width == array.dtype.itemsize * 8 and loaded.signed == dtype.startswith("int")
    assert loaded.raw_bytes == array.nbytes
    np.testing.assert_array_equal(loaded.array, array)
    assert loaded.values.dtype.kind in "iu" and loaded.values.tobytes() == array.tobytes()


@pytest.mark.parametrize("array", [np.arange(12, dtype=">i2").reshape(3, 4), np.asfortranarray(np.arange(12, dtype="u1").reshape(3, 4))])
def test_byte_order_and_axis_order_are_made_native(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    (loaded,) = load_tensors(tmp_path / "a.npy")
    assert loaded.array.dtype.isnative and loaded.array.flags.c_contiguous
    np.testing.assert_array_equal(loaded.array, array)


def test_npz_without_metadata(tmp_path):
    np.savez(tmp_path / "net.npz", **{"act/a": np.zeros(3, "u1"), "weight/b": np.ones((2, 2), "i1"), "c": np.ones(1, "i2")})
    loaded = load_tensors(tmp_path / "net.npz", network="other")
    assert [(one.name, one.kind, one.network) for one in loaded] == [
        ("act/a", "act", "other"),
        ("weight/b", "weight", "other"),
        ("c", "tensor", "other"),
    ]


def test_scalar_and_single_value(tmp_path):
    np.save(tmp_path / "scalar.npy", np.int8(-3))
    (loaded,) = load_tensors(tmp_path / "scalar.npy")
    assert loaded.array.shape == () and loaded.array.size == 1 and loaded.zero_code() == 0xFD


def test_names_select_by_pattern_and_exactly(tmp_path):
    np.savez(tmp_path / "n.npz", **{"act/a": np.zeros(3, "u1"), "act/b[0]": np.zeros(3, "u1"), "w": np.zeros(3, "u1"), "bad": np.zeros(3)})
    names = [one.name for one in load_tensors(tmp_path / "n.npz", names="act/*")]
    assert names == ["act/a", "act/b[0]"]  # `bad` is float64 and is not even looked at
    assert [one.name for one in load_tensors(tmp_path / "n.npz", names=["w", "act/b[0]"])] == ["act/b[0]", "w"]
    refused(tmp_path / "n.npz", "'nothing*'", names="nothing*")


def test_demo_file_carries_its_metadata():
    loaded = {one.name: one for one in load_tensors(DEMO_TENSORS)}
    assert len(loaded) == 19 and {one.network for one in loaded.values()} == {"digits_cnn"}
    project, dense = loaded["act/project"], loaded["weight/per_channel/dense1"]
    assert (project.kind, project.dtype, project.channel_axis, project.array.shape) == ("act", "uint8", 3, (64, 8, 8, 16))
    assert project.zero_point == 143 == project.zero_code()
    assert (dense.kind, dense.dtype, dense.channel_axis, dense.zero_point, dense.signed) == ("weight", "int8", 0, 0, True)


def test_safetensors_match_their_own_library(tmp_path):
    arrays = {"a": RANDOM.integers(-128, 128, (4, 9)).astype("i1"), "b": RANDOM.normal(size=(2, 3)).astype("f2"), "c": np.array([7], "u4")}
    save_file(arrays, tmp_path / "m.safetensors", metadata={"format": "np"})
    loaded = {one.name: one for one in load_tensors(tmp_path / "m.safetensors")}
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert loaded[name].array.dtype == array.dtype and loaded[name].array.shape == array.shape
        np.testing.assert_array_equal(loaded[name].array, array)


def test_safetensors_bfloat16_is_held_as_bit_patterns(tmp_path):
    bits = np.array([[0x3F80, 0x0000], [0xFF80, 0x4049]], "<u2")  # 1, 0, -infinity, pi
    write_safetensors(tmp_path / "m.safetensors", {"t": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}, bits.tobytes())
    (loaded,) = load_tensors(tmp_path / "m.safetensors")
    assert (loaded.dtype, loaded.width, loaded.signed) == ("bfloat16", 16, False)
    np.testing.assert_array_equal(loaded.array, bits)


# ---------------------------------------------------------------------------------------------------------------- manifest.json


def manifest_for(npz: str, **fields) -> dict:
    entry = {"key": "w", "kind": "weight", "dtype": "int8", "bits": 8, "zero_point": 0, "shape": [2, 4], **fields}
    return {"models": [{"npz": "elsewhere.npz", "tensors": []}, {"model": "resnet", "npz": npz, "tensors": [entry]}]}


@pytest.mark.parametrize("place", ["beside", "above", "given"])
def test_manifest_is_found(tmp_path, place):
    folder = tmp_path / "npz"
    folder.mkdir()
    np.savez(folder / "x.npz", w=np.arange(8, dtype="i1").reshape(2, 4))
    where = {"beside": folder / "manifest.json", "above": tmp_path / "manifest.json", "given": tmp_path / "my.json"}[place]
    where.write_text(json.dumps(manifest_for("x.npz" if place == "beside" else "npz/x.npz", zero_point=-5, qdim=1)))
    (loaded,) = load_tensors(folder / "x.npz", manifest=where if place == "given" else None)
    assert (loaded.network, loaded.kind, loaded.zero_point, loaded.channel_axis) == ("resnet", "weight", -5, 1)
    assert loaded.zero_code() == 251


@pytest.mark.parametrize(
    ("dtype", "bits", "held", "width"),
    [("bf16", 16, "uint16", 16), ("int4", 4, "int8", 4), ("uint4", 4, "uint8", 4), ("bf16", 16, "<u2", 16)],
)
def test_manifest_gives_dtypes_that_numpy_lacks(tmp_path, dtype, bits, held, width):
    np.savez(tmp_path / "x.npz", w=np.arange(7).astype(held))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest_for("x.npz", dtype=dtype, bits=bits, shape=[7])))
    (loaded,) = load_tensors(tmp_path / "x.npz")
    assert loaded.dtype == ("bfloat16" if dtype == "bf16" else dtype) and loaded.width == width
    assert loaded.raw_bytes == (7 * width + 7) // 8 and loaded.signed == (dtype == "int4")


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"shape": [4, 2]}, "shape"),
        ({"dtype": "int16"}, "dtype int16"),
        ({"bits": 16}, "16 bits"),
        ({"zero_point": 128}, "zero 128"),
        ({"dtype": "int4", "bits": 4}, "outside -8..7"),
    ],
)
def test_manifest_that_contradicts_the_array(tmp_path, fields, part):
    np.savez(tmp_path / "x.npz", w=np.full((2, 4), 9, "i1"))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest_for("x.npz", **fields)))
    with pytest.raises(InputError, match="'w'") as caught:
        load_tensors(tmp_path / "x.npz")
    assert part in str(caught.value)


def test_zero_point_of_each_channel_counts_as_unknown(tmp_path):
    np.savez(tmp_path / "x.npz", w=np.full((2, 4), 9, "i1"))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest_for("x.npz", zero_point=[1, 2])))
    (loaded,) = load_tensors(tmp_path / "x.npz")
    assert loaded.zero_point is None and loaded.zero_code() == 9


def test_foreign_manifest_is_ignored_unless_asked_for(tmp_path):
    np.savez(tmp_path / "x.npz", w=np.ones(3, "i1"))
    for text in ('{"name": "some web app"}', "not json", '{"models": [{"npz": "y.npz", "tensors": []}]}'):
        (tmp_path / "manifest.json").write_text(text)
        assert len(load_tensors(tmp_path / "x.npz")) == 1
        with pytest.raises(InputError, match="manifest"):
            load_tensors(tmp_path / "x.npz", manifest=tmp_path / "manifest.json")
    with pytest.raises(InputError, match="none"):
        load_tensors(tmp_path / "x.npz", manifest=tmp_path / "none.json")
    (tmp_path / "manifest.json").write_text('{"models": [{"npz": "x.npz", "tensors": [{"kind": "act"}]}]}')
    with pytest.raises(InputError, match="'key'"):
        load_tensors(tmp_path / "x.npz")


# ------------------------------------------------------------------------------------------------------------------- bad files


def test_missing_folder_and_unknown_kind(tmp_path):
    refused(tmp_path / "none.npz", "no such file")
    refused(tmp_path / "model.pt", ".pt", ".safetensors")
    (tmp_path / "folder.npz").mkdir()
    refused(tmp_path / "folder.npz", "folder")


@pytest.mark.parametrize("keep", [0, 4, 40, 129, 200])
def test_truncated_npy(tmp_path, keep):
    np.save(tmp_path / "a.npy", np.arange(200, dtype="u1"))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:keep])
    refused(tmp_path / "a.npy")


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_truncated_npz(tmp_path, keep):
    whole = DEMO_TENSORS.read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: int(len(whole) * keep)])
    refused(tmp_path / "a.npz")


def test_damaged_npz_member(tmp_path):
    np.savez(tmp_path / "a.npz", first=np.arange(1000, dtype="i2"), second=np.arange(1000, dtype="i2"))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[3000] ^= 0xFF  # inside the second array: the archive's checksum tells
    (tmp_path / "a.npz").write_bytes(data)
    refused(tmp_path / "a.npz", "'second'")


def test_npz_member_that_is_cut_or_too_long(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.arange(100, dtype="u1"))
    for name, data in (("cut", stream.getvalue()[:-3]), ("long", stream.getvalue() + b"x")):
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w") as archive:
            archive.writestr(f"{name}.npy", data)
        refused(tmp_path / f"{name}.npz", f"'{name}'")


@pytest.mark.parametrize("keep", [0, 7, 30, -1])
def test_truncated_safetensors(tmp_path, keep):
    save_file({"a": np.arange(50, dtype="u1")}, tmp_path / "m.safetensors")
    (tmp_path / "m.safetensors").write_bytes((tmp_path / "m.safetensors").read_bytes()[:keep])
    refused(tmp_path / "m.safetensors", "truncated")


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ({"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}, "dtype I64"),
        ({"dtype": "U8", "shape": [9], "data_offsets": [0, 8]}, "offsets"),
        ({"dtype": "U8", "shape": [-1], "data_offsets": [0, 8]}, "offsets"),
        ({"dtype": "U8", "shape": [8], "data_offsets": [-8, 0]}, "offsets"),
        ({"dtype": "U8", "shape": [8]}, "malformed"),
        ({"dtype": "U8", "shape": 8, "data_offsets": [0, 8]}, "malformed"),
        ([], "malformed"),
        ({"dtype": "U8", "shape": [8], "data_offsets": [8, 16]}, "truncated"),
        ({"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}, "empty"),
    ],
)
def test_bad_safetensors_entries(tmp_path, entry, part):
    write_safetensors(tmp_path / "m.safetensors", {"t": entry}, bytes(8))
    refused(tmp_path / "m.safetensors", "'t'", part)


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff\xfe"])
def test_bad_safetensors_header(tmp_path, text):
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))
    refused(tmp_path / "m.safetensors", "header")


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was executed",))

    np.savez(tmp_path / "a.npz", trap=np.array([Trap()], dtype=object))
    refused(tmp_path / "a.npz", "'trap'", "never unpickled")
    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object))
    refused(tmp_path / "a.npy", "never unpickled")


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64", "complex64", "bool", "U3", "datetime64[s]", [("x", "i4")]])
def test_wrong_dtypes(tmp_path, dtype):
    np.savez(tmp_path / "a.npz", good=np.ones(3, "i1"), odd=np.zeros(3, dtype))
    refused(tmp_path / "a.npz", "'odd'", "cannot be compressed")


def test_empty_tensor_and_empty_file(tmp_path):
    np.savez(tmp_path / "a.npz", hollow=np.zeros((3, 0, 2), "i1"))
    refused(tmp_path / "a.npz", "'hollow'", "empty", "3x0x2")
    np.savez(tmp_path / "b.npz")
    refused(tmp_path / "b.npz", "holds no tensor")


def test_nan_needs_permission(tmp_path):
    np.save(tmp_path / "a.npy", np.array([1, np.nan, np.inf], "f4"))
    refused(tmp_path / "a.npy", "NaN")
    (loaded,) = load_tensors(tmp_path / "a.npy", allow_nan=True)
    assert np.isnan(loaded.array[1])
    np.save(tmp_path / "b.npy", np.array([1, np.inf], "f4"))
    assert len(load_tensors(tmp_path / "b.npy")) == 1
    write_safetensors(tmp_path / "m.safetensors", {"t": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, struct.pack("<H", 0xFFC0))
    refused(tmp_path / "m.safetensors", "'t'", "NaN")


def test_unreadable_metadata(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.ones(3, "i1"))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("metadata.json", "{")
    refused(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", w=np.ones(3, "i1"))
    with zipfile.ZipFile(tmp_path / "b.npz", "a") as archive:
        archive.writestr("metadata.json", '{"tensors": 3}')
    refused(tmp_path / "b.npz", "metadata.json")


# --------------------------------------------------------------------------------------------------------------- zero and order


@pytest.mark.parametrize(
    ("array", "zero", "code"),
    [
        (np.array([-128, -128, 5], "i1"), "auto", 128),
        (np.array([5, 5, -1, -1], "i1"), "auto", 5),  # equals: the smallest code
        (np.array([5], "i1"), -1, 255),
        (np.array([5], "u1"), 200, 200),
        (np.array([5], "u1"), "7", 7),
        (np.array([300, 300, 2], "u2"), "auto", 300),
        (np.array([0.0, -0.0, 0.0], "f4"), "auto", 0),
    ],
)
def test_zero_code(array, zero, code):
    assert tensor(array).zero_code(zero) == code


def test_zero_code_of_int4():
    assert tensor(np.array([-8, -8, 1], "i1"), dtype="int4").zero_code() == 8
    with pytest.raises(InputError, match=r"-8\.\.7"):
        tensor(np.array([1], "i1"), dtype="int4").zero_code(8)


@pytest.mark.parametrize(("dtype", "zero"), [("i1", 128), ("i1", -129), ("u1", -1), ("u1", 256), ("u1", "x"), ("u1", "1.5")])
def test_zero_code_refuses(dtype, zero):
    with pytest.raises(InputError, match="zero"):
        tensor(np.array([1], dtype)).zero_code(zero)


@pytest.mark.parametrize(
    ("shape", "kind", "channel", "order", "expected"),
    [
        ((2, 8, 8, 3), "act", 3, "channel-first", (0, 3, 1, 2)),
        ((2, 8, 8, 3), "tensor", None, "channel-first", (0, 3, 1, 2)),
        ((8, 8, 3), "act", 2, "channel-first", (2, 0, 1)),
        ((16, 3, 3, 8), "weight", 0, "channel-first", None),
        ((1, 3, 3, 8), "weight", 3, "channel-first", (3, 0, 1, 2)),
        ((64, 10), "act", 1, "channel-first", None),
        ((64, 10), "act", 1, "1,0", (1, 0)),
        ((64, 10), "act", 1, [0, 1], None),
        ((64, 10), "act", 1, None, None),
        ((64, 10), "act", 1, "c", None),
    ],
)
def test_order(shape, kind, channel, order, expected):
    assert tensor(np.zeros(shape, "u1"), kind=kind, channel_axis=channel).order(order) == expected


@pytest.mark.parametrize("order", ["0,1", "0,1,1", "1,2,3", "x", "", "channels"])
def test_order_refuses(order):
    with pytest.raises(InputError, match="order"):
        tensor(np.zeros((2, 3, 4), "u1")).order(order)
