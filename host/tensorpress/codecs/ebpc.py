# SPDX-License-Identifier: Apache-2.0
"""EBPC, extended bit-plane compression (FORMAT.md section 4; arXiv 1908.11645), bit-compatible with stream-ebpc inside a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .bits import BitReader, BitWriter
from .codec import Codec, Streams
from .ebpc_tables import GROUP_VALUES
from .jit import have_numba

if TYPE_CHECKING:
    from .coding import Coding

LONGEST_ZERO_RUN = 16


def encode_block(values: Sequence[int], coding: Coding) -> Streams:
    """A: the zero / non-zero runs. B: the bit planes of the non-zero values, group by group."""
    a, b = BitWriter(), BitWriter()
    shifted = [(value - coding.zero) % (1 << coding.width) for value in values]
    run = 0
    for position, u in enumerate(shifted):
        if u:
            a.write(1, 1)
            continue
        run += 1
        last = position + 1 == len(shifted) or shifted[position + 1] != 0
        if last or run == LONGEST_ZERO_RUN:
            a.write(0, 1)
            a.write(run - 1, 4)
            run = 0
    non_zero = [u for u in shifted if u]
    n = GROUP_VALUES[coding.width]
    for start in range(0, len(non_zero), n):
        group = non_zero[start : start + n]
        _encode_group(b, group + [0] * (n - len(group)), coding)
    return Streams(a, b)


def _encode_group(b: BitWriter, group: list[int], coding: Coding) -> None:
    width, n = coding.width, len(group)
    index_bits, run_bits, ones = (n - 1).bit_length(), (width - 1).bit_length(), (1 << (n - 1)) - 1
    half = 1 << (width - 1)
    numbers = [u - 2 * half if coding.signed and u >= half else u for u in group]
    deltas = [numbers[k + 1] - numbers[k] for k in range(n - 1)]  # width + 1 bits, two's complement
    dbp = [sum((delta >> plane & 1) << (n - 2 - k) for k, delta in enumerate(deltas)) for plane in range(width + 1)]
    dbx = [dbp[0]] + [dbp[plane] ^ dbp[plane - 1] for plane in range(1, width + 1)]

    b.write(group[0], width)
    plane = 0
    while plane <= width:
        x = dbx[plane]
        run = 0
        while plane + run <= width and dbx[plane + run] == 0:
            run += 1
        first = n - 1 - x.bit_length()  # index of the first one, 0 = leftmost
        if run >= 2:
            b.write(0b001, 3)
            b.write(run - 2, run_bits)
        elif run == 1:
            b.write(0b01, 2)
        elif x == ones:
            b.write(0b00000, 5)
        elif dbp[plane] == 0:
            b.write(0b00001, 5)
        elif bin(x).count("1") == 2 and x & (x >> 1):
            b.write(0b00010, 5)
            b.write(first, index_bits)
        elif bin(x).count("1") == 1:
            b.write(0b00011, 5)
            b.write(first, index_bits)
        else:
            b.write(1, 1)
            b.write(x, n - 1)
        plane += max(run, 1)


def decode_block(a: BitReader, b: BitReader, count: int, coding: Coding) -> list[int]:
    """The inverse.

    A run of zeros ends with the block, a run of planes with its group. Values of a group that stream A does not ask for are dropped,
    a value 0 from stream B is taken like any other, and all sums are modulo 2^W.
    """
    values: list[int] = []
    group: list[int] = []
    while len(values) < count:
        if a.read(1):
            if not group:
                group = _decode_group(b, coding)
            values.append((group.pop(0) + coding.zero) % (1 << coding.width))
        else:
            run = a.read(4) + 1
            values += [coding.zero] * min(run, count - len(values))
        if a.missing or b.missing:
            return values + [0] * (count - len(values))
    return values


def _decode_group(b: BitReader, coding: Coding) -> list[int]:
    width, n = coding.width, GROUP_VALUES[coding.width]
    index_bits, run_bits, ones = (n - 1).bit_length(), (width - 1).bit_length(), (1 << (n - 1)) - 1
    leftmost, two_leftmost = 1 << (n - 2), 3 << (n - 3)
    base = b.read(width)
    dbp: list[int] = []
    previous = 0  # DBP of the plane before
    while len(dbp) <= width:
        run = 1
        if b.read(1):
            x = b.read(n - 1)
        elif b.read(1):
            x = 0
        elif b.read(1):
            x = 0
            run = b.read(run_bits) + 2
        else:
            kind = b.read(2)
            if kind == 0:
                x = ones
            elif kind == 1:
                x = previous  # so that DBP becomes 0
            elif kind == 2:
                x = two_leftmost >> b.read(index_bits)  # ones pushed past the last delta are lost
            else:
                x = leftmost >> b.read(index_bits)
        previous ^= x
        dbp += [previous] * min(run, width + 1 - len(dbp))
    group = [base]
    for k in range(n - 1):
        delta = sum((dbp[plane] >> (n - 2 - k) & 1) << plane for plane in range(width + 1))
        group.append((group[-1] + delta) % (1 << width))
    return group


def fast_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor: compiled where numba is installed."""
    if not have_numba():
        from . import ebpc_numpy

        return ebpc_numpy.encode(values, coding)
    from . import ebpc_compiled

    return ebpc_compiled.encode(values, coding)


def fast_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor: compiled where numba is installed."""
    if not have_numba():
        from . import ebpc_numpy

        return ebpc_numpy.decode(index, payload, out, coding)
    from . import ebpc_compiled

    return ebpc_compiled.decode(index, payload, out, coding)


CODEC = Codec("ebpc", 2, (8, 16), encode_block, decode_block, fast_encode, fast_decode, uses_zero=True, uses_signed=True)
