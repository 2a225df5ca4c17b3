# SPDX-License-Identifier: Apache-2.0
# The compiled functions are typed by numba.
# mypy: disable-error-code="no-untyped-call,no-untyped-def,no-any-return"
"""What the compiled coders share. Importing this module imports numba: only the ``*_compiled`` modules do.

Compiled code has no bounds checks, so every function says what keeps its accesses inside the arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])


def njit(function: F) -> F:
    """Compile: cached on disk, without the interpreter lock, and without a check of each division (nobody divides by 0)."""
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


U = np.uint64
_BYTES = U(0x00FF00FF00FF00FF)
_PAIRS = U(0x0000FFFF0000FFFF)
_OFFSET = U(0xFFFFFFFF)
_WORDS = U(0x7FFF)


@njit
def swap(word):
    """Reverse the bytes of a word."""
    word = ((word >> U(8)) & _BYTES) | ((word & _BYTES) << U(8))
    word = ((word >> U(16)) & _PAIRS) | ((word & _PAIRS) << U(16))
    return (word >> U(32)) | (word << U(32))


@njit
def put(stream, position, value, width):
    """Write ``width`` bits (1..64) at bit ``position``; what lies behind the last written bit need not be cleared. Returns the new
    position.

    The caller has sized ``stream`` for the longest block.
    """
    word, used = position >> 6, position & 63
    room = 64 - used
    if used == 0:
        stream[word] = U(0)
    if width <= room:
        stream[word] |= value << U(room - width)
    else:
        rest = width - room
        stream[word] |= value >> U(rest)
        stream[word + 1] = value << U(64 - rest)
    return position + width


@njit
def peek(stream, position):
    """The 64 bits from ``position`` on. ``stream`` has a word more than the one ``position`` is in."""
    word, used = U(position) >> U(6), U(position) & U(63)
    return (stream[word] << used) | ((stream[word + U(1)] >> U(1)) >> (U(63) - used))


@intrinsic
def leading_zeros(typing_context, number):
    """Leading zeros of a uint64."""

    def generate(context, builder, signature, arguments):
        return builder.ctlz(arguments[0], context.get_constant(numba.types.boolean, False))

    return numba.types.uint64(numba.types.uint64), generate


@njit
def finish(halves, used, held, held_bits, stream):
    """End a stream written as 32-bit halves: ``used`` whole ones in ``halves``, and the low ``held_bits`` (0..31) of ``held``.

    Packs them into the words of ``stream`` and returns the length in bits. ``halves`` has two places more than are used.
    """
    halves[used] = (held << U(32 - held_bits)) & _OFFSET
    halves[used + 1] = U(0)
    bits = 32 * used + held_bits
    for k in range((bits + 63) >> 6):
        stream[k] = (U(halves[2 * k]) << U(32)) | U(halves[2 * k + 1])
    return bits


@njit
def store_coded(index, payload, block, offset, a, a_bits, b, b_bits):
    """Store a block's streams and its index entry. The caller has found them shorter than the raw block. Returns the next offset."""
    a_words, b_words = (a_bits + 63) >> 6, (b_bits + 63) >> 6
    for k in range(a_words):
        payload[offset + k] = swap(a[k])
    for k in range(b_words):
        payload[offset + a_words + k] = swap(b[k])
    index[block] = U(offset) | (U(a_words) << U(32)) | (U(b_words) << U(47))
    return offset + a_words + b_words


@njit
def store_raw(index, payload, block, offset, image, start, words):
    """Store words ``start`` .. ``start + words - 1`` of the raw image as block ``block``. Returns the next offset."""
    for k in range(words):
        payload[offset + k] = image[start + k]
    index[block] = U(offset) | (U(words) << U(47)) | (U(1) << U(63))
    return offset + words


@njit
def load_raw(entry, payload, out, first, values, width):
    """If the index entry is of a raw block, copy its values and return True. The index has been checked."""
    if not entry >> U(63):
        return False
    offset = np.int64(entry & _OFFSET)
    mask = (U(1) << U(width)) - U(1)
    bit = 0
    for i in range(values):
        out[first + i] = (payload[offset + (bit >> 6)] >> U(bit & 63)) & mask
        bit += width
    return True


@njit
def load_coded(entry, payload, a, b):
    """Copy a block's streams, in stream order and with two zero words behind each. Returns their lengths in bits.

    The index has been checked: A and B together are shorter than a raw block, and ``a`` and ``b`` are two words longer than one.
    """
    offset = np.int64(entry & _OFFSET)
    a_words, b_words = np.int64((entry >> U(32)) & _WORDS), np.int64((entry >> U(47)) & _WORDS)
    for k in range(a_words):
        a[k] = swap(payload[offset + k])
    for k in range(b_words):
        b[k] = swap(payload[offset + a_words + k])
    a[a_words] = a[a_words + 1] = U(0)
    b[b_words] = b[b_words + 1] = U(0)
    return 64 * a_words, 64 * b_words
