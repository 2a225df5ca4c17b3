# SPDX-License-Identifier: Apache-2.0
"""What can be said of a tensor from its histogram: entropy and Huffman codes."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .peer import Peer, Sample

LENGTH_BITS = 5
"""A canonical Huffman table is the length of each symbol's code."""


def entropy_bits(counts: npt.ArrayLike) -> float:
    """Order-0 entropy of all values of a histogram together, in bits."""
    present = np.asarray(counts, np.float64)
    present = present[present > 0]
    return float(np.sum(present * (np.log2(present.sum()) - np.log2(present))))


def code_lengths(counts: Sequence[int]) -> list[int]:
    """Lengths of a Huffman code, one for each symbol; 0 where a symbol does not occur, 1 where it is the only one.

    Parameters
    ----------
    counts : sequence of int
        How often each symbol occurs; not all 0.
    """
    lengths = [0] * len(counts)
    heap: list[tuple[int, int, tuple[int, ...]]] = [(int(count), symbol, (symbol,)) for symbol, count in enumerate(counts) if count]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
        return lengths
    heapq.heapify(heap)
    while len(heap) > 1:
        few, first, left = heapq.heappop(heap)
        many, second, right = heapq.heappop(heap)
        for symbol in left + right:
            lengths[symbol] += 1
        heapq.heappush(heap, (few + many, min(first, second), left + right))
    return lengths


def _entropy(sample: Sample) -> float:
    if sample.width <= 16:
        return entropy_bits(np.bincount(sample.values, minlength=1))
    return entropy_bits(np.unique(sample.values, return_counts=True)[1])


def _huffman(sample: Sample) -> float:
    symbols = 16 if sample.width == 4 else 256
    total = 0
    for plane in sample.planes:
        counts = np.bincount(plane, minlength=symbols)
        total += int(counts @ np.array(code_lengths(counts.tolist()))) + LENGTH_BITS * symbols
    return total


ENTROPY = Peer(
    "entropy",
    "order-0 entropy",
    "bound, not a code: what a perfect coder of single values with free knowledge of the histogram would need",
    _entropy,
)
HUFFMAN = Peer(
    "huffman",
    "Huffman",
    "canonical Huffman code of the tensor's bytes (4-bit values: of the values), one code for each byte of a value; with its table, "
    "5 bits a symbol",
    _huffman,
)
