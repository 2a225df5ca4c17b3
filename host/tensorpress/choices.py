# SPDX-License-Identifier: Apache-2.0
"""From a tensor and wishes to codings: which codecs it can meet, with which parameters, and which makes it smallest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tensorpress import tables
from tensorpress.codecs import CODECS, Coded, Coding, coded_size, encode
from tensorpress.errors import InputError
from tensorpress.tensors import NamedTensor

AUTO = "auto"


@dataclass(frozen=True)
class Choice:
    """How tensors are to be coded, as asked for.

    Attributes
    ----------
    block_values : int or None
        None: 4096.
    zero : str
        ``auto`` or an integer as text.
    signed : bool or None
        None: as the dtype counts.
    coders : int
        Coders of an apack block.
    tables : mapping of tensor name to Table
        Tables from a file; empty: a table is made for each tensor.
    table_method : str
        ``optimal`` or ``paper``.
    """

    block_values: int | None = None
    zero: str = AUTO
    signed: bool | None = None
    coders: int = 8
    tables: Mapping[str, tables.Table] = field(default_factory=dict)
    table_method: str = "optimal"

    def __post_init__(self) -> None:
        table_maker(self.table_method)

    def coding(self, tensor: NamedTensor, codec: str) -> Coding:
        """The coding of a tensor by a codec.

        Raises
        ------
        InputError
            The codec does not take the tensor's width, or a parameter does not fit the tensor.
        """
        problem = unusable(tensor, codec)
        if problem:
            raise InputError(f"tensor {tensor.name!r}: {problem}")
        definition = CODECS[codec]
        table = None
        if definition.uses_table:
            if self.tables:
                if tensor.name not in self.tables:
                    raise InputError(f"tensor {tensor.name!r}: the table file holds no table of this name")
                table = self.tables[tensor.name]
            else:
                table = table_maker(self.table_method)(tables.histogram(tensor.values, tensor.width), tensor.width)
        return Coding(
            codec,
            width=tensor.width,
            block_values=self.block_values or 4096,
            zero=tensor.zero_code(self.zero) if definition.uses_zero else 0,
            signed=tensor.signed if self.signed is None else self.signed,
            coders=self.coders,
            table=table,
        )

    def smallest(self, tensor: NamedTensor, codecs: Sequence[str] | None = None) -> tuple[Coding, Coded]:
        """The coding that makes a tensor smallest, the first one among equals, and its result."""
        best: tuple[Coding, Coded] | None = None
        for codec in codecs or CODECS:
            if unusable(tensor, codec) is None:
                coding = self.coding(tensor, codec)
                coded = encode(tensor.values, coding)
                if best is None or coded_size(coded, coding) < coded_size(best[1], best[0]):
                    best = coding, coded
        if best is None:
            raise InputError(f"tensor {tensor.name!r}: no codec takes {tensor.width}-bit values")
        return best


def table_maker(method: str) -> Callable[[np.ndarray, int], tables.Table]:
    """The function that makes a table of a histogram and a width: `optimal` or `paper`."""
    makers = {"optimal": tables.optimal_table, "paper": tables.paper_table}
    if method not in makers:
        raise InputError(f"table method {method!r} is not one of {', '.join(makers)}")
    return makers[method]


def unusable(tensor: NamedTensor, codec: str) -> str | None:
    """Why a codec cannot take a tensor, or None."""
    widths = CODECS[codec].widths
    if tensor.width in widths:
        return None
    return f"{codec} takes no {tensor.width}-bit values (only {', '.join(map(str, widths))})"


def ordered(tensor: NamedTensor, order: str | None) -> NamedTensor:
    """The tensor with its axes in the order of storing."""
    axes = tensor.order(order)
    return tensor if axes is None else replace(tensor, array=np.ascontiguousarray(tensor.array.transpose(axes)), channel_axis=None)


def limited(tensor: NamedTensor, limit: int | None) -> NamedTensor:
    """The first `limit` raw bytes of a tensor, flattened; all of it when it is smaller."""
    if limit is None or tensor.raw_bytes <= limit:
        return tensor
    count = max(1, limit * 8 // tensor.width)
    return replace(tensor, array=np.ascontiguousarray(tensor.array.reshape(-1)[:count]), channel_axis=None)
