# SPDX-License-Identifier: Apache-2.0
"""The papers' experiments: layers found from shapes, the equations against hand-worked cases, and the commands."""

from __future__ import annotations

import csv
import inspect
import json
import re
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
from host_support import ROOT
from model_files import onnx_qdq
from tensorpress.cli import experiments as commands
from tensorpress.cli.app import app
from tensorpress.codecs import Coding, encode
from tensorpress.demo import DEMO_TENSORS
from tensorpress.errors import InputError
from tensorpress.experiments import apack, cdma, digits, ebpc
from tensorpress.experiments.network import Network, channels, find_layers, load_networks, make_network
from tensorpress.experiments.papers import CLAIMS
from tensorpress.experiments.sizes import as_float32, below_zero, channel_first, coded_size, floats, in_format, peer_bits, zero_share
from tensorpress.experiments.summary import deviation, mean
from tensorpress.peers import coded_bits
from tensorpress.tensors import NamedTensor


def tensor(name: str, array: np.ndarray, zero: int | None = 0, op: str = "", dtype: str | None = None) -> NamedTensor:
    return NamedTensor(name, array, name.split("/")[0], "net", zero, None, dtype or array.dtype.name, op=op)


def shaped(name: str, *shape: int, op: str = "") -> NamedTensor:
    return tensor(name, np.zeros(shape, np.int8), op=op)


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    """Tables as wide as they like, whatever the terminal of the test run."""
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: object) -> int:
    return app(list(map(str, arguments)), standalone_mode=False)


@pytest.fixture(scope="module")
def tiny() -> Network:
    """A small chain of real layers: a 3x3 convolution, a depthwise one of stride 2, a pointwise one, a dense one; two frames."""
    random = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return np.clip(np.rint(random.normal(0, 20, shape)), -128, 127).astype(np.int8)

    tensors = [
        tensor("weight/dense", weights(10, 32), op="FULLY_CONNECTED"),
        tensor("weight/conv_10", weights(32, 1, 1, 8), op="CONV_2D"),
        tensor("weight/conv_2", weights(8, 3, 3, 3), op="CONV_2D"),
        tensor("weight/conv_9", weights(1, 3, 3, 8), op="DEPTHWISE_CONV_2D"),
    ]
    for frame in ("cat", "dog"):
        for name, op, shape in (
            ("input", "INPUT", (1, 16, 16, 3)),
            ("conv", "CONV_2D", (1, 16, 16, 8)),
            ("depthwise", "DEPTHWISE_CONV_2D", (1, 8, 8, 8)),
            ("pointwise", "CONV_2D", (1, 8, 8, 32)),
            ("pool", "AVERAGE_POOL_2D", (1, 1, 1, 32)),
            ("dense", "FULLY_CONNECTED", (1, 10)),
        ):
            values = np.maximum(np.rint(random.normal(-5, 25, shape)), 0).astype(np.uint8)
            tensors.append(tensor(f"act/{frame}/{name}", values, op=op))
    return make_network("tiny", tensors)


# ----------------------------------------------------------------------------------------------------------------------- layers


def test_layers_macs_and_frames(tiny):
    assert list(tiny.frames) == ["cat", "dog"] and len(tiny.frames["dog"]) == 6 and tiny.dtypes == "int8/uint8"
    layers = tiny.layers()
    assert [(layer.name, layer.kind, layer.weight.name if layer.weight else None, layer.macs) for layer in layers] == [
        ("input", "other", None, 0),
        ("conv", "conv", "weight/conv_2", 256 * 8 * 27),
        ("depthwise", "depthwise", "weight/conv_9", 64 * 8 * 9),
        ("pointwise", "conv", "weight/conv_10", 64 * 32 * 8),
        ("pool", "other", None, 0),
        ("dense", "dense", "weight/dense", 320),
    ]
    read = [layer.sources[0].name.split("/")[-1] if layer.sources else None for layer in layers]
    assert read == [None, "input", "conv", "depthwise", "pointwise", "pool"]


def test_layers_do_not_need_operators(tiny):
    plain = make_network("plain", [replace(one, op="") for one in [*tiny.weights, *tiny.activations]])
    assert sum(layer.macs for layer in plain.layers()) == sum(layer.macs for layer in tiny.layers())


def test_residual_branch_reads_what_fits_its_weights():
    weights = [shaped("weight/1", 16, 3, 3, 8), shaped("weight/2", 16, 3, 3, 16), shaped("weight/3", 16, 1, 1, 8)]
    acts = [shaped("act/a", 1, 8, 8, 8, op="INPUT"), *(shaped(f"act/{n}", 1, 8, 8, 16, op="CONV_2D") for n in "bcd")]
    layers = find_layers(weights, [*acts, shaped("act/e", 1, 8, 8, 16, op="ADD")])
    assert [layer.weight.name if layer.weight else "" for layer in layers] == ["", "weight/1", "weight/2", "weight/3", ""]
    assert layers[3].sources == (acts[0],) and layers[4].macs == 0
    assert layers[4].sources == (acts[3], acts[2])  # not b, which c has read


def test_concatenated_activations_are_read_together():
    weights = [shaped("weight/expand1", 16, 4, 1, 1), shaped("weight/expand3", 16, 4, 3, 3), shaped("weight/squeeze", 4, 32, 1, 1)]
    acts = [shaped("act/a", 1, 4, 9, 9, op="INPUT"), shaped("act/b", 1, 16, 9, 9, op="CONV_2D"), shaped("act/c", 1, 16, 9, 9, op="CONV_2D")]
    layers = find_layers(weights, [*acts, shaped("act/d", 1, 4, 9, 9, op="CONV_2D")])
    assert layers[2].sources == (acts[0],) and layers[3].sources == (acts[2], acts[1]) and layers[3].macs == 81 * 4 * 32


def test_weights_without_activations_use_the_rows_of_the_frame():
    projections = [shaped("weight/L0.w1", 172, 64), shaped("weight/L0.w2", 64, 172)]
    rows = [shaped("act/story/L0.in", 256, 64, op="attn_in"), shaped("act/story/L0.out", 256, 64, op="ffn_in")]
    assert sum(layer.macs for layer in find_layers(projections, rows)) == 256 * 2 * 172 * 64
    assert sum(layer.macs for layer in find_layers(projections, [])) == 2 * 172 * 64


def test_channels_of_both_layouts():
    assert channels(shaped("act/a", 1, 7, 7, 96)) == 96 and channels(shaped("act/a", 1, 96, 7, 7)) == 96
    assert channels(replace(shaped("act/a", 1, 7, 7, 7), channel_axis=1)) == 7 and channels(shaped("act/a", 40, 128)) == 128


def test_model_file_with_inputs(tmp_path):
    pytest.importorskip("onnxruntime")
    random = np.random.default_rng(4)
    for name in ("one", "two"):
        np.save(tmp_path / f"{name}.npy", random.normal(0, 1, (1, 3, 8, 8)).astype(np.float32))
    model, notes = onnx_qdq(tmp_path / "net.onnx"), []
    network = load_networks([model], inputs=[tmp_path], note=notes.append)[0]
    assert network.name == "net" and list(network.frames) == ["one", "two"] and "left out" in notes[0]
    convolution = next(layer for layer in network.layers() if layer.weight is not None)
    assert convolution.macs == 4 * 3 * 9 * 36 and convolution.output.op == "Relu"
    sizes = apack.footprint(network)
    costs = apack.accelerate(network, sizes, apack.Accelerator())
    assert {cost.frame for cost in costs} == {"one", "two"} and len({size.key for size in sizes}) == len(sizes)
    with pytest.raises(InputError, match="no file is one"):
        load_networks([DEMO_TENSORS], inputs=[tmp_path])


def test_network_of_nothing_known():
    assert [one.name for one in make_network("n", [shaped("other/a", 4)]).weights] == ["other/a"]
    with pytest.raises(InputError, match="neither weights nor activations"):
        make_network("n", [])


# ------------------------------------------------------------------------------------------------------------------------ sizes


def test_number_formats():
    numbers = np.array([0.0, -0.0, 1.0, -2.0, 1.00390625, 3.0e-3], np.float32)
    base = tensor("act/x", numbers)
    assert in_format(base, numbers, "fixed8").array.tolist() == [0, 0, 64, -127, 64, 0]
    assert in_format(base, numbers, "fixed16").array.tolist() == [0, 0, 16384, -32767, 16447, 49]
    half = in_format(base, numbers, "bfloat16")
    assert half.array.tolist() == [0, 0, 0x3F80, 0xC000, 0x3F80, 0x3B45] and half.width == 16  # 1 + 2^-8 is a tie: to even
    np.testing.assert_allclose(floats(half), numbers, rtol=2**-8)
    assert in_format(base, 0 * numbers, "fixed8").array.tolist() == [0] * 6
    with pytest.raises(InputError, match="fixed12"):
        in_format(base, numbers, "fixed12")


def test_float32_keeps_the_zeros():
    quantised = tensor("act/x", np.array([[-128, -127, 5, -128]], np.int8), zero=-128)
    wide = as_float32(quantised)
    assert wide.array.tolist() == [[0.0, 1.0, 133.0, 0.0]] and wide.width == 32 and zero_share(wide) == zero_share(quantised) == 0.5
    assert channel_first(shaped("act/a", 1, 4, 5, 6)).array.shape == (1, 6, 4, 5)


def test_ebpc_reads_maps_behind_a_relu_as_unsigned():
    random = np.random.default_rng(2)
    u = np.maximum(random.normal(40, 60, 4096), 0).astype(np.uint8)  # up to 255 above zero
    stored = tensor("act/x", (u.astype(np.int16) - 128).astype(np.int8), zero=-128)
    assert not below_zero(stored) and below_zero(replace(stored, zero_point=0)) and not below_zero(tensor("act/x", np.zeros(2, np.float32)))
    best = min(coded_bits("ebpc-whole", stored.values, 8, zero=128, signed=signed) for signed in (False, True))
    assert peer_bits(stored, "ebpc-whole") == best
    assert coded_size(stored, "ebpc") == encode(stored.values, Coding("ebpc", zero=128, signed=False)).nbytes


def test_coded_size_is_what_the_engine_stores():
    values = np.arange(10000, dtype=np.uint8)
    zeroed = tensor("act/x", np.where(values % 3 == 0, 7, values).astype(np.uint8), zero=7)
    coding = Coding("zvc", zero=7, signed=False)
    assert coded_size(zeroed, "zvc") == encode(zeroed.values, coding).nbytes
    assert coded_size(tensor("act/x", np.zeros(8, np.float32)), "ebpc") is None


def test_summary():
    assert mean([1.0, None, 3.0]) == 2.0 and mean([None]) is None
    assert deviation([1.0, 2.0, 3.0, None]) == pytest.approx(1.0) and deviation([1.0]) is None


# ------------------------------------------------------------------------------------------------------------------------ apack


def test_footprint_and_tables(tiny):
    sizes = apack.footprint(tiny)
    assert [size.table for size in sizes] == ["own"] * 4 + ["profiled"] * 12
    assert all(size.coded["apack"] > 0 for size in sizes) and set(sizes[0].coded) == {"apack", *apack.BASELINES}
    own = apack.footprint(tiny, tables="own")
    profiled_bits, own_bits = (sum(size.coded["apack"] for size in group) for group in (sizes, own))
    assert own_bits < profiled_bits < 1.1 * own_bits  # a table made for the tensor itself is the better one, but not by much
    with pytest.raises(InputError, match="'best' is not one of profiled, own"):
        apack.footprint(tiny, tables="best")


def size_of(name: str, kind: str, values: int, width: int, coded: int) -> apack.TensorSize:
    return apack.TensorSize("n", name, kind, "", width, values, values * width, {"apack": coded})


def test_layer_cost_by_hand():
    source, weight, output = shaped("act/in", 1, 10, 10, 4), shaped("weight/w", 8, 1, 1, 4), shaped("act/out", 1, 10, 10, 8, op="CONV_2D")
    layer = find_layers([weight], [source, output])[1]
    assert layer.macs == 100 * 32
    sizes = {
        ("", "act/in"): size_of("act/in", "act", 400, 8, 1600),
        ("", "weight/w"): size_of("weight/w", "weight", 32, 8, 128),
        ("", "act/out"): size_of("act/out", "act", 800, 8, 3200),
    }
    machine = apack.Accelerator(macs_per_cycle=10, clock_mhz=1, memory_gb_s=0.001, reuse=4, batch=2)
    cost = apack.layer_cost(layer, sizes, machine)
    assert (cost.raw_bytes, cost.coded_bytes) == (32 / 2 + 400 + 800, 16 / 2 + 200 + 400)
    assert cost.compute_s == pytest.approx(3200 / 10e6) and cost.raw_s == pytest.approx(1216e-6) and cost.coded_s == pytest.approx(608e-6)
    assert cost.raw_energy["DRAM"] == pytest.approx(1216 * 8 * 20.3e-12) and cost.coded_energy["DRAM"] == pytest.approx(608 * 8 * 20.3e-12)
    assert cost.raw_energy["MACs"] == pytest.approx(3200 * 0.3e-12)
    assert cost.raw_energy["SRAM"] == pytest.approx((2 * 3200 / 4 + 2 * 1216) * 12.5e-12) == cost.coded_energy["SRAM"]
    assert cost.raw_energy["APack"] == 0 and cost.coded_energy["APack"] == pytest.approx((800 * 1 + (400 + 16) * 8) * 1e-12)
    # nothing is gained where the multipliers are the limit, and a buffer keeps activations on the chip
    fast = apack.layer_cost(layer, sizes, replace(machine, memory_gb_s=1))
    assert fast.raw_s == fast.coded_s == fast.compute_s
    assert apack.layer_cost(layer, sizes, replace(machine, buffer_kib=0.5)).raw_bytes == 16 + 800


def test_speed_up_is_between_one_and_the_traffic_ratio(tiny):
    sizes = apack.footprint(tiny)
    row = apack.summarise(tiny, sizes, apack.accelerate(tiny, sizes, apack.Accelerator()))
    assert row["macs"] == sum(layer.macs for layer in tiny.layers())
    curve = apack.sweep(tiny, sizes, apack.Accelerator(), [1e-4, 1, 1e9])
    assert curve[0][1] == pytest.approx(1 / row["traffic"]) and curve[2][1] == pytest.approx(1)
    assert min(1, curve[0][1]) <= curve[1][1] <= max(1, curve[0][1]) and curve[1][1] == pytest.approx(row["speedup"])


@pytest.mark.parametrize(("name", "value"), [("memory_gb_s", 0), ("utilisation", 1.5), ("mac_pj", -1), ("batch", 0)])
def test_accelerator_refuses_nonsense(name, value):
    with pytest.raises(InputError, match=name):
        apack.Accelerator(**{name: value})


# ------------------------------------------------------------------------------------------------------------------------- ebpc


def test_map_sizes_and_groups(tiny):
    sizes = ebpc.compare(tiny)
    assert len(sizes) == 12 and all(set(size.coded) == {*ebpc.METHODS, ebpc.STORED} for size in sizes)
    assert all(size.rectified for size in sizes if size.values > 100)
    one = next(size for size in sizes if size.layer == "conv")
    nonzero = int(np.count_nonzero(next(t for t in tiny.activations if t.name == "act/cat/conv").array))
    assert one.coded["zvc-whole"] == 2048 + 8 * nonzero and one.zeros == pytest.approx(1 - nonzero / 2048)
    row = ebpc.summarise(sizes, network="tiny")
    best = max(row[f"{method}_ratio"] for method in ("zero-rle", "zvc-whole", "bpc"))
    assert row["gain"] == pytest.approx(row["ebpc-whole_ratio"] / best - 1)
    assert row["stored_ratio"] < row["ebpc-whole_ratio"]  # blocks, words and the index cost something


def test_signed_maps_with_values_below_zero_are_not_rectified():
    below = tensor("act/x", np.array([0, 3, -1, 0], np.int8))
    assert not ebpc.map_size(below).rectified and ebpc.map_size(replace(below, array=np.abs(below.array))).rectified
    assert ebpc.map_size(replace(below, array=np.array([-128, -3, -128], np.int8), zero_point=-128)).rectified


def test_frames_and_formats():
    random = np.random.default_rng(5)
    acts = [tensor(f"act/{n}/a", np.maximum(random.normal(0, 1, (1, 8, 8, 16)), 0).astype(np.float32)) for n in "xyz"]
    network = make_network("floats", acts)
    converted = ebpc.convert(network)
    assert len(converted) == 9 and {size.raw for size in converted} == {8 * 1024, 16 * 1024}
    rows = ebpc.frames(converted)
    assert [(row["format"], row["frames"]) for row in rows] == [("fixed8", 3), ("fixed16", 3), ("bfloat16", 3)]
    assert all(row["least"] <= row["mean"] <= row["most"] and row["deviation"] > 0 for row in rows)
    assert ebpc.ratio(ebpc.compare(network), "ebpc-whole") is None  # 32-bit values: no size, no ratio
    assert ebpc.convert(make_network("n", [shaped("act/a", 4)])) == []


def test_training_of_the_digits():
    training = ebpc.train_digits(1, images=8, forms=("fixed8", "bfloat16"))
    rows = ebpc.by_epoch(training.sizes)
    assert [(row["epoch"], row["what"], row["format"]) for row in rows] == [
        (epoch, what, form) for epoch in (0, 1) for what in ("map", "gradient") for form in ("fixed8", "bfloat16")
    ]
    assert training.accuracy > 0.5 and len(training.frames) == 8 * 4
    assert all(row["ebpc-whole_ratio"] > 0.5 and 0.1 < row["zeros"] < 1 for row in rows)
    # behind a ReLU's mask, a gradient has a zero wherever the map has one
    gradient, forward = (
        next(row for row in rows if (row["epoch"], row["what"], row["format"]) == (1, what, "bfloat16")) for what in ("gradient", "map")
    )
    assert gradient["zeros"] >= forward["zeros"]


def test_digits_gradient_maps_are_those_of_the_sums():
    random = np.random.default_rng(1)
    parameters = {}
    for layer in digits.LAYERS:
        parameters[f"{layer.name}/weight"] = random.normal(0, 0.1, layer.weight_shape)
        parameters[f"{layer.name}/bias"] = np.zeros(layer.outputs)
    maps: dict[str, np.ndarray] = {}
    activations = digits.forward(random.random((2, 8, 8, 1)), parameters)
    result = digits.gradients(activations, parameters, np.array([3, 4]), maps)
    assert list(maps) == [layer.name for layer in reversed(digits.LAYERS)]
    for layer in digits.LAYERS:  # the gradient of a bias is the sum of its map
        np.testing.assert_allclose(maps[layer.name].reshape(-1, layer.outputs).sum(axis=0), result[f"{layer.name}/bias"])
        if layer.relu:
            assert not maps[layer.name][activations[layer.name] == 0].any()


# ------------------------------------------------------------------------------------------------------------------------- cdma


def offload(forward: float, raw: float, coded: float) -> cdma.Offload:
    return cdma.Offload("n", "l", "conv", forward, 2 * forward, raw, {"zvc": coded})


def test_step_time_by_hand():
    trainer = cdma.Trainer(link_gb_s=1, gpu_gb_s=100)
    layers = [offload(1.0, 3e9, 1e9), offload(2.0, 1e9, 0.5e9), offload(1.0, 0, 0)]
    assert cdma.oracle_s(layers) == 12.0
    # forward max(1,3) + max(2,1) + 1; backward, last layer first: max(2,1) + max(4,3) + 2
    assert cdma.step_s(layers, trainer) == 3 + 2 + 1 + 2 + 4 + 2
    assert cdma.step_s(layers, trainer, "zvc") == 12.0
    assert cdma.step_s(layers, trainer, ratio=1.0) == cdma.step_s(layers, trainer)
    assert cdma.transfer_s(100e9, 1e9, trainer) == 1.0 and cdma.transfer_s(200e9, 1e9, trainer) == 2.0  # the engine cannot read faster


def test_offload_of_a_network(tiny):
    trainer = cdma.Trainer(batch=4)
    layers = cdma.offloads(tiny, trainer, ("zvc", "zero-rle"))
    assert [layer.raw_bytes for layer in layers] == [0, 4 * 4 * 768, 4 * 4 * 2048, 4 * 4 * 512, 4 * 4 * 2048, 0]
    row = cdma.summarise(tiny, layers, trainer, ("zvc", "zero-rle"))
    # one mask bit a value and 32 bits for each that is not zero
    assert row["zvc_ratio"] == pytest.approx(32 / (1 + 32 * (1 - row["zeros"])), rel=0.03)
    assert row["oracle_ms"] <= row["zvc_ms"] <= row["vdnn_ms"] and 0 <= row["zvc_gain"] <= row["gain_limit"]
    curve = cdma.gain_curve(layers, trainer, [1, 2, 1e6])
    assert curve[0][1] == 0 and curve[1][1] <= curve[2][1] <= row["gain_limit"] + 1e-12
    convolutions = cdma.offloads(tiny, replace(trainer, policy="conv"), ("zvc",))
    assert [bool(layer.raw_bytes) for layer in convolutions] == [False, True, True, False, False, False]


def test_layer_time_is_a_roofline(tiny):
    layer = tiny.layers()[1]
    slow = cdma.Trainer(gpu_tflops=1e-6, efficiency=0.5, batch=3)
    assert cdma.layer_s(layer, slow, 4)[0] == pytest.approx(2 * layer.macs * 3 / 0.5e6)
    narrow = cdma.Trainer(gpu_gb_s=1e-6, batch=3, backward=1.5)
    forward, backward = cdma.layer_s(layer, narrow, 4)
    assert forward == pytest.approx((3 * (768 + 2048) + 216) * 4 / 1e3) and backward == pytest.approx(1.5 * forward)


def test_trainer_refuses_nonsense(tiny):
    for wrong in ({"link_gb_s": 0}, {"efficiency": 2}, {"policy": "some"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            cdma.Trainer(**wrong)
    with pytest.raises(InputError, match="no activations"):
        cdma.offloads(make_network("w", [shaped("weight/a", 4, 4)]), cdma.Trainer(), ("zvc",))


# --------------------------------------------------------------------------------------------------------------------- commands


@pytest.mark.parametrize(
    ("experiment", "options", "plots"),
    [
        ("apack", (), ("footprint", "accelerator")),
        ("ebpc", ("--no-digits",), ("networks",)),
        ("cdma", ("--width", "native"), ("gain", "time")),
    ],
)
def test_command_writes_rows_csv_and_plots(experiment, options, plots, tmp_path, capsys):
    out, rows_file = tmp_path / "new" / "out", tmp_path / "rows.json"
    assert run("experiment", experiment, DEMO_TENSORS, "-o", out, "--json", rows_file, *options) == 0
    shown = capsys.readouterr().out
    assert "digits_cnn" in shown and "The papers' figures" in shown
    rows = json.loads(rows_file.read_text())
    tables = {row["table"] for row in rows}
    assert {"networks", "claims"} <= tables and {row["experiment"] for row in rows} == {experiment}
    claims = [row for row in rows if row["table"] == "claims"]
    assert [row["figure"] for row in claims] == [claim.what for claim in CLAIMS[experiment]]
    assert {path.name for path in out.glob("*.csv")} == {f"{experiment}_{table}.csv" for table in tables}
    with (out / f"{experiment}_networks.csv").open() as stream:
        written = list(csv.DictReader(stream))
    assert [row["network"] for row in written] == [row["network"] for row in rows if row["table"] == "networks"]
    for name in plots:
        picture = (out / f"{experiment}_{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG") and len(picture) > 10_000


def test_ebpc_command_trains(tmp_path, capsys):
    out = tmp_path / "out"
    assert run("experiment", "ebpc", DEMO_TENSORS, "--epochs", 1, "--images", 4, "-o", out) == 0
    shown = capsys.readouterr().out
    assert "Digits in training" in shown and "gradient" in shown
    assert (out / "ebpc_training.csv").is_file() and (out / "ebpc_training.png").is_file() and (out / "ebpc_frames.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("apack", "missing.npz"), "no such file"),
        (("apack", DEMO_TENSORS, "--tables", "best"), "profiled"),
        (("apack", DEMO_TENSORS, "--memory-gb-s", "0"), "memory_gb_s"),
        (("ebpc", DEMO_TENSORS, "--order", "x"), "channel-first"),
        (("cdma", DEMO_TENSORS, "--width", "16"), "width"),
        (("cdma", DEMO_TENSORS, "-o", DEMO_TENSORS), "is a file"),
    ],
)
def test_command_refuses(arguments, message, capsys):
    assert run("experiment", *arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("error:") and message in told and "Traceback" not in told


def test_demo_network_is_read_whole():
    network = load_networks([DEMO_TENSORS])[0]
    assert network.name == "digits_cnn" and list(network.frames) == [""] and len(network.frames[""]) == 7
    assert len(network.weights) == 12


@pytest.mark.parametrize(("command", "parameters"), [(commands.apack, apack.Accelerator()), (commands.cdma, cdma.Trainer())])
def test_options_and_readme_state_the_defaults_of_the_models(command, parameters):
    section = (ROOT / "host/tensorpress/experiments/README.md").read_text().split(f"## `{command.__name__}`")[1].split("\n## ")[0]
    stated: dict[str, str] = {}
    for row in re.findall(r"^\| (`--.*?) \| (.*?) \|", section, re.MULTILINE):
        names, values = re.findall(r"--([a-z-]+)", row[0]), [part.strip("` ") for part in row[1].split(",")]
        stated.update(zip(names, values, strict=True))
    options = inspect.signature(command).parameters
    for field in fields(parameters):
        default = getattr(parameters, field.name)
        assert options[field.name].default == default, field.name
        text = stated.pop(field.name.replace("_", "-"))
        assert text == default or float(text) == default, field.name
    assert not stated


def test_unreadable_file_is_left_out_and_told(tmp_path, capsys):
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(DEMO_TENSORS.read_bytes()[:5000])
    rows_file = tmp_path / "rows.json"
    assert run("experiment", "cdma", damaged, DEMO_TENSORS, "--json", rows_file) == 2
    told = capsys.readouterr()
    assert "digits_cnn" in told.out and told.err.count("damaged.npz") == 2 and "1 file could not be read" in told.err
    assert {row["network"] for row in json.loads(rows_file.read_text()) if row["table"] == "networks"} == {"digits_cnn"}
    assert run("experiment", "cdma", damaged) == 2


def test_missing_libraries_leave_the_rest(tmp_path, capsys, monkeypatch):
    for name in ("matplotlib", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    np.savez(tmp_path / "net.npz", **{"act/a": np.arange(256, dtype=np.uint8), "weight/b": np.arange(64, dtype=np.int8)})
    assert run("experiment", "ebpc", tmp_path / "net.npz", "-o", tmp_path / "out") == 0
    told = capsys.readouterr().err
    assert "scikit-learn" in told and "matplotlib" in told
    assert (tmp_path / "out" / "ebpc_networks.csv").is_file() and not list((tmp_path / "out").glob("*.png"))


def test_floats_of_32_bits(tmp_path, capsys):
    numbers = np.maximum(np.random.default_rng(6).normal(0, 1, (1, 8, 8, 16)), 0).astype(np.float32)
    np.savez(tmp_path / "net.npz", **{"act/a": numbers, "act/b": numbers[::-1], "weight/c": numbers.reshape(16, 64)})
    for experiment in ("apack", "cdma"):
        assert run("experiment", experiment, tmp_path / "net.npz") == 0
    assert run("experiment", "ebpc", tmp_path / "net.npz", "--no-digits") == 0
    assert "fixed16" in capsys.readouterr().out
    numbers[0, 0, 0, 0] = np.inf
    np.savez(tmp_path / "inf.npz", **{"act/a": numbers})
    assert run("experiment", "ebpc", tmp_path / "inf.npz", "--no-digits") == 2
    assert "infinities" in capsys.readouterr().err
