# SPDX-License-Identifier: Apache-2.0
"""APack's experiment: the footprint of weights and activations, and what it does to a bandwidth-bound accelerator.

Source: APack, arXiv 2201.08830 (footprint against RLE, zero-RLE and ShapeShifter; speed and energy of an accelerator of tensor cores).
The paper's accelerator is modelled here as a roofline with an energy for each event; README.md beside this file has the equations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputError
from ..tensors import NamedTensor
from .network import Layer, Network, frame_name, layer_name
from .sizes import coded_size, peer_bits, profiled_table, raw_bits
from .summary import mean, total

BASELINES = ("shapeshifter", "zero-rle", "rle")
TABLES = ("profiled", "own")


@dataclass(frozen=True)
class Accelerator:
    """The modelled accelerator. Energies are of 45 nm (Horowitz, ISSCC 2014), where nothing else is said.

    Attributes
    ----------
    macs_per_cycle : int
        64 tensor cores of 4x4x4 multiply-accumulates a cycle (NVIDIA V100 whitepaper: a tensor core does 64); their number is our choice.
    clock_mhz : float
        Our choice.
    utilisation : float
        Share of the multipliers that a layer keeps busy, 0..1; our choice: all.
    memory_gb_s : float
        10^9 bytes a second: two channels of 64-bit DDR4-3200 (JESD79-4).
    batch : int
        Frames for which a weight is read once.
    buffer_kib : float
        Activations up to this size stay on the chip; 0: every activation is written once and read once.
    dram_pj_per_bit : float
        1.3 nJ for 64 bits.
    mac_pj : float
        An 8x8-bit product, 0.2 pJ, and a 32-bit addition, 0.1 pJ; scaled by the product of the widths for others.
    sram_pj_per_byte : float
        100 pJ for 64 bits of a 1 MB memory.
    reuse : float
        Multiply-accumulates that an operand read from that memory serves: a tile of 16x16; our choice.
    encode_pj, decode_pj : float
        A value in an APack engine: our estimate, 2 and 16 products of 16x10 bits, 0.5 pJ each (0.2 pJ by the product of the widths).
    """

    macs_per_cycle: int = 4096
    clock_mhz: float = 1000.0
    utilisation: float = 1.0
    memory_gb_s: float = 51.2
    batch: int = 1
    buffer_kib: float = 0.0
    dram_pj_per_bit: float = 20.3
    mac_pj: float = 0.3
    sram_pj_per_byte: float = 12.5
    reuse: float = 16.0
    encode_pj: float = 1.0
    decode_pj: float = 8.0

    def __post_init__(self) -> None:
        for name in ("macs_per_cycle", "clock_mhz", "utilisation", "memory_gb_s", "batch", "reuse"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("buffer_kib", "dram_pj_per_bit", "mac_pj", "sram_pj_per_byte", "encode_pj", "decode_pj"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must not be below 0, got {getattr(self, name)}")
        if self.utilisation > 1:
            raise InputError(f"utilisation must not be above 1, got {self.utilisation}")

    @property
    def macs_per_second(self) -> float:
        """Peak multiply-accumulates times the utilisation."""
        return self.macs_per_cycle * self.clock_mhz * 1e6 * self.utilisation


@dataclass(frozen=True)
class TensorSize:
    """Sizes of one tensor, in bits; ``coded`` has a method for each name, None where it does not take the width. Frames may share names."""

    network: str
    name: str
    kind: str
    frame: str
    width: int
    values: int
    raw: int
    coded: dict[str, int | None] = field(repr=False)
    table: str = "own"

    @property
    def key(self) -> tuple[str, str]:
        """Frame and name: unique in a network."""
        return self.frame, self.name

    def row(self) -> dict[str, Any]:
        """For JSON and CSV, sizes in bytes."""
        sizes = {f"{method}_bytes": None if bits is None else bits / 8 for method, bits in self.coded.items()}
        known = {"network": self.network, "tensor": self.name, "kind": self.kind, "frame": self.frame, "width": self.width}
        return {**known, "values": self.values, "apack_table": self.table, "raw_bytes": self.raw / 8, **sizes}


def footprint(
    network: Network,
    *,
    tables: str = "profiled",
    baselines: Sequence[str] = BASELINES,
    block_bytes: int = 4096,
    step: Callable[[str], None] = lambda name: None,
) -> list[TensorSize]:
    """Sizes of every tensor under APack and the methods that the paper compares with.

    Parameters
    ----------
    network : Network
        Its tensors.
    tables : str
        ``profiled``: the table of an activation comes from the other frames of its layer, never from its own values, as in the paper,
        where profiling inputs give the tables; a layer with one frame, and a weight, has a table of its own. ``own``: always.
    baselines : sequence of str
        Names of :mod:`tensorpress.peers`.
    block_bytes : int
        Raw bytes of an APack block.
    step : callable
        Told each tensor's name.

    Returns
    -------
    list of TensorSize
        ``coded["apack"]`` counts index, payload and table as our engine stores them; the others count their bits alone.
    """
    if tables not in TABLES:
        raise InputError(f"tables {tables!r} is not one of {', '.join(TABLES)}")
    layers: dict[str, list[Any]] = {}
    for tensor in network.activations:
        layers.setdefault(layer_name(tensor), []).append(tensor)
    result = []
    for tensor in [*network.weights, *network.activations]:
        step(tensor.name)
        others = [one for one in layers.get(layer_name(tensor), []) if one is not tensor] if tensor.kind == "act" else []
        from_others = bool(others) and tables == "profiled" and tensor.width in (4, 8, 16)
        table = profiled_table(others) if from_others else None
        size = coded_size(tensor, "apack", table=table, block_bytes=block_bytes)
        coded: dict[str, int | None] = {"apack": None if size is None else 8 * size}
        coded.update({method: peer_bits(tensor, method) for method in baselines})
        result.append(
            TensorSize(
                network.name,
                tensor.name,
                tensor.kind,
                _key(tensor)[0],
                tensor.width,
                int(tensor.array.size),
                raw_bits(tensor),
                coded,
                "profiled" if from_others else "own",
            )
        )
    return result


def _key(tensor: NamedTensor) -> tuple[str, str]:
    return frame_name(tensor) if tensor.kind == "act" else "", tensor.name


@dataclass(frozen=True)
class LayerCost:
    """Time and energy of one layer of one frame, without and with APack.

    Attributes
    ----------
    raw_bytes, coded_bytes : float
        DRAM traffic: weights / batch + activation read + activation written.
    compute_s, raw_s, coded_s : float
        Seconds of the multiply-accumulates, and of the layer: the longer of these and the traffic.
    raw_energy, coded_energy : dict of str to float
        Joules by ``DRAM``, ``SRAM``, ``MACs``, ``APack``.
    """

    network: str
    frame: str
    name: str
    kind: str
    macs: int
    raw_bytes: float
    coded_bytes: float
    compute_s: float
    raw_s: float
    coded_s: float
    raw_energy: dict[str, float] = field(repr=False)
    coded_energy: dict[str, float] = field(repr=False)

    def row(self) -> dict[str, Any]:
        """For JSON and CSV."""
        energies = {
            f"{side}_{part.lower()}_uj": 1e6 * joules
            for side, parts in (("raw", self.raw_energy), ("coded", self.coded_energy))
            for part, joules in parts.items()
        }
        return {
            "network": self.network,
            "frame": self.frame,
            "layer": self.name,
            "kind": self.kind,
            "macs": self.macs,
            "raw_bytes": self.raw_bytes,
            "coded_bytes": self.coded_bytes,
            "compute_us": 1e6 * self.compute_s,
            "raw_us": 1e6 * self.raw_s,
            "coded_us": 1e6 * self.coded_s,
            **energies,
        }


def layer_cost(
    layer: Layer,
    sizes: dict[tuple[str, str], TensorSize],
    accelerator: Accelerator,
    network: str = "",
    frame: str = "",
    *,
    method: str = "apack",
) -> LayerCost:
    """Time and energy of a layer.

    Parameters
    ----------
    layer : Layer
        What it reads, writes and works out.
    sizes : dict of (str, str) to TensorSize
        By their keys.
    accelerator : Accelerator
        The model's parameters.
    network, frame : str
        Copied into the result.
    method : str
        Whose sizes count as coded.
    """
    raw = coded = operands = encoded = decoded = 0.0
    read = [(source, 1.0, False) for source in layer.sources]
    for tensor, share, written in ((layer.weight, 1 / accelerator.batch, False), *read, (layer.output, 1.0, True)):
        if tensor is None:
            continue
        size = sizes[_key(tensor)]
        if tensor.kind == "act" and size.raw <= 8 * 1024 * accelerator.buffer_kib:
            continue
        bits = size.coded.get(method)
        raw += share * size.raw / 8
        coded += share * (size.raw if bits is None else bits) / 8
        encoded += share * size.values if written else 0
        decoded += 0 if written else share * size.values
    compute = layer.macs / accelerator.macs_per_second
    widths = [tensor.width for tensor in (layer.weight, *layer.sources[:1], layer.output) if tensor is not None]
    bits_each = widths[0] * widths[min(1, len(widths) - 1)] if widths else 64
    operands = (sum(widths[:2]) / 8 * layer.macs / accelerator.reuse) if layer.weight is not None else 0.0
    shared = {
        "SRAM": (operands + 2 * raw) * accelerator.sram_pj_per_byte * 1e-12,  # operands read, and the traffic written and read once
        "MACs": layer.macs * accelerator.mac_pj * bits_each / 64 * 1e-12,
    }
    engine = (encoded * accelerator.encode_pj + decoded * accelerator.decode_pj) * 1e-12
    per_byte = 8 * accelerator.dram_pj_per_bit * 1e-12
    rate = accelerator.memory_gb_s * 1e9
    return LayerCost(
        network,
        frame,
        layer.name,
        layer.kind,
        layer.macs,
        raw,
        coded,
        compute,
        max(compute, raw / rate),
        max(compute, coded / rate),
        {"DRAM": raw * per_byte, **shared, "APack": 0.0},
        {"DRAM": coded * per_byte, **shared, "APack": engine},
    )


def accelerate(network: Network, sizes: Sequence[TensorSize], accelerator: Accelerator) -> list[LayerCost]:
    """All layers of all frames of a network. A network without activations counts as one frame of its weights."""
    named = {size.key: size for size in sizes}
    return [
        layer_cost(layer, named, accelerator, network.name, frame)
        for frame in network.frames or [""]
        for layer in network.layers(frame or None)
    ]


def summarise(network: Network, sizes: Sequence[TensorSize], costs: Sequence[LayerCost]) -> dict[str, Any]:
    """One row for a network: normalised traffic of each kind and method, speed-up, energy efficiency, share of memory-bound time."""
    methods = list(sizes[0].coded)
    row: dict[str, Any] = {"network": network.name, "dtype": network.dtypes, "frames": len(network.frames)}
    for kind in ("weight", "act"):
        group = [size for size in sizes if size.kind == kind or (kind == "weight" and size.kind == "tensor")]
        row[f"{kind}_values"] = sum(size.values for size in group)
        row[f"{kind}_bits"] = max((size.width for size in group), default=None)
        for method in methods:
            known = [size for size in group if size.coded[method] is not None]
            row[f"{kind}_{method}"] = total(size.coded[method] for size in known) / total(size.raw for size in known) if known else None
    raw_s, coded_s = total(cost.raw_s for cost in costs), total(cost.coded_s for cost in costs)
    raw_j, coded_j = (total(value for cost in costs for value in getattr(cost, f"{side}_energy").values()) for side in ("raw", "coded"))
    row.update(
        macs=sum(cost.macs for cost in costs) / max(1, len(network.frames)),
        traffic=total(cost.coded_bytes for cost in costs) / total(cost.raw_bytes for cost in costs)
        if any(c.raw_bytes for c in costs)
        else None,
        memory_bound=total(cost.raw_s for cost in costs if cost.raw_s > cost.compute_s) / raw_s if raw_s else None,
        speedup=raw_s / coded_s if coded_s else None,
        energy=raw_j / coded_j if coded_j else None,
        raw_uj=1e6 * raw_j / max(1, len(network.frames)),
        coded_uj=1e6 * coded_j / max(1, len(network.frames)),
    )
    return row


def sweep(network: Network, sizes: Sequence[TensorSize], accelerator: Accelerator, factors: Sequence[float]) -> list[tuple[float, float]]:
    """Memory bandwidth in GB/s and the speed-up there, for multiples of the accelerator's bandwidth."""
    points = []
    for factor in factors:
        costs = accelerate(network, sizes, replace(accelerator, memory_gb_s=accelerator.memory_gb_s * factor))
        coded = total(cost.coded_s for cost in costs)
        points.append((accelerator.memory_gb_s * factor, total(cost.raw_s for cost in costs) / coded if coded else 1.0))
    return points


def measured(rows: Sequence[dict[str, Any]]) -> list[float | None]:
    """What stands beside the paper's claims (:data:`tensorpress.experiments.papers.CLAIMS`): means over the 8-bit networks."""
    return [
        mean(row["weight_apack"] for row in rows if row["weight_bits"] == 8),
        mean(row["act_apack"] for row in rows if row["act_bits"] == 8),
        mean(row["speedup"] for row in rows if row["weight_bits"] == 8 and row["act_bits"] == 8),
        mean(row["energy"] for row in rows if row["weight_bits"] == 8 and row["act_bits"] == 8),
    ]
