# SPDX-License-Identifier: Apache-2.0
"""A small CNN, trained in plain numpy on scikit-learn's bundled digits: the network whose training the EBPC experiment looks into.

Adam, cross-entropy, seeded, float32. ``scripts/make_demo_tensors.py`` quantises the same network into the demo tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

SEED = 20240517
BATCH = 64  # training batch
HELD_OUT = 360  # the last digits of the shuffled set are never trained on


@dataclass(frozen=True)
class Layer:
    """One layer. `kernel` 0 means dense. Weights are stored (out, kernel, kernel, in) or (out, in), as TensorFlow Lite does."""

    name: str
    kernel: int
    stride: int
    inputs: int
    outputs: int
    relu: bool

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """As stored."""
        return (self.outputs, self.kernel, self.kernel, self.inputs) if self.kernel else (self.outputs, self.inputs)


LAYERS = (
    Layer("conv1", 3, 1, 1, 16, True),  # 8x8x16
    Layer("conv2", 3, 1, 16, 32, True),  # 8x8x32
    Layer("project", 1, 1, 32, 16, False),  # 8x8x16, a linear bottleneck: its zero point is not 0
    Layer("conv3", 3, 2, 16, 64, True),  # 4x4x64
    Layer("dense1", 0, 1, 1024, 96, True),
    Layer("logits", 0, 1, 96, 10, False),
)


# ---------------------------------------------------------------------------------------------------------------- the network


def columns(x: np.ndarray, layer: Layer) -> np.ndarray:
    """(N, H, W, C) -> (N, H', W', kernel*kernel*C): the inputs of each output pixel, zeros outside ("same" padding)."""
    k, s = layer.kernel, layer.stride
    pad = k // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    height, width = x.shape[1], x.shape[2]
    parts = [padded[:, dy : dy + height : s, dx : dx + width : s, :] for dy in range(k) for dx in range(k)]
    return np.concatenate(parts, axis=3)


def apply_layer(x: np.ndarray, weight: np.ndarray, layer: Layer) -> np.ndarray:
    """The layer's sums without bias: a matrix product of the inputs with the (out, -1) weights."""
    flat = columns(x, layer) if layer.kernel else x.reshape(len(x), -1)
    return np.asarray(flat @ weight.reshape(layer.outputs, -1).T)


def forward(x: np.ndarray, parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Float activations of every layer, by layer name, with ``input``."""
    activations = {"input": x}
    for layer in LAYERS:
        x = apply_layer(x, parameters[f"{layer.name}/weight"], layer) + parameters[f"{layer.name}/bias"]
        if layer.relu:
            x = np.maximum(x, 0)
        activations[layer.name] = x
    return activations


def gradients(
    activations: dict[str, np.ndarray], parameters: dict[str, np.ndarray], labels: np.ndarray, maps: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Gradients of the mean cross-entropy, by back-propagation.

    With `maps`, the gradient maps are put there, too: by layer name, the gradient at the layer's sums, behind the mask of its ReLU.
    """
    logits = activations["logits"]
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    delta = exponent / exponent.sum(axis=1, keepdims=True)
    delta[np.arange(len(labels)), labels] -= 1
    delta /= len(labels)
    result: dict[str, np.ndarray] = {}
    names = ["input"] + [layer.name for layer in LAYERS]
    for position in range(len(LAYERS) - 1, -1, -1):
        layer, source = LAYERS[position], activations[names[position]]
        weight = parameters[f"{layer.name}/weight"]
        if layer.relu:
            delta = delta * (activations[layer.name] > 0)
        if maps is not None:
            maps[layer.name] = delta
        flat = columns(source, layer) if layer.kernel else source.reshape(len(source), -1)
        delta2, flat2 = delta.reshape(-1, layer.outputs), flat.reshape(-1, flat.shape[-1])
        result[f"{layer.name}/weight"] = (delta2.T @ flat2).reshape(weight.shape)
        result[f"{layer.name}/bias"] = delta2.sum(axis=0)
        if position:
            back = delta2 @ weight.reshape(layer.outputs, -1)
            delta = uncolumns(back, source.shape, layer) if layer.kernel else back.reshape(source.shape)
    return result


def uncolumns(flat: np.ndarray, shape: tuple[int, ...], layer: Layer) -> np.ndarray:
    """The transpose of :func:`columns`: sums what each input pixel gave to every output pixel."""
    k, s = layer.kernel, layer.stride
    pad = k // 2
    count, height, width, channels = shape
    padded = np.zeros((count, height + 2 * pad, width + 2 * pad, channels), dtype=flat.dtype)
    parts = flat.reshape(count, -(-height // s), -(-width // s), k * k, channels)
    for dy in range(k):
        for dx in range(k):
            padded[:, dy : dy + height : s, dx : dx + width : s, :] += parts[:, :, :, dy * k + dx, :]
    return padded[:, pad : pad + height, pad : pad + width, :]


def shifted(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Each image moved by -1, 0 or 1 pixels each way, zeros moving in: the usual augmentation."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moves = random.integers(0, 3, (len(images), 2))
    return np.stack([padded[i, dy : dy + images.shape[1], dx : dx + images.shape[2]] for i, (dy, dx) in enumerate(moves)])


def train(
    images: np.ndarray, labels: np.ndarray, epochs: int, watch: Callable[[int, dict[str, np.ndarray]], None] | None = None
) -> dict[str, np.ndarray]:
    """Adam with decoupled weight decay and a cosine learning rate, float32, seeded. Returns the parameters.

    `watch` is called with 0 and the first parameters, and with the number of epochs done and the parameters after each.
    """
    random = np.random.default_rng(SEED)
    parameters: dict[str, np.ndarray] = {}
    for layer in LAYERS:
        fan_in = int(np.prod(layer.weight_shape[1:]))
        parameters[f"{layer.name}/weight"] = random.normal(0, np.sqrt(2 / fan_in), layer.weight_shape).astype(np.float32)
        parameters[f"{layer.name}/bias"] = np.zeros(layer.outputs, dtype=np.float32)
    first = {name: np.zeros_like(value) for name, value in parameters.items()}
    second = {name: np.zeros_like(value) for name, value in parameters.items()}
    steps = epochs * (len(images) // BATCH)
    step = 0
    if watch is not None:
        watch(0, parameters)
    for epoch in range(epochs):
        order = random.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            step += 1
            rate = 0.5 * 2e-3 * (1 + np.cos(np.pi * step / steps))
            for name, gradient in gradients(forward(shifted(images[chosen], random), parameters), parameters, labels[chosen]).items():
                first[name] = np.float32(0.9) * first[name] + np.float32(0.1) * gradient
                second[name] = np.float32(0.999) * second[name] + np.float32(0.001) * gradient * gradient
                update = (first[name] / (1 - 0.9**step)) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
                decay = 0.02 if name.endswith("weight") else 0.0
                parameters[name] = (parameters[name] - rate * (update + decay * parameters[name])).astype(np.float32)
        if watch is not None:
            watch(epoch + 1, parameters)
    return parameters


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of digits whose largest logit is the right one."""
    return float(np.mean(np.argmax(logits, axis=1) == labels))


# ------------------------------------------------------------------------------------------------------------------------ data


def load_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images, labels, held-out images, labels. Images (N, 8, 8, 1) uint8 codes 0..255 (a grey level of 16 is 255)."""
    try:
        from sklearn.datasets import load_digits as bundled
    except ImportError as error:
        raise InputError("the digits need the package scikit-learn: pip install scikit-learn, or tensorpress[models]") from error
    digits = bundled()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    codes = np.rint(digits.images[order, :, :, None] * (255 / 16)).astype(np.uint8)
    labels = digits.target[order].astype(np.int64)
    return codes[:-HELD_OUT], labels[:-HELD_OUT], codes[-HELD_OUT:], labels[-HELD_OUT:]
