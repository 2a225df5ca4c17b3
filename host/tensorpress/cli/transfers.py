# SPDX-License-Identifier: Apache-2.0
"""Tensors through a device, each result compared with the software model, and the tables of what came out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from tensorpress.cli.console import Report, counted, decimal, integer, make_table, percent, progress
from tensorpress.codecs import Coded, Coding, coded_size, encode
from tensorpress.engine import Direction, Endpoint, Engine, Result
from tensorpress.errors import MismatchError
from tensorpress.tensors import NamedTensor
from tensorpress.values import unsigned_values

DIRECTIONS: tuple[Direction, ...] = ("compress", "decompress")


@dataclass(frozen=True)
class Transfer:
    """One tensor, once through the device in one direction.

    Attributes
    ----------
    tensor, codec, direction, device : NamedTensor, str, str, str
        What was done.
    coded_bytes : int
        Index, payload and table.
    raw_blocks, blocks : int
        Blocks stored raw, and all.
    result : Result
        What the device gave.
    lanes : int
        Lanes of the engine.
    mismatch : str or None
        The first difference from the software model.
    """

    tensor: NamedTensor
    codec: str
    direction: Direction
    device: str
    coded_bytes: int
    raw_blocks: int
    blocks: int
    result: Result
    lanes: int
    mismatch: str | None

    @property
    def values(self) -> int:
        """Values of the tensor."""
        return self.tensor.array.size

    @property
    def cycles(self) -> int | None:
        """Clock cycles, where they are counted."""
        return self.result.cycles

    def share(self, counter: str) -> float | None:
        """Share of all lane cycles that a LANE counter has: BUSY, STARVED, BLOCKED, IDLE."""
        return self.result.counters[f"COUNT_LANE_{counter}"] / (self.lanes * self.cycles) if self.cycles else None

    def row(self, counters: bool = False) -> dict[str, Any]:
        """The JSON row."""
        row = json_row(self.tensor, self.codec, self.direction, self.device, self.coded_bytes, cycles=self.cycles, ok=self.mismatch is None)
        if counters:
            row["counters"] = dict(self.result.counters)
        return row


def json_row(
    tensor: NamedTensor, codec: str, direction: str, device: str, coded_bytes: int, *, cycles: int | None = None, ok: bool = True
) -> dict[str, Any]:
    """The row of a tensor in the JSON of every command."""
    count = tensor.array.size
    return {
        "network": tensor.network,
        "tensor": tensor.name,
        "kind": row_kind(tensor.kind),
        "codec": codec,
        "direction": direction,
        "device": device,
        "values": count,
        "raw_bytes": tensor.raw_bytes,
        "coded_bytes": coded_bytes,
        "cycles": cycles,
        "values_per_cycle": count / cycles if cycles else None,
        "ok": ok,
    }


def row_kind(kind: str) -> str:
    """The word for a kind in the rows: weight, activation, tensor."""
    return "activation" if kind == "act" else kind


def transfer(
    engine: Engine,
    tensor: NamedTensor,
    coding: Coding,
    *,
    endpoint: Endpoint = "ddr",
    directions: Sequence[Direction] = DIRECTIONS,
    expected: Coded | None = None,
) -> list[Transfer]:
    """Move a tensor through the engine and compare index, payload and values with the software model.

    Differences do not raise: they are noted in the transfers, so that one run shows all of them.
    """
    values = unsigned_values(tensor.values, coding.width)
    coded = encode(tensor.values, coding) if expected is None else expected
    done: list[Transfer] = []
    for direction in directions:
        if direction == "compress":
            result = engine.compress(values, coding, source=endpoint)
            assert result.coded is not None
            mismatch = coded_difference(result.coded, coded)
            if mismatch is None and result.raw_blocks != coded.raw_blocks:
                mismatch = f"RESULT_RAW_BLOCKS is {result.raw_blocks}, {coded.raw_blocks} blocks are raw"
        else:
            result = engine.decompress(coded, len(values), coding, sink=endpoint)
            assert result.values is not None
            mismatch = first_difference("values", result.values, values.view(np.uint8))
        where = f"tensor {tensor.name!r}, codec {coding.codec}, {direction} on {engine.device.name}: "
        done.append(
            Transfer(
                tensor,
                coding.codec,
                direction,
                engine.device.name,
                coded_size(coded, coding),
                coded.raw_blocks,
                len(coded.index),
                result,
                engine.capabilities.lanes,
                None if mismatch is None else where + mismatch,
            )
        )
    return done


def coded_difference(actual: Coded, expected: Coded) -> str | None:
    """The first byte in which index or payload differ, in words; None when they are equal."""
    return first_difference("index", actual.index.view(np.uint8), expected.index.view(np.uint8)) or first_difference(
        "payload", actual.payload.view(np.uint8), expected.payload.view(np.uint8)
    )


def first_difference(region: str, actual: np.ndarray, expected: np.ndarray) -> str | None:
    """Lengths first, then bytes: the first difference in words, or None."""
    if len(actual) != len(expected):
        return f"{region} has {len(actual)} bytes, the model {len(expected)}"
    wrong = np.flatnonzero(actual != expected)
    if not wrong.size:
        return None
    at = int(wrong[0])
    return f"{region} differs in {wrong.size} bytes, first at byte {at}: 0x{int(actual[at]):02x}, the model 0x{int(expected[at]):02x}"


def raise_mismatches(transfers: Iterable[Transfer]) -> None:
    """Raise for the first difference, saying how many there are.

    Raises
    ------
    MismatchError
        There is one.
    """
    wrong = [one.mismatch for one in transfers if one.mismatch is not None]
    if wrong:
        more = f" (and {len(wrong) - 1} more transfers differ)" if len(wrong) > 1 else ""
        raise MismatchError(f"{wrong[0]}{more}")


def require_model_bytes(rows: Sequence[dict[str, Any]]) -> None:
    """Rows of a bench of a device: each must say that every byte was the model's.

    Raises
    ------
    MismatchError
        Names the first row whose ``ok`` is false.
    """
    wrong = [row for row in rows if not row["ok"]]
    if wrong:
        row = wrong[0]
        raise MismatchError(
            f"tensor {row['tensor']!r}, codec {row['codec']}, {row['direction']}: not the bytes of the model ({len(wrong)} rows)"
        )


def transfer_all(
    engine: Engine,
    work: Sequence[tuple[NamedTensor, Coding]],
    *,
    endpoint: Endpoint = "ddr",
    directions: Sequence[Direction] = DIRECTIONS,
) -> list[Transfer]:
    """All tensors through the engine, with a progress bar."""
    done: list[Transfer] = []
    with progress(len(work), f"streaming through {engine.device.name}") as step:
        for tensor, coding in work:
            step(f"{tensor.name} {coding.codec}")
            done += transfer(engine, tensor, coding, endpoint=endpoint, directions=directions)
    return done


# ------------------------------------------------------------------------------------------------------------------------ tables


def device_line(engine: Engine) -> str:
    """What the device is, in one line."""
    can = engine.capabilities
    coders = f" ({counted(can.apack_coders, 'coder')})" if "apack" in can.codecs else ""
    codecs = f"codecs {' '.join(can.codecs)}{coders}"
    return f"Device {engine.device.name}: {counted(can.lanes, 'lane')}, {codecs}, blocks of up to {can.block_bytes} bytes"


def pairs(transfers: Sequence[Transfer]) -> list[dict[str, Transfer]]:
    """Transfers of one tensor and codec together, by direction."""
    found: dict[tuple[str, str, str], dict[str, Transfer]] = {}
    for one in transfers:
        found.setdefault((one.tensor.source, one.tensor.name, one.codec), {})[one.direction] = one
    return list(found.values())


def tensor_table(report: Report, transfers: Sequence[Transfer]) -> Table:
    """One line for each tensor and codec."""
    directions = [direction for direction in DIRECTIONS if any(one.direction == direction for one in transfers)]
    timed = any(one.cycles is not None for one in transfers)
    grouped = pairs(transfers)
    columns: list[Any] = ["\ntensor", "\ncodec", ("\nvalues", "r"), ("\nratio", "r")]
    if timed:
        for direction in directions:
            columns += [(f"{direction}\ncycles", "r"), ("\nv/cyc", "r"), ("\nin/out%", "r")]
    else:
        columns += [("raw\nbytes", "r"), ("coded\nbytes", "r"), ("blocks", "r"), ("stored\nraw", "r"), *directions]
    wrong = any(one.mismatch is not None for one in transfers)
    table = make_table(*columns, *([""] if timed and wrong else []))
    before = None
    for by_direction in grouped:
        one = next(iter(by_direction.values()))
        key = (one.tensor.source, one.tensor.name)
        first = key != before
        before = key
        cells = [report.name(one.tensor.name, 79) if first else "", one.codec, integer(one.values) if first else ""]
        cells.append(decimal(one.tensor.raw_bytes / one.coded_bytes))
        if not timed:
            cells += [
                integer(one.tensor.raw_bytes) if first else "",
                integer(one.coded_bytes),
                integer(one.blocks),
                integer(one.raw_blocks),
            ]
        for direction in directions:
            single = by_direction.get(direction)
            if not timed:
                cells.append(verdict([single]) if single else "")
            elif single:
                waits = f"{percent(single.share('STARVED'))}/{percent(single.share('BLOCKED'))}"
                cells += [integer(single.cycles), decimal(single.result.values_per_cycle), waits]
            else:
                cells += ["", "", ""]
        if timed and wrong:
            cells.append(verdict(by_direction.values()))
        table.add_row(*cells)
    return table


def verdict(transfers: Iterable[Transfer]) -> str:
    """`ok`, or a mark that is seen."""
    return "[bold red]DIFFERS[/]" if any(one.mismatch is not None for one in transfers) else "[green]ok[/]"


@dataclass(frozen=True)
class Total:
    """Sums over the transfers of one codec in one direction."""

    codec: str
    direction: Direction
    transfers: Sequence[Transfer]

    def sum(self, counter: str) -> int:
        """Sum of a counter."""
        return sum(one.result.counters[counter] for one in self.transfers)

    @property
    def values(self) -> int:
        """Values of all tensors."""
        return sum(one.values for one in self.transfers)

    @property
    def raw_bytes(self) -> int:
        """Raw bytes of all tensors."""
        return sum(one.tensor.raw_bytes for one in self.transfers)

    @property
    def coded_bytes(self) -> int:
        """Coded bytes of all tensors."""
        return sum(one.coded_bytes for one in self.transfers)

    @property
    def ratio(self) -> float:
        """Raw bytes over coded bytes."""
        return self.raw_bytes / self.coded_bytes

    @property
    def cycles(self) -> int | None:
        """Clock cycles, where they are counted."""
        return sum(one.cycles or 0 for one in self.transfers) or None

    @property
    def values_per_cycle(self) -> float | None:
        """Rate over all cycles."""
        return self.values / self.cycles if self.cycles else None

    def share(self, counter: str) -> float | None:
        """As :meth:`Transfer.share`."""
        return self.sum(f"COUNT_LANE_{counter}") / (self.transfers[0].lanes * self.cycles) if self.cycles else None


def totals(transfers: Sequence[Transfer]) -> list[Total]:
    """Sums by codec and direction, in the order in which they came."""
    found: dict[tuple[str, Direction], list[Transfer]] = {}
    for one in transfers:
        found.setdefault((one.codec, one.direction), []).append(one)
    return [Total(codec, direction, members) for (codec, direction), members in found.items()]


def total_table(transfers: Sequence[Transfer]) -> Table:
    """One line for each codec and direction: ratio, rate, and where the lanes' time went."""
    timed = any(one.cycles is not None for one in transfers)
    columns: list[Any] = ["codec", "direction", ("raw bytes", "r"), ("coded bytes", "r"), ("ratio", "r")]
    if timed:
        columns += [("cycles", "r"), ("v/cyc", "r"), ("busy%", "r"), ("in%", "r"), ("out%", "r"), ("idle%", "r")]
    table = make_table(*columns, title="Total")
    before = None
    for total in totals(transfers):
        cells = [total.codec if total.codec != before else "", total.direction]
        cells += [integer(total.raw_bytes), integer(total.coded_bytes), decimal(total.ratio)]
        if timed:
            cells += [integer(total.cycles), decimal(total.values_per_cycle)]
            cells += [percent(total.share(name)) for name in ("BUSY", "STARVED", "BLOCKED", "IDLE")]
        table.add_row(*cells)
        before = total.codec
    return table


LEGEND = (
    "ratio: raw bytes / (index + payload + table). v/cyc: values in a clock cycle.\n"
    "Share of the lanes' time: busy: coding; in: waiting for input; out: waiting for the turn to write; idle: without a block."
)


def show(report: Report, transfers: Sequence[Transfer]) -> None:
    """The tables of `run`."""
    report.table(tensor_table(report, transfers))
    report.table(total_table(transfers))
    if any(one.cycles is not None for one in transfers):
        report.line(LEGEND, style="dim")
