# SPDX-License-Identifier: Apache-2.0
"""Tensor elements as unsigned integers of ``width`` bits, and their image in memory (FORMAT.md section 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import FormatError, InputError

UNSIGNED: dict[int, np.dtype[Any]] = {4: np.dtype("u1"), 8: np.dtype("u1"), 16: np.dtype("<u2"), 32: np.dtype("<u4")}
"""Width in bits -> dtype in which values of that width are held, one an element."""


def raw_bytes(count: int, width: int) -> int:
    """Bytes of the raw image of ``count`` values (W = 4: two a byte, rounded up)."""
    return (count * width + 7) // 8


def raw_words(count: int, width: int) -> int:
    """Words (8 bytes) of the raw image of ``count`` values, rounded up."""
    return (count * width + 63) // 64


def unsigned_values(values: npt.ArrayLike, width: int) -> npt.NDArray[Any]:
    """View integers as unsigned ones of ``width`` bits, flattened in C order.

    Parameters
    ----------
    values : array_like
        Signed or unsigned integers whose dtype has ``width`` bits. For ``width`` 4 the elements are (u)int8, one value each,
        in 0..15 or -8..7 (the int4 and uint4 of ml_dtypes are accepted too).
    width : int
        4, 8, 16 or 32.

    Returns
    -------
    numpy.ndarray
        One dimension, contiguous, dtype ``UNSIGNED[width]``. It shares memory with ``values`` where it can.

    Raises
    ------
    InputError
        If the dtype does not fit the width, or a 4-bit value is out of range.
    """
    if width not in UNSIGNED:
        raise InputError(f"width {width} is not one of 4, 8, 16, 32")
    array = np.asarray(values)
    if width == 4 and array.dtype.name in ("int4", "uint4"):
        array = array.astype(np.int8 if array.dtype.name == "int4" else np.uint8)
    target = UNSIGNED[width]
    if array.dtype.kind not in "iu" or array.dtype.itemsize != target.itemsize:
        raise InputError(f"values of dtype {array.dtype} cannot be coded as {width}-bit integers (expected {width}-bit int or uint)")
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    flat = np.ascontiguousarray(array).reshape(-1)
    if width != 4:
        return flat.view(target)
    low, high = (-8, 7) if flat.dtype.kind == "i" else (0, 15)
    wrong = np.flatnonzero((flat < low) | (flat > high))
    if len(wrong):
        raise InputError(f"value {int(flat[wrong[0]])} at index {int(wrong[0])} does not fit in 4 bits ({low}..{high})")
    return flat.view(target) & np.uint8(15)


def raw_image(values: npt.ArrayLike, width: int) -> npt.NDArray[np.uint8]:
    """Little-endian bytes of a tensor as they lie in memory (W = 4: two values a byte, low nibble first).

    Parameters
    ----------
    values : array_like
        As for :func:`unsigned_values`.
    width : int
        Bits of a value.

    Returns
    -------
    numpy.ndarray of uint8, shape (ceil(count*width/8),)
    """
    flat = unsigned_values(values, width)
    if width != 4:
        image: npt.NDArray[np.uint8] = flat.view(np.uint8)
        return image
    if len(flat) % 2:
        flat = np.append(flat, np.uint8(0))
    packed: npt.NDArray[np.uint8] = (flat[0::2] | (flat[1::2] << 4)).astype(np.uint8)
    return packed


def values_from_raw(image: bytes | npt.NDArray[Any], count: int, width: int) -> npt.NDArray[Any]:
    """The ``count`` unsigned values of a raw image; the inverse of :func:`raw_image`.

    Raises
    ------
    FormatError
        If the image holds fewer values. Bytes past them are ignored.
    """
    if width not in UNSIGNED:
        raise InputError(f"width {width} is not one of 4, 8, 16, 32")
    data = (
        np.frombuffer(image, np.uint8) if isinstance(image, (bytes, bytearray, memoryview)) else np.ascontiguousarray(image).view(np.uint8)
    )
    needed = raw_bytes(count, width)
    if len(data) < needed:
        raise FormatError(f"raw image of {count} values of {width} bits needs {needed} bytes, got {len(data)}")
    data = data[:needed]
    if width != 4:
        return data.copy().view(UNSIGNED[width])
    pairs = np.empty(2 * needed, np.uint8)
    pairs[0::2], pairs[1::2] = data & 15, data >> 4
    return pairs[:count]
