# SPDX-License-Identifier: Apache-2.0
"""The demo tensors that come with the package: README.md beside this file says what they are and how they were made."""

from __future__ import annotations

from pathlib import Path

DEMO_TENSORS: Path = Path(__file__).resolve().parent / "digits_cnn.npz"
"""A small quantised CNN: int8 weights (per-channel and per-tensor scales) and uint8 activations of 64 held-out digits."""
