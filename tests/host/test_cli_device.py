# SPDX-License-Identifier: Apache-2.0
"""The commands that use a device: what they print and write, and what they do when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorpress import tables
from tensorpress.cli import app
from tensorpress.cli.devices import DEVICES
from tensorpress.codecs import CODECS, Coding, encode
from tensorpress.demo import DEMO_TENSORS
from tensorpress.device.model import ModelDevice
from tensorpress.engine import Engine, Job
from tensorpress.errors import JobError
from typer.testing import CliRunner

ROW = {
    "network",
    "tensor",
    "kind",
    "codec",
    "direction",
    "device",
    "values",
    "raw_bytes",
    "coded_bytes",
    "cycles",
    "values_per_cycle",
    "ok",
}
HOST = Path(__file__).resolve().parents[2] / "host"


def call(*arguments: object, env: dict[str, str] | None = None):
    return CliRunner(env={"COLUMNS": "100", "TERM": "dumb", **(env or {})}).invoke(app, [str(argument) for argument in arguments])


def refused(result, code: int, *parts: str) -> None:
    """One line that begins with `error:`, the exit code, nothing on standard output and no traceback."""
    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    assert "Traceback" not in result.output
    for part in parts:
        assert part in lines[0], lines[0]


@pytest.fixture
def small(tmp_path):
    random = np.random.default_rng(3)
    path = tmp_path / "small.npz"
    arrays = {
        "weight/bell": np.rint(random.normal(0, 9, (40, 30))).astype("i1"),
        "act/sparse": np.where(random.random((2, 9, 9, 4)) < 0.7, 17, random.integers(0, 256, (2, 9, 9, 4))).astype("u1"),
        "one": np.array([200], "u1"),
        "odd": random.integers(0, 256, 4097).astype("u1"),
    }
    np.savez(path, **arrays)
    return path, arrays


# --------------------------------------------------------------------------------------------------------------------------- run


def test_run_rows_are_those_of_the_models(small, tmp_path):
    path, arrays = small
    result = call("run", path, "--device", "model", "--json", tmp_path / "rows.json")
    assert result.exit_code == 0, result.output
    assert "All 32 transfers gave the bytes of the software model." in result.stdout
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert len(rows) == len(arrays) * 4 * 2
    assert {(row["tensor"], row["codec"], row["direction"]) for row in rows} == {
        (name, codec, way) for name in arrays for codec in CODECS for way in ("compress", "decompress")
    }
    for row in rows:
        assert set(row) == ROW
        array = arrays[row["tensor"]]
        codes = array.reshape(-1).view("u1")
        found, counts = np.unique(codes, return_counts=True)
        zero = int(found[counts.argmax()]) if row["codec"] in ("zvc", "ebpc") else 0
        table = tables.optimal_table(tables.histogram(array)) if row["codec"] == "apack" else None
        coded = encode(array, Coding(row["codec"], zero=zero, signed=array.dtype.kind == "i", table=table))
        assert row["coded_bytes"] == coded.nbytes + (tables.table_bytes(8) if table else 0), row
        assert row["values"] == row["raw_bytes"] == array.size
        assert (row["network"], row["device"], row["ok"]) == ("small", "model", True)
        assert row["cycles"] is None and row["values_per_cycle"] is None
        assert row["kind"] == {"weight/bell": "weight", "act/sparse": "activation"}.get(row["tensor"], "tensor")


def test_json_on_standard_output_is_alone_there(small):
    result = call("run", small[0], "--device", "model", "--codec", "zvc", "--json", "-")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)) == 8
    assert "weight/bell" in result.stderr


def test_run_counters_are_in_the_rows_when_asked_for(small):
    result = call("run", small[0], "--device", "model", "--codec", "raw", "--names", "odd", "--counters", "--json", "-")
    rows = json.loads(result.stdout)
    assert [row["direction"] for row in rows] == ["compress", "decompress"]
    assert all(set(row) == ROW | {"counters"} and "COUNT_LANE_BUSY" in row["counters"] for row in rows)


@pytest.mark.parametrize("endpoint", ["ddr", "stream"])
@pytest.mark.parametrize(("direction", "count"), [("compress", 1), ("decompress", 1), ("both", 2)])
def test_run_directions_and_endpoints(small, endpoint, direction, count):
    result = call(
        "run",
        small[0],
        "--device",
        "model",
        "--names",
        "odd",
        "--codec",
        "ebpc",
        "--direction",
        direction,
        "--endpoint",
        endpoint,
        "--json",
        "-",
    )
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)) == count


def test_run_limit_order_and_coding_options(small):
    path, arrays = small
    options = ["--device", "model", "--names", "act/*", "--codec", "ebpc", "--direction", "compress", "--json", "-"]
    rows = json.loads(call("run", path, *options, "--limit", "100").stdout)
    assert [row["values"] for row in rows] == [100]
    chosen = json.loads(
        call("run", path, *options, "--order", "channel-first", "--zero", "5", "--signed", "--block-values", "128", "--lanes", "3").stdout
    )
    moved = arrays["act/sparse"].transpose(0, 3, 1, 2)
    expected = encode(np.ascontiguousarray(moved), Coding("ebpc", zero=5, signed=True, block_values=128))
    assert [row["coded_bytes"] for row in chosen] == [expected.nbytes]


def test_run_takes_tables_from_a_file(small, tmp_path):
    path, arrays = small
    flat = tables.optimal_table(np.ones(256, np.int64))
    tables.save_tables(tmp_path / "t.json", {"weight/bell": flat})
    options = ["--device", "model", "--codec", "apack", "--table", tmp_path / "t.json", "--json", "-"]
    rows = json.loads(call("run", path, *options, "--names", "weight/*").stdout)
    expected = encode(arrays["weight/bell"], Coding("apack", table=flat))
    assert {row["coded_bytes"] for row in rows} == {expected.nbytes + tables.table_bytes(8)}
    result = call("run", path, *options, "--names", "one")
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.splitlines()[-1] == "error: tensor 'one': the table file holds no table of this name"


def test_tensors_that_the_device_cannot_take_are_told(tmp_path):
    np.savez(tmp_path / "mixed.npz", a=np.ones(50, "i1"), b=np.ones(50, "i4"), c=np.ones(50, "f4"), d=np.ones(50, "u2"))
    result = call("run", tmp_path / "mixed.npz", "--device", "model", "--codec", "zvc")
    assert result.exit_code == 0
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2
    assert "2 tensors" in notes[0] and "32-bit" in notes[0] and "b, c" in notes[0]
    assert "1 tensor:" in notes[1] and "16-bit" in notes[1]
    result = call("run", tmp_path / "mixed.npz", "--device", "model", "--names", "b")
    assert result.exit_code == 2 and result.stderr.splitlines()[-1].startswith("error: no tensor is left")


def test_run_a_difference_is_told_and_fails(small, tmp_path, monkeypatch):
    honest = Job.result

    def lying(self):
        result = honest(self)
        if self.direction == "compress" and self.coding.codec == "zvc" and self.count > 4000:
            result.coded.payload.view(np.uint8)[1234] ^= 0x40
        return result

    monkeypatch.setattr(Job, "result", lying)
    result = call("run", small[0], "--device", "model", "--json", tmp_path / "rows.json")
    assert result.exit_code == 1
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    for part in ("'odd'", "zvc", "compress", "payload", "byte 1234"):
        assert part in line
    assert "DIFFERS" in result.stdout and "All " not in result.stdout
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [(row["tensor"], row["codec"], row["direction"]) for row in rows if not row["ok"]] == [("odd", "zvc", "compress")]


@pytest.mark.parametrize("region", ["values", "index"])
def test_run_sees_differences_of_every_kind(small, monkeypatch, region):
    honest = Job.result

    def lying(self):
        result = honest(self)
        if region == "values" and result.values is not None:
            result.values[0] ^= 1
        if region == "index" and result.coded is not None:
            result.coded.index = result.coded.index[:-1]
        return result

    monkeypatch.setattr(Job, "result", lying)
    result = call("run", small[0], "--device", "model", "--codec", "raw")
    assert result.exit_code == 1 and f": {region} " in result.stderr and "3 more transfers differ" in result.stderr


def test_run_device_errors_leave_nothing_behind(small, tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(ModelDevice, "_release", lambda self: closed.append(True))

    def failing(self, *arguments, **options):
        raise JobError(6, "READ_RESPONSE", 3, "the memory answered")

    monkeypatch.setattr(Engine, "compress", failing)
    result = call("run", small[0], "--device", "model", "--json", tmp_path / "rows.json")
    assert result.exit_code == 3
    assert "error: job failed at block 3: READ_RESPONSE" in result.stderr and "Traceback" not in result.output
    assert closed == [True] and not (tmp_path / "rows.json").exists()


def test_debug_shows_the_traceback(tmp_path):
    result = call("run", tmp_path / "none.npz", "--device", "model", env={"TENSORPRESS_DEBUG": "1"})
    assert result.exit_code == 2 and "Traceback" in result.stderr and "error: " in result.stderr.splitlines()[-1]


def test_interrupt_closes_the_device(small, monkeypatch):
    closed = []
    monkeypatch.setattr(ModelDevice, "_release", lambda self: closed.append(True))

    def interrupted(self, *arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "compress", interrupted)
    result = call("run", small[0], "--device", "model")
    assert result.exit_code == 130 and closed == [True]
    assert result.stderr.splitlines()[-1] == "error: interrupted"


def test_interrupt_of_a_real_process(tmp_path):
    np.save(tmp_path / "large.npy", np.random.default_rng(1).integers(0, 256, 24_000_000).astype("u1"))
    command = [sys.executable, "-m", "tensorpress", "run", tmp_path / "large.npy", "--device", "model", "--json", tmp_path / "rows.json"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HOST)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job, as this run may be one, ignores it
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Device model")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "error: interrupted" and "Traceback" not in errors
    assert not (tmp_path / "rows.json").exists()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--device", "fpga"], ["'fpga'", "model"]),
        (["--device", "model", "--codec", "lz4"], ["'lz4'", "apack"]),
        (["--device", "model", "--latency", "5"], ["--latency", "model"]),
        (["--device", "model", "--lanes", "0"], ["--lanes"]),
        (["--device", "model", "--lanes", "17"], ["--lanes"]),
        (["--device", "model", "--lanes", "many"], ["--lanes"]),
        (["--device", "model", "--direction", "sideways"], ["sideways"]),
        (["--device", "model", "--endpoint", "tape"], ["tape"]),
        (["--device", "model", "--zero", "x"], ["'x'"]),
        (["--device", "model", "--zero", "300"], ["300"]),
        (["--device", "model", "--block-values", "100"], ["100"]),
        (["--device", "model", "--order", "9,9"], ["9,9"]),
        (["--device", "model", "--table-method", "best"], ["best"]),
        (["--device", "model", "--table", "/nowhere/t.json"], ["t.json"]),
        (["--device", "model", "--names", "nothing*"], ["nothing*"]),
        (["--device", "model", "--json", "/nowhere/rows.json"], ["/nowhere"]),
        (["--device", "model", "--manifest", "/nowhere/m.json"], ["m.json"]),
        (["--device", "verilated", "--stalls", "wild"], ["wild"]),
        (["--unknown"], ["--unknown"]),
    ],
)
def test_run_wrong_options(small, options, parts):
    result = call("run", small[0], *options)
    assert result.exit_code == 2, result.output
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and "Traceback" not in result.output
    for part in parts:
        assert part in last
    assert "All " not in result.stdout


def test_run_without_files_or_with_a_missing_one(tmp_path):
    refused(call("run"), 2, "IN")
    refused(call("run", tmp_path / "none.npz", "--device", "model"), 2, "none.npz", "no such file")
    refused(call("runn"), 2, "runn", "run")


def test_verilated_without_a_checkout_is_a_device_error(small, tmp_path):
    result = call("run", small[0], "--device", "verilated", env={"TENSORPRESS_CHECKOUT": str(tmp_path)})
    assert result.exit_code == 3
    assert result.stderr.strip().splitlines()[-1].startswith("error: the verilated device needs a checkout")


# ------------------------------------------------------------------------------------------------------------------------ bench


def test_bench_of_the_software(small, tmp_path):
    result = call("bench", small[0], "--json", tmp_path / "rows.json")
    assert result.exit_code == 0, result.output
    for text in ("Weights (1 tensor)", "Activations (1 tensor)", "Tensors (2 tensors)", "zlib-6", "apack"):
        assert text in result.stdout
    rows = json.loads((tmp_path / "rows.json").read_text())
    codecs = {row["codec"] for row in rows}
    assert codecs >= {"zvc", "ebpc", "apack", "zlib-6"} and len(rows) == 4 * 2 * len(codecs)
    for row in rows:
        assert set(row) == (ROW - {"cycles", "values_per_cycle"}) | {"mb_per_s"}
        assert row["ok"] is True and row["mb_per_s"] > 0 and row["device"] == "software" and row["network"] == "small"
    zvc = next(row for row in rows if (row["tensor"], row["codec"]) == ("act/sparse", "zvc"))
    assert zvc["coded_bytes"] == encode(small[1]["act/sparse"], Coding("zvc", zero=17)).nbytes and zvc["kind"] == "activation"


def test_bench_shows_the_gain_of_channel_first_order(tmp_path):
    """Each channel is a ramp of its own: neighbours of a channel are alike, neighbours of a pixel are not."""
    pixels, channels = np.arange(256).reshape(1, 16, 16, 1), 32
    values = ((pixels // 4 + 97 * np.arange(channels)) % 256).astype("u1")
    np.savez(tmp_path / "act.npz", **{"act/ramps": values})
    result = call("bench", tmp_path / "act.npz", "--codec", "zvc,ebpc", "--json", tmp_path / "rows.json")
    assert result.exit_code == 0, result.output
    assert "Order of the axes (1 tensor)" in result.stdout
    table = result.stdout.split("Order of the axes")[1]
    cells = next(line.split() for line in table.splitlines() if line.startswith("ebpc"))
    plain, moved = values, np.ascontiguousarray(values.transpose(0, 3, 1, 2))
    ratios = [values.size / encode(one.ravel(), Coding("ebpc", zero=0, signed=False)).nbytes for one in (plain, moved)]
    assert [float(cell) for cell in cells[1:3]] == [round(ratio, 2) for ratio in ratios]
    assert float(cells[2]) > 1.5 * float(cells[1])
    np.savez(tmp_path / "flat.npz", flat=np.arange(100, dtype="u1"))
    assert "Order of the axes" not in call("bench", tmp_path / "flat.npz").stdout


def test_bench_of_a_device(small):
    result = call("bench", small[0], "--device", "model", "--codec", "zvc,apack", "--json", "-")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert len(rows) == 4 * 2 * 2 * 2 and all(set(row) > ROW and row["ok"] for row in rows)
    assert {row["endpoint"] for row in rows} == {"ddr", "stream"} and "Activations (1 tensor)" in result.stderr


def test_bench_differences_fail(small, monkeypatch):
    honest = Job.result

    def lying(self):
        result = honest(self)
        if result.values is not None:
            result.values[0] ^= 1
        return result

    monkeypatch.setattr(Job, "result", lying)
    result = call("bench", small[0], "--device", "model", "--codec", "raw")
    assert result.exit_code == 1 and "error: tensor 'weight/bell', codec raw, decompress" in result.stderr and "DIFFER" in result.stdout


def test_bench_tells_what_it_leaves_out(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.ones(9, "u1"), wide=np.ones(9, "u4"))
    result = call("bench", tmp_path / "a.npz", "--codec", "apack")
    assert result.exit_code == 0 and "note: wide without apack: apack takes no 32-bit values" in result.stderr
    for options in (["--device", "abacus"], ["--lanes", "4"], ["--codec", "zip"], ["--names", "zz"]):
        refused(call("bench", tmp_path / "a.npz", *options), 2)


def test_bandwidth_refusals(small, tmp_path):
    """Options that do not fit are refused before anything is built."""
    file = small[0]
    for options, words in (
        (["--memory", "ddr3"], "--memory goes with --build"),
        (["--device", "verilated", "--plot", tmp_path / "a.png"], "--plot goes with --build"),
        (["--device", "verilated", "--chains"], "--chains goes with --build"),
        (["--device", "verilated", "--build", "full", "--chains", "--memory", "ddr3"], "--chains measures on the ideal memory"),
        (["--build", "full"], "device software takes no --build"),
        (["--device", "verilated", "--build", "huge"], "no build 'huge'; cores/builds.toml has full, inference, small"),
        (["--device", "verilated", "--build", "full", "--memory", "sram"], "memory 'sram' is not one of both, ideal, ddr3"),
        (["--device", "verilated", "--build", "full", "--endpoint", "usb"], "endpoint 'usb' is not one of stream, ddr, both"),
        (["--device", "verilated", "--build", "full", "--clock", "600"], "--clock 600.0 is not in 1..525"),
        (["--device", "verilated", "--build", "full", "--plot", tmp_path / "a.txt"], "must end in .png or .svg or .pdf"),
        (["--device", "model", "--build", "small", "--clock", "100"], "device model takes no --clock"),
        (["--device", "model", "--build", "small"], "counts no cycles"),
    ):
        result = call("bench", file, *options)
        refused(result, 2)
        assert words in " ".join(result.stderr.split()), (options, result.stderr)


# ------------------------------------------------------------------------------------------------------------- demo and selftest


def test_demo_tells_what_came_out():
    result = call("demo", "--device", "model", "--limit", "5000")
    assert result.exit_code == 0, result.output
    for text in (
        "digits_cnn.npz: 19 tensors of digits_cnn",
        "152 transfers went through the device, and every one gave exactly the bytes",
        "The weights are smallest with",
        "The activations are smallest with apack",
        "--device verilated counts cycles",
    ):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 130
    tables_only = [line for line in result.stdout.splitlines() if "zvc" in line and "transfers" not in line and "(" not in line]
    assert tables_only and max(map(len, tables_only)) <= 100


def test_demo_takes_other_tensors(small, tmp_path):
    result = call("demo", "--device", "model", "--tensors", small[0], "--json", tmp_path / "rows.json")
    assert result.exit_code == 0 and "4 tensors of small" in result.stdout
    assert len(json.loads((tmp_path / "rows.json").read_text())) == 32
    refused(call("demo", "--device", "model", "--tensors", tmp_path / "none.npz"), 2, "none.npz")


def test_selftest_passes_and_covers_every_codec(tmp_path):
    result = call("selftest", "--device", "model", "--json", tmp_path / "rows.json")
    assert result.exit_code == 0, result.output
    assert "The device works: 11 groups of checks passed." in result.stdout
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert {row["codec"] for row in rows} == set(CODECS) and all(set(row) == ROW and row["ok"] for row in rows)
    assert len(rows) == 4 * 2 * 28 + 8 + 8


@pytest.mark.parametrize("fault", ["scratch", "bytes", "code"])
def test_selftest_finds_faults(monkeypatch, fault):
    if fault == "scratch":
        honest = ModelDevice.write_register
        monkeypatch.setattr(ModelDevice, "write_register", lambda self, at, value: honest(self, at, value & ~4 if at == 0x10 else value))
    elif fault == "bytes":
        whole = Job.result

        def lying(self):
            result = whole(self)
            if result.values is not None and self.count == 9:
                result.values[8] ^= 1
            return result

        monkeypatch.setattr(Job, "result", lying)
    else:
        finish = Engine._finish

        def forgiving(self, job):
            try:
                finish(self, job)
            except JobError as error:
                raise JobError(error.code + 1, "OTHER", error.block, "another code") from error

        monkeypatch.setattr(Engine, "_finish", forgiving)
    result = call("selftest", "--device", "model")
    assert result.exit_code == 1, result.output
    assert "FAILED" in result.stdout and "The device works" not in result.stdout
    expected = {"scratch": "SCRATCH", "bytes": "'a word and one'", "code": "INDEX_OUT_OF_BOUNDS"}[fault]
    assert expected in result.stderr


def test_every_device_has_a_summary_and_is_in_the_help():
    text = call("run", "--help").stdout
    for name, entry in DEVICES.items():
        assert name in text and len(entry.summary) > 10


def test_demo_file_is_the_default():
    assert DEMO_TENSORS.is_file()
