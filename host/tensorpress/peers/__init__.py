# SPDX-License-Identifier: Apache-2.0
"""Other people's codes, counted on the same tensors as ours: bounds, run lengths, bit planes, general-purpose compressors, Vela.

A peer is one record in :data:`PEERS`; most only count bits, as what matters here is the size.

>>> import numpy as np
>>> from tensorpress.peers import coded_bits
>>> values = np.array([0, 0, 0, 7, 0, 0, 9, 1], np.uint8)
>>> coded_bits("zero-rle", values, 8)
37
>>> coded_bits("zvc-whole", values, 8)
32
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy.typing as npt

from ..errors import InputError
from ..values import unsigned_values
from . import general, planes, runs, shapeshifter, statistics, vela
from .peer import Peer, Sample
from .statistics import code_lengths, entropy_bits

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        statistics.ENTROPY,
        statistics.HUFFMAN,
        general.ZLIB_6,
        general.ZLIB_9,
        general.LZ4,
        general.ZSTD_3,
        general.ZSTD_19,
        runs.RLE,
        runs.ZERO_RLE,
        shapeshifter.SHAPESHIFTER,
        planes.BPC,
        vela.VELA,
        runs.ZVC_WHOLE,
        planes.EBPC_WHOLE,
    )
}
"""All peers by name."""

__all__ = ["PEERS", "Peer", "Sample", "available", "code_lengths", "coded_bits", "entropy_bits", "get"]


def get(name: str) -> Peer:
    """The peer of this name.

    Raises
    ------
    InputError
        There is none.
    """
    if name not in PEERS:
        raise InputError(f"unknown compressor {name!r} (known: {', '.join(PEERS)})")
    return PEERS[name]


def available(names: Iterable[str] | None = None) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers that can run here.

    Parameters
    ----------
    names : iterable of str, optional
        Those to look at; all without it.

    Returns
    -------
    found : dict
        Name -> peer.
    missing : dict of str to str
        Name -> the package that it needs.

    Raises
    ------
    InputError
        An unknown name.
    """
    found: dict[str, Peer] = {}
    missing: dict[str, str] = {}
    for name in PEERS if names is None else names:
        peer = get(name)
        package = peer.missing()
        if package is None:
            found[name] = peer
        else:
            missing[name] = package
    return found, missing


def coded_bits(name: str, values: npt.ArrayLike, width: int = 8, *, zero: int = 0, signed: bool | None = None) -> int:
    """Bits that a peer needs for a tensor, its tables and headers counted.

    Parameters
    ----------
    name : str
        A key of :data:`PEERS`.
    values : array_like
        Integers of ``width`` bits in any shape, taken in C order (see :func:`tensorpress.values.unsigned_values`).
    width : int
        4, 8, 16 or 32; not every peer takes all.
    zero : int
        What counts as zero, unsigned view, as in :class:`tensorpress.codecs.Coding`. For zero-rle, shapeshifter, vela and the unblocked
        zvc and ebpc.
    signed : bool, optional
        Whether the values count as signed, for bpc, ebpc-whole and vela. Default: as their dtype does.

    Returns
    -------
    int
        Rounded up, where it is a bound.

    Raises
    ------
    InputError
        Unknown peer, a width that it does not take, no values, or its package is not installed.
    """
    peer = get(name)
    if width not in peer.widths:
        raise InputError(f"{name} takes no {width}-bit values (only {', '.join(map(str, peer.widths))})")
    package = peer.missing()
    if package is not None:
        raise InputError(f"{name} needs the package {package}: pip install {package}")
    flat = unsigned_values(values, width)
    if not len(flat):
        raise InputError("an empty tensor cannot be coded")
    if not 0 <= zero < 1 << width:
        raise InputError(f"zero {zero} is not in 0..{(1 << width) - 1} (unsigned view of {width} bits)")
    if signed is None:
        dtype = getattr(values, "dtype", None)
        signed = getattr(dtype, "kind", "") == "i" or getattr(dtype, "name", "") == "int4"
    return math.ceil(peer.bits(Sample(flat, width, int(zero), signed)) - 1e-6)
