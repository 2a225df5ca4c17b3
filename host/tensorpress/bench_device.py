# SPDX-License-Identifier: Apache-2.0
"""Speed of an engine on a device: every codec that it has, both directions, DDR and stream, with its counters; every result is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .bench_software import coding_of
from .codecs import CODECS, Coded, Coding, coded_size, encode
from .device import Device
from .engine import Direction, Endpoint, Engine, Job, Result
from .errors import InputError
from .values import raw_image, unsigned_values

LEAST_VALUES = 1 << 18
"""Tensors with fewer values measure how a job begins and ends, not how fast the engine is."""

_MARGIN = 1 << 20


@contextmanager
def reference_device(values: int = 1 << 22, *, lanes: int = 8, **options: Any) -> Iterator[Device]:
    """The set-up in which rates are quoted: the Verilated engine, a memory with 40 cycles of latency and 4 bursts outstanding each way.

    Parameters
    ----------
    values : int
        Values of the largest tensor; the memory is made to fit it.
    lanes : int
        Lanes of the engine.
    **options
        More arguments of :class:`~tensorpress.device.verilated.VerilatedDevice`.
    """
    from .device.verilated import Timing, VerilatedDevice

    timing = Timing(read_latency=40, read_outstanding=4, write_outstanding=4)
    memory_bytes = -(-(2 * values + values // 8 + _MARGIN) // 4096) * 4096
    with VerilatedDevice(lanes=lanes, memory_bytes=memory_bytes, timing=timing, **options) as device:
        yield device


def bench(
    tensors: Mapping[str, npt.NDArray[Any]],
    engine: Engine,
    *,
    network: str = "",
    kinds: Mapping[str, str] | None = None,
    codecs: Iterable[str] | None = None,
    endpoints: Iterable[Endpoint] = ("ddr", "stream"),
    block_bytes: int = 4096,
    zeros: Mapping[str, int] | None = None,
    least_values: int = LEAST_VALUES,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Compress and decompress every tensor with every codec of the engine, and compare with the software model.

    Parameters
    ----------
    tensors : mapping of str to numpy.ndarray
        8-bit integers; tensors of other widths are left out (`progress` is told).
    engine : Engine
        On any device; :func:`reference_device` gives the one in whose set-up rates are quoted.
    network : str
        Copied into the rows.
    kinds : mapping of str to str, optional
        Tensor -> ``weight`` or ``activation``; without it, what stands before the first ``/`` of the name.
    codecs : iterable of str, optional
        Default: all that the engine has.
    endpoints : iterable of {"ddr", "stream"}
        Where the raw values come from or go to.
    block_bytes : int
        Raw bytes of a block.
    zeros : mapping of str to int, optional
        Tensor -> zero point (as the tensor's dtype has it) for zvc and ebpc; 0 elsewhere.
    least_values : int
        Smaller tensors are left out (`progress` is told).
    progress : callable, optional
        Called with a line of text at each tensor.

    Returns
    -------
    list of dict
        ``network, tensor, kind, codec, direction, device, endpoint, lanes, values, raw_bytes, coded_bytes, cycles, values_per_cycle, ok``,
        and the engine's counters by their names in lower case. ``coded_bytes`` counts index, payload and table; ``ok`` says that every byte
        was the model's. ``cycles`` and ``values_per_cycle`` are None on a device that does not count cycles.

    Raises
    ------
    InputError
        A codec or endpoint is unknown.
    DeviceError
        The engine does not have a codec that was asked for, or a job failed.
    """
    rows: list[dict[str, Any]] = []
    names = known_codecs(engine, codecs)
    for tensor, values, common in chosen(tensors, engine, network=network, kinds=kinds, least_values=least_values, progress=progress):
        for codec in names:
            case = Case.of(engine, tensors[tensor], values, codec, block_bytes=block_bytes, zero=(zeros or {}).get(tensor, 0))
            for endpoint in endpoints:
                rows += [common | row for row in case.run(endpoint)]
    return rows


def known_codecs(engine: Engine, codecs: Iterable[str] | None) -> tuple[str, ...]:
    """Return the codecs asked for, or all of the engine.

    Raises
    ------
    InputError
        There is no such codec.
    """
    names = engine.capabilities.codecs if codecs is None else tuple(codecs)
    unknown = [name for name in names if name not in CODECS]
    if unknown:
        raise InputError(f"unknown codec {unknown[0]!r} (known: {', '.join(CODECS)})")
    return names


def chosen(
    tensors: Mapping[str, npt.NDArray[Any]],
    engine: Engine,
    *,
    network: str,
    kinds: Mapping[str, str] | None,
    least_values: int,
    progress: Callable[[str], None] | None,
) -> Iterator[tuple[str, npt.NDArray[Any], dict[str, Any]]]:
    """Yield name, values and the columns that all rows of a tensor share, for each tensor that the engine takes."""
    say = progress or (lambda text: None)
    can = engine.capabilities
    for number, (tensor, array) in enumerate(tensors.items()):
        if array.dtype.kind not in "iu" or 8 * array.dtype.itemsize != can.width:
            say(f"{tensor} is left out: the hardware does {can.width}-bit integers, this is {array.dtype}")
            continue
        if array.size < max(least_values, 1):
            say(f"{tensor} is left out: it has {array.size} values, fewer than {least_values}")
            continue
        say(f"{tensor} ({number + 1} of {len(tensors)})")
        values = unsigned_values(array, can.width)
        yield (
            tensor,
            values,
            {
                "network": network,
                "tensor": tensor,
                "kind": (kinds or {}).get(tensor, tensor.split("/", 1)[0] if "/" in tensor else ""),
                "device": engine.device.name,
                "lanes": can.lanes,
                "values": len(values),
                "raw_bytes": len(raw_image(values, can.width)),
            },
        )


@dataclass(frozen=True)
class Case:
    """A tensor with a codec: what the engine gets, and what it must give.

    Attributes
    ----------
    engine : Engine
        Where it runs.
    values : unsigned array, shape (n,)
        The tensor.
    coding : Coding
        With the tensor's own table, where the codec has one.
    expected : Coded
        What the software model makes of it.
    """

    engine: Engine
    values: npt.NDArray[Any]
    coding: Coding
    expected: Coded

    @classmethod
    def of(cls, engine: Engine, array: npt.NDArray[Any], values: npt.NDArray[Any], codec: str, *, block_bytes: int, zero: int) -> Case:
        """Make the table and encode with the software model."""
        coding = coding_of(array, codec, block_bytes=block_bytes, zero=zero, coders=engine.capabilities.apack_coders or 8)
        return cls(engine, values, coding, encode(values, coding))

    @property
    def coded_bytes(self) -> int:
        """Index, payload and table."""
        return coded_size(self.expected, self.coding)

    def run(self, endpoint: Endpoint, directions: Iterable[Direction] = ("compress", "decompress")) -> Iterator[dict[str, Any]]:
        """Run both directions, or those asked for; yields what only this run has of the rows of :func:`bench`."""
        for direction in directions:
            result = (
                self.engine.compress(self.values, self.coding, source=endpoint)
                if direction == "compress"
                else self.engine.decompress(self.expected, len(self.values), self.coding, sink=endpoint)
            )
            row = {"codec": self.coding.codec, "direction": direction, "endpoint": endpoint, "coded_bytes": self.coded_bytes}
            row |= {"cycles": result.cycles, "values_per_cycle": result.values_per_cycle, "ok": self.is_right(result)}
            yield row | {name.lower(): count for name, count in result.counters.items()}

    def job(self, endpoint: Endpoint, direction: Direction) -> Job:
        """Prepare a job with its data in place, for a queue; the caller closes it."""
        if direction == "compress":
            job = self.engine.compress_job(len(self.values), self.coding, source=endpoint)
            job.load_values(self.values)
        else:
            job = self.engine.decompress_job(len(self.values), self.coding, len(self.expected.payload), sink=endpoint)
            job.load_coded(self.expected)
        return job

    def is_right(self, result: Result) -> bool:
        """Every byte is the model's."""
        if result.coded is not None:
            index, payload = self.expected.index, self.expected.payload
            return np.array_equal(result.coded.index, index) and np.array_equal(result.coded.payload, payload)
        return result.values is not None and np.array_equal(result.values, self.values)
