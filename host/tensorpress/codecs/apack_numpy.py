# SPDX-License-Identifier: Apache-2.0
"""APack for machines without numba: many blocks side by side as numpy arrays (FORMAT.md section 3, the same bytes)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..tables import Table

Array = npt.NDArray[Any]


def _leading_zeros_16() -> npt.NDArray[np.int64]:
    return np.array([16 - number.bit_length() for number in range(1 << 16)], np.int64)


class Steps:
    """LO, R and shift of many coders, one step at a time."""

    def __init__(self, table: Table, shape: tuple[int, ...]) -> None:
        self.below, self.above = np.array(table.cum[:-1], np.int64), np.array(table.cum[1:], np.int64)
        self.leading = _leading_zeros_16()
        self.low = np.zeros(shape, np.int64)
        self.size = np.full(shape, 0x10000, np.int64)

    def narrow(self, rows: Array, where: Any = ...) -> tuple[Array, Array, Array]:
        """Code ``rows`` with the coders ``where``: what was added to LO, the shift, and the part of it that put bits out."""
        low, size = self.low[where], self.size[where]
        start = size * self.below[rows] >> 10
        span = (size * self.above[rows] >> 10) - start
        low = low + start
        differ = low ^ (low + span - 1)
        shift = self.leading[span - 1]
        shift = shift - (~(differ >> (15 - shift)) & 1)
        self.low[where] = (low << shift) & 0x7FFF
        self.size[where] = span << shift
        return start, shift, np.minimum(self.leading[differ & 0xFFFF], shift)


def encode_blocks(rows: Array, table: Table, coders: int) -> tuple[list[bytes], npt.NDArray[np.bool_]]:
    """Stream A of blocks of equal length.

    Parameters
    ----------
    rows : shape (blocks, count)
        The row of each value.
    table : Table
    coders : int

    Returns
    -------
    streams : list of bytes
        Stream A of each block, whole 16-bit parts.
    limit : numpy.ndarray of bool, shape (blocks,)
        Pending bits passed 63.
    """
    blocks, count = rows.shape
    steps = -(-count // coders)
    state = Steps(table, (blocks, coders))
    shifts = np.zeros((steps, blocks, coders), np.int64)
    added = np.zeros((steps, blocks, coders), np.int64)
    asks = np.zeros((blocks, steps, coders), bool)
    pending, largest = np.zeros((blocks, coders), np.int64), np.zeros((blocks, coders), np.int64)
    ahead = np.zeros((blocks, coders), np.int64)
    for step in range(steps):
        active = min(coders, count - step * coders)
        part = (slice(None), slice(0, active))
        start, shift, out = state.narrow(rows[:, step * coders : step * coders + active], part)
        pending[part] = np.where(out > 0, 0, pending[part]) + shift - out
        largest = np.maximum(largest, pending)
        need = shift > ahead[part]
        ahead[part] += 16 * need - shift
        shifts[step][part], added[step][part], asks[:, step, :active] = shift, start, need
    # What a coder puts out is one long number: the sum of what was added to LO, each where LO stood; digits of 16 bits, the first on top.
    ends = np.cumsum(shifts, axis=0)
    position = np.concatenate([ends - shifts, ends[-1:]])
    added = np.concatenate([added, np.full((1, blocks, coders), 0x4000)])
    digits_each = int(position.max()) // 16 + 3
    lane = np.arange(blocks * coders).reshape(1, blocks, coders) * digits_each
    digit, spread = position // 16, added << (16 - position % 16)
    size = blocks * coders * digits_each
    total = np.bincount((lane + digit).ravel(), (spread >> 16).ravel().astype(np.float64), size)
    total += np.bincount((lane + digit + 1).ravel(), (spread & 0xFFFF).ravel().astype(np.float64), size)
    digits = total.astype(np.int64).reshape(blocks, coders, digits_each)
    for k in range(digits_each - 1, 0, -1):
        digits[:, :, k - 1] += digits[:, :, k] >> 16
        digits[:, :, k] &= 0xFFFF
    # The flush keeps the bits down to bit 14 of LO.
    kept = position[-1] + 2
    places = 16 * (np.arange(digits_each) + 1)
    beyond = np.clip(places - kept[:, :, None], 0, 16)
    digits &= ~((1 << beyond) - 1)
    taken = np.cumsum(asks, axis=1)  # number of the part that a step asks for
    streams = []
    for block in range(blocks):
        asking, coder = np.nonzero(asks[block])
        later = digits[block, coder, np.minimum(taken[block, asking, coder], digits_each - 1)]
        streams.append(np.concatenate([digits[block, :, 0], later]).astype(">u2").tobytes())
    limit: npt.NDArray[np.bool_] = np.any(largest > 63, axis=1)
    return streams, limit


def decode_blocks(
    a: Array, a_parts: Array, b: Array, b_bits: Array, count: int, table: Table, coders: int
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Values of blocks of equal length.

    Parameters
    ----------
    a : shape (blocks, places)
        Stream A as 16-bit parts, with enough places behind for whatever the values ask for.
    a_parts, b_bits : shape (blocks,)
        What the streams really hold.
    b : shape (blocks, bytes)
        Stream B, with enough bytes behind.
    count, table, coders
        As for :func:`encode_blocks`.

    Returns
    -------
    values : numpy.ndarray of int64, shape (blocks, count)
    corrupt : numpy.ndarray of bool, shape (blocks,)
    """
    blocks = len(a)
    state = Steps(table, (coders, blocks))
    shares = np.repeat(np.arange(16), np.diff(table.cum))
    rest = a[:, :coders].T.astype(np.int64).copy()
    ahead, ahead_bits = np.zeros((coders, blocks), np.int64), np.zeros((coders, blocks), np.int64)
    part = np.full(blocks, coders)
    every = np.arange(blocks)
    rows = np.zeros((count, blocks), np.int64)
    for number in range(count):
        k = number % coders
        row = shares[((rest[k] << 10) + 1023) // state.size[k]]
        rows[number] = row
        start, shift, _ = state.narrow(row, k)
        need = shift > ahead_bits[k]
        window = np.where(need, ahead[k] << 16 | a[every, part], ahead[k])
        part += need
        left = ahead_bits[k] + 16 * need - shift
        rest[k] = (rest[k] - start) << shift | (window >> left & ((1 << shift) - 1))
        ahead[k], ahead_bits[k] = window & 0xFFFF, left
    rows = rows.T
    lengths = np.array(table.ol, np.int64)[rows]
    ends = np.cumsum(lengths, axis=1)
    byte, bit = (ends - lengths) // 8, (ends - lengths) % 8
    window = sum(np.take_along_axis(b, byte + k, axis=1).astype(np.int64) << (16 - 8 * k) for k in range(3))
    offsets = window >> (24 - bit - lengths) & ((1 << lengths) - 1)
    values = (np.array(table.vmin, np.int64)[rows] + offsets) % (1 << table.width)
    return values, (part > a_parts) | (ends[:, -1] > b_bits)
