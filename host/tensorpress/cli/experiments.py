# SPDX-License-Identifier: Apache-2.0
"""The commands of `tensorpress experiment`: what the papers' experiments print and write."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from tensorpress.cli import options as o
from tensorpress.cli.console import Report, counted, decimal, integer, make_table, new_file, percent, progress
from tensorpress.errors import InputError, TensorpressError
from tensorpress.experiments import plots
from tensorpress.experiments.network import Network, load_networks
from tensorpress.experiments.papers import CLAIMS

MODEL = "The model (experiments/README.md has equations and sources)"
WHAT = "What is measured"

group = typer.Typer(
    name="experiment",
    help="The papers' experiments on your networks: apack (footprint, speed, energy), ebpc (feature maps), cdma (offload).",
    no_args_is_help=True,
)

Networks = Annotated[
    list[Path],
    typer.Argument(
        metavar="NETWORK...", help="Weights and activations: .npz, .safetensors, .tpz; models: .tflite, .onnx.", show_default=False
    ),
]
Layers = Annotated[bool, typer.Option("--layers", help="Print the tables of all layers, too.", rich_help_panel=o.OUTPUT)]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Write the tables as CSV and the plots as PNG there.", rich_help_panel=o.OUTPUT),
]


class Outcome:
    """The tables of an experiment: printed, and kept as rows for JSON and CSV."""

    def __init__(self, experiment: str, json: str | None, out: Path | None) -> None:
        self.experiment, self.out = experiment, out
        self.report = Report(json)
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.faults: list[TensorpressError] = []
        if out is not None:
            if out.exists() and not out.is_dir():
                raise InputError(f"{out}: is a file, not a folder")
            out.mkdir(parents=True, exist_ok=True)

    def keep(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep rows for JSON and CSV under the name of a table."""
        self.tables[table] = list(rows)
        self.report.rows += [{"experiment": self.experiment, "table": table, **row} for row in rows]

    def listing(self, title: str, rows: Sequence[dict[str, Any]], columns: dict[str, tuple[str, Callable[[Any], str]]]) -> None:
        """Print a table: field of the rows -> heading and how to write it."""
        numbers = {field for field, (_heading, write) in columns.items() if write is not str}
        table = make_table(*((heading, "r" if field in numbers else "l") for field, (heading, _write) in columns.items()), title=title)
        for row in rows:
            table.add_row(
                *(
                    write(row.get(field)) if write is not str else self.report.name(str(row[field]), 110)
                    for field, (_, write) in columns.items()
                )
            )
        self.report.table(table)

    def claims(self, measured: dict[str, float | None]) -> None:
        """Print the paper's figures, and beside those with a counterpart (by the text of the claim) the measured one."""
        listing = make_table("figure", ("paper", "r"), ("here", "r"), "where", title="The papers' figures, for their networks, and these")
        rows = []
        for one in CLAIMS[self.experiment]:
            here = measured.get(one.what)
            places = 0 if one.unit == "%" else 2
            unit = f" {one.unit}" if one.unit else ""
            listing.add_row(one.what, f"{one.value:.{places}f}{unit}", f"{here:.{places}f}{unit}" if here is not None else "", one.source)
            rows.append({"figure": one.what, "paper": one.value, "here": here, "unit": one.unit, "source": one.source})
        self.report.table(listing)
        self.keep("claims", rows)

    def path(self, name: str) -> Path:
        """A file of this experiment in the output folder."""
        assert self.out is not None
        return self.out / f"{self.experiment}_{name}"

    def draws(self) -> bool:
        """Whether plots are wanted and possible; says so when only the latter is missing."""
        if self.out is None:
            return False
        if not plots.available():
            self.report.note("no plots: they need matplotlib (pip install matplotlib, or tensorpress[report])")
            return False
        return True

    def finish(self, drawn: Sequence[Path | None] = ()) -> None:
        """Write CSV files and JSON, and tell what was written.

        Raises
        ------
        InputError
            Afterwards, when files had to be left out.
        """
        written = []
        if self.out is not None:
            for name, rows in self.tables.items():
                target = self.path(f"{name}.csv")
                with new_file(target, force=True) as temporary, temporary.open("w", newline="") as stream:
                    fields = list(dict.fromkeys(field for row in rows for field in row))
                    writer = csv.DictWriter(stream, fields)
                    writer.writeheader()
                    writer.writerows(rows)
                written.append(target.name)
            self.report.line(f"Wrote to {self.out}: {', '.join([*written, *(path.name for path in drawn if path is not None)])}")
        self.report.finish()
        if self.faults:
            raise InputError(f"{counted(len(self.faults), 'file')} could not be read: {self.faults[0]}")


def load(files: Sequence[Path], inputs: Sequence[Path] | None, manifest: Path | None, outcome: Outcome) -> list[Network]:
    """The networks of the files that can be read. What the importers have to say becomes notes, what cannot be read faults.

    Raises
    ------
    InputError
        No file can be read.
    """
    loaded = load_networks(files, inputs=inputs or (), manifest=manifest, note=outcome.report.note, fault=outcome.faults.append)
    if not loaded:
        raise outcome.faults[0]
    for error in outcome.faults:
        outcome.report.note(f"left out: {error}")
    return loaded


def times(value: float | None) -> str:
    """1.234 -> 1.23x; nothing for None."""
    return "" if value is None else f"{value:.2f}x"


# ------------------------------------------------------------------------------------------------------------------------ apack


@group.command(no_args_is_help=False)
def apack(
    networks: Networks,
    out: Out = None,
    json: o.Json = None,
    layers: Layers = False,
    inputs: o.ModelInputs = None,
    manifest: o.Manifest = None,
    tables: Annotated[
        str,
        typer.Option(
            metavar="profiled|own",
            help="Tables of activations: from the other frames of a layer, as the paper profiles inputs, or from the tensor itself.",
            rich_help_panel=WHAT,
        ),
    ] = "profiled",
    macs_per_cycle: Annotated[int, typer.Option(help="Multiply-accumulates a cycle.", rich_help_panel=MODEL)] = 4096,
    clock_mhz: Annotated[float, typer.Option(help="Clock.", rich_help_panel=MODEL)] = 1000.0,
    utilisation: Annotated[float, typer.Option(help="Share of the multipliers that are busy, 0..1.", rich_help_panel=MODEL)] = 1.0,
    memory_gb_s: Annotated[float, typer.Option(help="DRAM bandwidth, 10^9 bytes a second.", rich_help_panel=MODEL)] = 51.2,
    batch: Annotated[int, typer.Option(help="Frames for which weights are read once.", rich_help_panel=MODEL)] = 1,
    buffer_kib: Annotated[float, typer.Option(help="Activations up to this size stay on the chip.", rich_help_panel=MODEL)] = 0.0,
    dram_pj_per_bit: Annotated[float, typer.Option(help="Energy of a DRAM bit.", rich_help_panel=MODEL)] = 20.3,
    mac_pj: Annotated[float, typer.Option(help="Energy of an 8-bit multiply-accumulate.", rich_help_panel=MODEL)] = 0.3,
    sram_pj_per_byte: Annotated[float, typer.Option(help="Energy of a byte of on-chip memory.", rich_help_panel=MODEL)] = 12.5,
    reuse: Annotated[
        float, typer.Option(help="Multiply-accumulates that an operand read on the chip serves.", rich_help_panel=MODEL)
    ] = 16.0,
    encode_pj: Annotated[float, typer.Option(help="Energy of a value in an encoder.", rich_help_panel=MODEL)] = 1.0,
    decode_pj: Annotated[float, typer.Option(help="Energy of a value in a decoder.", rich_help_panel=MODEL)] = 8.0,
) -> None:
    """APack: footprint of weights and activations, and a bandwidth-bound accelerator with and without it."""
    from tensorpress.experiments import apack as model
    from tensorpress.experiments import drawings

    accelerator = model.Accelerator(
        macs_per_cycle,
        clock_mhz,
        utilisation,
        memory_gb_s,
        batch,
        buffer_kib,
        dram_pj_per_bit,
        mac_pj,
        sram_pj_per_byte,
        reuse,
        encode_pj,
        decode_pj,
    )
    outcome = Outcome("apack", json, out)
    loaded = load(networks, inputs, manifest, outcome)
    rows, tensors, layer_rows = [], [], []
    curves: dict[str, list[tuple[float, float]]] = {}
    with progress(sum(len(one.weights) + len(one.activations) for one in loaded), "coding") as step:
        for network in loaded:
            sizes = model.footprint(network, tables=tables, step=step)
            costs = model.accelerate(network, sizes, accelerator)
            rows.append(model.summarise(network, sizes, costs))
            tensors += [size.row() for size in sizes]
            layer_rows += [cost.row() for cost in costs]
            curves[network.name] = model.sweep(network, sizes, accelerator, [2.0**power for power in range(-4, 7)])
    methods = ("apack", *model.BASELINES)
    listing = make_table(
        "\nnetwork", "\ndtype", *((f"weights\n{one}", "r") for one in methods), *((f"activ.\n{one}", "r") for one in methods)
    )
    for row in rows:
        cells = [decimal(row[f"{kind}_{one}"]) for kind in ("weight", "act") for one in methods]
        listing.add_row(outcome.report.name(row["network"], 80), row["dtype"], *cells)
    listing.title = "Footprint: coded / raw (apack with its table and index)"
    outcome.report.table(listing)
    headings = (
        "M\nMACs",
        "traffic\ncoded/raw",
        "% of time\nmemory-bound",
        "\nspeed-up",
        "energy, uJ\nraw",
        "energy, uJ\nAPack",
        "energy\nefficiency",
    )
    listing = make_table(
        "\nnetwork",
        *((heading, "r") for heading in headings),
        title=f"Accelerator: {macs_per_cycle} MACs at {clock_mhz:g} MHz, {memory_gb_s:g} GB/s, batch {batch}; energy of a frame",
    )
    for row in rows:
        listing.add_row(
            outcome.report.name(row["network"], 70),
            decimal(row["macs"] / 1e6),
            decimal(row["traffic"]),
            percent(row["memory_bound"]),
            times(row["speedup"]),
            decimal(row["raw_uj"], 1),
            decimal(row["coded_uj"], 1),
            times(row["energy"]),
        )
    outcome.report.table(listing)
    if layers:
        micro = {f"{name}_us": (f"{title}\nus", decimal) for name, title in (("compute", "MACs"), ("raw", "raw"), ("coded", "APack"))}
        columns = {"network": ("\nnetwork", str), "frame": ("\nframe", str), "layer": ("\nlayer", str), "kind": ("\nkind", str)}
        traffic = {"macs": ("\nMACs", integer), "raw_bytes": ("traffic\nraw", integer), "coded_bytes": ("bytes\nAPack", integer)}
        outcome.listing("Layers of each frame", layer_rows, {**columns, **traffic, **micro})
    outcome.keep("networks", rows)
    outcome.keep("tensors", tensors)
    outcome.keep("layers", layer_rows)
    outcome.keep("sweep", [{"network": name, "memory_gb_s": x, "speedup": y} for name, points in curves.items() for x, y in points])
    outcome.claims(dict(zip((one.what for one in CLAIMS["apack"]), model.measured(rows), strict=True)))
    outcome.report.line("`here` are means over the networks with 8-bit weights and 8-bit activations.")
    drawn = []
    if outcome.draws():
        drawn.append(drawings.footprint(rows, methods, outcome.path("footprint.png")))
        drawn.append(drawings.accelerator(rows, curves, memory_gb_s, accelerator.macs_per_second, outcome.path("accelerator.png")))
    outcome.finish(drawn)


# ------------------------------------------------------------------------------------------------------------------------- ebpc


@group.command(no_args_is_help=False)
def ebpc(
    networks: Networks,
    out: Out = None,
    json: o.Json = None,
    layers: Layers = False,
    inputs: o.ModelInputs = None,
    manifest: o.Manifest = None,
    order: Annotated[
        str,
        typer.Option(metavar="channel-first|c", help="Maps channel by channel, or as they lie in the file.", rich_help_panel=WHAT),
    ] = "channel-first",
    digits: Annotated[
        bool,
        typer.Option(
            "--digits/--no-digits", help="Train a CNN on scikit-learn's digits for gradients and single frames.", rich_help_panel=WHAT
        ),
    ] = True,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of that training.", rich_help_panel=WHAT)] = 10,
    images: Annotated[int, typer.Option(min=2, help="Digits whose maps are measured.", rich_help_panel=WHAT)] = 64,
) -> None:
    """EBPC: feature maps against zero-RLE, ZVC and BPC; frame by frame; number formats; gradients of a training."""
    from tensorpress.experiments import drawings
    from tensorpress.experiments import ebpc as model

    if order not in ("channel-first", "c"):
        raise InputError(f"order {order!r} is not channel-first or c")
    outcome = Outcome("ebpc", json, out)
    loaded = load(networks, inputs, manifest, outcome)
    sizes: list[model.MapSize] = []
    converted: list[model.MapSize] = []
    training: model.Training | None = None
    with progress(2 * sum(len(one.activations) for one in loaded) + (epochs + 1 if digits else 0), "coding") as step:
        for network in loaded:
            if not network.frames:
                outcome.report.note(f"{network.name} has no activations: left out")
            sizes += model.compare(network, order=order, step=step)
            converted += model.convert(network, order=order, step=step)
        if digits:
            try:
                training = model.train_digits(epochs, images=images, step=step)
            except InputError as error:
                outcome.report.note(str(error))
    if not sizes and training is None:
        raise InputError("none of the networks has activations")
    rows = model.summaries(sizes)

    def ratios_table(*first: str | tuple[str, str], title: str) -> Table:
        titles = (*(f"\n{one}" for one in model.METHODS.values()), "EBPC\nstored", "gain over\nbest other")
        return make_table(*first, ("\nvalues", "r"), ("zeros\n%", "r"), *((one, "r") for one in titles), title=title)

    def cells(row: dict[str, Any]) -> list[str]:
        ratios = [decimal(row[f"{one}_ratio"]) for one in (*model.METHODS, model.STORED)]
        gain = "" if row["gain"] is None else f"{100 * row['gain']:+.0f} %"
        return [integer(row["values"]), percent(row["zeros"]), *ratios, gain]

    listing = ratios_table("\nnetwork", "\nformat", "\nmaps", title=f"Feature maps, raw / coded ({order})")
    for row in rows:
        listing.add_row(outcome.report.name(row["network"], 90), row["format"], row["which"], *cells(row))
    outcome.report.table(listing)
    maps = [size.row() for size in sizes]
    if layers:
        columns = {"network": ("network", str), "frame": ("frame", str), "layer": ("layer", str), "format": ("format", str)}
        ratios = {
            f"{one}_ratio": (title.replace("\n", " "), decimal) for one, title in (*model.METHODS.items(), (model.STORED, "EBPC stored"))
        }
        outcome.listing("Maps, raw / coded", maps, {**columns, "values": ("values", integer), "zeros": ("zeros %", percent), **ratios})
    outcome.keep("networks", rows)
    outcome.keep("maps", maps)

    varied = model.frames(sizes) + (model.frames(training.frames) if training else [])
    if varied:
        listing = make_table(
            "network",
            "format",
            ("frames", "r"),
            ("mean", "r"),
            ("deviation", "r"),
            ("% of mean", "r"),
            ("least", "r"),
            ("most", "r"),
            title="EBPC's ratio from frame to frame",
        )
        for row in varied:
            numbers = (row["mean"], row["deviation"], 100 * row["relative"], row["least"], row["most"])
            listing.add_row(
                outcome.report.name(row["network"], 70), row["format"], str(row["frames"]), *(decimal(number) for number in numbers)
            )
        outcome.report.table(listing)
        outcome.keep("frames", varied)

    formats = []
    for name in dict.fromkeys(size.network for size in converted):
        for form in dict.fromkeys(size.form for size in converted):
            formats.append(
                model.summarise([size for size in converted if (size.network, size.form) == (name, form)], network=name, format=form)
            )
    epoch_rows = model.by_epoch(training.sizes) if training else []
    formats += [
        {"network": "digits", "format": row["format"], **row} for row in epoch_rows if row["what"] == "map" and row["epoch"] == epochs
    ]
    if formats:
        listing = ratios_table("\nnetwork", "\nformat", title="Number formats of networks of floats, raw / coded")
        for row in formats:
            listing.add_row(outcome.report.name(row["network"], 90), row["format"], *cells(row))
        outcome.report.table(listing)
        outcome.keep("formats", formats)
    if epoch_rows:
        title = f"Digits in training: maps behind the ReLUs and their gradients, batch of {images}, raw / coded"
        listing = ratios_table(("\nepoch", "r"), "\nwhat", "\nformat", title=title)
        for row in epoch_rows:
            listing.add_row(str(row["epoch"]), row["what"], row["format"], *cells(row))
        outcome.report.table(listing)
        assert training is not None
        outcome.report.line(
            f"The digits' network gets {100 * training.accuracy:.1f} % of the held-out digits right after {counted(epochs, 'epoch')}."
        )
        outcome.keep("training", epoch_rows)
    outcome.claims(model.measured(rows))
    outcome.report.line("`here`: all maps of the networks of that name in their own number format; least and largest gain of the networks.")
    drawn: list[Path | None] = []
    if outcome.draws():
        if rows:
            names = [f"{row['network']}, {row['which']}" for row in rows]
            drawn.append(drawings.map_ratios(rows, names, outcome.path("networks.png")))
        drawn.append(drawings.frames([*sizes, *(training.frames if training else ())], outcome.path("frames.png")))
        if formats:
            drawn.append(
                drawings.map_ratios(formats, [f"{row['network']}, {row['format']}" for row in formats], outcome.path("formats.png"))
            )
        if epoch_rows:
            drawn.append(drawings.training(epoch_rows, outcome.path("training.png")))
    outcome.finish(drawn)


# ------------------------------------------------------------------------------------------------------------------------- cdma


@group.command(no_args_is_help=False)
def cdma(
    networks: Networks,
    out: Out = None,
    json: o.Json = None,
    layers: Layers = False,
    inputs: o.ModelInputs = None,
    manifest: o.Manifest = None,
    width: Annotated[
        str,
        typer.Option(
            metavar="32|native",
            help="Activations as float32 with their zeros, as in training (zvc, zero-rle), or as in the file (all codecs).",
            rich_help_panel=WHAT,
        ),
    ] = "32",
    gpu_tflops: Annotated[float, typer.Option(help="10^12 operations a second.", rich_help_panel=MODEL)] = 6.14,
    efficiency: Annotated[float, typer.Option(help="Share of these that layers reach, 0..1.", rich_help_panel=MODEL)] = 0.6,
    gpu_gb_s: Annotated[float, typer.Option(help="GPU memory, 10^9 bytes a second.", rich_help_panel=MODEL)] = 336.5,
    link_gb_s: Annotated[float, typer.Option(help="Link to the host, 10^9 bytes a second each way.", rich_help_panel=MODEL)] = 12.8,
    backward: Annotated[float, typer.Option(help="Work of the backward pass over the forward pass.", rich_help_panel=MODEL)] = 2.0,
    batch: Annotated[int, typer.Option(help="Images of a step.", rich_help_panel=MODEL)] = 64,
    policy: Annotated[str, typer.Option(metavar="all|conv", help="Whose inputs are offloaded.", rich_help_panel=MODEL)] = "all",
) -> None:
    """Compressing DMA: a training step whose activations are offloaded to the host, without and with compression."""
    from tensorpress.experiments import cdma as model
    from tensorpress.experiments import drawings

    trainer = model.Trainer(gpu_tflops, efficiency, gpu_gb_s, link_gb_s, backward, batch, policy)
    methods = ("zvc", "zero-rle") if width == "32" else ("zvc", "ebpc", "apack", "zero-rle")
    outcome = Outcome("cdma", json, out)
    rows, layer_rows = [], []
    steps: dict[str, list[model.Offload]] = {}
    loaded = load(networks, inputs, manifest, outcome)
    with progress(sum(len(one.layers()) for one in loaded), "coding") as step:
        for network in loaded:
            if not network.frames:
                outcome.report.note(f"{network.name} has no activations: left out")
                continue
            offloads = model.offloads(network, trainer, methods, width=width, step=step)
            steps[network.name] = offloads
            rows.append(model.summarise(network, offloads, trainer, methods))
            layer_rows += [offload.row(trainer) for offload in offloads]
    if not rows:
        raise InputError("none of the networks has activations to offload")
    held = "float32" if width == "32" else "as in the file"
    listing = make_table(
        "\nnetwork",
        *((heading, "r") for heading in ("M\nMACs", "offloaded\nMiB", "zeros\n%", "no offload\nms", "vDNN\nms", "vDNN's\nloss %")),
        *((f"{one}\nratio", "r") for one in methods),
        ("zvc, best\ntensor", "r"),
        *((f"{one}\ngain %", "r") for one in methods),
        ("no-offload\ngain %", "r"),
        title=f"A training step of {batch} images, {held}, policy {policy}; gain: speed over vDNN, less 1",
    )
    for row in rows:
        listing.add_row(
            outcome.report.name(row["network"], 110),
            decimal(row["macs"] / 1e6),
            decimal(row["offloaded_mib"], 1),
            percent(row["zeros"]),
            decimal(row["oracle_ms"]),
            decimal(row["vdnn_ms"]),
            percent(row["vdnn_loss"]),
            *(decimal(row[f"{one}_ratio"]) for one in methods),
            decimal(row["zvc_best"]),
            *(percent(row[f"{one}_gain"]) for one in methods),
            percent(row["gain_limit"]),
        )
    outcome.report.table(listing)
    if layers:
        columns = {"network": ("\nnetwork", str), "layer": ("\nlayer", str), "kind": ("\nkind", str)}
        works = {"forward_us": ("forward\nus", decimal), "backward_us": ("backward\nus", decimal)}
        moves = {"offloaded_bytes": ("offloaded\nbytes", integer), "zeros": ("zeros\n%", percent), "vdnn_us": ("vDNN\nus", decimal)}
        each = {f"{one}_{field}": (f"{one}\n{field}", decimal) for one in methods for field in ("ratio", "us")}
        outcome.listing("Layers: work, and the transfer of what they offload", layer_rows, {**columns, **works, **moves, **each})
    outcome.keep("networks", rows)
    outcome.keep("layers", layer_rows)
    ratios = [2 ** (power / 2) for power in range(9)]
    curves = {name: model.gain_curve(offloads, trainer, ratios) for name, offloads in steps.items()}
    outcome.keep("curve", [{"network": name, "ratio": x, "gain": y} for name, points in curves.items() for x, y in points])
    here = model.measured(rows)
    outcome.claims(
        {
            "average ratio": here["ratio"],
            "largest ratio": here["best"],
            "average gain over vDNN": None if here["gain"] is None else 100 * here["gain"],
            "largest gain over vDNN": None if here["most"] is None else 100 * here["most"],
        }
    )
    outcome.report.line("`here`: zvc, means over the networks; the largest ratio is that of one offloaded tensor.")
    drawn = []
    if outcome.draws():
        drawn.append(drawings.gain(rows, curves, "zvc", link_gb_s, outcome.path("gain.png")))
        drawn.append(drawings.step_time(steps, trainer, methods, outcome.path("time.png")))
    outcome.finish(drawn)
