# SPDX-License-Identifier: Apache-2.0
"""Tensors, a job in plain pynq code, and bitstreams that are wrong in one way each."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorpress.codecs import Coding
from tensorpress.registers import REG

BUILD = {"LANES": 2, "BLOCK_BYTES": 4096, "CODECS": 7, "OPTIMISE": 1}
"""The one build of the RTL that these tests use: raw, zvc, ebpc."""
MEMORY_BYTES = 4 << 20

ZVC = Coding("zvc", zero=3)


def tensor(count: int = 20_000, seed: int = 1) -> NDArray[np.uint8]:
    """Two thirds of the values are 3."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(count) < 0.66, 3, rng.integers(0, 256, count)).astype(np.uint8)


def start_by_hand(mmio: Any, raw: Any, index: Any, payload: Any, count: int) -> None:
    """Start a compression with ZVC, as a user does who has nothing but the register map."""
    config = REG["JOB_CONFIG"].pack(CODEC=1, ZERO=3)
    for name, value in (
        ("JOB_CONFIG", config),
        ("JOB_VALUES", count),
        ("JOB_BLOCK_VALUES", 4096),
        ("JOB_RAW_ADDRESS", raw.device_address),
        ("JOB_INDEX_ADDRESS", index.device_address),
        ("JOB_PAYLOAD_ADDRESS", payload.device_address),
        ("JOB_PAYLOAD_WORDS", payload.nbytes // 8),
        ("IRQ_ENABLE", 1),
        ("IRQ_STATUS", 1),
        ("CONTROL", 1),
    ):
        mmio.write(REG[name].offset, int(value))


def foreign_bit(path: Path) -> Path:
    """Make a .bit of another design: a right header, and a body that the simulated board does not know."""
    header = struct.pack(">H9xH", 9, 1)
    for key, text in (("a", "blinky"), ("b", "7z020clg400"), ("c", "2020/01/01"), ("d", "00:00:00")):
        header += key.encode() + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
    path.write_bytes(header + b"e" + struct.pack(">I", 16) + bytes(16))
    return path


def copied(bitstream: Path, folder: Path) -> Path:
    """A copy of both files."""
    for suffix in (".bit", ".hwh"):
        shutil.copy(bitstream.with_suffix(suffix), folder)
    return folder / bitstream.name
