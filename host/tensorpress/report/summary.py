# SPDX-License-Identifier: Apache-2.0
"""Sums over tensors, and the files of numbers: CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from tensorpress import __version__
from tensorpress.peers import PEERS

from .hardware import KINDS, Hardware
from .measure import CHANNEL_FIRST, OUR_CODECS, Measured

BEST = "best"
TITLES = {"apack": "APack", "ebpc": "EBPC", CHANNEL_FIRST: "EBPC, channel first", "zvc": "ZVC", BEST: "smallest of ours"}
MEANINGS = {
    "apack": "arithmetic-coded ranges (arXiv 2201.08830), one optimal table made from the tensor itself; bytes of index, payload and table",
    "ebpc": "zero runs and bit planes (arXiv 1908.11645) in the stored order; bytes of index and payload",
    CHANNEL_FIRST: "the same with the axes stored so that neighbours belong to one channel, where the tensor has channels",
    "zvc": "zero-value compression (arXiv 1705.01626); bytes of index and payload",
    BEST: "for each tensor the smallest of APack, EBPC in either order, ZVC and raw",
}
FORMAT = 1


@dataclass(frozen=True)
class Total:
    """Tensors of one network and kind together.

    Attributes
    ----------
    network, kind : str
    tensors, values, raw_bytes : int
    entropy : float
        Bits a value, mean over all values.
    coded : dict of str to (float, float)
        Method -> bytes of the tensors that it takes, raw and coded.
    """

    network: str
    kind: str
    tensors: int
    values: int
    raw_bytes: int
    entropy: float
    coded: Mapping[str, tuple[float, float]]

    def ratio(self, method: str) -> float | None:
        """Raw bytes by coded bytes, of the tensors that the method takes; None when it takes none."""
        raw, coded = self.coded.get(method, (0.0, 0.0))
        return raw / coded if coded else None

    def partial(self, method: str) -> bool:
        """Whether the method takes only some of the tensors."""
        return 0 < self.coded.get(method, (0.0, 0.0))[0] < self.raw_bytes


def methods(measured: Iterable[Measured]) -> list[str]:
    """All methods that any tensor has, ours first."""
    present = {method for one in measured for method in one.sizes}
    return [BEST, *(name for name in ("apack", "ebpc", CHANNEL_FIRST, "zvc", *PEERS) if name in present)]


def title(method: str) -> str:
    """The method's name for people."""
    return TITLES.get(method) or PEERS[method].title


def meaning(method: str) -> str:
    """What the method's size counts."""
    return MEANINGS.get(method) or PEERS[method].meaning


def total(network: str, kind: str, members: Sequence[Measured]) -> Total:
    """The sum of some tensors."""
    coded: dict[str, tuple[float, float]] = {}
    for one in members:
        for method, size in {**one.sizes, BEST: float(one.best_bytes)}.items():
            raw, bytes_ = coded.get(method, (0.0, 0.0))
            coded[method] = raw + one.raw_bytes, bytes_ + size
    values = sum(one.values for one in members)
    entropy = sum(one.entropy * one.values for one in members) / values
    return Total(network, kind, len(members), values, sum(one.raw_bytes for one in members), entropy, coded)


def totals(measured: Sequence[Measured]) -> list[Total]:
    """One for each network and kind, in the order of the tensors, weights first."""
    groups: dict[tuple[str, str], list[Measured]] = {}
    for network in dict.fromkeys(one.network for one in measured):
        for kind in KINDS:
            members = [one for one in measured if (one.network, one.kind) == (network, kind)]
            if members:
                groups[network, kind] = members
    return [total(network, kind, members) for (network, kind), members in groups.items()]


@dataclass(frozen=True)
class Traffic:
    """Bytes that cross the memory port at one run of a network.

    Attributes
    ----------
    network : str
    raw : float
        Without compression.
    coded : dict of str to float
        By codec; tensors that it does not take go raw.
    """

    network: str
    raw: float
    coded: Mapping[str, float]

    def saved(self, codec: str) -> float:
        """Share of the raw bytes that a codec spares."""
        return 1 - self.coded[codec] / self.raw


def samples_of(measured: Iterable[Measured]) -> int:
    """How many inputs the activations come from."""
    return max(1, len({one.sample for one in measured if one.kind == "activation"}))


def traffic(network: str, measured: Sequence[Measured]) -> Traffic:
    """The traffic of a network: weights once, activations as the mean of the inputs."""
    members = [one for one in measured if one.network == network]
    count = samples_of(members)
    sums = dict.fromkeys((*OUR_CODECS, CHANNEL_FIRST, BEST, "raw"), 0.0)
    for one in members:
        weight = one.transfers / (count if one.kind == "activation" else 1)
        for codec in sums:
            size = one.best_bytes if codec == BEST else one.sizes.get(codec, one.raw_bytes)
            sums[codec] += weight * size
    return Traffic(network, sums.pop("raw"), sums)


def tensors_csv(measured: Sequence[Measured]) -> str:
    """One line a tensor."""
    columns = list(dict.fromkeys(key for one in measured for key in one.row()))
    return _csv(columns, [one.row() for one in measured])


def networks_csv(measured: Sequence[Measured]) -> str:
    """One line for each network and kind: ratios."""
    rows = [_total_row(one, methods(measured)) for one in totals(measured)]
    return _csv(list(rows[0]), rows)


def _total_row(one: Total, names: Sequence[str]) -> dict[str, Any]:
    return {
        "network": one.network,
        "kind": one.kind,
        "tensors": one.tensors,
        "values": one.values,
        "raw_bytes": one.raw_bytes,
        "entropy_bits_per_value": round(one.entropy, 4),
        **{f"ratio_{name}": None if (ratio := one.ratio(name)) is None else round(ratio, 4) for name in names},
    }


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def hardware_csv(hardware: Hardware) -> str:
    """One line for each tensor and codec that went through a device."""
    rows = [one.row() for one in hardware.rows]
    return _csv(list(rows[0]), rows)


def as_json(
    measured: Sequence[Measured],
    *,
    files: Sequence[str],
    notes: Sequence[str],
    faults: Sequence[str],
    hardware: Hardware | None = None,
) -> str:
    """Everything that was measured."""
    names = methods(measured)
    networks = list(dict.fromkeys(one.network for one in measured))
    flows = [traffic(network, measured) for network in networks]
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": __version__,
        "files": list(files),
        "notes": list(notes),
        "faults": list(faults),
        "methods": {name: {"title": title(name), "meaning": meaning(name)} for name in names},
        "networks": [_total_row(one, names) for one in totals(measured)],
        "traffic": [
            {"network": flow.network, "raw_bytes": round(flow.raw), **{f"bytes_{key}": round(size) for key, size in flow.coded.items()}}
            for flow in flows
        ],
        "tensors": [{**one.row(), "table": one.table} for one in measured],
    }
    if hardware is not None:
        rows = [one.row() for one in hardware.rows]
        data["hardware"] = {"device": hardware.device, "limit_bytes": hardware.limit, "rows": rows}
    return json.dumps(data, indent=1, allow_nan=False) + "\n"
