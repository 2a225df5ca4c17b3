# SPDX-License-Identifier: Apache-2.0
"""Lossless tensor compression between an FPGA accelerator and its DRAM: codec models, files, and the driver of the engine.

The names below are loaded when they are first used, so that ``import tensorpress`` costs nothing.

>>> import numpy as np, tensorpress
>>> packed = tensorpress.compress_tensor("t", np.zeros(10000, np.uint8), codec="zvc")
>>> packed.raw_bytes, packed.coded_bytes
(10000, 1280)
>>> with tensorpress.open_device("model") as device:
...     result = tensorpress.Engine(device).compress(np.zeros(10000, np.uint8), packed.coding)
>>> bool((result.coded.payload == packed.coded.payload).all())
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "codecs": ("Coded", "Coding", "decode", "encode"),
    "container": ("CompressedTensor", "Reader", "compress_tensor", "decompress_tensor", "write"),
    "device": ("Device", "open_device"),
    "engine": ("Capabilities", "Engine", "Job", "Result"),
    "errors": (
        "BuildError",
        "DeviceError",
        "DeviceNotFoundError",
        "DeviceTimeoutError",
        "FormatError",
        "InputError",
        "JobError",
        "MismatchError",
        "ProtocolError",
        "TableError",
        "TensorpressError",
    ),
    "tables": ("Table", "histogram", "load_tables", "optimal_table", "paper_table", "profile", "save_tables"),
    "tensors": ("NamedTensor", "load_tensors"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BuildError",
    "Capabilities",
    "Coded",
    "Coding",
    "CompressedTensor",
    "Device",
    "DeviceError",
    "DeviceNotFoundError",
    "DeviceTimeoutError",
    "Engine",
    "FormatError",
    "InputError",
    "Job",
    "JobError",
    "MismatchError",
    "NamedTensor",
    "ProtocolError",
    "Reader",
    "Result",
    "Table",
    "TableError",
    "TensorpressError",
    "__version__",
    "compress_tensor",
    "decode",
    "decompress_tensor",
    "encode",
    "histogram",
    "load_tables",
    "load_tensors",
    "open_device",
    "optimal_table",
    "paper_table",
    "profile",
    "save_tables",
    "write",
]

if TYPE_CHECKING:
    from tensorpress.codecs import Coded, Coding, decode, encode
    from tensorpress.container import CompressedTensor, Reader, compress_tensor, decompress_tensor, write
    from tensorpress.device import Device, open_device
    from tensorpress.engine import Capabilities, Engine, Job, Result
    from tensorpress.errors import (
        BuildError,
        DeviceError,
        DeviceNotFoundError,
        DeviceTimeoutError,
        FormatError,
        InputError,
        JobError,
        MismatchError,
        ProtocolError,
        TableError,
        TensorpressError,
    )
    from tensorpress.tables import Table, histogram, load_tables, optimal_table, paper_table, profile, save_tables
    from tensorpress.tensors import NamedTensor, load_tensors


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
