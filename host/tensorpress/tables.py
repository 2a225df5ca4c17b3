# SPDX-License-Identifier: Apache-2.0
"""APack tables: 16 ranges of values with their counts (FORMAT.md section 3)."""

from __future__ import annotations

import functools
import heapq
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import FormatError, InputError, TableError
from .values import unsigned_values

ROWS = 16
TOTAL = 1024
"""Sum of the counts of a table."""
WIDTHS = (4, 8, 16)
CANDIDATES = 1024
"""Boundaries that the search for a 16-bit table looks at, at most."""
FILE_FORMAT = 1
_PLACES_AT_ONCE = 64
UNSEEN_SHARE = 256
"""`profile` adds 1/256 of what it saw, spread over all values."""


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
        return tuple((end - start - 1).bit_length() for start, end in zip(self.vmin, ends, strict=True))

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


def table_bytes(width: int) -> int:
    """What a table counts for in a compressed size.

    16 rows of vmin (W bits), count (10 bits) and offset length (3 bits), in whole words: 42 bytes, so 48, for W = 8.
    """
    return -(-ROWS * (width + 13) // 64) * 8


def histogram(values: npt.ArrayLike, width: int = 8) -> npt.NDArray[np.int64]:
    """How often each value occurs.

    Parameters
    ----------
    values : array_like
        Signed or unsigned integers of ``width`` bits (see :func:`tensorpress.values.unsigned_values`).
    width : int
        4, 8 or 16.

    Returns
    -------
    numpy.ndarray of int64, shape (2**width,)
        Indexed by the unsigned view of the value.
    """
    if width not in WIDTHS:
        raise InputError(f"width {width} is not one of 4, 8, 16")
    return np.bincount(unsigned_values(values, width), minlength=1 << width).astype(np.int64)


def profile(tensors: Iterable[npt.ArrayLike], width: int = 8) -> npt.NDArray[np.int64]:
    """The histogram of several tensors, smoothed so that values which none of them has stay cheap.

    The rule: 1/256 of the number of values seen is spread evenly over all 2^W values, rounded down. Where that is less than 1 for each,
    all counts are first
    multiplied by the smallest whole number that makes it 1. It costs about 0.006 bit a value on the tensors seen, and an unseen value
    takes at most about
    W + 10 bits.

    Returns
    -------
    numpy.ndarray of int64, shape (2**width,)

    Raises
    ------
    InputError
        If there are no tensors, or no values in them.
    """
    total = np.zeros(1 << width, np.int64)
    for tensor in tensors:
        total += histogram(tensor, width)
    seen = int(total.sum())
    if not seen:
        raise InputError("a profile needs at least one value")
    wanted = UNSEEN_SHARE << width
    if seen < wanted:
        return total * -(-wanted // seen) + 1
    return total + seen // wanted


def cost_bits(hist: npt.ArrayLike, table: Table) -> float:
    """Bits that the values of a histogram take with a table: offsets, and the rows at their ideal length, without block overhead.

    Parameters
    ----------
    hist : array_like of int, shape (2**width,)
    table : Table

    Returns
    -------
    float
    """
    counts = _counts(hist, table.width)
    rows = np.add.reduceat(counts, np.array(table.vmin))
    shares = np.diff(np.array(table.cum)) / TOTAL
    return float(np.sum(rows * (np.array(table.ol) - np.log2(shares))))


def optimal_table(hist: npt.ArrayLike, width: int = 8) -> Table:
    """The table with the smallest ``sum over rows of n_r*ol_r - n_r*log2(n_r/N)`` (FORMAT.md section 3.4).

    By dynamic programming over the 15 inner boundaries: exact for widths 4 and 8. For width 16 exact among the boundaries of
    :func:`candidate_boundaries`.

    Parameters
    ----------
    hist : array_like of int, shape (2**width,)
        Not negative, not all zero.
    width : int
        4, 8 or 16.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If the histogram cannot be used.
    """
    counts = _counts(hist, width)
    bounds = candidate_boundaries(counts, width)
    cost = _segment_costs(counts, bounds).T
    places = len(bounds)
    best = cost[:, 0].copy()  # best[j]: rows so far end at bounds[j]
    choice = np.zeros((ROWS, places), np.int64)
    for row in range(1, ROWS):
        longer = np.empty(places)
        for first in range(0, places, _PLACES_AT_ONCE):  # so that what is worked on stays in the cache
            last = min(first + _PLACES_AT_ONCE, places)
            totals = cost[first:last, :last] + best[:last]
            chosen = np.argmin(totals, axis=1)
            choice[row, first:last], longer[first:last] = chosen, totals[np.arange(last - first), chosen]
        best = longer
    ends = [places - 1]
    for row in range(ROWS - 1, 0, -1):
        ends.append(int(choice[row, ends[-1]]))
    starts = ends[:0:-1]  # bounds where rows 1..15 start
    return _with_shares(counts, [0, *(int(bounds[k]) for k in starts)], width)


def paper_table(hist: npt.ArrayLike, width: int = 8) -> Table:
    """The hill climb of the APack paper (arXiv 2201.08830), as described in FORMAT.md section 3.4; kept for comparison.

    Parameters and result are as for :func:`optimal_table`; boundaries are moved among those of :func:`candidate_boundaries`.
    """
    counts = _counts(hist, width)
    bounds = candidate_boundaries(counts, width)
    cost = _segment_costs(counts, bounds)
    ends = [int(np.searchsorted(bounds, row << (width - 4))) for row in range(ROWS + 1)]

    def size(places: list[int]) -> float:
        return float(sum(cost[places[row], places[row + 1]] for row in range(ROWS)))

    current = size(ends)
    while True:
        best, best_ends = current, ends
        for moved in range(1, ROWS):
            for place in range(ends[moved - 1] + 1, ends[moved + 1]):
                trial = ends.copy()
                trial[moved] = place
                total = size(trial) if place != ends[moved] else current
                if total < best:
                    best, best_ends = total, trial
                for neighbour in (moved - 1, moved + 1):
                    if not 1 <= neighbour < ROWS:
                        continue
                    left, here, right = trial[neighbour - 1], trial[neighbour], trial[neighbour + 1]
                    between = slice(left + 1, right)
                    totals = total - cost[left, here] - cost[here, right] + cost[left, between] + cost[between, right]
                    k = int(np.argmin(totals))
                    if totals[k] < best:
                        best, best_ends = float(totals[k]), [*trial[:neighbour], left + 1 + k, *trial[neighbour + 1 :]]
        if best_ends is ends or best > 0.99 * current:
            return _with_shares(counts, [int(bounds[k]) for k in (best_ends if best < current else ends)[:ROWS]], width)
        current, ends = best, best_ends


def candidate_boundaries(counts: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    """Rising boundaries from 0 to 2^W that a search may use.

    All of them for widths 4 and 8. For width 16 at most 1024: the ends of 16 equal ranges, then the range with the largest (values in it
    * log2 of
    its length) is halved, the first of equals, again and again.
    """
    if width < 16:
        return np.arange((1 << width) + 1, dtype=np.int64)
    below = np.concatenate([[0], np.cumsum(counts)])
    bounds = {0, 1 << width}
    heap: list[tuple[float, int, int]] = []

    def push(start: int, bits: int) -> None:
        bounds.add(start)
        if bits:
            heapq.heappush(heap, (-float(below[start + (1 << bits)] - below[start]) * bits, start, bits))

    for start in range(0, 1 << width, 1 << (width - 4)):
        push(start, width - 4)
    while heap and len(bounds) < CANDIDATES:
        weight, start, bits = heapq.heappop(heap)
        if weight == 0 and len(bounds) > 2 * ROWS:
            break
        push(start, bits - 1)
        push(start + (1 << (bits - 1)), bits - 1)
    return np.array(sorted(bounds), np.int64)


def _counts(hist: npt.ArrayLike, width: int) -> npt.NDArray[np.int64]:
    if width not in WIDTHS:
        raise InputError(f"width {width} is not one of 4, 8, 16")
    counts = np.asarray(hist)
    if counts.shape != (1 << width,) or counts.dtype.kind not in "iu":
        raise InputError(f"a histogram of width {width} has {1 << width} integers, got shape {counts.shape} of {counts.dtype}")
    if (counts < 0).any() or not counts.any():
        raise InputError("the counts of a histogram are not negative, and not all zero")
    return counts.astype(np.int64)


def _segment_costs(counts: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Bits of a row from ``bounds[i]`` to ``bounds[j]`` at [i, j], infinite where j <= i; columns lie one after another in memory."""
    below = np.concatenate([[0], np.cumsum(counts)])[bounds]
    places, offset_bits = len(bounds), _offset_bits()
    cost = np.full((places, places), np.inf)  # [j, i]
    for first in range(1, places, _PLACES_AT_ONCE):
        last = min(first + _PLACES_AT_ONCE, places)
        inside = (below[first:last, None] - below[None, : last - 1]).astype(np.float64)
        length = bounds[first:last, None] - bounds[None, : last - 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = inside * (offset_bits[np.maximum(length, 0)] - np.log2(inside / below[-1]))
        part[inside == 0] = 0.0
        part[length <= 0] = np.inf
        cost[first:last, : last - 1] = part
    return cost.T


@functools.cache
def _offset_bits() -> npt.NDArray[np.int8]:
    """Bits of an offset in a row of k values, at [k] for k up to 2^16."""
    return np.array([max(k - 1, 0).bit_length() for k in range((1 << 16) + 1)], np.int8)


def _with_shares(counts: npt.NDArray[np.int64], vmin: list[int], width: int) -> Table:
    """The table with these rows: each gets 1 of 1024, the others go one by one to the row that gains most, the first of equals."""
    rows = np.add.reduceat(counts, np.array(vmin)).tolist()
    shares = [1] * ROWS
    heap = [(-float(number), row) for row, number in enumerate(rows)]  # log2(2) - log2(1) = 1 bit each
    heapq.heapify(heap)
    for _ in range(TOTAL - ROWS):
        _, row = heapq.heappop(heap)
        shares[row] += 1
        heapq.heappush(heap, (-rows[row] * math.log2((shares[row] + 1) / shares[row]), row))
    cum = [0]
    for share in shares:
        cum.append(cum[-1] + share)
    return Table(width, tuple(vmin), tuple(cum))


def save_tables(path: str | os.PathLike[str], tables: Mapping[str, Table]) -> None:
    """Write tables as JSON: ``{"format": 1, "tables": {tensor: {"width", "vmin", "cum"}}}``. The file is complete or not there."""
    target = Path(path)
    for name, table in tables.items():
        if not isinstance(name, str) or not isinstance(table, Table):
            raise InputError(f"tables must map tensor names to tables, got {name!r}: {type(table).__name__}")
    data = {"format": FILE_FORMAT, "tables": {name: {"width": table.width, **table.to_json()} for name, table in tables.items()}}
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(data) + "\n", encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_tables(path: str | os.PathLike[str]) -> dict[str, Table]:
    """Read what :func:`save_tables` wrote.

    Raises
    ------
    InputError
        If the file cannot be read.
    FormatError
        If it is not such a file.
    TableError
        If a table breaks a rule; the message names the tensor.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}") from error
    try:
        data = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not a JSON file: {error}") from error
    if not isinstance(data, dict) or "format" not in data:
        raise FormatError(f"{path} is not a file of tables: no format number")
    if isinstance(data["format"], bool) or data["format"] != FILE_FORMAT:
        raise FormatError(f"{path} has tables of format {data['format']!r}; this version reads {FILE_FORMAT}")
    if not isinstance(data.get("tables"), dict):
        raise FormatError(f"{path} has no object 'tables'")
    tables = {}
    for name, entry in data["tables"].items():
        try:
            tables[name] = Table.from_json(entry, entry.get("width") if isinstance(entry, dict) else 8)  # type: ignore[arg-type]
        except TableError as error:
            raise TableError(f"tensor {name!r}: {error}") from error
    return tables
