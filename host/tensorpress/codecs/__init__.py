# SPDX-License-Identifier: Apache-2.0
"""Bit-exact software models of the codecs (FORMAT.md). The hardware's memory images equal theirs byte for byte.

A codec is one module (``raw``, ``zvc``, ``ebpc``, ``apack``) with its reference model and its fast one; ``blocks`` holds what they share.
"""

from ..values import raw_image, values_from_raw
from .blocks import check_index, decode, decode_block, encode, encode_block, index_entry, split_entry
from .coding import Block, Coded, Coding, coded_size
from .registry import CODEC_NUMBERS, CODECS

__all__ = [
    "CODECS",
    "CODEC_NUMBERS",
    "Block",
    "Coded",
    "Coding",
    "check_index",
    "coded_size",
    "decode",
    "decode_block",
    "encode",
    "encode_block",
    "index_entry",
    "raw_image",
    "split_entry",
    "values_from_raw",
]
