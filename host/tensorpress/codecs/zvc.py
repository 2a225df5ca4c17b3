# SPDX-License-Identifier: Apache-2.0
"""ZVC, zero-value compression (FORMAT.md section 5; compressing DMA engine, arXiv 1705.01626)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..values import raw_words
from .bits import BitReader, BitWriter, image_words
from .codec import Codec, Streams
from .jit import have_numba

if TYPE_CHECKING:
    from .coding import Coding


def encode_block(values: Sequence[int], coding: Coding) -> Streams:
    """A: one bit per value, 1 = not zero. B: the values that are not zero, W bits each."""
    a, b = BitWriter(), BitWriter()
    for value in values:
        u = (value - coding.zero) % (1 << coding.width)
        a.write(u != 0, 1)
        if u:
            b.write(u, coding.width)
    return Streams(a, b)


def decode_block(a: BitReader, b: BitReader, count: int, coding: Coding) -> list[int]:
    """The inverse. A zero in stream B is taken as a value like any other."""
    values = []
    for _ in range(count):
        u = b.read(coding.width) if a.read(1) else 0
        values.append((u + coding.zero) % (1 << coding.width))
    return values


def numpy_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor without numba."""
    size, offset = coding.block_values, 0
    image = image_words(values, coding.width)
    shifted = values - values.dtype.type(coding.zero)
    index, parts = [], []
    for block in range(coding.blocks(len(values))):
        u = shifted[block * size : (block + 1) * size]
        a, b = np.packbits(u != 0).tobytes(), u[u != 0].astype(u.dtype.newbyteorder(">")).tobytes()
        a_words, b_words, words = -(-len(a) // 8), -(-len(b) // 8), raw_words(len(u), coding.width)
        raw = a_words + b_words >= words
        if raw:
            a_words, b_words = 0, words
            parts.append(image[block * size * coding.width // 64 :][:words].tobytes())
        else:
            parts.append(a.ljust(8 * a_words, b"\0") + b.ljust(8 * b_words, b"\0"))
        index.append(offset | a_words << 32 | b_words << 47 | int(raw) << 63)
        offset += a_words + b_words
    return np.array(index, np.uint64), np.frombuffer(b"".join(parts), np.uint64).copy()


def numpy_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor without numba."""
    stored, size = payload.view(np.uint8), coding.block_values
    for block, entry in enumerate(index.tolist()):
        count = coding.values_of(block, len(out))
        start, a_bytes, b_bytes = 8 * (entry & 0xFFFFFFFF), 8 * (entry >> 32 & 0x7FFF), 8 * (entry >> 47 & 0x7FFF)
        a, b = stored[start : start + a_bytes], stored[start + a_bytes : start + a_bytes + b_bytes]
        if entry >> 63:
            out[block * size : block * size + count] = b.view(out.dtype)[:count]
            continue
        there = np.unpackbits(a)[:count].astype(bool)
        number = int(np.count_nonzero(there))
        if len(there) < count or number * out.itemsize > b_bytes:
            return block
        u = np.zeros(count, out.dtype)
        u[there] = b[: number * out.itemsize].view(out.dtype.newbyteorder(">"))
        out[block * size : block * size + count] = u + out.dtype.type(coding.zero)
    return -1


def fast_encode(values: npt.NDArray[Any], coding: Coding) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A whole tensor: compiled where numba is installed."""
    if not have_numba():
        return numpy_encode(values, coding)
    from . import zvc_compiled

    return zvc_compiled.encode(values, coding)


def fast_decode(index: npt.NDArray[np.uint64], payload: npt.NDArray[np.uint64], out: npt.NDArray[Any], coding: Coding) -> int:
    """A whole tensor: compiled where numba is installed."""
    if not have_numba():
        return numpy_decode(index, payload, out, coding)
    from . import zvc_compiled

    return zvc_compiled.decode(index, payload, out, coding)


CODEC = Codec("zvc", 1, (8, 16, 32), encode_block, decode_block, fast_encode, fast_decode, uses_zero=True)
