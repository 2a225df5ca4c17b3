# SPDX-License-Identifier: Apache-2.0
"""The parameters of a coded tensor, and the coded tensor itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import InputError, TableError
from ..tables import Table, table_bytes
from ..values import raw_words
from .codec import Codec
from .registry import CODECS

LARGEST_BLOCK_BYTES = 16384
BLOCK_GRANULE_BYTES = 128


@dataclass(frozen=True)
class Coding:
    """How a tensor is coded; everything that a decoder must know besides index, payload and number of values.

    Attributes
    ----------
    codec : str
        ``raw``, ``zvc``, ``ebpc`` or ``apack``.
    width : int
        Bits of a value, W: apack 4, 8, 16; ebpc 8, 16; zvc 8, 16, 32; raw 4, 8, 16, 32.
    block_values : int
        Values of a block; its raw bytes are a multiple of 128 and at most 16384.
    zero : int
        The value that zvc and ebpc take for zero, unsigned view, 0..2^W-1.
    signed : bool
        ebpc: deltas are of signed values.
    coders : int
        apack: interleaved coders S, 1..16.
    table : Table or None
        apack: the table, of the same width.

    Raises
    ------
    InputError
        If a parameter breaks a rule of FORMAT.md.
    TableError
        If the table is missing or has another width.
    """

    codec: str
    width: int = 8
    block_values: int = 4096
    zero: int = 0
    signed: bool = True
    coders: int = 8
    table: Table | None = field(default=None)

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise InputError(f"unknown codec {self.codec!r} (known: {', '.join(CODECS)})")
        codec = CODECS[self.codec]
        for name in ("width", "block_values", "zero", "coders"):
            value = getattr(self, name)
            if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
                raise InputError(f"{name} of codec {self.codec} must be an integer, got {value!r}")
            object.__setattr__(self, name, int(value))
        if self.width not in codec.widths:
            raise InputError(f"codec {self.codec} has no width {self.width} (it has {', '.join(map(str, codec.widths))})")
        block_bits = self.block_values * self.width
        if block_bits <= 0 or block_bits % (8 * BLOCK_GRANULE_BYTES) or block_bits > 8 * LARGEST_BLOCK_BYTES:
            raise InputError(
                f"block_values {self.block_values} at width {self.width} is {block_bits / 8:g} bytes; "
                f"a block is a multiple of {BLOCK_GRANULE_BYTES} bytes, at most {LARGEST_BLOCK_BYTES}"
            )
        if not 0 <= self.zero < 1 << self.width:
            raise InputError(f"zero {self.zero} is not in 0..{(1 << self.width) - 1} (unsigned view of {self.width} bits)")
        if not isinstance(self.signed, (bool, np.bool_)):
            raise InputError(f"signed must be True or False, got {self.signed!r}")
        if not 1 <= self.coders <= 16:
            raise InputError(f"coders {self.coders} is not in 1..16")
        if codec.uses_table:
            if not isinstance(self.table, Table):
                raise TableError(f"codec {self.codec} needs a table, got {type(self.table).__name__}")
            if self.table.width != self.width:
                raise TableError(f"the table has width {self.table.width}, the coding {self.width}")
        elif self.table is not None:
            raise InputError(f"codec {self.codec} takes no table")

    @property
    def definition(self) -> Codec:
        """The codec's record in the registry."""
        return CODECS[self.codec]

    def blocks(self, count: int) -> int:
        """Number of blocks of a tensor of ``count`` values."""
        return -(-count // self.block_values)

    def values_of(self, block: int, count: int) -> int:
        """Values in block ``block`` of a tensor of ``count`` values."""
        return min(self.block_values, count - block * self.block_values)

    def raw_words_of(self, block: int, count: int) -> int:
        """Raw words, rounded up, of block ``block`` of a tensor of ``count`` values."""
        return raw_words(self.values_of(block, count), self.width)


@dataclass
class Coded:
    """A coded tensor as it lies in memory.

    Attributes
    ----------
    index : numpy.ndarray of uint64, shape (blocks,)
        One entry a block (FORMAT.md section 2).
    payload : numpy.ndarray of uint64, shape (words,)
        Words as little-endian memory: ``payload.view(uint8)`` are the bytes in DDR.
    """

    index: npt.NDArray[np.uint64]
    payload: npt.NDArray[np.uint64]

    @property
    def nbytes(self) -> int:
        """Bytes of index and payload."""
        return 8 * (len(self.index) + len(self.payload))

    @property
    def raw_blocks(self) -> int:
        """Blocks that are stored raw."""
        return int(np.count_nonzero(self.index >> np.uint64(63)))


def coded_size(coded: Coded, coding: Coding) -> int:
    """Bytes of a compressed tensor in memory: index, payload and, with apack, its table (:func:`tensorpress.tables.table_bytes`)."""
    return coded.nbytes + (table_bytes(coding.width) if coding.table is not None else 0)


@dataclass
class Block:
    """One coded block, for hardware tests.

    Attributes
    ----------
    values : int
        Number of values.
    a_stream, b_stream : numpy.ndarray of uint64
        What the encoder makes, words in *stream order* (first stream bit in bit 63), also when the block is stored raw for its size.
        Both are empty when ``limit`` is set.
    a_bits, b_bits : int
        Bits of the streams before padding.
    limit : bool
        A coder limit was hit.
    raw : bool
        The block is stored raw.
    a_words, b_words : int
        As in the index entry: raw blocks have 0 and their raw words.
    payload : numpy.ndarray of uint64
        What is stored, as little-endian memory: A then B, or the raw words.
    """

    values: int
    a_stream: npt.NDArray[np.uint64]
    b_stream: npt.NDArray[np.uint64]
    a_bits: int
    b_bits: int
    limit: bool
    raw: bool
    a_words: int
    b_words: int
    payload: npt.NDArray[np.uint64]
