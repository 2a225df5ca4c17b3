# SPDX-License-Identifier: Apache-2.0
"""The commands on files: compress, decompress, inspect, profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from tensorpress import tables
from tensorpress.cli import options as o
from tensorpress.cli.choices import load_all, table_maker
from tensorpress.cli.console import Report, check_place, counted, decimal, integer, make_table, new_file, progress
from tensorpress.codecs import CODECS
from tensorpress.errors import InputError
from tensorpress.tensors import NamedTensor


def profile(
    files: o.Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.json", rich_help_panel=o.OUTPUT, help="The table file to write.")],
    names: o.Names = None,
    manifest: o.Manifest = None,
    network: o.Network = None,
    allow_nan: o.AllowNan = False,
    table_method: o.TableMethod = "optimal",
    force: o.Force = False,
    json: o.Json = None,
) -> None:
    """Make APack tables from tensors. Tensors of one name, in several inputs, share a table."""
    maker = table_maker(table_method)
    check_place(output, force=force, suffixes=(".json",))
    report = Report(json)
    groups: dict[str, list[NamedTensor]] = {}
    for tensor in load_all(files, names=names, manifest=manifest, network=network, allow_nan=allow_nan):
        groups.setdefault(tensor.name, []).append(tensor)
    made: dict[str, tables.Table] = {}
    listing = make_table(
        ("tensor", "name"), "kind", ("inputs", "r"), ("values", "r"), ("entropy", "r"), ("table", "r"), ("above", "r"), title="Bits a value"
    )
    all_values = all_entropy = all_bits = 0.0
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
            seen = sum(tables.histogram(member.values, member.width) for member in members)
            # A weight holds all the values there will ever be; of an activation, other inputs will bring others.
            table = maker(seen if first.kind == "weight" else tables.profile([m.values for m in members], first.width), first.width)
            made[name] = table
            count = int(seen.sum())
            entropy, bits = entropy_bits(seen), tables.cost_bits(seen, table)
            all_values, all_entropy, all_bits = all_values + count, all_entropy + entropy, all_bits + bits
            listing.add_row(
                report.name(name, 60),
                first.kind,
                str(len(members)),
                integer(count),
                decimal(entropy / count),
                decimal(bits / count),
                decimal((bits - entropy) / count),
            )
            report.rows.append(
                {"network": first.network, "tensor": name, "kind": first.kind, "codec": "apack", "direction": "profile", "inputs": len(members),
                 "values": count, "entropy_bits_per_value": entropy / count, "table_bits_per_value": bits / count, "ok": True}
            )  # fmt: skip
    if not made:
        raise InputError("no tensor is left that a table can be made for")
    if len(made) > 1:
        listing.add_section()
        cells = (all_entropy / all_values, all_bits / all_values, (all_bits - all_entropy) / all_values)
        listing.add_row("all", "", "", integer(all_values), *map(decimal, cells))
    with new_file(output, force=force) as temporary:
        tables.save_tables(temporary, made)
    report.table(listing)
    report.line(f"Wrote {counted(len(made), 'table')} to {output}.")
    report.finish()


def entropy_bits(histogram: np.ndarray) -> float:
    """Order-0 entropy of all values of a histogram together, in bits."""
    counts = histogram[histogram > 0].astype(np.float64)
    return float(-np.sum(counts * np.log2(counts / counts.sum())))


def compress() -> None: ...
def decompress() -> None: ...
def inspect() -> None: ...
