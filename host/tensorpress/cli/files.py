# SPDX-License-Identifier: Apache-2.0
"""The commands on files: compress, decompress, inspect, profile."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from tensorpress import tables
from tensorpress.choices import Choice, ordered, table_maker, unusable
from tensorpress.cli import options as o
from tensorpress.cli.choices import codec_names, is_model, load_all, load_tables_file
from tensorpress.cli.console import CheckError, Report, check_place, counted, decimal, integer, make_table, new_file, progress
from tensorpress.cli.transfers import json_row, row_kind
from tensorpress.codecs import CODECS, Coded, decode, index_entry, raw_image, split_entry
from tensorpress.container import CompressedTensor, Reader, decompress_tensor, write
from tensorpress.errors import FormatError, InputError
from tensorpress.peers import entropy_bits
from tensorpress.tensors import METADATA_MEMBER, NamedTensor, load_tensors, matches

SIZES = (("coded\nbytes", "r"), ("\nratio", "r"), ("\nblocks", "r"), ("stored\nraw", "r"))


def profile(
    files: o.Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.json", rich_help_panel=o.OUTPUT, help="The table file to write.")],
    inputs: o.ModelInputs = None,
    names: o.Names = None,
    manifest: o.Manifest = None,
    network: o.Network = None,
    allow_nan: o.AllowNan = False,
    table_method: o.TableMethod = "optimal",
    force: o.Force = False,
    json: o.Json = None,
) -> None:
    """Make APack tables from tensors. Tensors of one name, in several inputs, share a table.

    Where there are several inputs, it tells what the tables cost on an input that they were not made from: each one in turn is left out
    (of more than 8, an eighth of them), and coded with a table made from the others.
    """
    maker = table_maker(table_method)
    check_place(output, force=force, suffixes=(".json",))
    report = Report(json)
    groups: dict[str, list[NamedTensor]] = {}
    if sum(map(is_model, files)) > 1:
        raise InputError("tables are made for one model at a time: the tensors of several may have the same names")
    loaded = load_all(files, names=names, manifest=manifest, network=network, allow_nan=allow_nan, inputs=inputs, report=report)
    for tensor in loaded:
        groups.setdefault(tensor.name, []).append(tensor)
    made: dict[str, tables.Table] = {}
    columns = [(heading, "r") for heading in ("\ninputs", "\nvalues", "\nentropy", "\ntable", "\nabove", "other\ninputs", "\nloss")]
    listing = make_table("\ntensor", "\nkind", *columns, title="Bits a value")
    total = np.zeros(3)  # values, and bits: entropy, table
    unseen = np.zeros(3)  # of activations with several inputs: values, and bits: with tables of the others, with their own
    with progress(len(groups), "making tables") as step:
        for name, members in groups.items():
            step(name)
            first = members[0]
            if first.width not in CODECS["apack"].widths:
                report.note(f"skipped {name}: apack takes no {first.width}-bit values")
                continue
            for member in members:
                if member.width != first.width:
                    raise InputError(f"tensor {name!r}: {first.width} bits in {first.source}, {member.width} bits in {member.source}")
            seen = np.sum([tables.histogram(member.values, member.width) for member in members], axis=0)
            # A weight holds all the values there will ever be; of an activation, other inputs will bring others.
            table = maker(seen if first.kind == "weight" else tables.profile([m.values for m in members], first.width), first.width)
            made[name] = table
            sums = np.array([seen.sum(), entropy_bits(seen), tables.cost_bits(seen, table)])
            total += sums
            each = (sums[1] / sums[0], sums[2] / sums[0], (sums[2] - sums[1]) / sums[0])
            other: tuple[float | None, float | None] = None, None
            if first.kind != "weight" and len(members) > 1:
                held = left_out(members, maker)
                unseen += held
                other = held[1] / held[0], (held[1] - held[2]) / held[0]
            listing.add_row(
                report.name(name, 76), first.kind, str(len(members)), integer(sums[0]), *map(decimal, each), *map(decimal, other)
            )
            report.rows.append(
                {
                    "network": first.network,
                    "tensor": name,
                    "kind": row_kind(first.kind),
                    "codec": "apack",
                    "direction": "profile",
                    "inputs": len(members),
                    "values": int(sums[0]),
                    "entropy_bits_per_value": each[0],
                    "table_bits_per_value": each[1],
                    "other_inputs_bits_per_value": other[0],
                    "loss_bits_per_value": other[1],
                    "ok": True,
                }
            )
    if not made:
        raise InputError("no tensor is left that a table can be made for")
    if len(made) > 1:
        listing.add_section()
        cells = (total[1] / total[0], total[2] / total[0], (total[2] - total[1]) / total[0])
        listing.add_row("all", "", "", integer(total[0]), *map(decimal, cells))
    with new_file(output, force=force) as temporary:
        tables.save_tables(temporary, made)
    report.table(listing)
    report.line(f"Wrote {counted(len(made), 'table')} to {output}.")
    if unseen[0]:
        costs = unseen[1:] / unseen[0]
        report.line(
            f"On inputs that a table was not made from, activations take {costs[0]:.2f} bits a value, "
            f"with tables of their own {costs[1]:.2f}: a loss of {100 * (costs[0] / costs[1] - 1):.1f} %."
        )
    elif any(members[0].kind == "act" for members in groups.values()):
        report.note("each activation comes from one input: what its table costs on other inputs cannot be told")
    report.finish()


def left_out(members: Sequence[NamedTensor], maker: Callable[[np.ndarray, int], tables.Table]) -> np.ndarray:
    """Code each part of some inputs with a table made from the others.

    Parameters
    ----------
    members : sequence of NamedTensor
        One tensor with several inputs, at least 2.
    maker : callable
        Makes a table of a histogram and a width.

    Returns
    -------
    numpy.ndarray of float, shape (3,)
        Values; their bits with the tables of the others; their bits with tables made from themselves.
    """
    width, parts = members[0].width, min(len(members), 8)
    sums = np.zeros(3)
    for part in range(parts):
        others = tables.profile([one.values for number, one in enumerate(members) if number % parts != part], width)
        held = np.sum([tables.histogram(one.values, width) for one in members[part::parts]], axis=0)
        sums += held.sum(), tables.cost_bits(held, maker(others, width)), tables.cost_bits(held, maker(held, width))
    return sums


def compress(
    files: o.Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.tpz", rich_help_panel=o.OUTPUT, help="The file to write.")],
    codec: Annotated[
        list[str] | None,
        typer.Option(
            "--codec",
            metavar="NAME",
            rich_help_panel=o.CODING,
            help="raw, zvc, ebpc, apack, or auto: all of them. Of several, each tensor gets the smallest. Default: auto.",
        ),
    ] = None,
    inputs: o.ModelInputs = None,
    names: o.Names = None,
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
    force: o.Force = False,
    json: o.Json = None,
) -> None:
    """Compress tensors into one .tpz file."""
    codecs = codec_names(codec, tuple(CODECS))
    check_place(output, force=force, suffixes=(".tpz",))
    report = Report(json)
    choice = Choice(block_values, zero, signed, coders or 8, load_tables_file(table), table_method)
    tensors = with_own_names(
        load_all(files, names=names, manifest=manifest, network=network, allow_nan=allow_nan, inputs=inputs, report=report)
    )
    done: list[CompressedTensor] = []
    with progress(len(tensors), "compressing") as step:
        for tensor in tensors:
            step(tensor.name)
            stored = ordered(tensor, order)
            usable = [one for one in codecs if unusable(tensor, one) is None]
            if not usable:
                report.note(f"{tensor.name} is stored raw: {'; '.join(str(unusable(tensor, one)) for one in codecs)}")
            coding, coded = choice.smallest(stored, usable or ["raw"])
            crc32 = zlib.crc32(raw_image(stored.values, stored.width).tobytes())
            done.append(CompressedTensor(tensor.name, tensor.dtype, tensor.array.shape, coding, coded, tensor.order(order), crc32))
            report.rows.append(json_row(tensor, coding.codec, "compress", "software", done[-1].coded_bytes))
    with new_file(output, force=force) as temporary:
        write(temporary, done, {METADATA_MEMBER: dumps(describe(tensors))})
    listing = make_table("\ntensor", "\nkind", "\ndtype", "\nshape", "\ncodec", ("raw\nbytes", "r"), *SIZES)
    others = 55 + max(len(f"{one.dtype}{shape_text(one.shape)}") for one in done) + len(integer(sum(one.raw_bytes for one in done)))
    for tensor, packed in zip(tensors, done, strict=True):
        listing.add_row(
            report.name(tensor.name, others),
            tensor.kind,
            tensor.dtype,
            shape_text(tensor.array.shape),
            packed.coding.codec,
            integer(packed.raw_bytes),
            *sizes(packed),
        )
    total_line(listing, done, raw=True)
    report.table(listing)
    raw, size = sum(one.raw_bytes for one in done), output.stat().st_size
    outcome = f"{raw / size:.2f} times smaller" if size <= raw else f"{size / raw:.2f} times larger"
    report.line(
        f"Wrote {counted(len(done), 'tensor')} to {output}: {integer(raw)} bytes became a file of {integer(size)} bytes, {outcome}."
    )
    report.finish()


def decompress(
    file: Annotated[Path, typer.Argument(metavar="IN.tpz", help="The file to read.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="OUT.npz|.npy", rich_help_panel=o.OUTPUT, help="The file to write; .npy holds one tensor."),
    ],
    names: o.Names = None,
    force: o.Force = False,
    json: o.Json = None,
) -> None:
    """Give the tensors of a .tpz file back, each checked against its CRC."""
    check_tpz(file)
    check_place(output, force=force, suffixes=(".npz", ".npy"))
    report = Report(json)
    tensors = load_tensors(file, names=names, allow_nan=True)
    if output.suffix.lower() == ".npy" and len(tensors) > 1:
        raise InputError(f"{output}: a .npy file holds one tensor, {file} has {len(tensors)}; --names selects, or write a .npz")
    with new_file(output, force=force) as temporary:
        if output.suffix.lower() == ".npy":
            np.save(temporary, tensors[0].array, allow_pickle=False)
        else:
            write_npz(temporary, tensors)
    with Reader(file) as reader:
        for tensor in tensors:
            packed = reader.tensor(tensor.name)
            report.rows.append(json_row(tensor, packed.coding.codec, "decompress", "software", packed.coded_bytes))
    report.line(
        f"Wrote {counted(len(tensors), 'tensor')} to {output}: {integer(sum(one.raw_bytes for one in tensors))} bytes, every CRC is right."
    )
    for tensor in tensors:
        if tensor.array.dtype.name != tensor.dtype:
            report.note(f"{tensor.name}: {tensor.dtype} is stored as {tensor.array.dtype.name}, as numpy has no {tensor.dtype}")
    report.finish()


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE.tpz", help="The file to look at.", show_default=False)],
    names: o.Names = None,
    verify: Annotated[bool, typer.Option("--verify", help="Decompress everything and compare the CRCs.")] = False,
    block: Annotated[
        int | None, typer.Option("--block", metavar="N", min=0, help="Show one block of the tensor that --names selects.")
    ] = None,
    json: o.Json = None,
) -> None:
    """Show what a .tpz file holds."""
    check_tpz(file)
    report = Report(json)
    damaged: list[str] = []
    with Reader(file) as reader:
        chosen = [name for name in reader.names if matches(name, names or [])]
        if not chosen:
            raise InputError(f"{file}: no tensor matches {', '.join(map(repr, names))}" if names else f"{file}: holds no tensor")
        metadata = {key: value for key, value in reader.metadata.items() if key != METADATA_MEMBER}
        report.line(f"{file}: format 1, {counted(len(reader), 'tensor')}, {integer(file.stat().st_size)} bytes", style="bold")
        for key, value in metadata.items():
            report.line(f"  {key}: {value}")
        if block is not None:
            if len(chosen) != 1:
                raise InputError(f"--block shows one tensor; --names must select one of the {len(chosen)} of {file}")
            show_block(report, reader.tensor(chosen[0]), block)
            report.finish()
            return
        listing = make_table("\ntensor", "\ndtype", "\nshape", *SIZES, ("\ncoding", "wrap"), *(["\nCRC"] if verify else []))
        packed: list[CompressedTensor] = []
        with progress(len(chosen), "checking" if verify else "reading") as step:
            for name in chosen:
                step(name)
                shown = report.name(name, 72 + 5 * verify)
                fault = None
                try:
                    tensor = reader.tensor(name)
                    packed.append(tensor)
                    cells = [shown, tensor.dtype, shape_text(tensor.shape), *sizes(tensor), f"{tensor.coding.codec} {parameters(tensor)}"]
                    report.rows.append(inspect_row(tensor))
                    if verify:
                        decompress_tensor(tensor)
                except FormatError as error:
                    if not verify:
                        raise
                    fault = str(error)
                    damaged.append(fault)
                    if not packed or packed[-1].name != name:  # not even its index is right
                        cells = [shown, *[""] * (len(SIZES) + 3)]
                        report.rows.append({"tensor": name})
                if verify:
                    cells.append("[green]ok[/]" if fault is None else "[bold red]WRONG[/]")
                    report.rows[-1].update(ok=fault is None, fault=fault)
                listing.add_row(*cells)
        total_line(listing, packed)
    report.table(listing)
    report.finish()
    if damaged:
        raise CheckError(
            f"{file}: {damaged[0]}" + (f" (and {counted(len(damaged) - 1, 'more damaged tensor')})" if len(damaged) > 1 else "")
        )
    if verify:
        report.line(f"All {counted(len(packed), 'tensor')} decompress, and every CRC is right.", style="green")


# ---------------------------------------------------------------------------------------------------------------------- helpers


def with_own_names(tensors: Sequence[NamedTensor]) -> list[NamedTensor]:
    """The tensors; where several have one name, the input goes into it (``act/<input>/...``), and the network's name before it.

    Raises
    ------
    InputError
        Two tensors still have one name.
    """
    taken = Counter(tensor.name for tensor in tensors)
    tensors = [_with_sample(tensor) if taken[tensor.name] > 1 and tensor.sample else tensor for tensor in tensors]
    taken = Counter(tensor.name for tensor in tensors)
    result = [replace(tensor, name=f"{tensor.network}/{tensor.name}") if taken[tensor.name] > 1 else tensor for tensor in tensors]
    for name, count in Counter(tensor.name for tensor in result).items():
        if count > 1:
            sources = ", ".join(tensor.source for tensor in result if tensor.name == name)
            raise InputError(f"{count} tensors are called {name!r} ({sources}); compress them into separate files")
    return result


def _with_sample(tensor: NamedTensor) -> NamedTensor:
    kind, _, rest = tensor.name.partition("/")
    return replace(tensor, name=f"{kind}/{tensor.sample}/{rest}") if rest else tensor


def describe(tensors: Sequence[NamedTensor]) -> dict[str, Any]:
    """The metadata of tensors, in the form that :mod:`tensorpress.tensors` reads."""
    networks = list(dict.fromkeys(tensor.network for tensor in tensors))
    entries = []
    for tensor in tensors:
        entry: dict[str, Any] = {"key": tensor.name, "dtype": tensor.dtype, "bits": tensor.width}
        if tensor.kind != "tensor":
            entry["kind"] = tensor.kind
        if tensor.zero_point is not None:
            entry["zero_point"] = tensor.zero_point
        if tensor.channel_axis is not None:
            entry["channel_axis"] = tensor.channel_axis
        if tensor.sample:
            entry["input"] = tensor.sample
        if tensor.op:
            entry["op"] = tensor.op
        entries.append(entry)
    return {"model": "+".join(networks), "tensors": entries}


def write_npz(path: Path, tensors: Sequence[NamedTensor]) -> None:
    """An .npz with the arrays and their metadata."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(METADATA_MEMBER, dumps(describe(tensors), indent=1) + "\n")
        for tensor in tensors:
            with archive.open(f"{tensor.name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, tensor.array, allow_pickle=False)


def check_tpz(file: Path) -> None:
    """Raise InputError unless the file can be one."""
    if file.suffix.lower() != ".tpz":
        raise InputError(f"{file}: is not a .tpz file")
    if not file.is_file():
        raise InputError(f"{file}: no such file")


def shape_text(shape: Sequence[int]) -> str:
    """(64, 8, 8, 16) -> 64x8x8x16."""
    return "x".join(map(str, shape)) or "scalar"


def sizes(tensor: CompressedTensor) -> list[str]:
    """Cells: coded bytes, ratio, blocks, raw blocks."""
    return [integer(tensor.coded_bytes), decimal(tensor.ratio), integer(len(tensor.coded.index)), integer(tensor.coded.raw_blocks)]


def parameters(tensor: CompressedTensor) -> str:
    """The parameters that mean something to the codec, and what is not as usual."""
    coding = tensor.coding
    parts = [f"zero {coding.zero}"] if coding.definition.uses_zero else []
    parts += ["signed" if coding.signed else "unsigned"] if coding.definition.uses_signed else []
    parts += [f"{coding.coders} coders"] if coding.definition.uses_table else []
    parts += [f"blocks of {coding.block_values}"] if coding.block_values != 4096 else []
    parts += [f"order {','.join(map(str, tensor.order))}"] if tensor.order is not None else []
    return ", ".join(parts)


def total_line(listing: Table, tensors: Sequence[CompressedTensor], *, raw: bool = False) -> None:
    """The sum of several tensors under their table (of `compress` with `raw`, else of `inspect`)."""
    if len(tensors) < 2:
        return
    raw_total, coded = sum(one.raw_bytes for one in tensors), sum(one.coded_bytes for one in tensors)
    blocks, stored = sum(len(one.coded.index) for one in tensors), sum(one.coded.raw_blocks for one in tensors)
    listing.add_section()
    before = ["", "", "", "", integer(raw_total)] if raw else ["", ""]
    listing.add_row("total", *before, integer(coded), decimal(raw_total / coded), integer(blocks), integer(stored), style="bold")


def inspect_row(tensor: CompressedTensor) -> dict[str, Any]:
    """The JSON row of `inspect`."""
    coding = tensor.coding
    return {
        "tensor": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "codec": coding.codec,
        "width": coding.width,
        "block_values": coding.block_values,
        "zero": coding.zero if coding.definition.uses_zero else None,
        "signed": coding.signed if coding.definition.uses_signed else None,
        "coders": coding.coders if coding.definition.uses_table else None,
        "order": None if tensor.order is None else list(tensor.order),
        "values": tensor.count,
        "raw_bytes": tensor.raw_bytes,
        "coded_bytes": tensor.coded_bytes,
        "blocks": len(tensor.coded.index),
        "raw_blocks": tensor.coded.raw_blocks,
        "crc32": tensor.crc32,
    }


def show_block(report: Report, tensor: CompressedTensor, block: int) -> None:
    """One block: its index entry, its streams, its first values."""
    index = tensor.coded.index
    if block >= len(index):
        raise InputError(f"tensor {tensor.name!r} has {counted(len(index), 'block')}; --block counts from 0")
    entry = int(index[block])
    offset, a_words, b_words, raw = split_entry(entry)
    values = tensor.coding.values_of(block, tensor.count)
    words = tensor.coded.payload[offset : offset + a_words + b_words]
    report.line(
        f"tensor {tensor.name}, block {block} of {len(index)}, codec {tensor.coding.codec}, {parameters(tensor) or 'no parameters'}"
    )
    streams = (
        f"stored raw in {counted(b_words, 'word')}" if raw else f"stream A {counted(a_words, 'word')}, stream B {counted(b_words, 'word')}"
    )
    report.line(f"  index entry   0x{entry:016x}: from payload word {offset} on, {streams}")
    report.line(f"  values        {values} ({tensor.coding.raw_words_of(block, tensor.count)} words raw, {a_words + b_words} words coded)")
    for name, part in (("A", words[:a_words]), ("B", words[a_words:])):
        data = part.tobytes()
        shown = " ".join(data[at : at + 8].hex() for at in range(0, min(len(data), 64), 8)) or "empty"
        report.line(f"  stream {name}      {shown}{f' ... {len(data) - 64} bytes more' if len(data) > 64 else ''}")
    alone = Coded(np.array([index_entry(0, a_words, b_words, raw)], np.uint64), words)
    first = decode(alone, values, tensor.coding)
    report.line(f"  decoded       {' '.join(str(int(value)) for value in first[:24])}{' ...' if values > 24 else ''} (unsigned view)")
    report.rows.append(
        {
            "tensor": tensor.name,
            "block": block,
            "entry": f"0x{entry:016x}",
            "offset": offset,
            "a_words": a_words,
            "b_words": b_words,
            "raw": bool(raw),
            "values": values,
            "a": words[:a_words].tobytes().hex(),
            "b": words[a_words:].tobytes().hex(),
            "decoded": [int(value) for value in first],
        }
    )
