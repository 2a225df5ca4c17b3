# SPDX-License-Identifier: Apache-2.0
"""The generated .hwh: what it says, and that it fits the Verilog; pynq's own parsers read it where pynq is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tensorpress import hwh
from tensorpress.errors import InputError
from tensorpress.registers import REG

ROOT = Path(__file__).resolve().parents[2]
TOP = ROOT / "cores" / "pynq" / "pynq_top.v"
SCRIPT = ROOT / "scripts" / "make_hwh.py"


def parse(**parameters):
    return ElementTree.fromstring(hwh.hwh_text(parameters))


def test_parameters_and_addresses_are_those_of_the_verilog():
    text = TOP.read_text()
    declared = re.findall(r"parameter (\w+) *= (\w+)", text)
    assert {name: int(value) if value.isdigit() else value for name, value in declared} == hwh.PARAMETERS
    pages = {name: int(value.replace("_", ""), 16) for name, value in re.findall(r"(\w+)_PAGE *= 32'h([0-9A-F_]+)", text)}
    assert pages == {"ENGINE": hwh.ENGINE_ADDRESS, "INTERRUPTS": hwh.INTERRUPTS_ADDRESS}


def test_every_register_and_field_is_there():
    found = {register.get("NAME"): register for register in parse().iter("REGISTER")}
    assert list(found) == list(REG)
    for name, register in REG.items():
        properties = {part.get("NAME"): part.get("VALUE") for part in found[name].findall("PROPERTY")}
        assert int(properties["ADDRESS_OFFSET"], 16) == register.offset
        assert properties["SIZE"] == "32" and properties["DESCRIPTION"] == register.description
        fields = {
            field.get("NAME"): {part.get("NAME"): part.get("VALUE") for part in field.findall("PROPERTY")}
            for field in found[name].iter("FIELD")
        }
        assert {field: (int(p["BIT_OFFSET"]), int(p["BIT_WIDTH"])) for field, p in fields.items()} == {
            field: (part.shift, part.width) for field, part in register.fields.items()
        }


def test_connections_are_mutual_and_nets_agree():
    ports = {(module.get("INSTANCE"), port.get("NAME")): port for module in parse().iter("MODULE") for port in module.iter("PORT")}
    connections = {(place, (c.get("INSTANCE"), c.get("PORT"))) for place, port in ports.items() for c in port.iter("CONNECTION")}
    assert len(connections) == 8
    for one, other in connections:
        assert (other, one) in connections
        assert ports[one].get("SIGNAME") == ports[other].get("SIGNAME")
        assert {ports[one].get("DIR"), ports[other].get("DIR")} == {"I", "O"}


def test_build_parameters_are_told():
    modules = {module.get("INSTANCE"): module for module in parse(LANES=3, CLOCK_MHZ=100).iter("MODULE")}
    engine = {part.get("NAME"): part.get("VALUE") for part in modules["engine"].iter("PARAMETER")}
    assert engine["LANES"] == engine["ENCODE_LANES"] == "3" and engine["BLOCK_BYTES"] == "4096" and engine["CLOCK_MHZ"] == "100"
    ps = {part.get("NAME"): part.get("VALUE") for part in modules[hwh.PS].iter("PARAMETER")}
    assert int(ps["PCW_FCLK0_PERIPHERAL_DIVISOR0"]) * int(ps["PCW_FCLK0_PERIPHERAL_DIVISOR1"]) == 10


def test_a_second_memory_port_is_on_hp1():
    for ports, buses in ((1, ["M_AXI"]), (2, ["M_AXI", "M1_AXI"])):
        modules = {module.get("INSTANCE"): module for module in parse(MEMORY_PORTS=ports).iter("MODULE")}
        ranges = [(place.get("MASTERBUSINTERFACE"), place.get("SLAVEBUSINTERFACE")) for place in modules["engine"].iter("MEMRANGE")]
        assert ranges == [(bus, f"S_AXI_HP{number}") for number, bus in enumerate(buses)]
        assert [bus.get("NAME") for bus in modules["engine"].iter("BUSINTERFACE")] == ["S_AXI", *buses]
        slaves = [bus.get("NAME") for bus in modules[hwh.PS].iter("BUSINTERFACE")]
        assert slaves == ["M_AXI_GP0", *(f"S_AXI_HP{number}" for number in range(ports))]


@pytest.mark.parametrize(("mhz", "divisor"), [(1, 1000), (50, 20), (100, 10), (125, 8), (142, 8), (143, 7), (150, 7), (200, 5), (1000, 1)])
def test_clock_never_exceeds_what_was_asked_for(mhz, divisor):
    first, second = hwh.clock_divisors(mhz)
    assert first * second == divisor and 1 <= first < 64 and 1 <= second < 64


def test_bad_parameters_are_named():
    with pytest.raises(InputError, match="LINES"):
        hwh.hwh_text({"LINES": 1})
    with pytest.raises(InputError, match="CLOCK_MHZ = 0"):
        hwh.hwh_text({"CLOCK_MHZ": 0})


def run(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_command_line(tmp_path):
    output = tmp_path / "x.hwh"
    assert run(output, "LANES=2").returncode == 0
    assert output.read_text() == hwh.hwh_text({"LANES": 2})
    eda = tmp_path / "x.eda.yml"
    entries = ["LANES: {default: 5, paramtype: vlogparam}", "ENCODE_LANES: {paramtype: vlogparam}"]
    entries.append("OTHER: {default: 1, paramtype: vlogdefine}")
    eda.write_text(f"parameters: {{{', '.join(entries)}}}\n")
    assert run(output, "--eda", eda, "CLOCK_MHZ=50").returncode == 0
    assert output.read_text() == hwh.hwh_text({"LANES": 5, "CLOCK_MHZ": 50})
    for bad in ([output, "LANES"], [output, "LINES=1"], [output, "--eda", tmp_path / "none"], [tmp_path / "no" / "x.hwh"]):
        done = run(*bad)
        assert done.returncode == 2 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr, bad


PARSERS = Path(__file__).with_name("hwh_parsers.py")


def pythons_with_pynq() -> list[str]:
    """This interpreter and the one of `make pynq-venv`, where they have pynq."""
    candidates = [sys.executable, str(ROOT / ".venv-pynq" / "bin" / "python")]
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pynq.pl_server') is None)"
    return [
        python
        for python in candidates
        if Path(python).is_file() and subprocess.run([python, "-c", look], capture_output=True, check=False).returncode == 0
    ]


def test_parsers_of_pynq_read_it(tmp_path):
    pythons = pythons_with_pynq()
    if not pythons:
        pytest.skip("pynq is not installed here (make pynq-venv, or pip install 'tensorpress[pynq]')")
    file = tmp_path / "x.hwh"
    file.write_text(hwh.hwh_text({"LANES": 2, "CLOCK_MHZ": 100}))
    for python in pythons:
        done = subprocess.run([python, PARSERS, file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "2 parsers agree"
