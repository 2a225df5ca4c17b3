#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the demo tensors: train a small CNN on scikit-learn's bundled digits, quantise it, run it in integers, record its tensors.

Network and training are those of ``tensorpress.experiments.digits``. Quantisation follows the TensorFlow Lite scheme:

* weights int8, symmetric, zero point 0, once with one scale per tensor and once with one scale per output channel;
* activations uint8, asymmetric, scale and zero point from calibration inputs;
* bias int32 at scale ``input * weight``; accumulators int32; requantisation by a 31-bit multiplier and a right shift, rounding half up.

The integer network is really executed (:func:`run_integer`), and what is recorded are its weights and its activations for a batch of
held-out digits. ``--check`` trains again and compares with the stored file. Floating-point training is repeatable on one machine and
numpy build, but another BLAS may round differently; the integer part is exact everywhere.

Usage: ``python scripts/make_demo_tensors.py [--output FILE] [--quick] [--check]``
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # one thread: the order of sums stays the same
    os.environ.setdefault(_variable, "1")

import numpy as np  # noqa: E402  (reads the variables)
from tensorpress.experiments.digits import (  # noqa: E402
    HELD_OUT,
    LAYERS,
    SEED,
    accuracy,
    apply_layer,
    forward,
    load_digits,
    train,
)

NETWORK = "digits_cnn"
EPOCHS = 30
RECORDED = 64  # held-out digits whose activations are recorded
CALIBRATION = 256  # training digits that set the activation ranges
MINIMUM_ACCURACY = 0.95
DEFAULT_OUTPUT = Path(__file__).resolve().parents[1] / "host" / "tensorpress" / "demo" / f"{NETWORK}.npz"


# ---------------------------------------------------------------------------------------------------------------- quantisation


def activation_range(values: np.ndarray) -> tuple[float, int]:
    """Scale and zero point of a uint8 activation: the range is widened to hold 0, and 0 falls exactly on a code."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = (high - low) / 255 or 1.0
    return scale, int(np.clip(round(-low / scale), 0, 255))


def requantiser(ratio: float) -> tuple[int, int]:
    """`ratio` = multiplier / 2**shift with multiplier in 2**30..2**31-1."""
    mantissa, exponent = np.frexp(ratio)
    multiplier = round(float(mantissa) * 2**31)
    if multiplier == 2**31:
        multiplier, exponent = 2**30, exponent + 1
    return multiplier, 31 - int(exponent)


def quantise(parameters: dict[str, np.ndarray], calibration: np.ndarray, per_channel: bool) -> dict[str, Any]:
    """The integer network: JSON-able dict with the activations' ranges and, per layer, weights, bias, scales and requantisers."""
    ranges = {"input": (1 / 255, 0)}  # images are scaled to 0..1
    for name, values in forward(calibration, parameters).items():
        if name != "input":
            ranges[name] = activation_range(values)
    layers: dict[str, Any] = {}
    before = "input"
    for layer in LAYERS:
        weight = parameters[f"{layer.name}/weight"].astype(np.float64)
        bias = parameters[f"{layer.name}/bias"].astype(np.float64)
        flat = np.abs(weight.reshape(layer.outputs, -1))
        largest = flat.max(axis=1) if per_channel else np.full(layer.outputs, flat.max())
        scale = np.where(largest > 0, largest, 1.0) / 127
        spread = scale.reshape((-1,) + (1,) * (weight.ndim - 1))
        pairs = [requantiser(float(ranges[before][0] * s / ranges[layer.name][0])) for s in scale]
        layers[layer.name] = {
            "weight": np.clip(np.rint(weight / spread), -127, 127).astype(np.int8),
            "scale": [float(s) for s in scale] if per_channel else float(scale[0]),
            "bias": [int(b) for b in np.rint(bias / (ranges[before][0] * scale))],
            "multiplier": [pair[0] for pair in pairs],
            "shift": [pair[1] for pair in pairs],
        }
        before = layer.name
    return {"ranges": {name: {"scale": scale, "zero_point": zero} for name, (scale, zero) in ranges.items()}, "layers": layers}


def run_integer(images: np.ndarray, network: dict[str, Any]) -> dict[str, np.ndarray]:
    """Run the integer network.

    Parameters
    ----------
    images : ndarray of uint8, (N, 8, 8, 1)
        Quantised inputs.
    network : dict
        As :func:`quantise` or :func:`stored_network` give it.

    Returns
    -------
    dict of str to ndarray of uint8
        Activations of ``input`` and every layer.

    The products are summed in float64, which is exact here: every partial sum is an integer far below 2**53.
    """
    activations = {"input": images}
    x, before = images, "input"
    for layer in LAYERS:
        stored, ranges = network["layers"][layer.name], network["ranges"]
        centred = x.astype(np.float64) - ranges[before]["zero_point"]
        sums = apply_layer(centred, stored["weight"].astype(np.float64), layer).astype(np.int64) + np.array(stored["bias"], dtype=np.int64)
        if np.abs(sums).max() >= 2**31:
            raise OverflowError(f"{layer.name}: an accumulator left int32")
        shift = np.array(stored["shift"], dtype=np.int64)
        scaled = (sums * np.array(stored["multiplier"], dtype=np.int64) + (np.int64(1) << (shift - 1))) >> shift
        zero = ranges[layer.name]["zero_point"]
        x = np.clip(scaled + zero, zero if layer.relu else 0, 255).astype(np.uint8)
        activations[layer.name] = x
        before = layer.name
    return activations


# ------------------------------------------------------------------------------------------------------------------------ file


def build(epochs: int = EPOCHS, report: bool = False) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Train, quantise, run, record.

    Returns
    -------
    arrays : dict of str to ndarray
        The tensors, by key.
    metadata : dict
        The JSON document of the file.
    """
    train_codes, train_labels, test_codes, test_labels = load_digits()
    train_images, test_images = (codes.astype(np.float32) / np.float32(255) for codes in (train_codes, test_codes))

    def watch(epoch: int, parameters: dict[str, np.ndarray]) -> None:
        if report and epoch and (epoch % 5 == 0 or epoch == epochs):
            reached = accuracy(forward(train_images, parameters)["logits"], train_labels)
            print(f"  epoch {epoch:2d}/{epochs}: training accuracy {reached:.4f}", flush=True)

    parameters = train(train_images, train_labels, epochs, watch)
    arrays: dict[str, np.ndarray] = {}
    tensors: list[dict[str, Any]] = []
    scores = {"float": accuracy(forward(test_images, parameters)["logits"], test_labels)}
    integer: dict[str, Any] = {}
    for variant, per_channel in (("per_channel", True), ("per_tensor", False)):
        network = quantise(parameters, train_images[:CALIBRATION], per_channel)
        recorded = run_integer(test_codes, network)
        scores[variant] = accuracy(recorded["logits"], test_labels)
        for layer in LAYERS:
            stored = network["layers"][layer.name]
            key = f"weight/{variant}/{layer.name}"
            arrays[key] = stored["weight"]
            tensors.append(
                {"key": key, "kind": "weight", "dtype": "int8", "bits": 8, "shape": list(stored["weight"].shape), "zero_point": 0,
                 "scale": stored["scale"], "per_channel": per_channel, "qdim": 0, "layer": layer.name, "variant": variant}
            )  # fmt: skip
        integer[variant] = {
            name: {field: stored[field] for field in ("bias", "multiplier", "shift")} for name, stored in network["layers"].items()
        }
        if variant == "per_channel":
            integer["ranges"] = network["ranges"]
            for name, values in recorded.items():
                key = f"act/{name}"
                arrays[key] = np.ascontiguousarray(values[:RECORDED])
                tensors.append(
                    {"key": key, "kind": "act", "dtype": "uint8", "bits": 8, "shape": list(arrays[key].shape), "layer": name,
                     "variant": variant, "channel_axis": values.ndim - 1, **network["ranges"][name]}
                )  # fmt: skip
    metadata = {
        "model": NETWORK,
        "description": "CNN trained on scikit-learn's digits (UCI ML hand-written digits), int8 weights, uint8 activations; "
        "see README.md beside this file and scripts/make_demo_tensors.py",
        "seed": SEED,
        "epochs": epochs,
        "held_out": HELD_OUT,
        "accuracy": scores,
        "recorded_labels": [int(label) for label in test_labels[:RECORDED]],
        "tensors": tensors,
        "integer": integer,
    }
    return arrays, metadata


def stored_network(arrays: dict[str, np.ndarray], metadata: dict[str, Any], variant: str) -> dict[str, Any]:
    """The integer network as the file holds it, for :func:`run_integer`. `variant` is ``per_channel`` or ``per_tensor``."""
    layers = {name: dict(stored, weight=arrays[f"weight/{variant}/{name}"]) for name, stored in metadata["integer"][variant].items()}
    return {"ranges": metadata["integer"]["ranges"], "layers": layers}


def write(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write a compressed .npz with ``metadata.json`` as one more member; the same content gives the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:

        def add(name: str, data: bytes) -> None:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)

        add("metadata.json", (json.dumps(metadata, indent=1) + "\n").encode())
        for key, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
            add(f"{key}.npy", stream.getvalue())


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the JSON document of a file that :func:`write` made."""
    with np.load(path, allow_pickle=False) as archive:
        metadata = json.loads(archive["metadata.json"])
        return {entry["key"]: archive[entry["key"]] for entry in metadata["tensors"]}, metadata


def main() -> int:
    """Run the script; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the demo tensors of tensorpress.")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="the .npz to write (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one epoch only, no accuracy check: for testing this script")
    parser.add_argument("--check", action="store_true", help="write nothing; compare a new run with the stored file")
    options = parser.parse_args()

    arrays, metadata = build(1 if options.quick else EPOCHS, report=True)
    scores = metadata["accuracy"]
    print(f"accuracy on {HELD_OUT} held-out digits: " + ", ".join(f"{name} {score:.4f}" for name, score in scores.items()))
    if not options.quick and min(scores.values()) < MINIMUM_ACCURACY:
        print(f"error: an accuracy is below {MINIMUM_ACCURACY}", file=sys.stderr)
        return 1
    if options.check:
        stored_arrays, stored_metadata = read(options.output)
        worst = 0
        for key, array in arrays.items():
            if key not in stored_arrays or stored_arrays[key].shape != array.shape or stored_arrays[key].dtype != array.dtype:
                print(f"error: {key} is missing from {options.output} or has another shape or dtype", file=sys.stderr)
                return 1
            worst = max(worst, int(np.abs(stored_arrays[key].astype(int) - array.astype(int)).max()))
        print(f"largest difference from {options.output.name}: {worst}")
        return 0 if worst == 0 and stored_metadata == metadata else 1
    write(options.output, arrays, metadata)
    raw = sum(array.nbytes for array in arrays.values())
    print(f"{options.output}: {len(arrays)} tensors, {raw} bytes raw, {options.output.stat().st_size} bytes on disk")
    return 0


if __name__ == "__main__":
    sys.exit(main())
