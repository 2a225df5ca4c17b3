#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for nextpnr-xilinx, fasm2frames and xc7frames2bit: links of these names point here. Each checks its options and its input, and
writes a file of the kind that the next one reads; nothing is placed or routed.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
import sys
from pathlib import Path


def fail(text: str) -> None:
    """End with 1 and a message."""
    sys.exit(f"stub {Path(sys.argv[0]).name}: {text}")


def nextpnr() -> None:
    """Netlist and pins in, FASM out: every port of the top has a pin, every pin a port, and the cells are those that a Zynq has."""
    parser = argparse.ArgumentParser()
    for option in ("--chipdb", "--xdc", "--json", "--fasm", "--log"):
        parser.add_argument(option, required=True, type=Path)
    parser.add_argument("--freq", required=True, type=float)
    options = parser.parse_args()
    if not options.chipdb.is_file():
        fail(f"no chip database {options.chipdb}")
    modules = json.loads(options.json.read_text())["modules"]
    tops = [module for module in modules.values() if "top" in module.get("attributes", {}) and int(module["attributes"]["top"], 2)]
    if len(tops) != 1:
        fail(f"{len(tops)} tops in {options.json}")
    cells = [cell["type"] for cell in tops[0]["cells"].values()]
    if cells.count("PS7") != 1:
        fail(f"{cells.count('PS7')} PS7 in the netlist")
    if bad := sorted({kind for kind in cells if kind.startswith("$") or kind not in modules}):
        fail(f"cells that no Zynq has: {', '.join(bad)}")
    ports = {
        f"{name}[{bit}]" if len(port["bits"]) > 1 else name for name, port in tops[0]["ports"].items() for bit in range(len(port["bits"]))
    }
    lines = [line for line in options.xdc.read_text().splitlines() if line.strip() and not line.startswith("#")]
    found: dict[str, set[str]] = {"PACKAGE_PIN": set(), "IOSTANDARD": set()}
    for line in lines:
        parts = re.fullmatch(r"set_property (PACKAGE_PIN|IOSTANDARD) (\w+) \[get_ports \{?([\w\[\]]+)\}?\]", line)
        if parts is None:
            fail(f"cannot read {line!r} of {options.xdc}")
        else:
            found[parts[1]].add(parts[3])
    for name, placed in found.items():
        if placed != ports:
            fail(f"{name} of {sorted(placed)}, ports {sorted(ports)}")
    options.fasm.write_text("".join(f"CELL_{number}.{kind}\n" for number, kind in enumerate(cells)))
    options.log.write_text("")


def frames() -> None:
    """FASM in, frames to standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", required=True)
    parser.add_argument("--db-root", required=True, type=Path)
    parser.add_argument("fasm", type=Path)
    options = parser.parse_args()
    if not (options.db_root / options.part / "part.yaml").is_file():
        fail(f"no {options.db_root / options.part}")
    lines = options.fasm.read_text().splitlines()
    print("\n".join(f"0x{number:08X} {len(line):#x}" for number, line in enumerate(lines)))


def bits() -> None:
    """Frames in, a bitstream with the header that Project X-Ray writes out."""
    parser = argparse.ArgumentParser()
    for option in ("--part_file", "--frm_file", "--output_file"):
        parser.add_argument(option, required=True, type=Path)
    parser.add_argument("--part_name", required=True)
    options = parser.parse_args()
    if not options.part_file.is_file():
        fail(f"no {options.part_file}")
    data = options.frm_file.read_bytes()
    header = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in (("a", "pynq_top;Generator=xc7frames2bit"), ("b", options.part_name), ("c", "2000/01/01"), ("d", "00:00:00")):
        header += key.encode() + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
    options.output_file.write_bytes(header + b"e" + struct.pack(">I", len(data)) + data)


TOOLS = {"nextpnr-xilinx": nextpnr, "fasm2frames": frames, "xc7frames2bit": bits}

if __name__ == "__main__":
    TOOLS[Path(sys.argv[0]).name]()
