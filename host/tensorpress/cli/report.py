# SPDX-License-Identifier: Apache-2.0
"""The command `report`: from files of tensors and models to a page that says how far they shrink."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tensorpress.choices import Choice, limited
from tensorpress.cli import options as o
from tensorpress.cli import transfers as t
from tensorpress.cli.choices import feeds_of, is_model
from tensorpress.cli.console import Report, check_place, counted, decimal, err, integer, make_table, new_file, progress
from tensorpress.cli.devices import Setup, check_device, devices_help, open_engine
from tensorpress.cli.files import describe, with_own_names
from tensorpress.cli.hardware import fitting
from tensorpress.container import write
from tensorpress.engine import Engine
from tensorpress.errors import InputError, MismatchError, TensorpressError
from tensorpress.importers import Feed, import_model
from tensorpress.tensors import METADATA_MEMBER, NamedTensor, NoMatchError, load_tensors

if TYPE_CHECKING:
    from tensorpress.report import Hardware, Measured, Timed

DEVICE_LIMIT = 65536
SHOWN = ("entropy", "best", "apack", "ebpc", "ebpc-channel-first", "zvc", "huffman", "zstd-3", "vela")


def report(
    files: o.Inputs,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", rich_help_panel=o.OUTPUT, help="The folder for index.html, CSV, JSON and plots."),
    ],
    inputs: o.ModelInputs = None,
    choose: Annotated[
        Path | None,
        typer.Option(
            "--choose", metavar="FILE.tpz", rich_help_panel=o.OUTPUT, help="Write the tensors, each in its smallest codec and order, too."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Tensors at the same time. Default: all processors.")] = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ),
    thorough: Annotated[bool, typer.Option("--thorough", help="Slow methods, too: zstd -19.")] = False,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME",
            rich_help_panel=o.DEVICE,
            help=f"Add what this device does with each codec that it has: cycles, values per cycle. Default: none. {devices_help()}.",
        ),
    ] = None,
    device_limit: Annotated[
        int,
        typer.Option("--device-limit", metavar="BYTES", min=1, rich_help_panel=o.DEVICE, help="Raw bytes of a tensor that go through it."),
    ] = DEVICE_LIMIT,
    build: o.BuildName = None,
    lanes: o.Lanes = None,
    latency: o.Latency = None,
    bitstream: o.Bitstream = None,
    clock: o.Clock = None,
    no_hwh: o.NoHwh = False,
    names: o.Names = None,
    manifest: o.Manifest = None,
    network: o.Network = None,
    allow_nan: o.AllowNan = False,
    block_values: o.BlockValues = None,
    zero: o.Zero = "auto",
    coders: o.Coders = None,
    table_method: o.TableMethod = "optimal",
    force: o.Force = False,
    json: o.Json = None,
) -> None:
    """Measure networks, layer by layer, with every codec and what else there is; write a page, tables and plots.

    A file that cannot be read is told, the report is made of the others, and the exit code is 2.
    """
    from tensorpress import report as reports

    setup = Setup(lanes, None if device is None else coders, latency, None, build, clock, bitstream, False if no_hwh else None)
    if device is not None:
        check_device(device, setup)
    elif setup.given():
        option = next(iter(setup.given()))
        raise InputError(f"{'--no-hwh' if option == 'hwh' else f'--{option}'} goes with --device")
    told = Report(json)
    if not output.parent.is_dir():
        raise InputError(f"{output}: its folder {output.parent} does not exist")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is not a folder")
    if (output / reports.PAGE).exists() and not force:
        raise InputError(f"{output}: holds a report; --force overwrites it")
    if choose is not None:
        check_place(choose, force=force, suffixes=(".tpz",))
    feeds = feeds_of(inputs, files)
    choice = Choice(block_values, zero, None, coders or 8, {}, table_method)
    settings, missing = reports.settings_for(thorough=thorough, keep=choose is not None, choice=choice)
    notes = [f"{name} is left out: the package {package} is not installed" for name, package in missing.items()]
    faults: list[str] = []
    tensors: list[NamedTensor] = []
    measured: list[Measured] = []
    unmatched: NoMatchError | None = None
    with ExitStack() as stack:
        trial = None if device is None else _Trial(stack.enter_context(open_engine(device, setup)), choice, device_limit)
        for number, path in enumerate(files, 1):
            begun = time.monotonic()
            try:
                loaded = _load(path, feeds, names, manifest, network, allow_nan, notes, faults)
            except NoMatchError as error:
                unmatched = error
                continue
            except TensorpressError as error:
                faults.append(str(error))
                continue
            with progress(len(loaded), f"{path.name} ({number} of {len(files)})") as step:
                measured += reports.measure_all(loaded, settings, jobs=jobs, step=step)
            if trial is not None:
                notes += [f"{path.name}, on the device: {line}" for line in trial.take(loaded)]
            tensors += [replace(one, array=one.array.reshape(-1)[:0].copy()) for one in loaded]  # what they are called is needed later
            err().print(
                f"{path.name} ({number} of {len(files)}): {counted(len(loaded), 'tensor')} in {time.monotonic() - begun:.0f} s",
                markup=False, style="dim", soft_wrap=True,
            )  # fmt: skip
    if not measured:
        if faults:
            raise InputError(faults[0] + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""))
        raise unmatched or InputError("there is no tensor to report on")
    measured = distinct(measured, tensors)
    hardware = (
        None
        if trial is None
        else trial.hardware({(one.source, one.network): new.network for one, new in zip(tensors, measured, strict=True)})
    )
    place = reports.write_report(
        output, measured, files=[path.name for path in files], notes=notes, faults=faults, jobs=jobs, hardware=hardware
    )
    if choose is not None:
        _write_choice(choose, tensors, measured, force)
    for note in notes:
        told.note(note)
    for fault in faults:
        told.note(f"not read: {fault}")
    _listing(told, measured)
    if hardware is not None:
        _device_listing(told, hardware)
    told.rows = [one.row() for one in measured]
    told.line(f"Wrote {place}, with {counted(len(measured), 'tensor')}.")
    if choose is not None:
        told.line(f"Wrote {choose}: {integer(choose.stat().st_size)} bytes for {integer(sum(one.raw_bytes for one in measured))} raw ones.")
    told.finish()
    if trial is not None:
        trial.raise_failure()
    if faults:
        raise InputError(f"{counted(len(faults), 'thing')} could not be read, the report is of the rest: {faults[0]}")


def _load(
    path: Path,
    feeds: list[Feed],
    names: list[str] | None,
    manifest: Path | None,
    network: str | None,
    allow_nan: bool,
    notes: list[str],
    faults: list[str],
) -> list[NamedTensor]:
    """The tensors of a file; what is to be known of it goes to `notes` and `faults`."""
    if not is_model(path):
        return load_tensors(path, names=names, manifest=manifest, network=network, allow_nan=allow_nan)
    imported = import_model(path, feeds, names=names, network=network)
    notes += imported.notes
    faults += imported.faults
    if not imported.tensors:
        raise NoMatchError(f"{path}: no tensor is left")
    return imported.tensors


@dataclass
class _Trial:
    """Tensors through a device, for the hardware rows of a report; a device that fails is asked no more, and the report goes on.

    Attributes
    ----------
    engine : Engine
    choice : Choice
        How the tensors are coded.
    limit : int
        Raw bytes of a tensor that go through.
    done : list of (str, Timed)
        Source of the tensor, and its row.
    failure : TensorpressError or None
        Why the device was given up, or the first difference from the software model.
    """

    engine: Engine
    choice: Choice
    limit: int
    done: list[tuple[str, Timed]] = field(default_factory=list)
    failure: TensorpressError | None = None

    def take(self, tensors: list[NamedTensor]) -> list[str]:
        """The tensors of a file, of several inputs the activations of the first one; returns what is to be known."""
        from tensorpress.report import Timed

        if self.failure is not None and not isinstance(self.failure, MismatchError):
            return []
        single = {(one.network, one.kind, one.layer): limited(one, self.limit) for one in reversed(tensors)}
        done: list[t.Transfer] = []
        try:
            work, notes = fitting(self.engine, list(reversed(single.values())), self.engine.capabilities.codecs, self.choice)
            done = t.transfer_all(self.engine, work)
            t.raise_mismatches(done)
        except MismatchError as error:
            self.failure = self.failure or error
            notes.append(f"DIFFERS from the software model: {error}")
        except TensorpressError as error:
            self.failure = error
            return [f"it failed, and is left out from here on: {error}"]
        for ways in t.pairs(done):
            one = ways["compress"]
            tensor = one.tensor
            self.done.append(
                (
                    tensor.source,
                    Timed(
                        tensor.network, tensor.name, t.row_kind(tensor.kind), tensor.sample, one.codec, one.values, tensor.raw_bytes,
                        one.coded_bytes, one.cycles, ways["decompress"].cycles, all(way.mismatch is None for way in ways.values()),
                    ),
                )
            )  # fmt: skip
        return notes

    def hardware(self, networks: dict[tuple[str, str], str]) -> Hardware:
        """The rows, the networks called as in the report."""
        from tensorpress.report import Hardware

        return Hardware(
            t.device_line(self.engine), self.limit, [replace(row, network=networks[source, row.network]) for source, row in self.done]
        )

    def raise_failure(self) -> None:
        """Raise what went wrong on the device."""
        if self.failure is not None:
            raise self.failure


def distinct(measured: list[Measured], tensors: list[NamedTensor]) -> list[Measured]:
    """Networks of one name from several files get their files' names."""
    sources: dict[str, set[str]] = {}
    for tensor in tensors:
        sources.setdefault(tensor.network, set()).add(tensor.source)
    for one, tensor in zip(measured, tensors, strict=True):
        if len(sources[tensor.network]) > 1:
            one.network = f"{tensor.network} ({Path(tensor.source).name})"
    return measured


def _write_choice(path: Path, tensors: list[NamedTensor], measured: list[Measured], force: bool) -> None:
    from tensorpress.report.measure import renamed

    own = with_own_names(tensors)
    packed = [renamed(one, tensor.name) for one, tensor in zip(measured, own, strict=True)]
    with new_file(path, force=force) as temporary:
        write(temporary, packed, {METADATA_MEMBER: dumps(describe(own))})


def _listing(told: Report, measured: list[Measured]) -> None:
    """The ratios of each network, and the answers."""
    from tensorpress.report.hardware import KINDS
    from tensorpress.report.page import answer
    from tensorpress.report.summary import methods, title, totals

    present = methods(measured)
    columns = [name for name in SHOWN if name in present]
    listing = make_table("network", "kind", ("values", "r"), *((title(name), "r") for name in columns), title="Ratio, raw / coded bytes")
    for one in totals(measured):
        ratios = (decimal(one.ratio(name)) for name in columns)
        listing.add_row(told.name(one.network, 40 + 9 * len(columns)), KINDS[one.kind].lower(), integer(one.values), *ratios)
    told.table(listing)
    for network in Counter(one.network for one in measured):
        told.line(f"{network}: {answer(network, measured)}")
    told.line()


def _device_listing(told: Report, hardware: Hardware) -> None:
    """Values per cycle of each network, compressed / decompressed."""
    from tensorpress.report.hardware import KINDS

    told.line(f"{hardware.device}: {counted(hardware.tensors(), 'tensor')}, at most {integer(hardware.limit)} bytes of each.")
    if not hardware.rows:
        return
    if hardware.wrong():
        told.line(f"{hardware.wrong()} of {len(hardware.rows)} rows gave other bytes than the software model.", style="bold red")
    else:
        told.line("Every byte was the software model's.", style="green")
    if not hardware.clocked():
        told.line("It counts no cycles; --device verilated does.")
        return
    listing = make_table(
        "network", "kind", ("tensors", "r"), ("values", "r"), *((codec, "r") for codec in hardware.codecs()),
        title="Values per cycle, compress / decompress",
    )  # fmt: skip
    for one in hardware.totals():
        rates = (" / ".join(decimal(number) for number in pair) for pair in one["rates"].values())
        name = told.name(one["network"], 45 + 13 * len(one["rates"]))
        listing.add_row(name, KINDS[one["kind"]].lower(), integer(one["tensors"]), integer(one["values"]), *rates)
    told.table(listing)
