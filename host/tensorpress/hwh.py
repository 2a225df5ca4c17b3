# SPDX-License-Identifier: Apache-2.0
"""The hardware description (``.hwh``) that pynq reads beside a bitstream of ``cores/pynq/pynq_top.v``, made from the register map and the
build's parameters; and the names and addresses in it, which the design fixes (cores/pynq/README.md).

The form is the part of Vivado's that both parsers of pynq look at: the one of 3.0.x (nets by the name of their signal) and the one of
pynqmetadata, used by 3.1.x (nets by their connections). ``scripts/make_hwh.py`` writes the file for a build.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from tensorpress.errors import InputError
from tensorpress.registers import REG, VERSION, Register

ENGINE_VLNV = "tensorpress:engine:tensorpress_engine:1.0"
"""The engine as Vivado's IP catalogue, block designs and pynq's ``bindto`` call it."""
ENGINE = "engine"
ENGINE_ADDRESS = 0x4000_0000
INTERRUPTS_VLNV = "xilinx.com:ip:axi_intc:4.1"
INTERRUPTS = "interrupts"
INTERRUPTS_ADDRESS = 0x4001_0000
INTERRUPT_PIN = f"{ENGINE}/irq"
"""What ``pynq.Interrupt`` is given."""
PAGE_BYTES = 4096
PS = "processing_system7"
PS_VLNV = "xilinx.com:ip:processing_system7:5.5"
DDR_BYTES = 512 << 20

PARAMETERS: Mapping[str, int | str] = {
    "LANES": 8,
    "CODECS": 15,
    "ENCODE_LANES": "LANES",
    "DECODE_LANES": "LANES",
    "ENCODE_CODECS": "CODECS",
    "DECODE_CODECS": "CODECS",
    "BLOCK_BYTES": 4096,
    "MEMORY_PORTS": 1,
    "READ_OUTSTANDING": 8,
    "WRITE_OUTSTANDING": 8,
    "APACK_CODERS": 8,
    "APACK_TREE": 0,
    "CLOCK_MHZ": 125,
}
"""Parameters of ``pynq_top`` and their defaults: a number, or the name of the parameter whose value it has."""

PLL_MHZ = 1000
"""The IO PLL of the boards, from which FCLK0 comes."""

_ACCESS = {"ro": "read-only", "rw": "read-write", "w1s": "write-only", "w1c": "read-write", "wo": "write-only"}
_AXIMM = "xilinx.com:interface:aximm:1.0"
_LITE_PORTS = (
    ("AWADDR", "I"),
    ("AWVALID", "I"),
    ("AWREADY", "O"),
    ("WDATA", "I"),
    ("WSTRB", "I"),
    ("WVALID", "I"),
    ("WREADY", "O"),
    ("BRESP", "O"),
    ("BVALID", "O"),
    ("BREADY", "I"),
    ("ARADDR", "I"),
    ("ARVALID", "I"),
    ("ARREADY", "O"),
    ("RDATA", "O"),
    ("RRESP", "O"),
    ("RVALID", "O"),
    ("RREADY", "I"),
)
_BURST_PORTS = (("AWID", "I"), ("AWLEN", "I"), ("WLAST", "I"), ("BID", "O"), ("ARID", "I"), ("ARLEN", "I"), ("RID", "O"), ("RLAST", "O"))
_READ_PORTS = tuple((name, direction) for name, direction in (*_LITE_PORTS, *_BURST_PORTS) if name.startswith(("AR", "R")))


def register_access(register: Register) -> str:
    """The access of a register in the words of IP-XACT."""
    return _ACCESS[register.access]


def build_parameters(parameters: Mapping[str, int] | None = None) -> dict[str, int]:
    """All parameters of a build of ``pynq_top``: those given, and the defaults of the others.

    Raises
    ------
    InputError
        A parameter that ``pynq_top`` does not have.
    """
    given = dict(parameters or {})
    unknown = set(given) - set(PARAMETERS)
    if unknown:
        raise InputError(f"pynq_top has no parameter {', '.join(sorted(unknown))}; it has {', '.join(PARAMETERS)}")
    build: dict[str, int] = {}
    for name, default in PARAMETERS.items():
        build[name] = given[name] if name in given else build[default] if isinstance(default, str) else default
    return build


def clock_divisors(clock_mhz: int) -> tuple[int, int]:
    """The two divisors (1..63 each) of FCLK0 that give the highest frequency up to `clock_mhz`: 1000 MHz / (first * second).

    Raises
    ------
    InputError
        No divisors give such a frequency.
    """
    pairs = [(first, second) for first in range(1, 64) for second in range(1, 64) if clock_mhz * first * second >= PLL_MHZ]
    if not pairs or clock_mhz < 1:
        raise InputError(f"CLOCK_MHZ = {clock_mhz}: FCLK0 can be 1..{PLL_MHZ} MHz")
    first, second = min(pairs, key=lambda pair: (pair[0] * pair[1], pair[1]))
    return first, second


@dataclass(frozen=True)
class _Port:
    """A port of a module: direction I or O, its net, and what else is on that net as (module, port)."""

    name: str
    direction: str
    net: str
    partners: Sequence[tuple[str, str]] = ()
    kind: str = ""


@dataclass(frozen=True)
class _Bus:
    """A memory-mapped interface of a module; its physical ports are `prefix` + the logical name."""

    name: str
    master: bool
    prefix: str
    width: int
    ports: Sequence[tuple[str, str]]

    def physical(self, upper: bool) -> list[tuple[str, str, str]]:
        """(logical, physical, direction) of each port."""
        turn = {"I": "O", "O": "I"} if self.master else {"I": "I", "O": "O"}
        return [(name, self.prefix + (name if upper else name.lower()), turn[direction]) for name, direction in self.ports]


@dataclass(frozen=True)
class _Range:
    """A place in the address space of a master interface."""

    block: str
    base: int
    size: int
    master: str
    instance: str
    slave: str
    memory: bool = False


def _module(
    parent: ElementTree.Element,
    name: str,
    vlnv: str,
    parameters: Mapping[str, object],
    ports: Iterable[_Port],
    buses: Sequence[_Bus],
    ranges: Sequence[_Range] = (),
    *,
    is_ps: bool = False,
) -> ElementTree.Element:
    kind = vlnv.split(":")[2]
    module = ElementTree.SubElement(
        parent,
        "MODULE",
        FULLNAME=f"/{name}",
        HWVERSION=vlnv.split(":")[3],
        INSTANCE=name,
        IPTYPE="PERIPHERAL",
        IS_ENABLE="1",
        MODCLASS="PROCESSING" if is_ps else "PERIPHERAL",
        MODTYPE=kind,
        VLNV=vlnv,
    )
    if is_ps:
        module.set("IS_PL", "FALSE")
    listed = ElementTree.SubElement(module, "PARAMETERS")
    for key, value in parameters.items():
        ElementTree.SubElement(listed, "PARAMETER", NAME=key, VALUE=str(value))
    drawn = ElementTree.SubElement(module, "PORTS")
    for port in ports:
        element = ElementTree.SubElement(drawn, "PORT", DIR=port.direction, NAME=port.name, SIGNAME=port.net)
        if port.kind:
            element.set("SIGIS", port.kind)
        if port.partners:
            connections = ElementTree.SubElement(element, "CONNECTIONS")
            for instance, partner in port.partners:
                ElementTree.SubElement(connections, "CONNECTION", INSTANCE=instance, PORT=partner)
    interfaces = ElementTree.SubElement(module, "BUSINTERFACES")
    for bus in buses:
        interface = ElementTree.SubElement(
            interfaces,
            "BUSINTERFACE",
            BUSNAME=f"{name}_{bus.name}",
            DATAWIDTH=str(bus.width),
            NAME=bus.name,
            TYPE="MASTER" if bus.master else "SLAVE",
            VLNV=_AXIMM,
        )
        maps = ElementTree.SubElement(interface, "PORTMAPS")
        for logical, physical, direction in bus.physical(is_ps):
            ElementTree.SubElement(drawn, "PORT", DIR=direction, NAME=physical, SIGNAME=f"{name}_{physical}")
            ElementTree.SubElement(maps, "PORTMAP", LOGICAL=logical, PHYSICAL=physical)
    if ranges:
        memory_map = ElementTree.SubElement(module, "MEMORYMAP")
        for place in ranges:
            ElementTree.SubElement(
                memory_map,
                "MEMRANGE",
                ADDRESSBLOCK=place.block,
                BASEVALUE=f"0x{place.base:08X}",
                HIGHVALUE=f"0x{place.base + place.size - 1:08X}",
                INSTANCE=place.instance,
                IS_DATA="TRUE",
                IS_INSTRUCTION="FALSE",
                MASTERBUSINTERFACE=place.master,
                MEMTYPE="MEMORY" if place.memory else "REGISTER",
                SLAVEBUSINTERFACE=place.slave,
            )
    return module


def _properties(parent: ElementTree.Element, **properties: object) -> None:
    for key, value in properties.items():
        ElementTree.SubElement(parent, "PROPERTY", NAME=key, VALUE=str(value))


def _add_registers(module: ElementTree.Element) -> None:
    blocks = ElementTree.SubElement(module, "ADDRESSBLOCKS")
    block = ElementTree.SubElement(
        blocks, "ADDRESSBLOCK", ACCESS="read-write", INTERFACE="S_AXI", NAME="reg0", RANGE=str(PAGE_BYTES), USAGE="register"
    )
    registers = ElementTree.SubElement(block, "REGISTERS")
    for register in REG.values():
        element = ElementTree.SubElement(registers, "REGISTER", NAME=register.name)
        access = register_access(register)
        _properties(
            element,
            DESCRIPTION=register.description,
            ADDRESS_OFFSET=f"0x{register.offset:03X}",
            SIZE=32,
            ACCESS=access,
            IS_ENABLED="true",
            RESET_VALUE="0x00000000",
        )
        fields = ElementTree.SubElement(element, "FIELDS")
        for part in register.fields.values():
            field = ElementTree.SubElement(fields, "FIELD", NAME=part.name)
            _properties(field, DESCRIPTION=part.description, BIT_OFFSET=part.shift, BIT_WIDTH=part.width, ACCESS=access)


def hwh_text(parameters: Mapping[str, int] | None = None, *, name: str = "tensorpress", part: str = "xc7z020clg400-1") -> str:
    """The description of a build.

    Parameters
    ----------
    parameters : mapping of str to int, optional
        Verilog parameters of ``pynq_top``; those not named have their defaults (:data:`PARAMETERS`).
    name : str
        Name of the system.
    part : str
        The FPGA.

    Returns
    -------
    str
        The XML text.

    Raises
    ------
    InputError
        A parameter that ``pynq_top`` does not have, or a clock that FCLK0 cannot have.
    """
    build = build_parameters(parameters)
    first, second = clock_divisors(build["CLOCK_MHZ"])

    device, package = part.partition("clg")[0], "clg" + part.partition("clg")[2].partition("-")[0]
    root = ElementTree.Element("EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP=datetime.date(2000, 1, 1).isoformat(), VIVADOVERSION="none")
    ElementTree.SubElement(
        root, "SYSTEMINFO", ARCH="zynq", DEVICE=device, NAME=name, PACKAGE=package, SPEEDGRADE="-" + part.rpartition("-")[2]
    )
    ElementTree.SubElement(root, "EXTERNALPORTS")
    ElementTree.SubElement(root, "EXTERNALINTERFACES")
    modules = ElementTree.SubElement(root, "MODULES")

    clock: dict[str, object] = {
        "PCW_USE_M_AXI_GP0": 1,
        "PCW_USE_S_AXI_HP0": 1,
        "PCW_S_AXI_HP0_DATA_WIDTH": 64,
        "C_S_AXI_HP0_DATA_WIDTH": 64,
    }
    two_ports = build["MEMORY_PORTS"] == 2
    if two_ports:
        clock |= {"PCW_USE_S_AXI_HP1": 1, "PCW_S_AXI_HP1_DATA_WIDTH": 64, "C_S_AXI_HP1_DATA_WIDTH": 64}
    for number in range(4):
        clock[f"PCW_FPGA_FCLK{number}_ENABLE"] = int(number == 0)
        clock[f"PCW_FCLK{number}_PERIPHERAL_DIVISOR0"] = first if number == 0 else 1
        clock[f"PCW_FCLK{number}_PERIPHERAL_DIVISOR1"] = second if number == 0 else 1
        clock[f"PCW_FCLK{number}_PERIPHERAL_CLKSRC"] = "IO PLL"
    clock["PCW_FPGA0_PERIPHERAL_FREQMHZ"] = f"{PLL_MHZ / (first * second):g}"

    clocks = {PS: "FCLK_CLK0", ENGINE: "aclk", INTERRUPTS: "s_axi_aclk"}

    def clock_port(instance: str) -> _Port:
        partners = [(other, port) for other, port in clocks.items() if (instance == PS) != (other == PS)]
        return _Port(clocks[instance], "O" if instance == PS else "I", "fclk0", partners, "clk")

    _module(
        modules,
        PS,
        PS_VLNV,
        clock,
        [clock_port(PS), _Port("IRQ_F2P", "I", "interrupts_irq", [(INTERRUPTS, "irq")])],
        [
            _Bus("M_AXI_GP0", True, "M_AXI_GP0_", 32, (*_LITE_PORTS, *_BURST_PORTS)),
            _Bus("S_AXI_HP0", False, "S_AXI_HP0_", 64, (*_LITE_PORTS, *_BURST_PORTS)),
            *([_Bus("S_AXI_HP1", False, "S_AXI_HP1_", 64, _READ_PORTS)] if two_ports else []),
        ],
        [
            _Range("reg0", ENGINE_ADDRESS, PAGE_BYTES, "M_AXI_GP0", ENGINE, "S_AXI"),
            _Range("Reg", INTERRUPTS_ADDRESS, PAGE_BYTES, "M_AXI_GP0", INTERRUPTS, "s_axi"),
        ],
        is_ps=True,
    )
    engine = _module(
        modules,
        ENGINE,
        ENGINE_VLNV,
        {key: value for key, value in build.items() if key != "CLOCK_MHZ"}
        | {"REGISTER_MAP_VERSION": f"0x{VERSION:08X}", "CLOCK_MHZ": build["CLOCK_MHZ"]},
        [clock_port(ENGINE), _Port("irq", "O", "engine_irq", [(INTERRUPTS, "intr")], "interrupt")],
        [
            _Bus("S_AXI", False, "s_axi_", 32, _LITE_PORTS),
            _Bus("M_AXI", True, "m_axi_", 64, (*_LITE_PORTS, *_BURST_PORTS)),
            *([_Bus("M1_AXI", True, "m1_axi_", 64, _READ_PORTS)] if two_ports else []),
        ],
        [
            _Range("HP0_DDR_LOWOCM", 0, DDR_BYTES, "M_AXI", PS, "S_AXI_HP0", memory=True),
            *([_Range("HP1_DDR_LOWOCM", 0, DDR_BYTES, "M1_AXI", PS, "S_AXI_HP1", memory=True)] if two_ports else []),
        ],
    )
    _add_registers(engine)
    _module(
        modules,
        INTERRUPTS,
        INTERRUPTS_VLNV,
        {"C_NUM_INTR_INPUTS": 1, "C_KIND_OF_INTR": "0x00000000", "C_IRQ_IS_LEVEL": 1},
        [
            clock_port(INTERRUPTS),
            _Port("intr", "I", "engine_irq", [(ENGINE, "irq")], "interrupt"),
            _Port("irq", "O", "interrupts_irq", [(PS, "IRQ_F2P")], "interrupt"),
        ],
        [_Bus("s_axi", False, "s_axi_", 32, _LITE_PORTS)],
    )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
