# SPDX-License-Identifier: Apache-2.0
"""What all codecs share: blocks, the index, the raw fallback, and the checks before decoding (FORMAT.md section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, InputError
from ..values import UNSIGNED, raw_image, raw_words, unsigned_values, values_from_raw
from .bits import BitReader, swap_words
from .coding import Block, Coded, Coding

IMPLEMENTATIONS = ("auto", "reference", "fast")

OFFSET_BITS = 32
WORDS_BITS = 15
A_SHIFT = 32
B_SHIFT = 47
RESERVED_BIT = 62
RAW_BIT = 63


def index_entry(offset: int, a_words: int, b_words: int, raw: bool) -> int:
    """The 64-bit index entry of a block."""
    return offset | a_words << A_SHIFT | b_words << B_SHIFT | int(raw) << RAW_BIT


def encode(values: npt.ArrayLike, coding: Coding, *, implementation: str = "auto") -> Coded:
    """Compress a tensor.

    Parameters
    ----------
    values : array_like
        Signed or unsigned integers of ``coding.width`` bits in any shape, taken in C order; width 4: one value an element of (u)int8.
    coding : Coding
        How.
    implementation : {"auto", "reference", "fast"}
        All give the same bytes. ``reference`` follows FORMAT.md step by step and is slow; ``fast`` uses numba where it is installed;
        ``auto`` is ``fast``.

    Returns
    -------
    Coded

    Raises
    ------
    InputError
        If the tensor is empty, its dtype does not fit, or its payload would pass 2^32 words.
    """
    _check_implementation(implementation)
    flat = unsigned_values(values, coding.width)
    if not len(flat):
        raise InputError("an empty tensor cannot be coded")
    if raw_words(len(flat), coding.width) >= 1 << OFFSET_BITS:
        raise InputError(f"a tensor of {len(flat)} values of {coding.width} bits does not fit the 32-bit payload offsets")
    codec = coding.definition
    if implementation != "reference" and codec.fast_encode is not None:
        return Coded(*codec.fast_encode(flat, coding))
    index, payload, offset = [], [], 0
    for start in range(0, len(flat), coding.block_values):
        block = encode_block(flat[start : start + coding.block_values], coding)
        index.append(index_entry(offset, block.a_words, block.b_words, block.raw))
        payload.append(block.payload)
        offset += len(block.payload)
    return Coded(np.array(index, np.uint64), np.concatenate(payload))


def encode_block(values: npt.ArrayLike, coding: Coding) -> Block:
    """Compress one block with the reference model and show its streams.

    Parameters
    ----------
    values : array_like
        1..``coding.block_values`` values, as for :func:`encode`.
    coding : Coding
        How.

    Returns
    -------
    Block
    """
    flat = unsigned_values(values, coding.width)
    if not 1 <= len(flat) <= coding.block_values:
        raise InputError(f"a block has 1..{coding.block_values} values, got {len(flat)}")
    streams = coding.definition.encode_block(flat.tolist(), coding)
    a, b = (np.array(stream.words(), np.uint64) for stream in (streams.a, streams.b))
    limit_words = raw_words(len(flat), coding.width)
    raw = streams.limit or len(a) + len(b) >= limit_words
    payload = raw_block_words(flat, coding) if raw else swap_words(np.concatenate([a, b]))
    return Block(
        values=len(flat),
        a_stream=a,
        b_stream=b,
        a_bits=len(streams.a.bits()),
        b_bits=len(streams.b.bits()),
        limit=streams.limit,
        raw=raw,
        a_words=0 if raw else len(a),
        b_words=limit_words if raw else len(b),
        payload=payload,
    )


def raw_block_words(flat: npt.NDArray[Any], coding: Coding) -> npt.NDArray[np.uint64]:
    """The raw image of some values as words of memory, zero-padded."""
    image = raw_image(flat, coding.width)
    padded = np.zeros(8 * raw_words(len(flat), coding.width), np.uint8)
    padded[: len(image)] = image
    return padded.view(np.uint64)


def decode(coded: Coded, count: int, coding: Coding, *, implementation: str = "auto") -> npt.NDArray[Any]:
    """Decompress a tensor.

    Parameters
    ----------
    coded : Coded
        Index and payload; nothing about them is trusted.
    count : int
        Values of the tensor.
    coding : Coding
        As it was compressed.
    implementation : {"auto", "reference", "fast"}
        All give the same values.

    Returns
    -------
    numpy.ndarray, shape (count,)
        Unsigned view of the values: uint8 (widths 4 and 8), uint16 or uint32.

    Raises
    ------
    FormatError
        With the block number, if an index entry breaks a rule or a block needs bits that its streams do not hold. The whole index is
        checked first.
    """
    _check_implementation(implementation)
    check_index(coded.index, len(coded.payload), count, coding)
    index, payload = np.ascontiguousarray(coded.index, np.uint64), np.ascontiguousarray(coded.payload, np.uint64)
    out = np.zeros(count, UNSIGNED[coding.width])
    codec = coding.definition
    if implementation != "reference" and codec.fast_decode is not None:
        corrupt = codec.fast_decode(index, payload, out, coding)
        if corrupt >= 0:
            raise FormatError(f"the {coding.codec} streams end before its last value", block=int(corrupt))
        return out
    for number, entry in enumerate(index.tolist()):
        offset, a_words, b_words, raw = split_entry(entry)
        values = coding.values_of(number, count)
        start = number * coding.block_values
        stored = payload[offset : offset + a_words + b_words]
        if raw:
            out[start : start + values] = values_from_raw(stored.view(np.uint8), values, coding.width)
            continue
        stream = swap_words(stored)
        block, corrupt = decode_block(stream[:a_words].tolist(), stream[a_words:].tolist(), values, coding)
        if corrupt:
            raise FormatError(f"the {coding.codec} streams end before its last value", block=number)
        out[start : start + values] = block
    return out


def decode_block(
    a_stream: Sequence[int] | npt.NDArray[np.uint64], b_stream: Sequence[int] | npt.NDArray[np.uint64], count: int, coding: Coding
) -> tuple[npt.NDArray[Any], bool]:
    """Decode two streams (words in stream order, first bit in bit 63) with the reference model.

    Returns
    -------
    values : numpy.ndarray, shape (count,)
        Unsigned view. Their contents mean nothing when the block is corrupt.
    corrupt : bool
        The block needed bits that its streams do not hold.
    """
    a, b = BitReader([int(word) for word in a_stream]), BitReader([int(word) for word in b_stream])
    values = coding.definition.decode_block(a, b, count, coding)
    return np.array(values, UNSIGNED[coding.width]), a.missing or b.missing


def split_entry(entry: int) -> tuple[int, int, int, bool]:
    """Offset in words, words of stream A, words of stream B, and the raw flag of an index entry."""
    mask = (1 << WORDS_BITS) - 1
    return entry & ((1 << OFFSET_BITS) - 1), entry >> A_SHIFT & mask, entry >> B_SHIFT & mask, bool(entry >> RAW_BIT & 1)


def check_index(index: npt.NDArray[np.uint64], payload_words: int, count: int, coding: Coding) -> None:
    """Check every index entry against the rules of FORMAT.md section 2.

    Raises
    ------
    InputError
        If ``count`` is not positive.
    FormatError
        Naming the first block that breaks a rule, and the rule.
    """
    if count < 1:
        raise InputError(f"a tensor has at least one value, got {count}")
    blocks = coding.blocks(count)
    if index.ndim != 1 or len(index) != blocks:
        raise FormatError(f"{count} values in blocks of {coding.block_values} have {blocks} index entries, got {index.size}")
    entries = np.ascontiguousarray(index, np.uint64)
    mask = np.uint64((1 << WORDS_BITS) - 1)
    offset = (entries & np.uint64((1 << OFFSET_BITS) - 1)).astype(np.int64)
    a = (entries >> np.uint64(A_SHIFT) & mask).astype(np.int64)
    b = (entries >> np.uint64(B_SHIFT) & mask).astype(np.int64)
    raw = (entries >> np.uint64(RAW_BIT)) != 0
    words = np.full(blocks, raw_words(coding.block_values, coding.width), np.int64)
    words[-1] = coding.raw_words_of(blocks - 1, count)
    faults = (
        ((entries >> np.uint64(RESERVED_BIT) & np.uint64(1)) != 0, "bit 62 of the index entry is set"),
        (raw & (a != 0), "a raw block has words of stream A"),
        (raw & (b != words), "a raw block does not have exactly its raw words"),
        (~raw & (a + b >= words), "a coded block has as many words as it has raw, or more"),
        (offset + a + b > payload_words, f"the block ends past the payload ({payload_words} words)"),
    )
    broken = np.zeros(blocks, bool)
    for fault, _ in faults:
        broken |= fault
    if broken.any():
        block = int(np.argmax(broken))
        message = next(text for fault, text in faults if fault[block])
        raise FormatError(f"{message} (entry {int(entries[block]):#018x})", block=block)


def _check_implementation(implementation: str) -> None:
    if implementation not in IMPLEMENTATIONS:
        raise InputError(f"implementation {implementation!r} is not one of {', '.join(IMPLEMENTATIONS)}")
