# SPDX-License-Identifier: Apache-2.0
"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tensorpress.cli.devices import devices_help

TENSORS, CODING, DEVICE, OUTPUT = "Which tensors", "How they are coded", "The device", "Output"

Inputs = Annotated[
    list[Path],
    typer.Argument(metavar="IN", help="Files: .npy, .npz, .safetensors, .tpz, or models: .tflite, .onnx.", show_default=False),
]
ModelInputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--inputs",
        metavar="DIR|FILE",
        help="What models (.tflite, .onnx) are run with: .npz, .npy, images, or folders of them. Without: random numbers.",
        rich_help_panel=TENSORS,
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option("--names", metavar="GLOB", help="Only tensors of this name or pattern; may repeat.", rich_help_panel=TENSORS),
]
Manifest = Annotated[
    Path | None,
    typer.Option(
        "--manifest", metavar="FILE", help="Metadata of the tensors, instead of the manifest.json that is found.", rich_help_panel=TENSORS
    ),
]
Network = Annotated[str | None, typer.Option("--network", help="Name of the network, for the rows.", rich_help_panel=TENSORS)]
AllowNan = Annotated[bool, typer.Option("--allow-nan", help="Take float tensors that hold NaN.", rich_help_panel=TENSORS)]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="BYTES", min=1, help="Only the first raw bytes of each tensor.", rich_help_panel=TENSORS)
]
Order = Annotated[
    str | None,
    typer.Option(
        "--order",
        metavar="ORDER",
        help="Store tensors in another order of axes: channel-first, or a list such as 0,3,1,2.",
        rich_help_panel=CODING,
    ),
]

BlockValues = Annotated[int | None, typer.Option("--block-values", min=1, help="Values of a block. Default: 4096.", rich_help_panel=CODING)]
Zero = Annotated[
    str,
    typer.Option(
        "--zero",
        metavar="auto|N",
        help="What zvc and ebpc take for zero: the zero point (where unknown, the most frequent value), or N as the dtype counts.",
        rich_help_panel=CODING,
    ),
]
Signed = Annotated[
    bool | None,
    typer.Option(
        "--signed/--unsigned", help="How ebpc reads the values. Default: as the dtype counts.", show_default=False, rich_help_panel=CODING
    ),
]
Coders = Annotated[
    int | None, typer.Option("--coders", help="Interleaved coders of an apack block, 1..16. Default: 8.", rich_help_panel=CODING)
]
TableFile = Annotated[
    Path | None,
    typer.Option(
        "--table", metavar="FILE", help="APack tables made by `profile`, instead of one made from each tensor.", rich_help_panel=CODING
    ),
]
TableMethod = Annotated[
    str, typer.Option("--table-method", metavar="optimal|paper", help="How APack tables are made.", rich_help_panel=CODING)
]
Codecs = Annotated[
    list[str] | None,
    typer.Option(
        "--codec", metavar="NAME", help="raw, zvc, ebpc, apack; may repeat. Default: all that the device has.", rich_help_panel=CODING
    ),
]

DeviceName = Annotated[str, typer.Option("--device", metavar="NAME", help=f"{devices_help()}.", rich_help_panel=DEVICE)]
BuildName = Annotated[
    str | None,
    typer.Option("--build", metavar="NAME", help="A build of cores/builds.toml: full, inference, small, ...", rich_help_panel=DEVICE),
]
Lanes = Annotated[int | None, typer.Option("--lanes", help="Lanes of the engine, 1..16.", rich_help_panel=DEVICE)]
Latency = Annotated[
    int | None, typer.Option("--latency", metavar="CYCLES", help="Latency of the simulated memory.", rich_help_panel=DEVICE)
]
Stalls = Annotated[
    str | None,
    typer.Option("--stalls", metavar="none|light|heavy|long", help="Random pauses of the simulated buses.", rich_help_panel=DEVICE),
]
Bitstream = Annotated[
    str | None,
    typer.Option(
        "--bitstream",
        metavar="FILE",
        help="The .bit to load on a board. Default: what TENSORPRESS_BITSTREAM names.",
        rich_help_panel=DEVICE,
    ),
]
Clock = Annotated[
    float | None,
    typer.Option("--clock", metavar="MHZ", help="Clock of a board's PL. Default: that of the bitstream.", rich_help_panel=DEVICE),
]
NoHwh = Annotated[
    bool, typer.Option("--no-hwh", help="Load a bitstream without its .hwh; tensorpress designs only.", rich_help_panel=DEVICE)
]

Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite the output.", rich_help_panel=OUTPUT)]
Json = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write the rows as JSON, too; - is standard output, and nothing else goes there.",
        rich_help_panel=OUTPUT,
    ),
]
