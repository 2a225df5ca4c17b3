# SPDX-License-Identifier: Apache-2.0
"""APack tables: 16 ranges of values with their counts (FORMAT.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import TableError

ROWS = 16
TOTAL = 1024
"""Sum of the counts of a table."""
WIDTHS = (4, 8, 16)


@dataclass(frozen=True)
class Table:
    """One APack table.

    Attributes
    ----------
    width : int
        Bits of a value, W: 4, 8 or 16.
    vmin : tuple of 16 int
        First value of each row; ``vmin[0] = 0``, rising. Row 15 ends at 2^W - 1.
    cum : tuple of 17 int
        Counts below each row; ``cum[0] = 0``, rising, ``cum[16] = 1024``.

    Raises
    ------
    TableError
        Naming the row and the rule.
    """

    width: int
    vmin: tuple[int, ...]
    cum: tuple[int, ...]

    def __post_init__(self) -> None:
        if not _is_integer(self.width) or self.width not in WIDTHS:
            raise TableError(f"table width {self.width!r} is not one of 4, 8, 16")
        for name, length in (("vmin", ROWS), ("cum", ROWS + 1)):
            numbers = getattr(self, name)
            if isinstance(numbers, (str, bytes)) or not isinstance(numbers, (Sequence, np.ndarray)):
                raise TableError(f"{name} must be a sequence of {length} integers, got {type(numbers).__name__}")
            if len(numbers) != length:
                raise TableError(f"{name} must have {length} entries, got {len(numbers)}")
            for row, number in enumerate(numbers):
                if not _is_integer(number):
                    raise TableError(f"row {row}: {name} is not an integer ({number!r})")
            object.__setattr__(self, name, tuple(int(number) for number in numbers))
        object.__setattr__(self, "width", int(self.width))
        if self.vmin[0] != 0:
            raise TableError(f"row 0: vmin is {self.vmin[0]}, must be 0")
        if self.cum[0] != 0:
            raise TableError(f"row 0: cum is {self.cum[0]}, must be 0")
        for row in range(1, ROWS):
            if self.vmin[row] <= self.vmin[row - 1]:
                raise TableError(f"row {row}: vmin {self.vmin[row]} does not pass vmin {self.vmin[row - 1]} of the row before")
            if self.vmin[row] >= 1 << self.width:
                raise TableError(f"row {row}: vmin {self.vmin[row]} is not below 2^{self.width}")
        for row in range(ROWS):
            if self.cum[row + 1] <= self.cum[row]:
                raise TableError(f"row {row}: its count is {self.cum[row + 1] - self.cum[row]}, must be at least 1")
        if self.cum[ROWS] != TOTAL:
            raise TableError(f"row {ROWS - 1}: the counts end at {self.cum[ROWS]}, must be {TOTAL}")

    @property
    def ol(self) -> tuple[int, ...]:
        """Offset lengths in bits, ``ceil(log2(vmin[i+1] - vmin[i]))``."""
        ends = (*self.vmin[1:], 1 << self.width)
        return tuple((end - start - 1).bit_length() for start, end in zip(self.vmin, ends))

    def to_json(self) -> dict[str, list[int]]:
        """``{"vmin": [16 ints], "cum": [17 ints]}``; the width is kept by whoever holds the table."""
        return {"vmin": list(self.vmin), "cum": list(self.cum)}

    @classmethod
    def from_json(cls, data: Any, width: int = 8) -> Table:
        """The inverse of :meth:`to_json`. Unknown keys are ignored.

        Raises
        ------
        TableError
            If the data are no table of this width.
        """
        if not isinstance(data, dict):
            raise TableError(f"a table must be an object with vmin and cum, got {type(data).__name__}")
        for name in ("vmin", "cum"):
            if not isinstance(data.get(name), list):
                raise TableError(f"a table must have a list {name!r}")
        return cls(width, data["vmin"], data["cum"])


def _is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
