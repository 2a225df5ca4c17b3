# SPDX-License-Identifier: Apache-2.0
"""Reads a .hwh with both parsers of the installed pynq, and checks that they see the design: ``python hwh_parsers.py FILE.hwh``.

A program of its own, as pynq changes the process that imports it. The file is one of LANES = 2, CLOCK_MHZ = 100.
"""

from __future__ import annotations

import sys

from pynq.pl_server.embedded_device import Metadata, RuntimeMetadataParser
from pynq.pl_server.hwh_parser import _HWHZynq

REGISTERS = {
    "ID": {"address_offset": 0, "size": 32, "access": "read-only"},
    "CONTROL": {"address_offset": 0x14, "size": 32, "access": "write-only"},
    "JOB_CONFIG": {"address_offset": 0x40, "size": 32, "access": "read-write"},
}


def check(name: str, seen) -> None:
    """One parser's view."""
    engine = seen.ip_dict["engine"]
    assert engine["type"] == "tensorpress:engine:tensorpress_engine:1.0", name
    assert (engine["phys_addr"], engine["addr_range"]) == (0x4000_0000, 4096), name
    assert engine["parameters"]["LANES"] == "2", name
    for register, expected in REGISTERS.items():
        found = engine["registers"][register]
        assert {key: found[key] for key in expected} == expected, (name, register)
    fields = engine["registers"]["JOB_CONFIG"]["fields"]
    assert (fields["ZERO"]["bit_offset"], fields["ZERO"]["bit_width"]) == (8, 8), name
    interrupts = seen.ip_dict["interrupts"]
    assert (interrupts["type"], interrupts["phys_addr"]) == ("xilinx.com:ip:axi_intc:4.1", 0x4001_0000), name
    controller = seen.interrupt_controllers["interrupts"]
    assert (controller["parent"], controller["index"], controller["raw_irq"]) == ("", 0, 61), name
    pin = seen.interrupt_pins["engine/irq"]
    assert (pin["controller"], pin["index"]) == ("interrupts", 0), name
    assert engine["interrupts"]["irq"]["controller"] == "interrupts", name
    clock = seen.clock_dict[0]
    assert clock["enable"] == 1 and clock["divisor0"] * clock["divisor1"] == 10, name
    assert seen.clock_dict[1]["enable"] == 0, name
    print(f"{name}: {len(engine['registers'])} registers")


def main() -> int:
    """Run both parsers."""
    classic = _HWHZynq(sys.argv[1])
    metadata = RuntimeMetadataParser(Metadata(input=sys.argv[1]))
    check("hwh_parser", classic)
    check("pynqmetadata", metadata)
    assert set(classic.ip_dict["engine"]["registers"]) == set(metadata.ip_dict["engine"]["registers"])
    print("2 parsers agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
