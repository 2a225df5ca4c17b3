# SPDX-License-Identifier: Apache-2.0
"""Shared by the tests of the host package: paths, seeded data, tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tensorpress.tables import Table

ROOT = Path(__file__).resolve().parents[2]
DTYPES = {4: np.uint8, 8: np.uint8, 16: np.uint16, 32: np.uint32}
WIDTHS = {"raw": (4, 8, 16, 32), "zvc": (8, 16, 32), "ebpc": (8, 16), "apack": (4, 8, 16)}


def random_table(rng: np.random.Generator, width: int = 8) -> Table:
    """Any valid table."""
    vmin = np.sort(rng.choice(np.arange(1, 1 << width), 15, replace=False)).tolist()
    cum = np.sort(rng.choice(np.arange(1, 1024), 15, replace=False)).tolist()
    return Table(width, (0, *vmin), (0, *cum, 1024))


def peaked_table(width: int = 8, count: int = 1009) -> Table:
    """Nearly all of the probability in row 0, which is the value 0 alone."""
    vmin = list(range(16))
    shares = [count] + [1] * 14 + [1024 - 14 - count]
    return Table(width, tuple(vmin), (0, *np.cumsum(shares).tolist()))
