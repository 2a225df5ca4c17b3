# SPDX-License-Identifier: Apache-2.0
"""Speed and size of the software models beside zlib, zstd and LZ4, on the same tensors in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .codecs import CODECS, Coding, coded_size, decode, encode
from .errors import InputError
from .peers import available
from .tables import histogram, optimal_table
from .values import raw_image, unsigned_values

PEERS = ("zlib-6", "zstd-3", "lz4")

MEASURED = "CPU time of one thread, the best of several rounds (at least 3), compiled and warm; without the search for the table"
"""How speed is measured, for whoever prints it."""

_SHORTEST_SECONDS = 0.03
_LEAST_ROUNDS, _MOST_ROUNDS = 3, 25


def coding_of(array: npt.NDArray[Any], codec: str, *, block_bytes: int = 4096, zero: int = 0, coders: int = 8) -> Coding:
    """The coding that the benchmarks, of software and of devices, give a tensor: what the command line takes by default.

    Parameters
    ----------
    array : numpy.ndarray
        Integers of 8, 16 or 32 bits; ebpc counts them as their dtype does.
    codec : str
        Its name. apack gets the optimal table of this tensor.
    block_bytes : int
        Raw bytes of a block.
    zero : int
        What zvc and ebpc take for zero, as the dtype has it.
    coders : int
        Interleaved coders of apack.
    """
    width = 8 * array.dtype.itemsize
    definition = CODECS[codec]
    return Coding(
        codec,
        width=width,
        block_values=8 * block_bytes // width,
        zero=int(zero) % (1 << width) if definition.uses_zero else 0,
        signed=array.dtype.kind == "i",
        coders=coders,
        table=optimal_table(histogram(array, width), width) if definition.uses_table else None,
    )


def bench(
    tensors: Mapping[str, npt.NDArray[Any]],
    *,
    network: str = "",
    kinds: Mapping[str, str] | None = None,
    codecs: Iterable[str] = ("zvc", "ebpc", "apack"),
    compressors: Iterable[str] = PEERS,
    block_bytes: int = 4096,
    zeros: Mapping[str, int] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Compress and decompress every tensor with every codec, check what comes back, and time it.

    Parameters
    ----------
    tensors : mapping of str to numpy.ndarray
        Integers of 8, 16 or 32 bits (see :func:`tensorpress.values.unsigned_values`); float16 and float32 are taken as bit patterns.
    network : str
        Copied into the rows.
    kinds : mapping of str to str, optional
        Tensor -> ``weight`` or ``activation``; without it, what stands before the first ``/`` of the name (``act`` = ``activation``).
    codecs, compressors : iterable of str
        Ours, and the general-purpose ones. A codec that has no such width is left out for that tensor, a compressor that is not
        installed for all (``progress`` is told its name).
    block_bytes : int
        Raw bytes of a block of our codecs.
    zeros : mapping of str to int, optional
        Tensor -> zero point (as the tensor's dtype has it) for zvc and ebpc; 0 elsewhere.
    progress : callable, optional
        Called with a line of text at each tensor.

    Returns
    -------
    list of dict
        ``network, tensor, kind, codec, direction ("compress" or "decompress"), device ("software"), values, raw_bytes, coded_bytes,
        mb_per_s, ok``.
        ``coded_bytes`` counts index, payload and table; ``mb_per_s`` are 10^6 raw bytes per second of CPU time, see :data:`MEASURED`.
    """
    rows: list[dict[str, Any]] = []
    found, missing = available(compressors)
    say = progress or (lambda text: None)
    for name, package in missing.items():
        say(f"{name} is left out: the package {package} is not installed")
    warm: set[tuple[str, int]] = set()
    for number, (tensor, array) in enumerate(tensors.items()):
        say(f"{tensor} ({number + 1} of {len(tensors)})")
        array = np.ascontiguousarray(array)
        width = 8 * array.dtype.itemsize
        if array.dtype.kind == "f" and width in (16, 32):
            array = array.view(f"u{array.dtype.itemsize}")
        values = unsigned_values(array, width)
        image = raw_image(values, width).tobytes()
        kind = (kinds or {}).get(tensor) or {"act": "activation"}.get(prefix := tensor.partition("/")[0], prefix if "/" in tensor else "")
        common = {"network": network, "tensor": tensor, "kind": kind, "device": "software", "values": len(values), "raw_bytes": len(image)}

        def add(codec: str, coded_bytes: int, ok: bool, seconds: tuple[float, float], common: dict[str, Any] = common) -> None:
            for direction, spent in zip(("compress", "decompress"), seconds, strict=True):
                speed = common["raw_bytes"] / max(spent, 1e-9) / 1e6
                rows.append({**common, "codec": codec, "direction": direction, "coded_bytes": coded_bytes, "mb_per_s": speed, "ok": ok})

        for codec in codecs:
            if codec not in CODECS:
                raise InputError(f"unknown codec {codec!r} (known: {', '.join(CODECS)})")
            if width not in CODECS[codec].widths:
                continue
            coding = coding_of(array, codec, block_bytes=block_bytes, zero=(zeros or {}).get(tensor, 0))
            if (codec, width) not in warm:
                few = values[:256]
                decode(encode(few, coding), len(few), coding)
                decode(encode(np.zeros_like(few), coding), len(few), coding)
                warm.add((codec, width))
            spent, coded = _best(partial(encode, values, coding))
            back_spent, back = _best(partial(decode, coded, len(values), coding))
            size = coded_size(coded, coding)
            add(codec, size, bool(np.array_equal(back, values)), (spent, back_spent))
        for name, peer in found.items():
            if peer.compress is None or peer.decompress is None:
                raise InputError(f"{name} only counts bits, it has no speed")
            spent, data = _best(partial(peer.compress, image))
            back_spent, restored = _best(partial(peer.decompress, data, len(image)))
            add(name, len(data), restored == image, (spent, back_spent))
    return rows


def _best(action: Callable[[], Any]) -> tuple[float, Any]:
    """Shortest CPU time of this thread in some rounds, and the result: other work on the machine counts little."""
    best, total, rounds, result = float("inf"), 0.0, 0, None
    while rounds < _LEAST_ROUNDS or (total < _SHORTEST_SECONDS and rounds < _MOST_ROUNDS):
        start = time.thread_time()
        result = action()
        spent = time.thread_time() - start
        best, total, rounds = min(best, spent), total + spent, rounds + 1
    return best, result
