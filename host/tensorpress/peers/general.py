# SPDX-License-Identifier: Apache-2.0
"""General-purpose compressors, each on the raw image of a whole tensor."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from .peer import Peer, Sample


def _peer(
    name: str,
    meaning: str,
    compress: Callable[[bytes], bytes],
    decompress: Callable[[bytes, int], bytes],
    *,
    thorough: bool = False,
    needs: tuple[str, str] | None = None,
) -> Peer:
    def bits(sample: Sample) -> float:
        return 8 * len(compress(sample.image))

    return Peer(name, name.replace("-", " -"), meaning, bits, thorough=thorough, needs=needs, compress=compress, decompress=decompress)


def _zlib(level: int) -> Peer:
    return _peer(
        f"zlib-{level}", f"DEFLATE at level {level}", lambda data: zlib.compress(data, level), lambda data, size: zlib.decompress(data)
    )


def _lz4_compress(data: bytes) -> bytes:
    import lz4.block

    coded: bytes = lz4.block.compress(data, store_size=False)
    return coded


def _lz4_decompress(data: bytes, size: int) -> bytes:
    import lz4.block

    back: bytes = lz4.block.decompress(data, uncompressed_size=size)
    return back


def _zstd(level: int, *, thorough: bool = False) -> Peer:
    def compress(data: bytes) -> bytes:
        import zstandard

        return zstandard.ZstdCompressor(level=level).compress(data)

    def decompress(data: bytes, size: int) -> bytes:
        import zstandard

        return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)

    return _peer(f"zstd-{level}", f"Zstandard at level {level}", compress, decompress, thorough=thorough, needs=("zstandard", "zstandard"))


ZLIB_6, ZLIB_9 = _zlib(6), _zlib(9)
LZ4 = _peer("lz4", "one LZ4 block, the fast compressor", _lz4_compress, _lz4_decompress, needs=("lz4.block", "lz4"))
ZSTD_3, ZSTD_19 = _zstd(3), _zstd(19, thorough=True)
