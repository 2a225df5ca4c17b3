# SPDX-License-Identifier: Apache-2.0
"""The commands that need a device: run, bench, selftest, demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from tensorpress.choices import Choice, limited, ordered, unusable
from tensorpress.cli import bandwidth
from tensorpress.cli import options as o
from tensorpress.cli import transfers as t
from tensorpress.cli.choices import codec_names, load_all, load_tables_file
from tensorpress.cli.console import Report, counted, decimal, integer, make_table, percent, progress
from tensorpress.cli.devices import DEFAULT, Setup, check_device, devices_help, open_engine
from tensorpress.codecs import CODECS, Coding, coded_size, encode
from tensorpress.demo import DEMO_TENSORS
from tensorpress.device.builds import checkout, engine_build
from tensorpress.engine import Direction, Endpoint, Engine
from tensorpress.errors import InputError, MismatchError
from tensorpress.tensors import NamedTensor, load_tensors


def _endpoint(text: str) -> Endpoint:
    if text == "ddr" or text == "stream":
        return text  # type: ignore[return-value]
    raise InputError(f"endpoint {text!r} is not one of ddr, stream")


def _directions(text: str) -> tuple[Direction, ...]:
    if text == "both":
        return t.DIRECTIONS
    if text in t.DIRECTIONS:
        return (text,)  # type: ignore[return-value]
    raise InputError(f"direction {text!r} is not one of both, compress, decompress")


def plan(
    engine: Engine, tensors: Sequence[NamedTensor], codecs: Sequence[str], choice: Choice, report: Report
) -> list[tuple[NamedTensor, Coding]]:
    """What goes through the device: each tensor with each codec that takes it. What cannot go is told, never dropped in silence.

    Raises
    ------
    InputError
        Nothing is left.
    """
    work, left = fitting(engine, tensors, codecs, choice)
    for line in left:
        report.note(line)
    if not work:
        raise InputError("no tensor is left that this device takes")
    return work


def fitting(
    engine: Engine, tensors: Sequence[NamedTensor], codecs: Sequence[str], choice: Choice
) -> tuple[list[tuple[NamedTensor, Coding]], list[str]]:
    """What the device takes of some tensors and codecs, and, in lines, what it does not take and why.

    Raises
    ------
    InputError
        The device does not have a codec.
    """
    can = engine.capabilities
    for codec in codecs:
        if codec not in can.codecs:
            raise InputError(f"codec {codec} is not built into this device; it has {', '.join(can.codecs)}")
    largest = can.block_bytes * 8 // can.width
    choice = Choice(
        **{**vars(choice), "block_values": choice.block_values or min(4096, largest), "coders": can.apack_coders or choice.coders}
    )
    work: list[tuple[NamedTensor, Coding]] = []
    left: dict[str, list[str]] = {}
    for tensor in tensors:
        if tensor.width != can.width:
            left.setdefault(f"the device takes {can.width}-bit values, not {tensor.width}-bit ones", []).append(tensor.name)
            continue
        for codec in codecs:
            problem = unusable(tensor, codec)
            if problem:
                left.setdefault(problem, []).append(tensor.name)
            else:
                work.append((tensor, choice.coding(tensor, codec)))
    lines = []
    for reason, names in left.items():
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        lines.append(f"skipped {counted(len(names), 'tensor')}: {reason}: {shown}")
    return work, lines


def run(
    files: o.Inputs,
    device: o.DeviceName = DEFAULT,
    codec: o.Codecs = None,
    direction: Annotated[
        str, typer.Option("--direction", metavar="both|compress|decompress", rich_help_panel=o.DEVICE, help="What to do.")
    ] = "both",
    endpoint: Annotated[
        str, typer.Option("--endpoint", metavar="ddr|stream", rich_help_panel=o.DEVICE, help="The raw side: memory, or the stream ports.")
    ] = "ddr",
    lanes: o.Lanes = None,
    latency: o.Latency = None,
    stalls: o.Stalls = None,
    bitstream: o.Bitstream = None,
    clock: o.Clock = None,
    no_hwh: o.NoHwh = False,
    inputs: o.ModelInputs = None,
    names: o.Names = None,
    limit: o.Limit = None,
    manifest: o.Manifest = None,
    network: o.Network = None,
    allow_nan: o.AllowNan = False,
    order: o.Order = None,
    block_values: o.BlockValues = None,
    zero: o.Zero = "auto",
    signed: o.Signed = None,
    coders: o.Coders = None,
    table: o.TableFile = None,
    table_method: o.TableMethod = "optimal",
    counters: Annotated[
        bool, typer.Option("--counters", rich_help_panel=o.OUTPUT, help="Put the engine's counters into the JSON rows.")
    ] = False,
    json: o.Json = None,
) -> None:
    """Stream tensors through a device and compare every byte with the software model."""
    setup = Setup(lanes, coders, latency, stalls, clock=clock, bitstream=bitstream, hwh=False if no_hwh else None)
    check_device(device, setup)
    ways, side = _directions(direction), _endpoint(endpoint)
    codecs = codec_names(codec, tuple(CODECS)) if codec else None
    report = Report(json)
    choice = Choice(block_values, zero, signed, coders or 8, load_tables_file(table), table_method)
    loaded = load_all(files, names=names, manifest=manifest, network=network, allow_nan=allow_nan, inputs=inputs, report=report)
    tensors = [limited(ordered(one, order), limit) for one in loaded]
    with open_engine(device, setup) as engine:
        report.line(f"{t.device_line(engine)}. Raw side: {side}.", style="bold")
        work = plan(engine, tensors, codecs or engine.capabilities.codecs, choice, report)
        done = t.transfer_all(engine, work, endpoint=side, directions=ways)
    t.show(report, done)
    report.rows = [one.row(counters) for one in done]
    report.finish()
    t.raise_mismatches(done)
    report.line(f"All {counted(len(done), 'transfer')} gave the bytes of the software model.", style="green")


def demo(
    tensors: Annotated[
        Path | None, typer.Option("--tensors", metavar="FILE", help="Other tensors than those that come with the package.")
    ] = None,
    device: o.DeviceName = DEFAULT,
    lanes: o.Lanes = None,
    latency: o.Latency = None,
    limit: o.Limit = None,
    names: o.Names = None,
    json: o.Json = None,
) -> None:
    """Show what the engine does: real tensors through the RTL with every codec, both ways, each byte checked."""
    setup = Setup(lanes=lanes, latency=latency)
    check_device(device, setup)
    report = Report(json)
    path = tensors or DEMO_TENSORS
    loaded = [limited(one, limit) for one in load_tensors(path, names=names)]
    raw = sum(one.raw_bytes for one in loaded)
    report.line(f"{path.name}: {counted(len(loaded), 'tensor')} of {loaded[0].network}, {integer(raw)} bytes.", style="bold")
    with open_engine(device, setup) as engine:
        report.line(f"{t.device_line(engine)}.", style="bold")
        work = plan(engine, loaded, engine.capabilities.codecs, Choice(), report)
        done = t.transfer_all(engine, work)
    t.show(report, done)
    report.rows = [one.row() for one in done]
    report.finish()
    t.raise_mismatches(done)
    report.line()
    for line in summary(done):
        report.line(line)


def summary(done: Sequence[t.Transfer]) -> list[str]:
    """What a demo showed, in plain words."""
    lines = [f"{counted(len(done), 'transfer')} went through the device, and every one gave exactly the bytes of the software model."]
    for kind, plural in (("weight", "weights"), ("act", "activations"), ("tensor", "tensors")):
        ranked = sorted(
            t.totals([one for one in done if one.tensor.kind == kind and one.direction == "compress"]), key=lambda total: -total.ratio
        )
        if ranked and ranked[0].ratio <= 1:
            lines.append(
                f"None of these codecs makes the {plural} smaller: {', '.join(f'{total.codec} {total.ratio:.2f}' for total in ranked)}."
            )
        elif ranked:
            best = ranked[0]
            rest = ", ".join(f"{total.codec} {total.ratio:.2f}" for total in ranked[1:])
            lines.append(
                f"The {plural} are smallest with {best.codec}: {integer(best.raw_bytes)} bytes become {integer(best.coded_bytes)}, "
                f"{best.ratio:.2f} times smaller" + (f" ({rest})." if rest else ".")
            )
    timed = [total for total in t.totals(done) if total.values_per_cycle and total.codec != "raw"]
    for direction, verb in (("compress", "Compressing"), ("decompress", "Decompressing")):
        rates = {total.codec: total.values_per_cycle or 0.0 for total in timed if total.direction == direction}
        if rates:
            told = ", ".join(f"{codec} {rate:.2f}" for codec, rate in rates.items())
            lines.append(f"{verb}, {done[0].lanes} lanes moved this many values in each clock cycle: {told}.")
    if timed:
        lines.append("Small tensors cost more cycles a value: a job has a fixed start and end, and few blocks leave lanes idle.")
    else:
        lines.append("This device has no clock; --device verilated counts cycles.")
    return lines


def bench(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Files as for `run`. Default: the demo tensors.", show_default=False)
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help=f"{devices_help('software: the codecs in Python')}.", rich_help_panel=o.DEVICE)
    ] = "software",
    codec: o.Codecs = None,
    lanes: o.Lanes = None,
    latency: o.Latency = None,
    build: o.BuildName = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="both|ideal|ddr3",
            rich_help_panel=o.DEVICE,
            help="With --build: the memory. Default: both, one after the other.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint", metavar="stream|ddr|both", rich_help_panel=o.DEVICE, help="With --build: the raw side. Default: stream."
        ),
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(
            "--clock",
            metavar="MHZ",
            rich_help_panel=o.DEVICE,
            help="Clock of a board's PL or, with --build, of the engine. Default: that of the build.",
        ),
    ] = None,
    chains: Annotated[
        bool,
        typer.Option(
            "--chains", rich_help_panel=o.DEVICE, help="With --build: rates of long tensors, and of chains of short ones beside them."
        ),
    ] = False,
    bitstream: o.Bitstream = None,
    no_hwh: o.NoHwh = False,
    names: o.Names = None,
    limit: o.Limit = None,
    manifest: o.Manifest = None,
    network: o.Network = None,
    allow_nan: o.AllowNan = False,
    json: o.Json = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", rich_help_panel=o.OUTPUT, help="With --build: draw bandwidth against ratio (.png, .svg, .pdf)."
        ),
    ] = None,
) -> None:
    """Measure speed and size: the software codecs beside zlib, zstd and LZ4, or a device.

    With --build, the bandwidth that a named build of the engine delivers, beside raw jobs on the same memory.
    """
    setup = Setup(lanes=lanes, latency=latency, build=build, clock=clock, bitstream=bitstream, hwh=False if no_hwh else None)
    check_device(device, setup, others=("software",))
    if build is None:
        for option, value in (("memory", memory), ("endpoint", endpoint), ("clock", clock), ("plot", plot), ("chains", chains or None)):
            if value is not None and not (option == "clock" and device.startswith("pynq")):
                raise InputError(f"--{option} goes with --build")
    elif chains and (memory not in (None, "ideal") or plot is not None):
        raise InputError("--chains measures on the ideal memory and draws nothing: it takes no --memory ddr3 and no --plot")
    codecs = codec_names(codec, tuple(CODECS)) if codec else None
    report = Report(json)
    loaded = load_all(files or [DEMO_TENSORS], names=names, manifest=manifest, network=network, allow_nan=allow_nan, report=report)
    tensors = [limited(one, limit) for one in loaded]
    if device == "software":
        software(report, tensors, codecs or [name for name in CODECS if name != "raw"])
        return
    if not files and limit is None and names is None and not chains:
        tensors.append(long_tensor(tensors))
    if build is not None:
        clock_mhz = clock or engine_build(checkout("a named build"), build).clock_mhz
        places, sides = bandwidth.memories(memory or "both"), bandwidth.endpoints(endpoint or "stream")
        bandwidth.check_plot(plot)
        if device == "verilated":
            setup = replace(setup, clock=clock_mhz)
        with open_engine(device, setup) as engine:
            report.line(f"{t.device_line(engine)}. Build {build} at {clock_mhz:g} MHz.", style="bold")
            if chains:
                bandwidth.chains(report, engine, tensors, codecs, build=build, sides=sides, plan=plan)
                return
            bandwidth.measure(
                report, engine, tensors, codecs, build=build, clock_mhz=clock_mhz, places=places, sides=sides, plot=plot, plan=plan
            )
        return
    with open_engine(device, setup) as engine:
        report.line(f"{t.device_line(engine)}.", style="bold")
        on_device(report, engine, tensors, codecs)


def long_tensor(tensors: Sequence[NamedTensor]) -> NamedTensor:
    """The largest activation four times over: long enough for the rate of a long job, which the small demo tensors do not show."""
    largest = max((one for one in tensors if one.kind == "act"), key=lambda one: one.array.size)
    return replace(largest, name=f"{largest.name} x4", array=np.tile(largest.array.ravel(), 4), kind="tensor", channel_axis=None)


KINDS = {"weight": "Weights", "act": "Activations", "tensor": "Tensors"}


def software(report: Report, tensors: Sequence[NamedTensor], codecs: Sequence[str]) -> None:
    """The software benchmark and its tables."""
    from tensorpress import bench_software, peers

    packed = [tensor.name for tensor in tensors if tensor.width == 4]
    if packed:
        report.note(f"skipped {counted(len(packed), 'tensor')}: the software benchmark takes no 4-bit values: {', '.join(packed[:3])}")
    found, missing = peers.available(bench_software.PEERS)
    for name, package in missing.items():
        report.note(f"{name} is left out: the package {package} is not installed")
    chosen = [tensor for tensor in tensors if tensor.width != 4]
    if not chosen:
        raise InputError("no tensor is left that can be measured")
    for tensor in chosen:
        for codec in codecs:
            problem = unusable(tensor, codec)
            if problem:
                report.note(f"{tensor.name} without {codec}: {problem}")
    with progress(len(chosen), "measuring") as step:
        for tensor in chosen:
            step(tensor.name)
            report.rows += bench_software.bench(
                {tensor.name: tensor.values},
                network=tensor.network,
                kinds={tensor.name: t.row_kind(tensor.kind)},
                codecs=codecs,
                compressors=list(found),
                zeros={tensor.name: tensor.zero_code()},
            )
    for kind, title in KINDS.items():
        members = [row for row in report.rows if row["kind"] == t.row_kind(kind)]
        if members:
            report.table(software_table(members, f"{title} ({counted(sum(tensor.kind == kind for tensor in chosen), 'tensor')})"))
    orders = order_table([tensor for tensor in chosen if tensor.kind != "weight"], codecs)
    if orders is not None:
        report.table(orders)
    report.line("ratio: raw bytes / (index + payload + table). MB/s: 10^6 raw bytes a second, all tensors together.", style="dim")
    report.line(f"Measured: {bench_software.MEASURED}.", style="dim")
    report.finish()
    wrong = [row for row in report.rows if not row["ok"]]
    if wrong:
        raise MismatchError(f"tensor {wrong[0]['tensor']!r}, codec {wrong[0]['codec']}: the values do not come back ({len(wrong)} rows)")


def order_table(tensors: Sequence[NamedTensor], codecs: Sequence[str]) -> Table | None:
    """Each codec with the tensors as they are stored, and channel-first; None where that is the same for all."""
    pairs = [(tensor, ordered(tensor, "channel-first")) for tensor in tensors]
    pairs = [(tensor, moved) for tensor, moved in pairs if moved is not tensor]
    usable_codecs = [codec for codec in codecs if all(unusable(tensor, codec) is None for tensor, _ in pairs)]
    if not pairs or not usable_codecs:
        return None
    table = make_table(
        "codec",
        ("ratio as stored", "r"),
        ("ratio channel-first", "r"),
        ("gain%", "r"),
        title=f"Order of the axes ({counted(len(pairs), 'tensor')})",
    )
    raw = sum(tensor.raw_bytes for tensor, _ in pairs)
    for codec in usable_codecs:
        before, after = (sum(coded_bytes(one, codec) for one in members) for members in zip(*pairs, strict=True))
        table.add_row(codec, decimal(raw / before), decimal(raw / after), percent(before / after - 1))
    return table


def coded_bytes(tensor: NamedTensor, codec: str) -> int:
    """Bytes of a tensor in memory when a codec has coded it with its default parameters."""
    coding = Choice().coding(tensor, codec)
    return coded_size(encode(tensor.values, coding), coding)


def on_device(report: Report, engine: Engine, tensors: Sequence[NamedTensor], codecs: Sequence[str] | None) -> None:
    """The benchmark of a device and its tables."""
    from tensorpress import bench_device

    work = plan(engine, tensors, ["raw"], Choice(), report)  # tells of tensors that the device cannot take
    with progress(len(work), f"measuring {engine.device.name}") as step:
        for tensor, _ in work:
            step(tensor.name)
            report.rows += bench_device.bench(
                {tensor.name: tensor.values},
                engine,
                network=tensor.network,
                kinds={tensor.name: t.row_kind(tensor.kind)},
                codecs=codecs,
                endpoints=("ddr", "stream") if engine.device.has_streams else ("ddr",),
                zeros={tensor.name: tensor.zero_code()},
                block_bytes=min(4096, engine.capabilities.block_bytes),
                least_values=1,
            )
    for kind, title in KINDS.items():
        members = [row for row in report.rows if row["kind"] == t.row_kind(kind)]
        if members:
            count = len({(row["network"], row["tensor"]) for row in members})
            report.table(device_table(members, f"{title} ({counted(count, 'tensor')})"))
    if any(row["cycles"] is not None for row in report.rows):
        report.line(t.LEGEND, style="dim")
    report.finish()
    t.require_model_bytes(report.rows)


def device_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """One line a codec, direction and raw side."""
    timed = any(row["cycles"] is not None for row in rows)
    columns: list[Any] = ["codec", "direction", "raw side", ("ratio", "r")]
    columns += [("cycles", "r"), ("v/cyc", "r"), ("busy%", "r"), ("in%", "r"), ("out%", "r"), ("idle%", "r")] if timed else ["bytes"]
    table = make_table(*columns, title=title)
    before = None
    for key in dict.fromkeys((row["codec"], row["direction"], row["endpoint"]) for row in rows):
        members = [row for row in rows if (row["codec"], row["direction"], row["endpoint"]) == key]
        cells = [key[0] if key[0] != before else "", key[1], key[2]]
        cells.append(decimal(sum(row["raw_bytes"] for row in members) / sum(row["coded_bytes"] for row in members)))
        if timed:
            cycles = sum(row["cycles"] for row in members)
            cells += [integer(cycles), decimal(sum(row["values"] for row in members) / cycles)]
            cells += [
                percent(sum(row[f"count_lane_{name}"] for row in members) / (members[0]["lanes"] * cycles))
                for name in ("busy", "starved", "blocked", "idle")
            ]
        else:
            cells.append("[green]ok[/]" if all(row["ok"] for row in members) else "[bold red]DIFFER[/]")
        table.add_row(*cells)
        before = key[0]
    return table


def software_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """One line a codec."""
    table = make_table(
        "codec", ("raw bytes", "r"), ("coded bytes", "r"), ("ratio", "r"), ("compress MB/s", "r"), ("decompress MB/s", "r"), title=title
    )
    for codec in dict.fromkeys(row["codec"] for row in rows):
        cells = []
        for direction in t.DIRECTIONS:
            members = [row for row in rows if row["codec"] == codec and row["direction"] == direction]
            raw, coded = sum(row["raw_bytes"] for row in members), sum(row["coded_bytes"] for row in members)
            seconds = sum(row["raw_bytes"] / row["mb_per_s"] / 1e6 for row in members)
            cells.append(decimal(raw / seconds / 1e6, 1))
        table.add_row(codec, integer(raw), integer(coded), decimal(raw / coded), *cells)
    return table


def selftest(
    device: o.DeviceName = DEFAULT,
    lanes: o.Lanes = None,
    latency: o.Latency = None,
    stalls: o.Stalls = None,
    bitstream: o.Bitstream = None,
    clock: o.Clock = None,
    no_hwh: o.NoHwh = False,
    json: o.Json = None,
) -> None:
    """Check a device: registers, every codec at the edges, both raw sides, errors and recovery."""
    from tensorpress.cli.selftest import checks

    setup = Setup(lanes, None, latency, stalls, clock=clock, bitstream=bitstream, hwh=False if no_hwh else None)
    check_device(device, setup)
    report = Report(json)
    table = make_table("check", ("cases", "r"), ("cycles", "r"), "result")
    faults: list[str] = []
    with open_engine(device, setup) as engine:
        report.line(f"{t.device_line(engine)}.", style="bold")
        groups = list(checks(engine))
        with progress(len(groups), "testing") as step:
            for name, check in groups:
                step(name)
                outcome = check()
                faults += [f"{name}: {fault}" for fault in outcome.faults]
                report.rows += [one.row() for one in outcome.transfers]
                table.add_row(
                    name, integer(outcome.cases), integer(outcome.cycles), "[bold red]FAILED[/]" if outcome.faults else "[green]ok[/]"
                )
    report.table(table)
    report.finish()
    if faults:
        for fault in faults[1:10]:
            report.note(fault)
        raise MismatchError(f"{faults[0]}" + (f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""))
    report.line(f"The device works: {counted(len(groups), 'group')} of checks passed.", style="green")
