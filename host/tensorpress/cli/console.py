# SPDX-License-Identifier: Apache-2.0
"""What the commands print and write: tables, notes, progress, JSON, and output files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tensorpress.errors import InputError, TensorpressError

PIPE_WIDTH = 200  # columns when the output is not a terminal: enough to cut nothing


class CheckError(TensorpressError):
    """A check that the user asked for has failed: exit code 1."""


def _console(stream: Any) -> Console:
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False)


def out() -> Console:
    """Standard output, as it is now."""
    return _console(sys.stdout)


def err() -> Console:
    """Standard error, as it is now."""
    return _console(sys.stderr)


class Report:
    """What a command tells: tables for people, rows for programs, notes for both.

    Parameters
    ----------
    json_file : str or None
        Where the rows go as a JSON list; ``-`` is standard output, and then the tables go to standard error.
    """

    def __init__(self, json_file: str | None = None) -> None:
        self.json_file = json_file
        self.rows: list[dict[str, Any]] = []
        self.console = err() if json_file == "-" else out()
        if json_file not in (None, "-"):
            check_place(Path(str(json_file)))

    def note(self, text: str) -> None:
        """One line on standard error."""
        err().print(f"note: {text}", markup=False, style="yellow", soft_wrap=True)

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line among the tables."""
        self.console.print(text, markup=False, style=style, soft_wrap=True)

    def name(self, name: str, others: int) -> str:
        """A tensor's name, cut in its middle to what `others`, the columns of the rest of the table, leave of the terminal."""
        return escape(shorten(name, max(14, min(48, self.console.width - others))))

    def table(self, table: Table) -> None:
        """A table, and an empty line."""
        self.console.print(table)
        self.console.print()

    def finish(self) -> None:
        """Write the rows, where they were asked for."""
        if self.json_file is None:
            return
        text = json.dumps(self.rows, indent=1, default=_plain) + "\n"
        if self.json_file == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            with new_file(Path(self.json_file), force=True) as temporary:
                temporary.write_text(text)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def make_table(*columns: str | tuple[str, str], title: str | None = None) -> Table:
    """A plain table.

    A column is a heading (text, to the left), or a pair of it and ``r`` (numbers, to the right) or ``wrap`` (goes on over several lines).
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="bold",
    )
    for column in columns:
        heading, form = column if isinstance(column, tuple) else (column, "l")
        table.add_column(heading, justify="right" if form == "r" else "left", no_wrap=form != "wrap", overflow="ellipsis")
    return table


def shorten(name: str, width: int = 40) -> str:
    """A name cut in its middle to at most `width` characters."""
    if len(name) <= width:
        return name
    head = (width - 1) // 2
    return f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"


def integer(number: float | None) -> str:
    """1234567 -> 1,234,567; nothing for None."""
    return "" if number is None else f"{int(number):,}"


def decimal(number: float | None, places: int = 2) -> str:
    """A number with so many places; nothing for None."""
    return "" if number is None else f"{number:.{places}f}"


def percent(share: float | None) -> str:
    """0.123 -> 12; nothing for None."""
    return "" if share is None else f"{100 * share:.0f}"


def counted(number: int, noun: str) -> str:
    """`1 tensor`, `2 tensors`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def progress(total: int, what: str) -> Iterator[Any]:
    """A bar on standard error while a loop runs; nothing when that is no terminal.

    Yields a function ``step(text)`` to call before each of the `total` steps.
    """
    console = err()
    if not console.is_terminal:
        yield lambda text: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[item]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total, item="")
        begun = 0

        def step(text: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, item=escape(shorten(text)))
            begun += 1

        yield step


# ------------------------------------------------------------------------------------------------------------------ output files


def check_place(path: Path, *, force: bool = True, suffixes: Sequence[str] = ()) -> None:
    """See that a file can be written, before the work begins.

    Raises
    ------
    InputError
        Its folder is missing or not writable, it is a folder itself, it exists (without `force`), or its suffix is another.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: the output must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder")
    if not path.parent.is_dir():
        raise InputError(f"{path}: its folder {path.parent} does not exist")
    if path.exists() and not force:
        raise InputError(f"{path}: exists; --force overwrites it")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise InputError(f"{path}: cannot be written")


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there becomes `path` at the end, or is removed on an error."""
    check_place(path, force=force)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
