# SPDX-License-Identifier: Apache-2.0
"""Rows of a device in a report: cycles and values per cycle of tensors that went through it, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

KINDS = {"weight": "Weights", "activation": "Activations", "tensor": "Tensors"}


@dataclass(frozen=True)
class Timed:
    """One tensor, or the beginning of one, through a device with one codec.

    Attributes
    ----------
    network, name, kind, sample : str
        As in :class:`tensorpress.report.Measured`.
    codec : str
        ``raw`` or a codec that the device is built with.
    values, raw_bytes, coded_bytes : int
        Of the part that went through; ``coded_bytes`` with index and table.
    compress_cycles, decompress_cycles : int or None
        From the start of a job to its end; None where the device counts none.
    ok : bool
        Every byte, both ways, was the software model's.
    """

    network: str
    name: str
    kind: str
    sample: str
    codec: str
    values: int
    raw_bytes: int
    coded_bytes: int
    compress_cycles: int | None
    decompress_cycles: int | None
    ok: bool

    def row(self) -> dict[str, Any]:
        """For CSV and JSON."""
        return {
            "network": self.network,
            "tensor": self.name,
            "kind": self.kind,
            "input": self.sample,
            "codec": self.codec,
            "values": self.values,
            "raw_bytes": self.raw_bytes,
            "coded_bytes": self.coded_bytes,
            "compress_cycles": self.compress_cycles,
            "compress_values_per_cycle": rate([self], "compress"),
            "decompress_cycles": self.decompress_cycles,
            "decompress_values_per_cycle": rate([self], "decompress"),
            "ok": self.ok,
        }


@dataclass(frozen=True)
class Hardware:
    """What a device made of a report's tensors.

    Attributes
    ----------
    device : str
        What it is, in a line: name, lanes, codecs.
    limit : int
        Raw bytes of a tensor that went through it, at most.
    rows : sequence of Timed
    """

    device: str
    limit: int
    rows: Sequence[Timed]

    def codecs(self) -> list[str]:
        """Those of the rows, in their order."""
        return list(dict.fromkeys(one.codec for one in self.rows))

    def of(self, network: str) -> list[Timed]:
        """The rows of a network."""
        return [one for one in self.rows if one.network == network]

    def tensors(self) -> int:
        """How many tensors went through."""
        return len({(one.network, one.name, one.sample) for one in self.rows})

    def wrong(self) -> int:
        """How many rows differ from the software model."""
        return sum(not one.ok for one in self.rows)

    def clocked(self) -> bool:
        """Whether the device counts cycles."""
        return any(one.compress_cycles is not None for one in self.rows)

    def totals(self) -> list[dict[str, Any]]:
        """For each network and kind: ``network, kind, tensors, values`` and ``rates``, codec -> (compress, decompress) values a cycle."""
        found = []
        for network in dict.fromkeys(one.network for one in self.rows):
            for kind in KINDS:
                members = [one for one in self.of(network) if one.kind == kind]
                if not members:
                    continue
                rates = {}
                for codec in self.codecs():
                    coded = [one for one in members if one.codec == codec]
                    rates[codec] = rate(coded, "compress"), rate(coded, "decompress")
                single = {(one.name, one.sample): one.values for one in members}
                found.append({"network": network, "kind": kind, "tensors": len(single), "values": sum(single.values()), "rates": rates})
        return found


def rate(rows: Sequence[Timed], direction: str) -> float | None:
    """Values per cycle of all rows together, 4 decimals; None without cycles."""
    cycles = [one.compress_cycles if direction == "compress" else one.decompress_cycles for one in rows]
    known = [number for number in cycles if number]
    if not known or len(known) < len(rows):
        return None
    return round(sum(one.values for one in rows) / sum(known), 4)
