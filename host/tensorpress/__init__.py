# SPDX-License-Identifier: Apache-2.0
"""Lossless tensor compression between an FPGA accelerator and its DRAM: codec models, files, and the driver of the engine."""

from __future__ import annotations

__version__ = "0.1.0"
