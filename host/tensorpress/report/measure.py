# SPDX-License-Identifier: Apache-2.0
"""One tensor: its size under every codec and peer, and the smallest coding."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from tensorpress.choices import Choice, ordered, unusable
from tensorpress.codecs import CODECS, Coded, Coding, coded_size, encode, raw_image
from tensorpress.container import CompressedTensor
from tensorpress.errors import InputError
from tensorpress.peers import PEERS, Sample, available
from tensorpress.tensors import NamedTensor
from tensorpress.values import unsigned_values

OUR_CODECS = tuple(name for name in CODECS if name != "raw")
CHANNEL_FIRST = "ebpc-channel-first"
"""ebpc is the codec that looks at neighbours, so it is measured in both orders."""
SHOWN_PEERS = tuple(name for name in PEERS if name not in ("zlib-6", "zvc-whole", "ebpc-whole"))
BINS = 256

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes
    ----------
    peers : tuple of str
        Names of :data:`tensorpress.peers.PEERS`.
    choice : Choice
        Block size, coders, ... of our codecs.
    keep : bool
        Keep the smallest coding of each tensor, for a .tpz file.
    """

    peers: tuple[str, ...] = ()
    choice: Choice = field(default_factory=Choice)
    keep: bool = False


@dataclass
class Measured:
    """What came out for one tensor.

    Attributes
    ----------
    network, name, layer, kind, sample, op, dtype, shape, reads
        As in :class:`tensorpress.tensors.NamedTensor`; ``kind`` is ``weight``, ``activation`` or ``tensor``.
    width, values, raw_bytes : int
        Bits of a value, number of values, bytes of the raw image.
    zero : int
        What counts as zero, unsigned view. ``zero_stated``: it is the zero point, not merely the most frequent value.
    entropy : float
        Order-0 entropy, bits a value.
    sizes : dict of str to float
        Method -> bytes. Our codecs: index, payload and table; peers: as each counts.
    best : str
        The codec that makes it smallest; ``best_bytes`` and ``best_order`` (axes, or None) belong to it.
    table : dict or None
        The APack table, where the width has one.
    histogram : list of int
        256 bins over the unsigned view (16 for 4 bits); empty for 32-bit values.
    packed : CompressedTensor or None
        With ``Settings.keep``.
    """

    network: str
    name: str
    layer: str
    kind: str
    sample: str
    op: str
    dtype: str
    shape: tuple[int, ...]
    reads: int
    width: int
    values: int
    raw_bytes: int
    zero: int
    zero_stated: bool
    entropy: float
    sizes: dict[str, float]
    best: str
    best_bytes: int
    best_order: tuple[int, ...] | None
    table: dict[str, list[int]] | None
    histogram: list[int]
    packed: CompressedTensor | None = None

    @property
    def transfers(self) -> int:
        """How often the tensor crosses the memory port at a run.

        An activation is written once (an input of the network: by others) and read by each operation that takes it; a weight is read once.
        """
        if self.kind == "weight":
            return 1
        return int(self.kind == "activation" and self.op != "INPUT") + max(self.reads, int(self.kind != "activation"))

    def row(self) -> dict[str, Any]:
        """For CSV and JSON: everything but histogram and packed tensor, sizes in bytes as ``bytes_<method>``."""
        return {
            "network": self.network,
            "tensor": self.name,
            "kind": self.kind,
            "input": self.sample,
            "op": self.op,
            "dtype": self.dtype,
            "shape": "x".join(map(str, self.shape)),
            "values": self.values,
            "raw_bytes": self.raw_bytes,
            "zero": self.zero,
            "zero_stated": self.zero_stated,
            "transfers": self.transfers,
            "entropy_bits_per_value": round(self.entropy, 4),
            "best": self.best,
            "best_order": "" if self.best_order is None else ",".join(map(str, self.best_order)),
            "best_bytes": self.best_bytes,
            **{f"bytes_{method}": round(size, 1) for method, size in self.sizes.items()},
        }


def settings_for(*, thorough: bool = False, keep: bool = False, choice: Choice | None = None) -> tuple[Settings, dict[str, str]]:
    """Settings with all peers that are installed, and name -> package of those that are not; the slow ones only when `thorough`."""
    found, missing = available(name for name in SHOWN_PEERS if thorough or not PEERS[name].thorough)
    return Settings(tuple(found), choice or Choice(), keep), missing


def measure(tensor: NamedTensor, settings: Settings) -> Measured:
    """Code a tensor in every way.

    Parameters
    ----------
    tensor : NamedTensor
    settings : Settings

    Returns
    -------
    Measured
    """
    choice, width = settings.choice, tensor.width
    flat = unsigned_values(tensor.values, width)
    sizes: dict[str, float] = {}
    best: tuple[Coding, Coded, str, tuple[int, ...] | None] | None = None
    table = None
    first = tensor.order("channel-first")
    for codec in ("raw", *OUR_CODECS):
        if unusable(tensor, codec) is not None:
            continue
        coding = choice.coding(tensor, codec)
        if coding.table is not None:
            table = coding.table.to_json()
        orders = [None] if codec != "ebpc" or first is None else [None, first]
        for order in orders:
            coded = encode(tensor.values if order is None else ordered(tensor, "channel-first").values, coding)
            size = coded_size(coded, coding)
            if codec != "raw":
                sizes[codec if order is None else CHANNEL_FIRST] = size
            if best is None or size < coded_size(best[1], best[0]):
                best = coding, coded, codec, order
    assert best is not None  # raw takes every width
    if "ebpc" in sizes:
        sizes.setdefault(CHANNEL_FIRST, sizes["ebpc"])
    zero = tensor.zero_code()
    sample = Sample(flat, width, zero, tensor.signed)
    for name in settings.peers:
        peer = PEERS[name]
        if width in peer.widths and not (peer.weights_only and tensor.kind == "act"):
            sizes[name] = peer.bits(sample) / 8
    coding, coded, codec, order = best
    packed = None
    if settings.keep:
        stored = tensor if order is None else ordered(tensor, "channel-first")
        crc32 = zlib.crc32(raw_image(stored.values, width).tobytes())
        packed = CompressedTensor(tensor.name, tensor.dtype, tensor.array.shape, coding, coded, order, crc32)
    return Measured(
        network=tensor.network,
        name=tensor.name,
        layer=tensor.layer,
        kind="activation" if tensor.kind == "act" else tensor.kind,
        sample=tensor.sample,
        op=tensor.op,
        dtype=tensor.dtype,
        shape=tensor.array.shape,
        reads=tensor.reads,
        width=width,
        values=len(flat),
        raw_bytes=tensor.raw_bytes,
        zero=zero,
        zero_stated=tensor.zero_point is not None,
        entropy=PEERS["entropy"].bits(sample) / len(flat),
        sizes=sizes,
        best=codec,
        best_bytes=coded_size(coded, coding),
        best_order=order,
        table=table,
        histogram=_bins(flat, width),
        packed=packed,
    )


def _bins(flat: np.ndarray, width: int) -> list[int]:
    if width > 16:
        return []
    shift = max(0, width - 8)
    counts: list[int] = np.bincount(flat >> flat.dtype.type(shift), minlength=min(BINS, 1 << width)).tolist()
    return counts


def measure_all(
    tensors: Sequence[NamedTensor], settings: Settings, *, jobs: int = 1, step: Callable[[str], None] | None = None
) -> list[Measured]:
    """Several tensors, at the same time where asked for.

    Parameters
    ----------
    tensors, settings
        As for :func:`measure`.
    jobs : int
        Processes. They are joblib's, so that inside ``with joblib.parallel_config("dask")`` (or ``"ray"``) the work goes to that cluster.
    step : callable, optional
        Called with the name of each tensor when it is due.
    """
    say = step or (lambda text: None)
    results = spread(partial(measure, settings=settings), tensors, jobs)
    done: list[Measured] = []
    for tensor in tensors:
        say(tensor.name)
        done.append(next(results))
    return done


def spread(function: Callable[[Given], Made], work: Sequence[Given], jobs: int) -> Iterator[Made]:
    """``function`` of each thing, in order, in so many processes of joblib."""
    if jobs == 1:
        return map(function, work)
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise InputError("several jobs need the package joblib: pip install 'tensorpress[report]'") from error
    # arrays are sent whole: the compiled coders would be compiled once more for read-only maps of memory
    results: Iterator[Made] = Parallel(n_jobs=jobs, return_as="generator", max_nbytes=None)(delayed(function)(one) for one in work)
    return results


def renamed(measured: Measured, name: str) -> CompressedTensor:
    """The kept coding under a name of its own."""
    assert measured.packed is not None
    return replace(measured.packed, name=name)
