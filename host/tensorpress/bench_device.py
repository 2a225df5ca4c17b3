# SPDX-License-Identifier: Apache-2.0
"""Speed of an engine on a device: every codec that it has, both directions, DDR and stream, with its counters; every result is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from .bench_software import coding_of
from .codecs import CODECS, Coded, encode
from .device import Device
from .engine import Endpoint, Engine, Result
from .errors import InputError
from .tables import table_bytes
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
    say = progress or (lambda text: None)
    names = engine.capabilities.codecs if codecs is None else tuple(codecs)
    unknown = [name for name in names if name not in CODECS]
    if unknown:
        raise InputError(f"unknown codec {unknown[0]!r} (known: {', '.join(CODECS)})")
    width = engine.capabilities.width
    for number, (tensor, array) in enumerate(tensors.items()):
        if array.dtype.kind not in "iu" or 8 * array.dtype.itemsize != width:
            say(f"{tensor} is left out: the hardware does {width}-bit integers, this is {array.dtype}")
            continue
        if array.size < max(least_values, 1):
            say(f"{tensor} is left out: it has {array.size} values, fewer than {least_values}")
            continue
        say(f"{tensor} ({number + 1} of {len(tensors)})")
        values = unsigned_values(array, width)
        common = {
            "network": network,
            "tensor": tensor,
            "kind": (kinds or {}).get(tensor, tensor.split("/", 1)[0] if "/" in tensor else ""),
            "device": engine.device.name,
            "lanes": engine.capabilities.lanes,
            "values": len(values),
            "raw_bytes": len(raw_image(values, width)),
        }
        for codec in names:
            zero, coders = (zeros or {}).get(tensor, 0), engine.capabilities.apack_coders or 8
            coding = coding_of(array, codec, block_bytes=block_bytes, zero=zero, coders=coders)
            expected = encode(values, coding)
            coded_bytes = expected.nbytes + (table_bytes(width) if coding.table is not None else 0)
            for endpoint in endpoints:
                for result in (
                    engine.compress(values, coding, source=endpoint),
                    engine.decompress(expected, len(values), coding, sink=endpoint),
                ):
                    row = {**common, "codec": codec, "direction": result.direction, "endpoint": endpoint, "coded_bytes": coded_bytes}
                    row |= {"cycles": result.cycles, "values_per_cycle": result.values_per_cycle, "ok": _is_right(result, values, expected)}
                    rows.append(row | {name.lower(): count for name, count in result.counters.items()})
    return rows


def _is_right(result: Result, values: npt.NDArray[Any], expected: Coded) -> bool:
    if result.coded is not None:
        return np.array_equal(result.coded.index, expected.index) and np.array_equal(result.coded.payload, expected.payload)
    return result.values is not None and np.array_equal(result.values, values)
