# SPDX-License-Identifier: Apache-2.0
"""Sums and means that pass over what is not known."""

from __future__ import annotations

import math
from collections.abc import Iterable


def known(values: Iterable[float | None]) -> list[float]:
    """The values that are there."""
    return [value for value in values if value is not None]


def total(values: Iterable[float | None]) -> float:
    """Their sum."""
    return math.fsum(known(values))


def mean(values: Iterable[float | None]) -> float | None:
    """Their arithmetic mean; None without any."""
    there = known(values)
    return math.fsum(there) / len(there) if there else None


def deviation(values: Iterable[float | None]) -> float | None:
    """Their sample standard deviation; None below two."""
    there = known(values)
    if len(there) < 2:
        return None
    middle = math.fsum(there) / len(there)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in there) / (len(there) - 1))
