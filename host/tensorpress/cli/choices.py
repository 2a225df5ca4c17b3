# SPDX-License-Identifier: Apache-2.0
"""From options to codings: which codecs a tensor meets, and with which parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tensorpress import tables
from tensorpress.codecs import CODECS, Coded, Coding, encode
from tensorpress.errors import InputError
from tensorpress.tensors import NamedTensor, NoMatchError, load_tensors

AUTO = "auto"
EVERY = ("all", AUTO)


@dataclass(frozen=True)
class Choice:
    """The coding options of a command, as given.

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


def coded_size(coded: Coded, coding: Coding) -> int:
    """Bytes of a compressed tensor in memory: index, payload and, with apack, its table."""
    return coded.nbytes + (tables.table_bytes(coding.width) if coding.table is not None else 0)


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


def codec_names(given: Sequence[str] | None, default: Sequence[str]) -> list[str]:
    """Codec names from options that may repeat or hold commas; ``all`` and ``auto`` are `default`.

    Raises
    ------
    InputError
        An unknown name.
    """
    names = [part.strip() for text in given or [] for part in text.split(",")]
    if not names:
        return list(default)
    chosen: list[str] = []
    for name in names:
        if name not in (*CODECS, *EVERY):
            raise InputError(f"unknown codec {name!r} (known: {', '.join((*CODECS, *EVERY))})")
        chosen += [one for one in (default if name in EVERY else [name]) if one not in chosen]
    return chosen


def load_all(
    files: Sequence[Path], *, names: Sequence[str] | None, manifest: Path | None, network: str | None, allow_nan: bool = False
) -> list[NamedTensor]:
    """The tensors of several files. A name pattern must match somewhere, not in every file."""
    loaded: list[NamedTensor] = []
    missing: NoMatchError | None = None
    for path in files:
        try:
            loaded += load_tensors(path, names=names, manifest=manifest, network=network, allow_nan=allow_nan)
        except NoMatchError as error:
            missing = error
    if not loaded and missing is not None:
        raise missing
    return loaded


def load_tables_file(path: Path | None) -> Mapping[str, tables.Table]:
    """The tables of a file that `profile` made; none without a file."""
    return {} if path is None else tables.load_tables(path)


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
