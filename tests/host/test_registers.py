# SPDX-License-Identifier: Apache-2.0
"""The register generator: its outputs are up to date, and it refuses maps that break a rule."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import generate_registers
import pytest
from tensorpress import registers

ROOT = Path(__file__).resolve().parents[2]
MAP = generate_registers.load(generate_registers.SOURCE.read_text())


def test_generated_files_are_up_to_date() -> None:
    for path, text in generate_registers.generate(MAP).items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)} differs from registers.toml: run python scripts/generate_registers.py"


def test_check_notices_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for path in generate_registers.generate(MAP):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    real = generate_registers.generate
    monkeypatch.setattr(generate_registers, "generate", lambda result: real(result, tmp_path))
    monkeypatch.setattr(generate_registers, "ROOT", tmp_path)
    monkeypatch.setattr(generate_registers, "SOURCE", generate_registers.SOURCE)
    assert generate_registers.main(["--check"]) == 0
    header = tmp_path / "rtl" / "csr" / "tensorpress_registers.vh"
    before = header.read_text()
    header.write_text(before.replace("12'h014", "12'h018", 1))
    assert generate_registers.main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert generate_registers.main([]) == 0
    assert header.read_text() == before


def test_python_map_equals_source() -> None:
    assert registers.ID == MAP.id == int.from_bytes(b"TPZ1", "big")
    assert MAP.version == registers.VERSION
    assert list(registers.REG) == [register.name for register in MAP.registers]
    for register in MAP.registers:
        ours = registers.REG[register.name]
        assert (ours.offset, ours.access) == (register.offset, register.access)
        assert {name: (part.shift, part.width, part.mask) for name, part in ours.fields.items()} == {
            part.name: (part.shift, part.width, part.mask) for part in register.fields
        }
    assert {error.code: (error.name, error.description) for error in MAP.errors} == registers.ERRORS
    assert [(code.name, code.value) for code in registers.ErrorCode] == [(error.name, error.code) for error in MAP.errors]
    assert {name: (w.offset, w.words) for name, w in registers.WINDOWS.items()} == {w.name: (w.offset, w.words) for w in MAP.windows}
    assert all(registers.REG[name].access == "ro" for name in registers.COUNTERS)
    assert len(registers.COUNTERS) == 12


def test_fields_get_and_insert() -> None:
    part = registers.REG["JOB_CONFIG"].fields["ZERO"]
    assert part.mask == 0xFF00
    assert part.get(0x12345678) == 0x56
    assert part.insert(0x12345678, 0xAB) == 0x1234AB78
    with pytest.raises(ValueError, match="256 does not fit the 8 bits of ZERO"):
        part.insert(0, 256)
    with pytest.raises(ValueError, match="-1 does not fit"):
        part.insert(0, -1)
    word = registers.REG["JOB_CONFIG"].pack(CODEC=3, DECOMPRESS=1, ZERO=7)
    assert word == 0x713
    assert registers.REG["JOB_CONFIG"].unpack(word) == {"CODEC": 3, "DECOMPRESS": 1, "STREAM": 0, "SIGNED": 0, "ZERO": 7}


def test_every_register_and_error_is_in_the_tables() -> None:
    text = (ROOT / "rtl" / "csr" / "REGISTERS.md").read_text()
    for register in MAP.registers:
        assert f"| 0x{register.offset:03X} | {register.name} | {register.access} |" in text
    for error in MAP.errors:
        assert f"| {error.code} | {error.name} |" in text


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
def test_verilog_header_means_the_same(tmp_path: Path) -> None:
    """Simulate the header: every address, field and error code, and REG_IS_MAPPED over the whole address space."""
    prints = [f'$display("{register.name} %0d", `REG_{register.name});' for register in MAP.registers]
    prints += [
        f'$display("{register.name}.{part.name} %0d %0d %0d", `REG_{register.name}_{part.name}_SHIFT, '
        f"`REG_{register.name}_{part.name}_WIDTH, ones[`REG_{register.name}_{part.name}_BITS]);"
        for register in MAP.registers
        for part in register.fields
    ]
    prints += [f'$display("!{error.name} %0d", `ERROR_{error.name});' for error in MAP.errors]
    prints.append(
        'for (k = 0; k < 1024; k = k + 1) begin address = k * 4; if (`REG_IS_MAPPED(address)) $display("mapped %0d", address); end'
    )
    source = tmp_path / "show.v"
    source.write_text(
        '`include "tensorpress_registers.vh"\n`include "tensorpress_registers.vh"\n'
        "module show; integer k; reg [11:0] address; reg [31:0] ones = 32'hFFFFFFFF;\ninitial begin\n"
        + "\n".join(prints)
        + "\nend\nendmodule\n"
    )
    program = tmp_path / "show"
    subprocess.run(["iverilog", "-g2005", "-Wall", f"-I{ROOT / 'rtl' / 'csr'}", "-o", str(program), str(source)], check=True, timeout=60)
    lines = subprocess.run([str(program)], check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    expected = [f"{register.name} {register.offset}" for register in MAP.registers]
    expected += [
        f"{register.name}.{part.name} {part.shift} {part.width} {(1 << part.width) - 1}"
        for register in MAP.registers
        for part in register.fields
    ]
    expected += [f"!{error.name} {error.code}" for error in MAP.errors]
    mapped = {register.offset for register in MAP.registers} | {w.offset + 4 * k for w in MAP.windows for k in range(w.words)}
    expected += [f"mapped {address}" for address in sorted(mapped)]
    assert lines == expected


HEAD = '[map]\nname = "m"\naddress_width = 12\nid = 1\nversion = 1\n'
REGISTER = '[[register]]\nname = "{name}"\noffset = {offset}\naccess = "{access}"\ndescription = "d"\n'


def entry(name: str = "X", offset: int = 0, access: str = "rw", fields: str = "") -> str:
    return REGISTER.format(name=name, offset=offset, access=access) + (f"fields = [{fields}]\n" if fields else "")


def part(name: str, bits: str) -> str:
    return f'{{ name = "{name}", bits = "{bits}", description = "d" }}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (entry() + entry("Y"), "X and Y overlap at 0x0"),
        (entry(offset=2), "offset 0x2 is not a multiple of 4"),
        (entry(offset=4096), "do not fit 12 address bits"),
        (entry() + entry(offset=4), "register name X is used twice"),
        (entry(name="x"), "bad name 'x'"),
        (entry(access="rx"), "access 'rx'"),
        (entry(fields=part("A", "3:0") + "," + part("B", "7:3")), "X: fields A and B overlap"),
        (entry(fields=part("A", "3:0") + "," + part("A", "7:4")), "field name of X A is used twice"),
        (entry(fields=part("A", "32:0")), "are not high:low in 31..0"),
        (entry(fields=part("A", "0:3")), "are not high:low in 31..0"),
        (entry() + 'colour = "red"\n', "X: unknown key colour"),
        (entry().replace('description = "d"\n', ""), "X has no description"),
        (entry().replace("offset = 0", 'offset = "0"'), "X: offset '0' is not a whole number"),
        (
            entry(offset=0x500) + '[[window]]\nname = "W"\noffset = 0x400\nwords = 256\naccess = "wo"\ndescription = "d"\n',
            "W and X overlap at 0x500",
        ),
        ('[[window]]\nname = "W"\noffset = 0x404\nwords = 256\naccess = "wo"\ndescription = "d"\n', "aligned to its size"),
        (
            '[[error]]\ncode = 1\nname = "E"\ndescription = "d"\n[[error]]\ncode = 1\nname = "F"\ndescription = "d"\n',
            "error code 1 is used twice",
        ),
        ('[[error]]\ncode = 256\nname = "E"\ndescription = "d"\n', "code 256 does not fit 8 bits"),
    ],
)
def test_bad_maps_are_refused(text: str, message: str) -> None:
    with pytest.raises(generate_registers.MapError, match=re.escape(message)):
        generate_registers.load(HEAD + text)


def test_ranges_of_one_entry_may_touch() -> None:
    result = generate_registers.load(HEAD + entry("X", 0) + entry("Y", 4, fields=part("A", "3:0") + "," + part("B", "31:4")))
    assert [register.offset for register in result.registers] == [0, 4]
    assert [f.mask for f in result.registers[1].fields] == [0xF, 0xFFFFFFF0]
