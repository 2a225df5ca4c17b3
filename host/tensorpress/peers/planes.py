# SPDX-License-Identifier: Apache-2.0
"""Bit-plane compression of a whole tensor: alone, and behind a zero coder (EBPC without blocks)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..codecs.ebpc_numpy import group_tokens
from ..codecs.ebpc_tables import GROUP_VALUES
from .peer import Peer, Sample
from .runs import zero_flag_bits

_GROUPS_AT_ONCE = 1 << 15


def plane_bits(values: npt.NDArray[Any], width: int, signed: bool) -> int:
    """Bits of values in bit-plane coded groups of 8 (W = 16: 16), the last one filled with zeros.

    Parameters
    ----------
    values : numpy.ndarray, shape (count,)
        Unsigned view; may be empty.
    width : int
        8 or 16.
    signed : bool
        Whether the differences are of signed values.
    """
    n = GROUP_VALUES[width]
    padded = np.concatenate([values, np.zeros(-len(values) % n, values.dtype)]).reshape(-1, n)
    parts = (padded[first : first + _GROUPS_AT_ONCE] for first in range(0, len(padded), _GROUPS_AT_ONCE))
    return sum(int(group_tokens(part, width, signed)[1].sum(dtype=np.int64)) for part in parts)


def _bpc(sample: Sample) -> float:
    return plane_bits(sample.values, sample.width, sample.signed)


def _ebpc(sample: Sample) -> float:
    return zero_flag_bits(sample) + plane_bits(sample.shifted[sample.shifted != 0], sample.width, sample.signed)


BPC = Peer(
    "bpc",
    "BPC",
    "bit-plane compression of all values, zeros too, in groups of 8 (16-bit values: 16) with the codes of EBPC (arXiv 1908.11645)",
    _bpc,
    widths=(8, 16),
)
EBPC_WHOLE = Peer(
    "ebpc-whole",
    "EBPC, unblocked",
    "EBPC (arXiv 1908.11645) of the whole tensor: no blocks, no index, no padding to words, no raw fallback",
    _ebpc,
    widths=(8, 16),
)
