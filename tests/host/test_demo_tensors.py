# SPDX-License-Identifier: Apache-2.0
"""The demo tensors: the stored integer network gives the stored activations and accuracy, and the recipe repeats itself."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorpress.demo import DEMO_TENSORS
from tensorpress.experiments.digits import gradients

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_demo_tensors.py"


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location("make_demo_tensors", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look the module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def stored(recipe):
    return recipe.read(DEMO_TENSORS)


def test_file_is_small_and_has_large_tensors(stored):
    arrays, metadata = stored
    assert DEMO_TENSORS.stat().st_size < 500_000
    assert len(arrays) == 19 == len(metadata["tensors"])
    assert 500_000 < sum(array.nbytes for array in arrays.values()) < 1_000_000
    for kind in ("weight", "act"):
        assert max(arrays[entry["key"]].nbytes for entry in metadata["tensors"] if entry["kind"] == kind) >= 65536
    for entry in metadata["tensors"]:
        array = arrays[entry["key"]]
        assert list(array.shape) == entry["shape"] and array.dtype == np.dtype(entry["dtype"]), entry["key"]
    zero_points = {entry["layer"]: entry["zero_point"] for entry in metadata["tensors"] if entry["kind"] == "act"}
    assert zero_points["conv1"] == 0 and 0 < zero_points["project"] < 255


def test_stored_weights_give_the_stored_activations(recipe, stored):
    arrays, metadata = stored
    run = recipe.run_integer(arrays["act/input"], recipe.stored_network(arrays, metadata, "per_channel"))
    assert list(run) == ["input", "conv1", "conv2", "project", "conv3", "dense1", "logits"]
    for name, values in run.items():
        np.testing.assert_array_equal(values, arrays[f"act/{name}"], err_msg=name)
    labels = np.array(metadata["recorded_labels"])
    assert len(labels) == 64 and recipe.accuracy(arrays["act/logits"], labels) >= 0.95


@pytest.mark.parametrize("variant", ["per_channel", "per_tensor"])
def test_stored_weights_give_the_stated_accuracy(recipe, stored, variant):
    arrays, metadata = stored
    _, _, codes, labels = recipe.load_digits()
    assert len(labels) == 360
    np.testing.assert_array_equal(codes[:64], arrays["act/input"])
    score = recipe.accuracy(recipe.run_integer(codes, recipe.stored_network(arrays, metadata, variant))["logits"], labels)
    assert score == metadata["accuracy"][variant] >= 0.95


def test_gradients_agree_with_finite_differences(recipe):
    random = np.random.default_rng(7)
    parameters = {}
    for layer in recipe.LAYERS:
        parameters[f"{layer.name}/weight"] = random.normal(0, 0.1, layer.weight_shape)
        parameters[f"{layer.name}/bias"] = random.normal(0, 0.1, layer.outputs)
    images, labels = random.random((3, 8, 8, 1)), np.array([1, 5, 9])

    def loss():
        logits = recipe.forward(images, parameters)["logits"]
        return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(3), labels]))

    exact = gradients(recipe.forward(images, parameters), parameters, labels)
    checked = 0
    for name, gradient in exact.items():
        position = np.unravel_index(int(np.abs(gradient).argmax()), gradient.shape)
        saved, step = parameters[name][position], 1e-5
        parameters[name][position] = saved + step
        above = loss()
        parameters[name][position] = saved - step
        numeric = (above - loss()) / (2 * step)
        parameters[name][position] = saved
        assert numeric == pytest.approx(gradient[position], rel=1e-3), name
        checked += 1
    assert checked == 12


def script(*arguments):
    return subprocess.run([sys.executable, SCRIPT, "--quick", *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_quick_run_repeats_itself(recipe, tmp_path):
    path = tmp_path / "first.npz"
    done = script("--output", path)
    assert done.returncode == 0, done.stderr
    arrays, metadata = recipe.read(path)
    assert metadata["epochs"] == 1 and len(arrays) == 19
    check = script("--check", "--output", path)
    assert check.returncode == 0 and "largest difference from first.npz: 0" in check.stdout


@pytest.mark.slow
def test_quick_run_gives_the_same_file_and_not_the_stored_one(tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    for path in (first, second):
        assert script("--output", path).returncode == 0
    assert first.read_bytes() == second.read_bytes()
    assert script("--check").returncode == 1, "one epoch of training cannot equal the stored file"
