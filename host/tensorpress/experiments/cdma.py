# SPDX-License-Identifier: Apache-2.0
"""cDMA's experiment: what compression buys when the activations of a training network are offloaded to the host over PCIe.

Sources: the offload, vDNN (arXiv 1602.08124); its compression by ZVC in the DMA engine, cDMA (arXiv 1705.01626). The times of the layers,
measured on a GPU there, are modelled here by a roofline; README.md beside this file has the equations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError
from .network import OTHER, Layer, Network, layer_name
from .sizes import as_float32, channel_first, coded_size, peer_bits, raw_bits, zero_share
from .summary import known, mean, total

POLICIES = ("all", "conv")
WIDTHS = ("32", "native")


@dataclass(frozen=True)
class Trainer:
    """The modelled GPU and its link to the host.

    Attributes
    ----------
    gpu_tflops : float
        10^12 operations a second, a multiply-accumulate is two: GeForce GTX Titan X, 3072 cores at 1.0 GHz (its data sheet). The vDNN
        paper's GPU is a Titan X with 12 GB (abstract).
    efficiency : float
        Share of it that a layer reaches, 0..1; our choice.
    gpu_gb_s : float
        10^9 bytes a second of the GPU's memory: Titan X, 336.5 (data sheet). Also how fast the DMA engine can read what it compresses.
    link_gb_s : float
        10^9 bytes a second each way: 80 % (our choice) of the 16 of PCIe 3.0 with 16 lanes.
    backward : float
        Operations of the backward pass of a layer over those of the forward pass: a product for the gradient of the weights and one for
        that of the input.
    batch : int
        Images of a step.
    policy : str
        ``all``: the inputs of all layers are offloaded (vDNN's policy of that name); ``conv``: those of convolutions only.
    """

    gpu_tflops: float = 6.14
    efficiency: float = 0.6
    gpu_gb_s: float = 336.5
    link_gb_s: float = 12.8
    backward: float = 2.0
    batch: int = 64
    policy: str = "all"

    def __post_init__(self) -> None:
        for name in ("gpu_tflops", "efficiency", "gpu_gb_s", "link_gb_s", "backward", "batch"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.efficiency > 1:
            raise InputError(f"efficiency must not be above 1, got {self.efficiency}")
        if self.policy not in POLICIES:
            raise InputError(f"policy {self.policy!r} is not one of {', '.join(POLICIES)}")


@dataclass(frozen=True)
class Offload:
    """One layer of a step.

    Attributes
    ----------
    network, layer, kind : str
        Which one.
    forward_s, backward_s : float
        Seconds that it works.
    raw_bytes : float
        What it offloads, of a whole batch; 0: nothing.
    coded_bytes : dict of str to float
        The same, compressed, by method.
    zeros : float or None
        Share of zeros in it.
    """

    network: str
    layer: str
    kind: str
    forward_s: float
    backward_s: float
    raw_bytes: float
    coded_bytes: dict[str, float]
    zeros: float | None = None

    def row(self, trainer: Trainer) -> dict[str, Any]:
        """For JSON and CSV."""
        parts: dict[str, Any] = {
            "network": self.network,
            "layer": self.layer,
            "kind": self.kind,
            "forward_us": 1e6 * self.forward_s,
            "backward_us": 1e6 * self.backward_s,
            "offloaded_bytes": self.raw_bytes,
            "zeros": self.zeros,
            "vdnn_us": 1e6 * transfer_s(self.raw_bytes, self.raw_bytes, trainer),
        }
        for method, size in self.coded_bytes.items():
            parts[f"{method}_ratio"] = self.raw_bytes / size if size else None
            parts[f"{method}_us"] = 1e6 * transfer_s(self.raw_bytes, size, trainer)
        return parts


def transfer_s(raw: float, coded: float, trainer: Trainer) -> float:
    """Seconds to move a tensor: the longer of reading it from the GPU's memory and of sending what it became over the link."""
    return max(raw / trainer.gpu_gb_s, coded / trainer.link_gb_s) / 1e9


def layer_s(layer: Layer, trainer: Trainer, value_bytes: float) -> tuple[float, float]:
    """Seconds of a layer's forward and backward pass: a roofline of operations and of the bytes of weights, input and output."""
    operations = 2.0 * layer.macs * trainer.batch
    moved = trainer.batch * sum(tensor.array.size for tensor in (*layer.sources, layer.output) if tensor is not None)
    moved += layer.weight.array.size if layer.weight is not None else 0
    works = operations / (trainer.gpu_tflops * 1e12 * trainer.efficiency)
    moves = moved * value_bytes / (trainer.gpu_gb_s * 1e9)
    return max(works, moves), trainer.backward * max(works, moves)


def offloads(
    network: Network,
    trainer: Trainer,
    methods: Sequence[str],
    *,
    width: str = "32",
    step: Callable[[str], None] = lambda name: None,
) -> list[Offload]:
    """The layers of a training step and what they offload; sizes are means over the network's frames.

    Parameters
    ----------
    network : Network
        With activations.
    trainer : Trainer
        The model's parameters.
    methods : sequence of str
        Codecs of ours (``zvc``, ``ebpc``, ``apack``) and peers (``zero-rle``). One that does not take the width compresses nothing.
    width : str
        ``32``: activations as float32 with their zeros where they are, as in training. ``native``: as in the file.

    Raises
    ------
    InputError
        The network has no activations.
    """
    if width not in WIDTHS:
        raise InputError(f"width {width!r} is not one of {', '.join(WIDTHS)}")
    if not network.frames:
        raise InputError(f"network {network.name!r}: has no activations to offload")
    layers = network.layers()
    value_bytes = 4.0 if width == "32" else network.activations[0].width / 8
    last_reader = {source.name: place for place, layer in enumerate(layers) for source in layer.sources}
    copies: dict[str, list[Any]] = {}
    for tensor in network.activations:
        copies.setdefault(layer_name(tensor), []).append(tensor)
    result = []
    for place, layer in enumerate(layers):
        step(layer.name)
        forward, backward = layer_s(layer, trainer, value_bytes)
        raw, zero, coded = 0.0, 0.0, dict.fromkeys(methods, 0.0)
        wanted = trainer.policy == "all" or layer.kind not in (OTHER, "dense")
        for source in layer.sources if wanted else ():
            if last_reader[source.name] != place:
                continue
            group = [channel_first(as_float32(one) if width == "32" else one) for one in copies[layer_name(source)]]
            share = trainer.batch / len(group)
            size = share * total(raw_bits(one) / 8 for one in group)
            raw, zero = raw + size, zero + size * (mean(zero_share(one) for one in group) or 0.0)
            for method in methods:
                coded[method] += share * total(_bytes(one, method) for one in group)
        result.append(Offload(network.name, layer.name, layer.kind, forward, backward, raw, coded, zero / raw if raw else None))
    # what the last layers read is needed again at once: it stays
    for place in range(len(result) - 1, -1, -1):
        if result[place].raw_bytes:
            result[place] = replace(result[place], raw_bytes=0.0, coded_bytes=dict.fromkeys(methods, 0.0))
            break
    return result


def _bytes(tensor: Any, method: str) -> float:
    if method in ("zvc", "ebpc", "apack"):
        size: float | None = coded_size(tensor, method)
    else:
        bits = peer_bits(tensor, method)
        size = None if bits is None else bits / 8
    return raw_bits(tensor) / 8 if size is None else size


def step_s(layers: Sequence[Offload], trainer: Trainer, method: str | None = None, *, ratio: float | None = None) -> float:
    """Seconds of a training step.

    Parameters
    ----------
    layers : sequence of Offload
        In forward order.
    trainer : Trainer
        The model's parameters.
    method : str, optional
        How the offloaded tensors are compressed; without it, not at all (vDNN).
    ratio : float, optional
        Instead of a method: all tensors shrink by this ratio.

    Returns
    -------
    float
        Forward, a layer ends when its work and its offload are done; backward, while a layer works, the tensors of the one before are
        fetched, and that one waits for them.
    """

    def moved(layer: Offload) -> float:
        coded = layer.raw_bytes / ratio if ratio is not None else layer.raw_bytes if method is None else layer.coded_bytes[method]
        return transfer_s(layer.raw_bytes, coded, trainer)

    seconds = sum(max(layer.forward_s, moved(layer)) for layer in layers)
    for place, layer in enumerate(layers):
        seconds += max(layer.backward_s, moved(layers[place - 1]) if place else 0.0)
    return seconds


def oracle_s(layers: Sequence[Offload]) -> float:
    """Seconds of a step on a GPU whose memory holds everything."""
    return sum(layer.forward_s + layer.backward_s for layer in layers)


def summarise(network: Network, layers: Sequence[Offload], trainer: Trainer, methods: Sequence[str]) -> dict[str, Any]:
    """One row for a network: ratios, vDNN's loss, and the gain over vDNN of each method."""
    raw = total(layer.raw_bytes for layer in layers)
    offloaded = [layer for layer in layers if layer.raw_bytes]
    oracle, vdnn = oracle_s(layers), step_s(layers, trainer)
    row: dict[str, Any] = {
        "network": network.name,
        "macs": sum(layer.macs for layer in network.layers()),
        "offloaded_mib": raw / 2**20,
        "zeros": total((layer.zeros or 0) * layer.raw_bytes for layer in offloaded) / raw if raw else None,
        "oracle_ms": 1e3 * oracle,
        "vdnn_ms": 1e3 * vdnn,
        "vdnn_loss": 1 - oracle / vdnn if vdnn else None,
        "gain_limit": vdnn / oracle - 1 if oracle else None,
    }
    for method in methods:
        seconds = step_s(layers, trainer, method)
        row[f"{method}_ratio"] = raw / total(layer.coded_bytes[method] for layer in layers) if raw else None
        row[f"{method}_best"] = max(known(layer.raw_bytes / layer.coded_bytes[method] for layer in offloaded), default=None)
        row[f"{method}_ms"] = 1e3 * seconds
        row[f"{method}_gain"] = vdnn / seconds - 1 if seconds else None
    return row


def gain_curve(layers: Sequence[Offload], trainer: Trainer, ratios: Sequence[float]) -> list[tuple[float, float]]:
    """Gain over vDNN, were all offloaded tensors to shrink by each ratio."""
    vdnn = step_s(layers, trainer)
    return [(value, vdnn / step_s(layers, trainer, ratio=value) - 1) for value in ratios]


def measured(rows: Sequence[dict[str, Any]], method: str = "zvc") -> dict[str, float | None]:
    """Mean and largest ratio of a layer, mean and largest gain over vDNN, mean loss of vDNN: what stands beside the papers' claims."""
    gains = known(row.get(f"{method}_gain") for row in rows)
    return {
        "ratio": mean(row.get(f"{method}_ratio") for row in rows),
        "best": max(known(row.get(f"{method}_best") for row in rows), default=None),
        "gain": mean(gains),
        "most": max(gains, default=None),
        "loss": mean(row["vdnn_loss"] for row in rows),
    }
