# SPDX-License-Identifier: Apache-2.0
"""The commands on files, good and bad: exit codes, one line an error, and nothing written when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tensorpress import __version__, tables
from tensorpress.cli import app
from tensorpress.codecs import CODECS, Coding, decode, encode
from tensorpress.container import Reader
from tensorpress.demo import DEMO_TENSORS
from tensorpress.tensors import load_tensors
from typer.testing import CliRunner

HOST = Path(__file__).resolve().parents[2] / "host"
RANDOM = np.random.default_rng(21)


def call(*arguments: object, env: dict[str, str] | None = None):
    return CliRunner(env={"COLUMNS": "100", "TERM": "dumb", **(env or {})}).invoke(app, [str(argument) for argument in arguments])


def refused(result, *parts: str, code: int = 2) -> None:
    """One line that begins with `error:`, the exit code, no traceback, and nothing on standard output."""
    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.output
    assert result.stdout == "" and "Traceback" not in result.output
    for part in parts:
        assert part in lines[0], lines[0]


def only(folder: Path, *names: str) -> None:
    """The folder holds these files, and nothing else: no temporary ones either."""
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.fixture
def mixed(tmp_path):
    """Every dtype that an .npz can hold, with edge lengths."""
    folder = tmp_path / "in"
    folder.mkdir()
    arrays = {
        "weight/i8": np.rint(RANDOM.normal(0, 9, (40, 30))).astype("i1"),
        "act/u8[0]": np.where(RANDOM.random((2, 9, 9, 4)) < 0.7, 17, RANDOM.integers(0, 256, (2, 9, 9, 4))).astype("u1"),
        "one": np.array(200, "u1"),
        "odd": RANDOM.integers(0, 256, 4097).astype("u1"),
        "i16": RANDOM.integers(-300, 300, (7, 11)).astype("i2"),
        "u32": RANDOM.integers(0, 2**32, 33).astype("u4"),
        "f32": RANDOM.normal(size=65).astype("f4"),
        "f16": RANDOM.normal(size=(3, 5)).astype("f2"),
        "bf16": (RANDOM.normal(size=50).astype("f4").view("u4") >> 16).astype("u2"),
        "i4": RANDOM.integers(-8, 8, 101).astype("i1"),
    }
    np.savez(folder / "mixed.npz", **arrays)
    entries = [
        {"key": "bf16", "dtype": "bf16", "bits": 16},
        {"key": "i4", "dtype": "int4", "bits": 4},
        {"key": "weight/i8", "zero_point": 3, "qdim": 0},
    ]
    (folder / "manifest.json").write_text(json.dumps({"models": [{"model": "mix", "npz": "mixed.npz", "tensors": entries}]}))
    return folder / "mixed.npz", arrays


# ------------------------------------------------------------------------------------------------------------------ round trips


@pytest.mark.parametrize("codec", ["auto", *CODECS])
def test_every_codec_gives_every_tensor_back(mixed, tmp_path, codec):
    path, arrays = mixed
    packed, back = tmp_path / "x.tpz", tmp_path / "back.npz"
    result = call("compress", path, "-o", packed, "--codec", codec)
    assert result.exit_code == 0, result.output
    assert f"Wrote 10 tensors to {packed}" in result.stdout
    with Reader(packed) as reader:
        assert reader.names == list(arrays)
        for name in reader.names:
            tensor = reader.tensor(name)
            takes = tensor.coding.width in CODECS[codec].widths if codec != "auto" else True
            assert codec == "auto" or tensor.coding.codec == (codec if takes else "raw")
            assert ("stored raw" in result.stderr and name in result.stderr) or takes, name
    result = call("decompress", packed, "-o", back)
    assert result.exit_code == 0 and "every CRC is right" in result.stdout
    with np.load(back, allow_pickle=False) as loaded:
        for name, array in arrays.items():
            assert loaded[name].dtype == array.dtype and loaded[name].shape == array.shape, name
            assert loaded[name].tobytes() == array.tobytes(), name
    before = {one.name: one for one in load_tensors(path)}
    for again in (packed, back):  # what was known about the tensors is not lost on the way
        after = {one.name: one for one in load_tensors(again)}
        assert list(after) == list(before)
        for name, one in after.items():
            known = before[name]
            for field in ("dtype", "kind", "network", "zero_point", "channel_axis"):
                assert getattr(one, field) == getattr(known, field), (again, name, field)
            np.testing.assert_array_equal(one.array, known.array)


def test_auto_is_never_larger_than_any_codec(mixed, tmp_path):
    rows = {}
    for codec in ("auto", *CODECS):
        result = call("compress", mixed[0], "-o", tmp_path / f"{codec}.tpz", "--codec", codec, "--json", "-")
        rows[codec] = {row["tensor"]: row for row in json.loads(result.stdout)}
    assert len({row["codec"] for row in rows["auto"].values()}) > 2
    for name, row in rows["auto"].items():
        assert row["coded_bytes"] == min(rows[codec][name]["coded_bytes"] for codec in CODECS)
        assert row["direction"] == "compress" and row["device"] == "software" and row["network"] == "mix" and row["ok"] is True


def test_of_several_codecs_each_tensor_gets_the_smallest(mixed, tmp_path):
    result = call("compress", mixed[0], "-o", tmp_path / "x.tpz", "--codec", "ebpc,zvc", "--json", "-")
    rows = {row["tensor"]: row for row in json.loads(result.stdout)}
    assert rows["act/u8[0]"]["codec"] == "zvc" and rows["u32"]["codec"] == "zvc" and rows["i4"]["codec"] == "raw"
    assert "note: i4 is stored raw: ebpc takes no 4-bit values" in result.stderr


def test_coding_options_reach_the_file(mixed, tmp_path):
    path, arrays = mixed
    packed = tmp_path / "x.tpz"
    options = ["--codec", "ebpc", "--names", "act/*", "--order", "channel-first", "--zero", "9", "--signed", "--block-values", "256"]
    assert call("compress", path, "-o", packed, *options).exit_code == 0
    coding = Coding("ebpc", zero=9, signed=True, block_values=256)
    with Reader(packed) as reader:
        tensor = reader.tensor("act/u8[0]")
        assert (tensor.coding, tensor.order, tensor.shape) == (coding, (0, 3, 1, 2), (2, 9, 9, 4))
        moved = np.ascontiguousarray(arrays["act/u8[0]"].transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(tensor.coded.payload, encode(moved, coding).payload)
    assert call("decompress", packed, "-o", tmp_path / "y.npy").exit_code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), arrays["act/u8[0]"])
    assert call("compress", path, "-o", packed, "--names", "i16", "--codec", "apack", "--coders", "3", "--force").exit_code == 0
    with Reader(packed) as reader:
        assert reader.tensor("i16").coding.coders == 3


def test_auto_zero_is_the_zero_point_or_the_most_frequent_value(mixed, tmp_path):
    assert call("compress", mixed[0], "-o", tmp_path / "x.tpz", "--codec", "zvc").exit_code == 0
    with Reader(tmp_path / "x.tpz") as reader:
        assert reader.tensor("weight/i8").coding.zero == 3  # from the manifest
        assert reader.tensor("act/u8[0]").coding.zero == 17


def test_other_kinds_of_input_together(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(100, dtype="u1"))
    save_file({"b": np.arange(50, dtype="i1")}, tmp_path / "b.safetensors")
    assert call("compress", tmp_path / "a.npy", tmp_path / "b.safetensors", "-o", tmp_path / "x.tpz").exit_code == 0
    assert call("compress", tmp_path / "x.tpz", "-o", tmp_path / "y.tpz", "--codec", "raw").exit_code == 0
    assert [(one.name, one.array.sum()) for one in load_tensors(tmp_path / "y.tpz")] == [("a", 4950), ("b", 1225)]


def test_one_name_in_two_inputs_gets_the_network_before_it(tmp_path):
    for stem in ("x", "y"):
        np.savez(tmp_path / f"{stem}.npz", w=np.ones(9, "i1"))
    assert call("compress", tmp_path / "x.npz", tmp_path / "y.npz", "-o", tmp_path / "z.tpz").exit_code == 0
    assert [one.name for one in load_tensors(tmp_path / "z.tpz")] == ["x/w", "y/w"]
    refused(call("compress", tmp_path / "x.npz", tmp_path / "x.npz", "-o", tmp_path / "zz.tpz"), "x/w", "2 tensors")


# ---------------------------------------------------------------------------------------------------------------------- inspect


def test_inspect_and_verify(mixed, tmp_path):
    packed = tmp_path / "x.tpz"
    assert call("compress", mixed[0], "-o", packed).exit_code == 0
    result = call("inspect", packed, "--verify")
    assert result.exit_code == 0 and "All 10 tensors decompress" in result.stdout
    assert "act/u8[0]" in result.stdout and f"{packed.stat().st_size:,} bytes" in result.stdout
    rows = json.loads(call("inspect", packed, "--json", "-").stdout)
    with Reader(packed) as reader:
        for row in rows:
            tensor = reader.tensor(row["tensor"])
            assert (row["codec"], row["coded_bytes"], row["crc32"]) == (tensor.coding.codec, tensor.coded_bytes, tensor.crc32)
            assert row["blocks"] == len(tensor.coded.index) and row["raw_blocks"] == tensor.coded.raw_blocks
    assert [row["tensor"] for row in rows] == list(mixed[1])
    assert call("inspect", packed, "--names", "i*", "--json", "-").stdout.count('"tensor"') == 2


def test_inspect_one_block(tmp_path):
    values = RANDOM.integers(0, 4, 5000).astype("u1")
    np.save(tmp_path / "a.npy", values)
    assert call("compress", tmp_path / "a.npy", "-o", tmp_path / "x.tpz", "--codec", "apack").exit_code == 0
    result = call("inspect", tmp_path / "x.tpz", "--block", "1", "--json", "-")
    (row,) = json.loads(result.stdout)
    with Reader(tmp_path / "x.tpz") as reader:
        tensor = reader.tensor("a")
        entry = int(tensor.coded.index[1])
        words = tensor.coded.payload[row["offset"] :]
    assert int(row["entry"], 16) == entry and row["values"] == 904 and row["raw"] is False
    assert bytes.fromhex(row["a"] + row["b"]) == words.tobytes()
    assert row["decoded"] == values[4096:].tolist()
    assert "stream A" in result.stderr and "stream B" in result.stderr
    refused_last = call("inspect", tmp_path / "x.tpz", "--block", "2")
    assert refused_last.exit_code == 2 and "2 blocks" in refused_last.stderr


def test_verify_finds_damage(mixed, tmp_path):
    packed = tmp_path / "x.tpz"
    assert call("compress", mixed[0], "-o", packed, "--codec", "raw").exit_code == 0
    with Reader(packed) as reader:
        text = packed.read_bytes()
        header = json.loads(text[16 : 16 + int.from_bytes(text[8:16], "little")])
        assert "odd" in reader
    data = bytearray(text)
    data[header["tensors"]["odd"]["payload"][0] + 1000] ^= 4
    data[header["tensors"]["i16"]["index"][0] + 7] ^= 0x40  # the reserved bit of an index entry
    packed.write_bytes(data)
    result = call("inspect", packed, "--verify", "--json", tmp_path / "rows.json")
    assert result.exit_code == 1 and result.stdout.count("WRONG") == 2
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert "'odd'" in line and "CRC" in line and "1 more damaged" in line
    faults = {row["tensor"]: row["fault"] for row in json.loads((tmp_path / "rows.json").read_text()) if not row["ok"]}
    assert set(faults) == {"odd", "i16"} and "block 0" in faults["i16"]
    refused(call("decompress", packed, "-o", tmp_path / "y.npz"), "'odd'")
    assert not (tmp_path / "y.npz").exists()
    assert call("decompress", packed, "-o", tmp_path / "y.npz", "--names", "u*").exit_code == 0


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.97])
def test_truncated_tpz(mixed, tmp_path, share):
    packed = tmp_path / "x.tpz"
    assert call("compress", mixed[0], "-o", packed).exit_code == 0
    whole = packed.read_bytes()
    packed.write_bytes(whole[: int(len(whole) * share)])
    refused(call("decompress", packed, "-o", tmp_path / "y.npz"))
    refused(call("inspect", packed))
    only(tmp_path, "in", "x.tpz")


# ---------------------------------------------------------------------------------------------------------------------- profile


def test_profile_merges_names_and_its_tables_are_used(tmp_path):
    first, second = RANDOM.normal(60, 9, 3000).astype("u1"), RANDOM.normal(200, 3, 1000).astype("u1")
    np.savez(tmp_path / "a.npz", **{"act/x": first, "weight/w": first.view("i1")})
    np.savez(tmp_path / "b.npz", **{"act/x": second})
    result = call("profile", tmp_path / "a.npz", tmp_path / "b.npz", "-o", tmp_path / "t.json", "--json", tmp_path / "rows.json")
    assert result.exit_code == 0 and "Wrote 2 tables" in result.stdout, result.output
    made = tables.load_tables(tmp_path / "t.json")
    assert made["act/x"] == tables.optimal_table(tables.profile([first, second]))
    assert made["weight/w"] == tables.optimal_table(tables.histogram(first))
    rows = {row["tensor"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    counts = np.bincount(np.concatenate([first, second]))
    shares = counts[counts > 0] / counts.sum()
    assert rows["act/x"]["values"] == 4000 and rows["act/x"]["inputs"] == 2
    assert rows["act/x"]["entropy_bits_per_value"] == pytest.approx(-(shares * np.log2(shares)).sum())
    assert rows["act/x"]["table_bits_per_value"] >= rows["act/x"]["entropy_bits_per_value"]
    options = ["-o", tmp_path / "x.tpz", "--codec", "apack", "--table", tmp_path / "t.json"]
    assert call("compress", tmp_path / "b.npz", *options).exit_code == 0
    with Reader(tmp_path / "x.tpz") as reader:
        tensor = reader.tensor("act/x")
        assert tensor.coding.table == made["act/x"]
        np.testing.assert_array_equal(decode(tensor.coded, 1000, tensor.coding), second)
    assert call("profile", tmp_path / "a.npz", "-o", tmp_path / "p.json", "--table-method", "paper", "--names", "weight/*").exit_code == 0
    assert tables.load_tables(tmp_path / "p.json") == {"weight/w": tables.paper_table(tables.histogram(first))}


def test_profile_refuses(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones(9, "u1"), wide=np.ones(9, "u4"))
    np.savez(tmp_path / "b.npz", x=np.ones(9, "u2"))
    out = tmp_path / "t.json"
    refused(call("profile", tmp_path / "a.npz", tmp_path / "b.npz", "-o", out, "--names", "x"), "'x'", "8 bits", "16 bits")
    result = call("profile", tmp_path / "a.npz", "-o", out, "--names", "wide")
    assert result.exit_code == 2 and "note: skipped wide" in result.stderr and "no tensor is left" in result.stderr
    refused(call("profile", tmp_path / "a.npz", "-o", tmp_path / "t.txt"), ".json")
    refused(call("profile", tmp_path / "a.npz", "-o", out, "--table-method", "magic"), "magic")
    only(tmp_path, "a.npz", "b.npz")


# -------------------------------------------------------------------------------------------------------------------- bad input


BAD = {
    "missing": (None, ["no such file"]),
    "float64": ({"t": np.zeros(5)}, ["'t'", "float64"]),
    "int64": ({"t": np.zeros(5, "i8")}, ["'t'", "int64"]),
    "nan": ({"t": np.array([1, np.nan], "f4")}, ["'t'", "NaN"]),
    "empty": ({"t": np.zeros((4, 0), "i1")}, ["'t'", "empty"]),
    "objects": ({"t": np.array([{}], dtype=object)}, ["'t'", "unpickled"]),
    "nothing": ({}, ["no tensor"]),
    "text": (b"this is not an archive", ["whole .npz"]),
    "no bytes": (b"", ["whole .npz"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_of_compress_and_profile(tmp_path, case):
    content, parts = BAD[case]
    path = tmp_path / "bad.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    there = [] if content is None else ["bad.npz"]
    refused(call("compress", path, "-o", tmp_path / "x.tpz"), "bad.npz", *parts)
    refused(call("profile", path, "-o", tmp_path / "x.json"), "bad.npz", *parts)
    refused(call("run", path, "--device", "model", "--json", tmp_path / "rows.json"), "bad.npz", *parts)
    only(tmp_path, *there)


def test_nan_goes_through_when_allowed(tmp_path):
    array = np.array([1, np.nan, -np.inf, 0], "f4")
    array.view("u4")[1] |= 12345  # a payload of the NaN
    np.save(tmp_path / "a.npy", array)
    assert call("compress", tmp_path / "a.npy", "-o", tmp_path / "x.tpz", "--allow-nan").exit_code == 0
    assert call("decompress", tmp_path / "x.tpz", "-o", tmp_path / "b.npy").exit_code == 0
    assert np.load(tmp_path / "b.npy").tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--codec", "lz4"], ["'lz4'", "ebpc"]),
        (["--codec", "raw,zip"], ["'zip'"]),
        (["--block-values", "100"], ["100"]),
        (["--block-values", "0"], ["--block-values"]),
        (["--block-values", "1000000"], ["1000000"]),
        (["--zero", "300"], ["300"]),
        (["--zero", "half"], ["half"]),
        (["--coders", "17", "--codec", "apack"], ["17"]),
        (["--order", "0,1,2,3"], ["0,1,2,3"]),
        (["--table-method", "best"], ["best"]),
        (["--names", "zz*"], ["zz*"]),
        (["--manifest", "none.json"], ["none.json"]),
        (["--json", "/nowhere/rows.json"], ["/nowhere"]),
        (["--nonsense"], ["--nonsense"]),
    ],
)
def test_compress_wrong_options(tmp_path, options, parts):
    np.save(tmp_path / "a.npy", np.arange(100, dtype="u1"))
    refused(call("compress", tmp_path / "a.npy", "-o", tmp_path / "x.tpz", *options), *parts)
    only(tmp_path, "a.npy")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "JSON"),
        ("[]", "t.json"),
        ('{"format": 9, "tables": {}}', "9"),
        ('{"format": 1, "tables": {"a": {"width": 8, "vmin": [0], "cum": [0]}}}', "'a'"),
        (json.dumps({"format": 1, "tables": {"a": {"width": 8, "vmin": list(range(16)), "cum": [0] * 16 + [1024]}}}), "row 0"),
        (json.dumps({"format": 1, "tables": {"a": {"width": 16, "vmin": list(range(16)), "cum": [*range(16), 1024]}}}), "width 16"),
        (json.dumps({"format": 1, "tables": {"b": {"width": 8, "vmin": list(range(16)), "cum": [*range(16), 1024]}}}), "'a'"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, part):
    np.save(tmp_path / "a.npy", np.arange(100, dtype="u1"))
    (tmp_path / "t.json").write_text(text)
    refused(call("compress", tmp_path / "a.npy", "-o", tmp_path / "x.tpz", "--codec", "apack", "--table", tmp_path / "t.json"), part)
    only(tmp_path, "a.npy", "t.json")


def test_outputs_that_cannot_be_written(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(100, dtype="u1"))
    (tmp_path / "folder.tpz").mkdir()
    source = tmp_path / "a.npy"
    refused(call("compress", source, "-o", tmp_path / "none" / "x.tpz"), "none", "does not exist")
    refused(call("compress", source, "-o", tmp_path / "folder.tpz"), "is a folder")
    refused(call("compress", source, "-o", tmp_path / "x.zip"), ".tpz")
    refused(call("compress", source, "-o", source / "x.tpz"), "a.npy")
    refused(call("compress", source), "--output")
    assert call("compress", source, "-o", tmp_path / "x.tpz").exit_code == 0
    before = (tmp_path / "x.tpz").read_bytes()
    refused(call("compress", source, "-o", tmp_path / "x.tpz", "--codec", "raw"), "exists", "--force")
    refused(call("decompress", tmp_path / "x.tpz", "-o", tmp_path / "a.npy"), "exists", "--force")
    refused(call("decompress", tmp_path / "x.tpz", "-o", tmp_path / "y.txt"), ".npz")
    assert (tmp_path / "x.tpz").read_bytes() == before
    assert call("compress", source, "-o", tmp_path / "x.tpz", "--codec", "raw", "-f").exit_code == 0
    assert (tmp_path / "x.tpz").read_bytes() != before
    only(tmp_path, "a.npy", "folder.tpz", "x.tpz")


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.arange(100, dtype="u1"))
    assert call("compress", tmp_path / "a.npy", "-o", tmp_path / "x.tpz").exit_code == 0
    (tmp_path / "y.npz").write_bytes(b"the old one")

    def full(stream, array, **options):
        stream.write(b"some bytes")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    refused(call("decompress", tmp_path / "x.tpz", "-o", tmp_path / "y.npz", "--force"), "No space left")
    assert (tmp_path / "y.npz").read_bytes() == b"the old one"
    only(tmp_path, "a.npy", "x.tpz", "y.npz")


def test_decompress_and_inspect_refuse(mixed, tmp_path):
    packed = tmp_path / "x.tpz"
    assert call("compress", mixed[0], "-o", packed).exit_code == 0
    refused(call("decompress", packed, "-o", tmp_path / "y.npy"), "one tensor", "10")
    refused(call("decompress", packed, "-o", tmp_path / "y.npz", "--names", "zz"), "'zz'")
    refused(call("decompress", mixed[0], "-o", tmp_path / "y.npz"), "not a .tpz")
    refused(call("decompress", tmp_path / "none.tpz", "-o", tmp_path / "y.npz"), "no such file")
    refused(call("inspect", tmp_path / "none.tpz"), "no such file")
    refused(call("inspect", mixed[0]), "not a .tpz")
    refused(call("inspect", packed, "--names", "zz"), "'zz'")
    assert call("inspect", packed, "--block", "0").exit_code == 2
    (tmp_path / "fake.tpz").write_bytes(b"PK" + bytes(100))
    refused(call("inspect", tmp_path / "fake.tpz"), "fake.tpz")
    only(tmp_path, "in", "x.tpz", "fake.tpz")


# ----------------------------------------------------------------------------------------------------------------- real processes


def process(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tensorpress", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(HOST), "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment, **options)


def test_process_round_trip_and_errors(tmp_path):
    done = process("compress", DEMO_TENSORS, "-o", tmp_path / "d.tpz", "--names", "act/*", "--codec", "zvc")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 100
    assert process("decompress", tmp_path / "d.tpz", "-o", tmp_path / "d.npz").returncode == 0
    for one, other in zip(load_tensors(DEMO_TENSORS, names="act/*"), load_tensors(tmp_path / "d.npz"), strict=True):
        assert one.name == other.name and one.zero_point == other.zero_point
        np.testing.assert_array_equal(one.array, other.array)
    bad = process("inspect", tmp_path / "none.tpz")
    assert (bad.returncode, bad.stdout) == (2, "") and bad.stderr == f"error: {tmp_path / 'none.tpz'}: no such file\n"


def test_process_version_and_help():
    assert process("--version").stdout == f"tensorpress {__version__}\n"
    done = process()
    assert done.returncode == 0 and "Commands" in done.stdout
    for command in ("compress", "decompress", "inspect", "profile", "report", "run", "bench", "selftest", "demo"):
        assert command in done.stdout
        shown = call(command, "--help")
        assert shown.exit_code == 0 and "--json" in shown.stdout


def test_process_whose_reader_goes_away(tmp_path):
    command = f"{sys.executable} -m tensorpress inspect {tmp_path / 'd.tpz'} | head -1"
    assert process("compress", DEMO_TENSORS, "-o", tmp_path / "d.tpz", "--codec", "raw").returncode == 0
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(HOST)}
    )
    assert done.stdout.count("\n") == 1 and done.stderr == ""
