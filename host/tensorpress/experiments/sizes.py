# SPDX-License-Identifier: Apache-2.0
"""Sizes of tensors under our codecs and the methods that the papers compare with, and tensors in other number formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..codecs import CODECS, Coding, encode
from ..errors import InputError
from ..peers import coded_bits, get
from ..tables import Table, histogram, optimal_table, profile, table_bytes
from ..tensors import NamedTensor

FORMATS = ("fixed8", "fixed16", "bfloat16")
"""Number formats that floats can be turned into."""


def raw_bits(tensor: NamedTensor) -> int:
    """Bits of a tensor that is not compressed."""
    return int(tensor.array.size) * tensor.width


def coded_size(tensor: NamedTensor, codec: str, *, table: Table | None = None, block_bytes: int = 4096) -> int | None:
    """Bytes of a tensor as our engine stores it: index, payload and, with apack, its table.

    Parameters
    ----------
    tensor : NamedTensor
        zvc and ebpc take its zero point (where unknown, its most frequent value) for zero; ebpc reads differences from it as signed
        (see :func:`below_zero`).
    codec : str
        Its name.
    table : Table, optional
        apack: the table, instead of the optimal one of this tensor.
    block_bytes : int
        Raw bytes of a block.

    Returns
    -------
    int or None
        None: the codec does not take the tensor's width.
    """
    definition = CODECS[codec]
    if tensor.width not in definition.widths:
        return None
    if definition.uses_table and table is None:
        table = optimal_table(histogram(tensor.values, tensor.width), tensor.width)
    coding = Coding(
        codec,
        width=tensor.width,
        block_values=8 * block_bytes // tensor.width,
        zero=tensor.zero_code() if definition.uses_zero else 0,
        signed=below_zero(tensor),
        table=table if definition.uses_table else None,
    )
    size = encode(tensor.values, coding).nbytes
    return size + (table_bytes(tensor.width) if definition.uses_table else 0)


def peer_bits(tensor: NamedTensor, method: str) -> int | None:
    """Bits of a tensor under one of :mod:`tensorpress.peers`; None when the method does not take its width."""
    if tensor.width not in get(method).widths:
        return None
    signed = below_zero(tensor) if method.startswith("ebpc") else tensor.signed
    return coded_bits(method, tensor.values, tensor.width, zero=tensor.zero_code(), signed=signed)


def below_zero(tensor: NamedTensor) -> bool:
    """Whether some value lies below the one that stands for zero; not for floats, whose bit patterns are coded as they are.

    This decides how EBPC reads ``v - zero``: as signed, or, behind a ReLU, as unsigned. A coding has a bit for it.
    """
    return tensor.array.dtype.kind in "iu" and tensor.dtype != "bfloat16" and bool(int(tensor.array.min()) < signed_zero(tensor))


def profiled_table(tensors: Sequence[NamedTensor]) -> Table:
    """One table for several tensors of one layer, such that values which none of them has stay encodable."""
    width = tensors[0].width
    return optimal_table(profile([tensor.values for tensor in tensors], width), width)


def channel_first(tensor: NamedTensor) -> NamedTensor:
    """The tensor with its channels before its rows and columns (feature maps one after the other), as EBPC and cDMA (NCHW) store them."""
    axes = tensor.order("channel-first")
    if axes is None:
        return tensor
    return replace(tensor, array=np.ascontiguousarray(tensor.array.transpose(axes)), channel_axis=None)


def zero_share(tensor: NamedTensor) -> float:
    """Share of the values that stand for zero."""
    values = tensor.values.reshape(-1).view(f"u{tensor.array.dtype.itemsize}")
    codes = values & values.dtype.type((1 << tensor.width) - 1) if tensor.width < 8 else values
    return float(np.count_nonzero(codes == tensor.zero_code()) / codes.size)


# ------------------------------------------------------------------------------------------------------------- number formats


def floats(tensor: NamedTensor) -> npt.NDArray[np.float32] | None:
    """The numbers of a float tensor as float32; None for integers, whose scale is not known here."""
    if tensor.dtype == "bfloat16":
        return (tensor.array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return tensor.array.astype(np.float32) if tensor.array.dtype.kind == "f" else None


def in_format(tensor: NamedTensor, numbers: npt.NDArray[np.float32], form: str) -> NamedTensor:
    """A tensor with numbers in one of :data:`FORMATS`.

    Parameters
    ----------
    tensor : NamedTensor
        Gives the name and all else.
    numbers : numpy.ndarray of float32
        The numbers, finite. -0 becomes 0, so that one bit pattern stands for zero.
    form : str
        ``fixed8``, ``fixed16``: two's complement, one scale for the tensor: the largest magnitude becomes 127 or 32767, rounded to even.
        ``bfloat16``: the upper half of a float32, rounded to even.

    Raises
    ------
    InputError
        Unknown format, or an infinite number.
    """
    if not np.isfinite(numbers).all():
        raise InputError(f"tensor {tensor.name!r}: holds infinities or NaNs; no number format can be scaled to them")
    if form in ("fixed8", "fixed16"):
        limit = 127 if form == "fixed8" else 32767
        largest = float(np.abs(numbers).max()) or 1.0
        array: npt.NDArray[np.generic] = np.rint(numbers.astype(np.float64) * (limit / largest)).astype(
            np.int8 if limit == 127 else np.int16
        )
        return replace(tensor, array=array, dtype=array.dtype.name, zero_point=0)
    if form == "bfloat16":
        bits = (numbers + np.float32(0)).astype(np.float32).view(np.uint32)
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        return replace(tensor, array=rounded.astype(np.uint16), dtype="bfloat16", zero_point=0)
    raise InputError(f"unknown number format {form!r} (known: {', '.join(FORMATS)})")


def as_float32(tensor: NamedTensor) -> NamedTensor:
    """The tensor as a network in training holds it: float32 with an exact zero where the value is the zero point.

    The scale is left out: it changes no zero into another number, and ZVC counts nothing else.
    """
    numbers = floats(tensor)
    if numbers is None:
        numbers = tensor.array.astype(np.float32) - np.float32(signed_zero(tensor))
    return replace(tensor, array=numbers + np.float32(0), dtype="float32", zero_point=0)


def signed_zero(tensor: NamedTensor) -> int:
    """The value that stands for zero, as the dtype counts."""
    code = tensor.zero_code()
    return code - (1 << tensor.width) if tensor.signed and code >> (tensor.width - 1) else code
