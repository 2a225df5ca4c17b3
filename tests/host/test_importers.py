# SPDX-License-Identifier: Apache-2.0
"""Models become tensors: the bytes that the file holds, the activations that a second evaluator finds, and what both mean."""

from __future__ import annotations

import sys
from pathlib import Path

import model_files
import numpy as np
import pytest
from tensorpress.errors import InputError
from tensorpress.importers import find_feeds, import_model, isolated
from tensorpress.importers.feeds import Feed, Slot, arrays_for
from tensorpress.importers.model import Quantisation, tensor_name, unpacked_nibbles
from tensorpress.tensors import NamedTensor

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
Image = pytest.importorskip("PIL.Image")


def load(path: Path, *feeds: Feed, **options):
    """In this process: starting another one for each test takes a second."""
    return import_model(path, feeds, isolate=False, **options)


def saved(folder: Path, name: str, array: np.ndarray) -> Feed:
    np.save(folder / f"{name}.npy", array)
    return Feed(name, folder / f"{name}.npy")


def by_name(tensors: list[NamedTensor]) -> dict[tuple[str, str], NamedTensor]:
    """(what stands behind the number, sample) -> tensor."""
    return {(tensor.name.split("/")[1].split("_", 1)[1], tensor.sample): tensor for tensor in tensors}


def evaluated(path: Path, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All tensors of an ONNX model, by onnx's own evaluator."""
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(path)
    names = [name for node in model.graph.node for name in node.output]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return dict(zip(names, ReferenceEvaluator(model).run(None, feed), strict=True))


# ------------------------------------------------------------------------------------------------------------------------ ONNX


def test_qdq(tmp_path):
    path = model_files.onnx_qdq(tmp_path / "net.onnx")
    rng = np.random.default_rng(1)
    inputs = {name: rng.normal(size=(1, 3, 8, 8)).astype(np.float32) for name in ("a", "b")}
    result = load(path, *(saved(tmp_path, name, array) for name, array in inputs.items()))
    assert result.faults == [] and len(result.notes) == 1 and "float32" in result.notes[0]
    found = by_name(result.tensors)
    assert set(found) == {("w", ""), *((name, sample) for name in ("x_q", "y_q", "p_q") for sample in ("a", "b"))}
    weight = found["w", ""]
    assert np.array_equal(weight.array, model_files.conv_weights()) and weight.dtype == "int8"
    assert (weight.kind, weight.op, weight.zero_point, weight.channel_axis) == ("weight", "Conv", 0, 0)
    for sample, array in inputs.items():
        expected = evaluated(path, {"x": array})
        for name, op, zero, reads in (("x_q", "INPUT", 128, 1), ("y_q", "Relu", 0, 2), ("p_q", "MaxPool", -128, 0)):
            one = found[name, sample]
            assert (one.kind, one.op, one.zero_point, one.reads, one.channel_axis) == ("act", op, zero, reads, 1)
            assert one.array.dtype == expected[name].dtype and one.array.shape == expected[name].shape
            assert np.abs(one.array.astype(int) - expected[name]).max() <= (
                0 if name == "x_q" else 1
            )  # a rounding may differ by order of sums
        assert np.array_equal(found["x_q", sample].array, np.clip(np.rint(array / np.float32(0.02)) + 128, 0, 255))
    assert found["y_q", "a"].name == found["y_q", "b"].name and found["y_q", "a"].order("channel-first") is None


def test_qoperator(tmp_path):
    path = model_files.onnx_qoperator(tmp_path / "net.onnx")
    array = np.random.default_rng(2).integers(0, 256, (1, 3, 8, 8)).astype(np.uint8)
    result = load(path, saved(tmp_path, "a", array))
    assert result.faults == []
    found = {name: tensor for (name, _), tensor in by_name(result.tensors).items()}
    assert set(found) == {"w", "m", "x", "y", "p", "z"}  # a reshape moves nothing
    assert np.array_equal(found["w"].array, model_files.conv_weights()) and np.array_equal(found["m"].array, model_files.matrix())
    assert (found["w"].zero_point, found["w"].channel_axis, found["w"].op) == (0, 0, "QLinearConv")
    assert (found["m"].zero_point, found["m"].channel_axis, found["m"].op) == (131, None, "QLinearMatMul")
    expected = {**evaluated(path, {"x": array}), "x": array}
    for name, zero in (("x", 7), ("y", 100), ("p", 100), ("z", 90)):
        assert found[name].zero_point == zero and found[name].kind == "act"
        assert np.abs(found[name].array.astype(int) - expected[name]).max() <= 1
        assert len(np.unique(found[name].array)) > 1
    assert found["p"].reads == 1 and found["p"].op == "MaxPool"


def test_int4_weights_and_random_inputs(tmp_path):
    result = load(model_files.onnx_qdq(tmp_path / "net.onnx", int4=True, batch="N"))
    weight = by_name(result.tensors)["w", ""]
    assert (weight.dtype, weight.width, weight.zero_point) == ("int4", 4, 0)
    assert np.array_equal(weight.array, model_files.conv_weights() % 16 - 8)
    assert any("RANDOM" in note for note in result.notes) and any("x ?x3x8x8" in note for note in result.notes)
    assert by_name(result.tensors)["y_q", "random"].array.shape == (1, 4, 6, 6)


def test_open_batch_takes_several_at_once(tmp_path):
    path = model_files.onnx_qdq(tmp_path / "net.onnx", batch="N")
    result = load(path, saved(tmp_path, "five", np.zeros((5, 3, 8, 8))))
    assert by_name(result.tensors)["p_q", "five"].array.shape == (5, 4, 3, 3)


def test_scales_that_fit_no_axis_are_told(tmp_path):
    path = model_files.onnx_qdq(tmp_path / "net.onnx", scales=np.ones(3, np.float32))
    result = load(path)
    weight = by_name(result.tensors)["w", ""]
    assert weight.channel_axis is None and np.array_equal(weight.array, model_files.conv_weights())
    assert "weight 'w': 3 scales on axis 0 do not fit its shape 4x3x3x3" in result.faults[0]
    assert len(result.faults) == 2 and "cannot be run" in result.faults[1]


# ---------------------------------------------------------------------------------------------------------------------- TFLite


def test_tflite(tmp_path):
    pytest.importorskip("ai_edge_litert")
    path = model_files.tflite(tmp_path / "net.tflite")
    array = np.random.default_rng(3).integers(-128, 128, (1, 4, 4, 2)).astype(np.int8)
    real = (array.astype(np.float32) + 3) * 0.5  # quantised with the model's own parameters
    result = load(path, saved(tmp_path, "a", array), saved(tmp_path, "b", real[0]))
    assert result.faults == [] and [note.split(": ")[1] for note in result.notes] == [
        "2 constants of other types (biases, shapes) are left out"
    ]
    assert [tensor.name for tensor in result.tensors] == [
        "weight/001_conv_weights", "weight/006_dense_weights",
        *2 * ["act/000_input", "act/003_conv", "act/007_out"],
    ]  # fmt: skip
    found = by_name(result.tensors)
    conv, dense = found["conv_weights", ""], found["dense_weights", ""]
    assert np.array_equal(conv.array, model_files.tflite_weights()) and np.array_equal(dense.array, model_files.tflite_nibbles())
    assert (conv.dtype, conv.zero_point, conv.channel_axis, conv.op) == ("int8", 0, 0, "CONV_2D")
    assert (dense.dtype, dense.zero_point, dense.channel_axis, dense.op) == ("int4", 0, None, "FULLY_CONNECTED")
    sums = np.einsum("nhwc,oc->nhwo", array.astype(float) + 3, model_files.tflite_weights().reshape(3, 2))
    y = np.clip(np.rint(sums * 0.5 * 0.01 / 0.4) - 128, -128, 127)
    for sample in ("a", "b"):
        assert np.array_equal(found["input", sample].array, array)
        assert np.abs(found["conv", sample].array - y).max() <= 1 and len(np.unique(y)) > 5
        z = (found["conv", sample].array.reshape(-1).astype(float) + 128) @ model_files.tflite_nibbles().T * 0.4 * 0.1 / 2 + 4
        assert np.abs(found["out", sample].array[0] - np.clip(np.rint(z), -128, 127)).max() <= 1
        tensor = found["conv", sample]
        assert (tensor.zero_point, tensor.channel_axis, tensor.op, tensor.reads) == (-128, 3, "CONV_2D", 1)
        assert tensor.order("channel-first") == (0, 3, 1, 2)


def test_tflite_that_cannot_be_run_still_has_weights(tmp_path):
    pytest.importorskip("ai_edge_litert")
    result = load(model_files.tflite(tmp_path / "custom.tflite", custom=True))
    assert [tensor.name for tensor in result.tensors] == ["weight/001_conv_weights", "weight/006_dense_weights"]
    assert len(result.faults) == 1 and "cannot be run" in result.faults[0] and "Unheard" in result.faults[0]


def test_tflite_open_batch_and_odd_scales(tmp_path):
    pytest.importorskip("ai_edge_litert")
    result = load(model_files.tflite(tmp_path / "net.tflite", dynamic=True))
    assert by_name(result.tensors)["input", "random"].array.shape == (1, 4, 4, 2)
    with pytest.raises(InputError, match=r"odd\.tflite: LiteRT refuses it: num_scales must be 1 .* but got 2"):
        load(model_files.tflite(tmp_path / "odd.tflite", scales=2))


# ---------------------------------------------------------------------------------------------------------------- faulty files


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_faulty_files(tmp_path, suffix):
    if suffix == "tflite":
        pytest.importorskip("ai_edge_litert")
    whole = (model_files.onnx_qdq if suffix == "onnx" else model_files.tflite)(tmp_path / f"whole.{suffix}").read_bytes()
    contents = {
        "empty": b"",
        "text": b"this is no model at all, only text",
        "half": whole[: len(whole) // 2],
        "nearly": whole[:-1],
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.{suffix}"
        path.write_bytes(content)
        try:
            result = load(path)
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        else:  # what is left of the file happens to be one
            assert name == "nearly" and (result.tensors or result.faults)
    quantised_not = tmp_path / f"float.{suffix}"
    if suffix == "onnx":
        model_files.onnx_float(quantised_not)
    else:
        model_files.tflite(quantised_not, quantised=False)
    with pytest.raises(InputError, match="is not quantised"):
        load(quantised_not)


def test_wrong_bytes_never_escape_as_another_error(tmp_path):
    whole = bytearray(model_files.onnx_qoperator(tmp_path / "whole.onnx").read_bytes())
    rng = np.random.default_rng(5)
    refused = 0
    for trial in range(20):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 4):
            content[place] = int(rng.integers(0, 256))
        path = tmp_path / f"{trial}.onnx"
        path.write_bytes(content)
        try:
            load(path)
        except InputError:
            refused += 1
    assert refused < 20  # and nothing but InputError was raised


def test_unknown_names_and_files(tmp_path):
    path = model_files.onnx_qoperator(tmp_path / "net.onnx")
    assert [tensor.name for tensor in load(path, names=["weight/*_w"]).tensors] == ["weight/003_w"]
    with pytest.raises(InputError, match="no tensor matches 'nothing'"):
        load(path, names=["nothing"])
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "none.onnx")
    with pytest.raises(InputError, match="unknown kind of model"):
        load(tmp_path / "net.pt")


@pytest.mark.parametrize(("suffix", "module"), [("onnx", "onnxruntime"), ("onnx", "onnx"), ("tflite", "ai_edge_litert")])
def test_missing_libraries_are_named(tmp_path, monkeypatch, suffix, module):
    path = tmp_path / f"net.{suffix}"
    path.write_bytes(b"0000TFL3")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"need the package {module.replace('_', '-')}: pip install"):
        load(path)


def test_a_crash_is_an_error():
    with pytest.raises(InputError, match=r"x\.tflite: the library that reads it crashed \(exit code 3\)"):
        isolated.call(Path("x.tflite"), sys.modules["os"]._exit, 3)
    with pytest.raises(InputError, match=r"was not read in 0\.2 s"):
        isolated.call(Path("x.tflite"), sys.modules["time"].sleep, 60, limit_seconds=0.2)


def test_isolated_gives_the_same(tmp_path):
    path = model_files.onnx_qoperator(tmp_path / "net.onnx")
    here, there = load(path), import_model(path)
    assert [one.name for one in here.tensors] == [one.name for one in there.tensors] and here.notes == there.notes
    assert all(np.array_equal(a.array, b.array) for a, b in zip(here.tensors, there.tensors, strict=True))


# ---------------------------------------------------------------------------------------------------------------------- inputs


def test_images_fit_the_input(tmp_path):
    pixels = np.random.default_rng(6).integers(0, 256, (8, 6, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (feed,) = find_feeds([tmp_path])
    nhwc = arrays_for(feed, [Slot("x", (1, 8, 6, 3), np.dtype("uint8"))])["x"]
    assert np.array_equal(nhwc[0], pixels)
    assert np.array_equal(arrays_for(feed, [Slot("x", (1, 8, 6, 3), np.dtype("int8"))])["x"][0], pixels.astype(int) - 128)
    nchw = arrays_for(feed, [Slot("x", (1, 3, None, None), np.dtype("float32"))])["x"]
    assert nchw.shape == (1, 3, 8, 6) and np.allclose(nchw[0].transpose(1, 2, 0) * 255, pixels, atol=1e-3)
    assert arrays_for(feed, [Slot("x", (1, 4, 3, 1), np.dtype("uint8"))])["x"].shape == (1, 4, 3, 1)
    with pytest.raises(InputError, match="takes no image"):
        arrays_for(feed, [Slot("x", (1, 10), np.dtype("int8"))])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3)), "has shape 2x3, the model takes 1x4"),
        (np.array([[1, 2, 3, 300]]), r"holds 1\.\.300, int8 has -128\.\.127"),
        (np.array([[1, 2, 3, np.nan]]), "holds NaN"),
        (np.array([["a"] * 4]), "has dtype"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, array, message):
    slot = Slot("x", (1, 4), np.dtype("int8"), 0.5, 3)
    with pytest.raises(InputError, match=message):
        arrays_for(saved(tmp_path, "a", array), [slot])
    assert arrays_for(saved(tmp_path, "b", np.array([[0.0, 0.5, -1, 900]])), [slot])["x"].tolist() == [[3, 4, 1, 127]]


def test_several_inputs_by_name(tmp_path):
    slots = [Slot("x", (2,), np.dtype("int8")), Slot("y", (None,), np.dtype("float32"))]
    np.savez(tmp_path / "both.npz", x=np.array([1, 2]), y=np.arange(3))
    np.savez(tmp_path / "one.npz", x=np.array([1, 2]))
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no archive")
    feeds = {feed.name: feed for feed in find_feeds([tmp_path])}
    assert arrays_for(feeds["both"], slots)["y"].dtype == np.float32
    with pytest.raises(InputError, match="has no array 'y'"):
        arrays_for(feeds["one"], slots)
    with pytest.raises(InputError, match=r"bad\.npz: cannot be read"):
        arrays_for(feeds["bad"], slots)
    with pytest.raises(InputError, match="holds no input"):
        (tmp_path / "empty").mkdir()
        find_feeds([tmp_path / "empty"])


# --------------------------------------------------------------------------------------------------------------------- meaning


def test_quantisation():
    assert Quantisation([0.1], [5]).zero_point == 5
    assert Quantisation([0.1, 0.2], [5, 5], 1).zero_point == 5 and Quantisation([0.1, 0.2], [5, 6], 1).zero_point is None
    assert Quantisation([0.1, 0.2], []).zero_point == 0 and Quantisation().zero_point is None
    assert Quantisation([0.1, 0.2], [0, 0], 1).channel_axis((3, 2)) == 1
    assert Quantisation([0.1, 0.2], [0, 0], 2).channel_axis((3, 2)) is None
    assert Quantisation([0.1], [0]).channel_axis((1, 2)) is None


def test_names_and_nibbles():
    assert tensor_name("act", 7, "a/b:0;c") == "act/007_a_b_0"
    assert len(tensor_name("weight", 12, "x" * 300)) < 64 and tensor_name("act", 3, "") == "act/003"
    assert unpacked_nibbles(np.array([0x8F, 0x07], np.uint8), 3, signed=True).tolist() == [-1, -8, 7]
    assert unpacked_nibbles(np.array([0x8F], np.uint8), 2, signed=False).tolist() == [15, 8]
