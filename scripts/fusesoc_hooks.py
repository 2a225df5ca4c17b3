#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What FuseSoC's targets do besides the tools' own flows, run in their work root: ``python fusesoc_hooks.py STEP``.

overlay
    Puts the bitstream and its ``.hwh`` beside each other: ``overlay/tensorpress.bit``, ``overlay/tensorpress.hwh``.
registers
    Writes ``registers.tcl``, the register map for ``cores/package_ip/package_ip.tcl``.
check-open
    Looks for the tools of the open flow (openXC7) and names what is missing.
build-open
    From Yosys' netlist to a bitstream: nextpnr-xilinx, fasm2frames, xc7frames2bit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TREE / "host"), str(TREE / "scripts")]

from make_hwh import eda_parameters  # noqa: E402
from tensorpress.errors import BuildError, InputError, TensorpressError  # noqa: E402
from tensorpress.hwh import ENGINE_VLNV, PAGE_BYTES, build_parameters, hwh_text, register_access  # noqa: E402
from tensorpress.registers import REG  # noqa: E402

PART = "xc7z020clg400-1"
FAMILY = "zynq7"
OPEN_TOOLS = ("yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit")
OPEN_README = "see cores/pynq/README.md; openXC7: nix develop github:openXC7/toolchain-nix"
LOWEST_BIT_BYTES = 100


def description() -> Path:
    """The .eda.yml of the work root.

    Raises
    ------
    InputError
        There is none, or more than one.
    """
    found = sorted(Path.cwd().glob("*.eda.yml"))
    if len(found) != 1:
        raise InputError(f"{len(found)} .eda.yml files in {Path.cwd()}, expected one")
    return found[0]


def overlay() -> None:
    """Copy the bitstream and write its description beside it."""
    eda = description()
    bitstream = Path(eda.name.removesuffix(".eda.yml") + ".bit")
    if not bitstream.is_file() or bitstream.stat().st_size < LOWEST_BIT_BYTES:
        raise BuildError(f"the flow made no bitstream {bitstream.resolve()}; see its log files there")
    folder = Path("overlay")
    folder.mkdir(exist_ok=True)
    shutil.copyfile(bitstream, folder / "tensorpress.bit")
    (folder / "tensorpress.hwh").write_text(hwh_text(eda_parameters(eda), part=PART))
    print(f"bitstream and description: {(folder / 'tensorpress.bit').resolve()} and .hwh")


def _braced(text: str) -> str:
    if text.count("{") != text.count("}") or "\\" in text:
        raise InputError(f"the description {text!r} cannot be a Tcl word")
    return "{" + text + "}"


def registers() -> None:
    """Write the register map as a Tcl list: {name offset access description {{field shift width description} ...}}."""
    lines = [
        "# Made by scripts/fusesoc_hooks.py from the register map.",
        f"set engine_vlnv {ENGINE_VLNV}",
        f"set engine_range {PAGE_BYTES}",
        "set engine_registers {",
    ]
    for register in REG.values():
        fields = " ".join(f"{{{part.name} {part.shift} {part.width} {_braced(part.description)}}}" for part in register.fields.values())
        lines.append(f"    {{{register.name} {register.offset} {register_access(register)} {_braced(register.description)} {{{fields}}}}}")
    Path("registers.tcl").write_text("\n".join([*lines, "}"]) + "\n")


def _chip_database() -> Path:
    named = os.environ.get("CHIPDB") or os.environ.get("ZYNQ7_CHIPDB", "")
    if not named:
        raise InputError(f"CHIPDB is not set: the folder with nextpnr-xilinx' database xc7z020clg400.bin, or that file; {OPEN_README}")
    path = Path(named)
    if path.is_dir():
        path = path / "xc7z020clg400.bin"
    if not path.is_file():
        raise InputError(f"CHIPDB: there is no file {path}; {OPEN_README}")
    return path


def _device_database() -> Path:
    named = os.environ.get("PRJXRAY_DB_DIR", "")
    if not named:
        raise InputError(f"PRJXRAY_DB_DIR is not set: the folder of Project X-Ray's database; {OPEN_README}")
    path = Path(named) / FAMILY
    if not (path / PART / "part.yaml").is_file():
        raise InputError(f"PRJXRAY_DB_DIR: there is no {path / PART / 'part.yaml'}; {OPEN_README}")
    return path


def check_open() -> None:
    """Name the tools and databases that are missing, all at once."""
    missing = [f"{tool} is not on PATH" for tool in OPEN_TOOLS if shutil.which(tool) is None]
    for find in (_chip_database, _device_database):
        try:
            find()
        except InputError as error:
            missing.append(str(error))
    if missing:
        raise BuildError("the open flow cannot run:\n  " + "\n  ".join(missing))


def _run(tool: str, *arguments: str | Path, output: str, to_stdout: bool = False) -> None:
    command = [tool, *map(str, arguments)]
    print("+", " ".join(command), flush=True)
    if to_stdout:
        with open(output, "w") as file:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, check=False)
    else:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if done.returncode or not Path(output).is_file() or Path(output).stat().st_size == 0:
        Path(output).unlink(missing_ok=True)
        raise BuildError(f"{tool} failed with code {done.returncode}, and made no {output}")


def build_open() -> None:
    """Place, route, and write the bitstream; the netlist is <name>.json."""
    check_open()
    eda = description()
    name = eda.name.removesuffix(".eda.yml")
    clock = build_parameters(eda_parameters(eda))["CLOCK_MHZ"]
    pins = sorted(Path("src").glob("*/pynq_z2.xdc"))
    if len(pins) != 1:
        raise InputError(f"{len(pins)} files pynq_z2.xdc below {Path('src').resolve()}, expected one")
    database = _device_database()
    part_file = database / PART / "part.yaml"
    # nextpnr-xilinx does not know the cells in which newer versions of Yosys note the hierarchy
    _run("yosys", "-q", "-p", f"read_json {name}.json; delete t:$scopeinfo; write_json {name}.place.json", output=f"{name}.place.json")
    _run(
        "nextpnr-xilinx",
        *("--chipdb", _chip_database(), "--xdc", pins[0], "--json", f"{name}.place.json", "--fasm", f"{name}.fasm"),
        *("--freq", str(clock), "--log", "nextpnr.log"),
        output=f"{name}.fasm",
    )
    _run("fasm2frames", "--part", PART, "--db-root", database, f"{name}.fasm", output=f"{name}.frames", to_stdout=True)
    _run(
        "xc7frames2bit",
        *("--part_file", part_file, "--part_name", PART, "--frm_file", f"{name}.frames", "--output_file", f"{name}.bit"),
        output=f"{name}.bit",
    )
    overlay()


STEPS: dict[str, Callable[[], None]] = {"overlay": overlay, "registers": registers, "check-open": check_open, "build-open": build_open}


def main() -> int:
    """Run a step; 1 with a message if it cannot."""
    if len(sys.argv) != 2 or sys.argv[1] not in STEPS:
        print(f"usage: fusesoc_hooks.py {'|'.join(STEPS)}", file=sys.stderr)
        return 2
    try:
        STEPS[sys.argv[1]]()
    except (TensorpressError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
