#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes everything that knows a register address out of ``rtl/csr/registers.toml``.

Writes ``rtl/csr/tensorpress_registers.vh``, ``rtl/csr/REGISTERS.md`` and ``host/tensorpress/registers.py``;
with ``--check`` it writes nothing and fails if one of them differs.
"""

from __future__ import annotations

import argparse
import difflib
import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "rtl" / "csr" / "registers.toml"
ACCESS = {
    "ro": "read only",
    "rw": "read and write",
    "wo": "write only, reads 0",
    "w1s": "write 1 to act, reads 0",
    "w1c": "write 1 to clear",
}
WORD = 4
BITS = 32
NOTE = "Made by scripts/generate_registers.py from rtl/csr/registers.toml: do not edit."


class MapError(ValueError):
    """The register map breaks a rule; the message names the entry."""


@dataclass(frozen=True)
class Field:
    """Some bits of a register."""

    name: str
    shift: int
    width: int
    description: str

    @property
    def mask(self) -> int:
        """The field's bits, in place."""
        return ((1 << self.width) - 1) << self.shift

    @property
    def bits(self) -> str:
        """``high:low``, as in Verilog."""
        return f"{self.shift + self.width - 1}:{self.shift}"


@dataclass(frozen=True)
class Register:
    """A 32-bit register."""

    name: str
    offset: int
    access: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Window:
    """A range of words."""

    name: str
    offset: int
    words: int
    access: str
    description: str


@dataclass(frozen=True)
class Error:
    """An error code of STATUS.ERROR_CODE."""

    code: int
    name: str
    description: str


@dataclass(frozen=True)
class Map:
    """The whole map, checked."""

    name: str
    address_width: int
    id: int
    version: int
    registers: tuple[Register, ...]
    windows: tuple[Window, ...]
    errors: tuple[Error, ...]


def load(text: str) -> Map:
    """Read and check a register map.

    Parameters
    ----------
    text : str
        TOML, as in ``rtl/csr/registers.toml``.

    Returns
    -------
    Map
        Registers and windows by address, errors by code.

    Raises
    ------
    MapError
        If a name, address, field or code is malformed, used twice, or overlaps another.
    """
    raw = tomllib.loads(text)
    head = raw.get("map", {})
    _only(head, {"name", "address_width", "id", "version"}, "map")
    registers = tuple(sorted((_register(entry) for entry in raw.get("register", [])), key=lambda r: r.offset))
    windows = tuple(sorted((_window(entry) for entry in raw.get("window", [])), key=lambda w: w.offset))
    errors = tuple(sorted((_error(entry) for entry in raw.get("error", [])), key=lambda e: e.code))
    _only(raw, {"map", "register", "window", "error"}, "the file")
    width, identity, version = (_integer(head, key, "map") for key in ("address_width", "id", "version"))
    result = Map(str(head.get("name")), width, identity, version, registers, windows, errors)
    _check_addresses(result)
    _check_unique([register.name for register in registers] + [window.name for window in windows], "register name")
    _check_unique([error.name for error in errors], "error name")
    _check_unique([error.code for error in errors], "error code")
    for what, value in (("id", result.id), ("version", result.version)):
        if not 0 <= value < 1 << BITS:
            raise MapError(f"map: {what} does not fit {BITS} bits")
    return result


def _only(entry: Mapping[str, Any], keys: set[str], where: str) -> None:
    unknown = set(entry) - keys
    if unknown:
        raise MapError(f"{where}: unknown key {', '.join(sorted(unknown))}")


def _name(entry: Mapping[str, Any], where: str) -> str:
    name = entry.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name) or keyword.iskeyword(name):
        raise MapError(f"{where}: bad name {name!r}, expected capitals, digits and _")
    return name


def _integer(entry: Mapping[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MapError(f"{where}: {key} {value!r} is not a whole number")
    return value


def _description(entry: Mapping[str, Any], where: str) -> str:
    text = entry.get("description")
    if not isinstance(text, str) or not text.strip():
        raise MapError(f"{where} has no description")
    return text.strip()


def _access(entry: Mapping[str, Any], where: str) -> str:
    access = entry.get("access")
    if access not in ACCESS:
        raise MapError(f"{where}: access {access!r} is not one of {', '.join(ACCESS)}")
    return str(access)


def _register(entry: Mapping[str, Any]) -> Register:
    name = _name(entry, "register")
    _only(entry, {"name", "offset", "access", "description", "fields"}, name)
    fields = tuple(sorted((_field(name, field) for field in entry.get("fields", [])), key=lambda f: f.shift))
    _check_unique([field.name for field in fields], f"field name of {name}")
    for low, high in pairwise(fields):
        if low.mask & high.mask:
            raise MapError(f"{name}: fields {low.name} and {high.name} overlap")
    return Register(name, _integer(entry, "offset", name), _access(entry, name), _description(entry, name), fields)


def _field(register: str, entry: Mapping[str, Any]) -> Field:
    name = _name(entry, f"field of {register}")
    where = f"{register}.{name}"
    _only(entry, {"name", "bits", "description"}, where)
    match = re.fullmatch(r"(\d+):(\d+)", str(entry.get("bits")))
    if match is None or not 0 <= int(match[2]) <= int(match[1]) < BITS:
        raise MapError(f"{where}: bits {entry.get('bits')!r} are not high:low in 31..0")
    return Field(name, int(match[2]), int(match[1]) - int(match[2]) + 1, _description(entry, where))


def _window(entry: Mapping[str, Any]) -> Window:
    name = _name(entry, "window")
    _only(entry, {"name", "offset", "words", "access", "description"}, name)
    return Window(name, _integer(entry, "offset", name), _integer(entry, "words", name), _access(entry, name), _description(entry, name))


def _error(entry: Mapping[str, Any]) -> Error:
    name = _name(entry, "error")
    _only(entry, {"code", "name", "description"}, f"error {name}")
    code = _integer(entry, "code", f"error {name}")
    if code > 255:
        raise MapError(f"error {name}: code {code} does not fit 8 bits")
    return Error(code, name, _description(entry, f"error {name}"))


def _check_unique(items: Sequence[Any], what: str) -> None:
    seen = set()
    for item in items:
        if item in seen:
            raise MapError(f"{what} {item} is used twice")
        seen.add(item)


def _check_addresses(result: Map) -> None:
    spans = [(register.name, register.offset, WORD) for register in result.registers]
    spans += [(window.name, window.offset, window.words * WORD) for window in result.windows]
    spans.sort(key=lambda span: span[1])
    for name, offset, size in spans:
        if offset % WORD:
            raise MapError(f"{name}: offset {offset:#x} is not a multiple of {WORD}")
        if offset < 0 or size <= 0 or offset + size > 1 << result.address_width:
            raise MapError(f"{name}: {size} bytes at {offset:#x} do not fit {result.address_width} address bits")
    for (low, low_offset, low_size), (high, high_offset, _) in pairwise(spans):
        if low_offset + low_size > high_offset:
            raise MapError(f"{low} and {high} overlap at {high_offset:#x}")
    for window in result.windows:
        size = window.words * WORD
        if size & (size - 1) or window.offset % size:
            raise MapError(f"{window.name}: a window has a power of two of words and is aligned to its size")


def verilog(result: Map) -> str:
    """The Verilog header: macros only, so that any number of modules can include it."""
    width = result.address_width
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "//",
        f"// {NOTE}",
        "// REG_x: byte address; REG_x_f_BITS: part select; REG_x_f_SHIFT, REG_x_f_WIDTH: lowest bit, number of bits; ERROR_x: error code.",
        "",
        "`ifndef TENSORPRESS_REGISTERS_VH",
        "`define TENSORPRESS_REGISTERS_VH",
        "",
        f"`define REG_ADDRESS_WIDTH {width}",
        f"`define REG_ID_VALUE {BITS}'h{result.id:08X}",
        f"`define REG_VERSION_VALUE {BITS}'h{result.version:08X}",
    ]
    for register in result.registers:
        lines += ["", f"`define REG_{register.name} {width}'h{register.offset:03X}"]
        for field in register.fields:
            prefix = f"`define REG_{register.name}_{field.name}"
            lines += [f"{prefix}_BITS {field.bits}", f"{prefix}_SHIFT {field.shift}", f"{prefix}_WIDTH {field.width}"]
    for window in result.windows:
        lines += ["", f"`define REG_{window.name} {width}'h{window.offset:03X}", f"`define REG_{window.name}_WORDS {window.words}"]
        size_bits = (window.words * WORD).bit_length() - 1
        lines.append(f"`define REG_IS_{window.name}(address) ((address) >> {size_bits} == {width}'h{window.offset:03X} >> {size_bits})")
    lines += ["", "// The word address (bits 1:0 = 0) is that of a register or in a window"]
    tests = [f"(address) == `REG_{register.name}" for register in result.registers]
    tests += [f"`REG_IS_{window.name}(address)" for window in result.windows]
    lines.append("`define REG_IS_MAPPED(address) ( \\")
    lines += [f"    {test} || \\" for test in tests[:-1]] + [f"    {tests[-1]})"]
    lines.append("")
    lines += [f"`define ERROR_{error.name} 8'd{error.code}" for error in result.errors]
    return "\n".join([*lines, "", "`endif", ""])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def python(result: Map) -> str:
    """The module ``tensorpress.registers``."""
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        f"# {NOTE}",
        '"""The register map of the engine: addresses, fields, counters, error codes. What they mean is in rtl/csr/REGISTERS.md."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from dataclasses import dataclass, field",
        "from enum import IntEnum",
        "",
        "",
        "@dataclass(frozen=True)",
        "class Field:",
        '    """Some bits of a register."""',
        "",
        "    name: str",
        "    shift: int",
        "    width: int",
        '    description: str = ""',
        "",
        "    @property",
        "    def mask(self) -> int:",
        '        """The field\'s bits, in place."""',
        "        return ((1 << self.width) - 1) << self.shift",
        "",
        "    def get(self, word: int) -> int:",
        '        """The field\'s value in a register value."""',
        "        return (word & self.mask) >> self.shift",
        "",
        "    def insert(self, word: int, value: int) -> int:",
        '        """`word` with this field set to `value`; raises ValueError if it does not fit."""',
        "        if not 0 <= value < 1 << self.width:",
        '            raise ValueError(f"{value} does not fit the {self.width} bits of {self.name}")',
        "        return (word & ~self.mask) | value << self.shift",
        "",
        "",
        "@dataclass(frozen=True)",
        "class Register:",
        '    """A 32-bit register: byte offset, access (ro, rw, wo, w1s, w1c) and fields."""',
        "",
        "    name: str",
        "    offset: int",
        "    access: str",
        '    description: str = ""',
        "    fields: Mapping[str, Field] = field(default_factory=dict)",
        "",
        "    def pack(self, **values: int) -> int:",
        '        """A register value from field values; fields that are not named are 0."""',
        "        word = 0",
        "        for name, value in values.items():",
        "            word = self.fields[name].insert(word, value)",
        "        return word",
        "",
        "    def unpack(self, word: int) -> dict[str, int]:",
        '        """The values of all fields."""',
        "        return {name: part.get(word) for name, part in self.fields.items()}",
        "",
        "",
        "@dataclass(frozen=True)",
        "class Window:",
        '    """A range of words: byte offset, number of words, access."""',
        "",
        "    name: str",
        "    offset: int",
        "    words: int",
        "    access: str",
        '    description: str = ""',
        "",
        "",
        "class ErrorCode(IntEnum):",
        '    """STATUS.ERROR_CODE."""',
        "",
        *[f"    {error.name} = {error.code}" for error in result.errors],
        "",
        "",
        "def _register(name: str, offset: int, access: str, description: str, *fields: Field) -> Register:",
        "    return Register(name, offset, access, description, {part.name: part for part in fields})",
        "",
        "",
        f"NAME = {_quoted(result.name)}",
        f"ADDRESS_WIDTH = {result.address_width}",
        f"ID = 0x{result.id:08X}",
        f"VERSION = 0x{result.version:08X}",
        "",
        "_REGISTERS = (",
    ]
    for register in result.registers:
        lines += [
            "    _register(",
            f"        {_quoted(register.name)},",
            f"        0x{register.offset:03X},",
            f"        {_quoted(register.access)},",
        ]
        lines.append(f"        {_quoted(register.description)},")
        lines += [f"        Field({_quoted(f.name)}, {f.shift}, {f.width}, {_quoted(f.description)})," for f in register.fields]
        lines.append("    ),")
    counters = [register.name for register in result.registers if register.name.startswith(("COUNT_", "PEAK_"))]
    lines += [
        ")",
        "REG: dict[str, Register] = {register.name: register for register in _REGISTERS}",
        "",
        "COUNTERS: tuple[str, ...] = (",
        *[f"    {_quoted(name)}," for name in counters],
        ")",
        "",
        "WINDOWS: dict[str, Window] = {",
        *[
            f"    {_quoted(w.name)}: Window({_quoted(w.name)}, 0x{w.offset:03X}, {w.words}, {_quoted(w.access)}, {_quoted(w.description)}),"
            for w in result.windows
        ],
        "}",
        "",
        "ERRORS: dict[int, tuple[str, str]] = {",
        *[f"    {error.code}: ({_quoted(error.name)}, {_quoted(error.description)})," for error in result.errors],
        "}",
    ]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def markdown(result: Map) -> str:
    """REGISTERS.md."""
    lines = [
        "# Registers",
        "",
        f"<!-- {NOTE} -->",
        "",
        f"AXI4-Lite, {BITS} bits wide, {result.address_width} address bits; offsets are in bytes.",
        f"ID = 0x{result.id:08X}, VERSION = 0x{result.version:08X}.",
        "Reads have no side effects. Bits that are not listed read 0 and ignore writes.",
        "An address that is not listed answers SLVERR; everything else OKAY.",
        "",
        "Access: " + "; ".join(f"`{name}` {meaning}" for name, meaning in ACCESS.items()) + ".",
        "",
        "| offset | name | access | description |",
        "|---|---|---|---|",
    ]
    lines += [f"| 0x{r.offset:03X} | {r.name} | {r.access} | {_cell(r.description)} |" for r in result.registers]
    for w in result.windows:
        lines.append(f"| 0x{w.offset:03X}..0x{w.offset + w.words * WORD - 1:03X} | {w.name} | {w.access} | {_cell(w.description)} |")
    lines += ["", "## Fields"]
    for register in result.registers:
        if register.fields:
            lines += ["", f"### {register.name} (0x{register.offset:03X})", "", "| bits | field | description |", "|---|---|---|"]
            for part in reversed(register.fields):
                bits = part.bits if part.width > 1 else str(part.shift)
                lines.append(f"| {bits} | {part.name} | {_cell(part.description)} |")
    lines += ["", "## Error codes", "", "| code | name | description |", "|---|---|---|"]
    lines += [f"| {error.code} | {error.name} | {_cell(error.description)} |" for error in result.errors]
    return "\n".join([*lines, ""])


def generate(result: Map, root: Path = ROOT) -> dict[Path, str]:
    """All generated files: path -> text."""
    return {
        root / "rtl" / "csr" / "tensorpress_registers.vh": verilog(result),
        root / "rtl" / "csr" / "REGISTERS.md": markdown(result),
        root / "host" / "tensorpress" / "registers.py": python(result),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the generated files; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the Verilog header, the Python module and REGISTERS.md from rtl/csr/registers.toml.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file differs")
    options = parser.parse_args(arguments)
    try:
        files = generate(load(SOURCE.read_text()))
    except MapError as error:
        print(f"{SOURCE.relative_to(ROOT)}: {error}", file=sys.stderr)
        return 1
    stale = 0
    for path, text in files.items():
        old = path.read_text() if path.is_file() else ""
        if old == text:
            continue
        stale += 1
        if options.check:
            name = str(path.relative_to(ROOT))
            difference = difflib.unified_diff(old.splitlines(), text.splitlines(), name, "generated", lineterm="", n=1)
            print("\n".join(difference), file=sys.stderr)
        else:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
    if stale and options.check:
        print("stale files: run python scripts/generate_registers.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
