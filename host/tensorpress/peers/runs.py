# SPDX-License-Identifier: Apache-2.0
"""Run-length coders, and zero-value compression of a whole tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .peer import Peer, Sample

RUN_BITS = 4
LONGEST_RUN = 1 << RUN_BITS


def run_lengths(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Lengths of the runs of equal values; one value at least."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return np.diff(np.append(starts, len(values)))


def zero_run_codes(zeros: npt.NDArray[np.bool_]) -> int:
    """Codes that the zero runs take, at most 16 zeros each."""
    edges = np.diff(np.concatenate([[False], zeros, [False]]).astype(np.int8))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return int(np.sum(-(-lengths // LONGEST_RUN)))


def _rle(sample: Sample) -> float:
    codes = int(np.sum(-(-run_lengths(sample.values) // LONGEST_RUN)))
    return codes * (sample.width + RUN_BITS)


def zero_flag_bits(sample: Sample) -> int:
    """Bits that tell zeros from others: ``1``, or ``0`` and the length of a run of zeros in 4 bits."""
    zeros = sample.shifted == 0
    return int(np.count_nonzero(~zeros)) + (1 + RUN_BITS) * zero_run_codes(zeros)


def _zero_rle(sample: Sample) -> float:
    return zero_flag_bits(sample) + sample.width * int(np.count_nonzero(sample.shifted))


def _zvc(sample: Sample) -> float:
    return len(sample.values) + sample.width * int(np.count_nonzero(sample.shifted))


RLE = Peer("rle", "RLE", "every run of 1..16 equal values as the value and 4 bits; the run-length coder of APack's comparison", _rle)
ZERO_RLE = Peer(
    "zero-rle",
    "zero-RLE",
    "a value other than zero as 1 and the value, a run of 1..16 zeros as 0 and 4 bits: the zero coder of EBPC (arXiv 1908.11645) alone; "
    "zero is the zero point",
    _zero_rle,
)
ZVC_WHOLE = Peer(
    "zvc-whole",
    "ZVC, unblocked",
    "zero-value compression (arXiv 1705.01626) of the whole tensor: no blocks, no index, no padding to words, no raw fallback",
    _zvc,
)
