# SPDX-License-Identifier: Apache-2.0
"""Reports: sizes that the codecs and peers have, sums, a page that needs nothing else, and files that cannot be read."""

from __future__ import annotations

import base64
import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import model_files
import numpy as np
import pytest
from tensorpress import tables
from tensorpress.choices import Choice, ordered
from tensorpress.cli import app
from tensorpress.codecs import coded_size, encode
from tensorpress.device.model import ModelDevice
from tensorpress.engine import Engine, Job
from tensorpress.errors import JobError
from tensorpress.peers import PEERS, coded_bits
from tensorpress.report import FILES, Hardware, Timed, measure, measure_all, settings_for, write_report
from tensorpress.report.measure import CHANNEL_FIRST, OUR_CODECS, Measured
from tensorpress.report.page import answer
from tensorpress.report.summary import BEST, networks_csv, totals, traffic
from tensorpress.tensors import NamedTensor, load_tensors
from typer.testing import CliRunner

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")
pytest.importorskip("joblib")


def network(name: str = "net") -> list[NamedTensor]:
    """Two weights (8 and 4 bits), and two layers of activations for two inputs (8 and 16 bits)."""
    rng = np.random.default_rng(8)
    smooth = np.cumsum(rng.integers(-1, 2, (1, 8, 600)), axis=2).astype(np.int8).transpose(0, 2, 1).reshape(1, 20, 30, 8)
    sparse = [(rng.integers(1, 400, (7, 500)) * (rng.random((7, 500)) < 0.2)).astype(np.int16) for _ in range(2)]
    tensors = [
        NamedTensor("weight/a", rng.normal(0, 9, (40, 50)).round().astype(np.int8), "weight", name, 0, 0, "int8", op="CONV_2D"),
        NamedTensor("weight/b", rng.integers(-8, 8, 999).astype(np.int8), "weight", name, 0, None, "int4", op="FC"),
    ]
    for number, sample in enumerate(("cat", "dog")):
        values = np.ascontiguousarray(smooth + number)
        tensors.append(NamedTensor("act/x", values, "act", name, None, 3, "int8", sample=sample, op="INPUT", reads=2))
        tensors.append(NamedTensor("act/y", sparse[number], "act", name, 0, None, "int16", sample=sample, op="CONV_2D"))
    return tensors


@pytest.fixture(scope="module")
def measured() -> list[Measured]:
    return measure_all(network(), settings_for(keep=True)[0])


def call(*arguments: object):
    return CliRunner(env={"COLUMNS": "160", "TERM": "dumb"}).invoke(app, [str(argument) for argument in arguments])


def test_sizes_are_those_of_codecs_and_peers(measured):
    for tensor, one in zip(network(), measured, strict=True):
        choice = Choice()
        for codec in OUR_CODECS:
            if tensor.width == 4 and codec != "apack":
                assert codec not in one.sizes
                continue
            coding = choice.coding(tensor, codec)
            assert one.sizes[codec] == coded_size(encode(tensor.values, coding), coding)
        if tensor.name == "act/x":
            turned = ordered(tensor, "channel-first")
            assert one.sizes[CHANNEL_FIRST] == encode(turned.values, choice.coding(turned, "ebpc")).nbytes < 0.8 * one.sizes["ebpc"]
            assert (one.best, one.best_order) == ("ebpc", (0, 3, 1, 2))
        zero = tensor.zero_code()
        for name in set(one.sizes) & set(PEERS) - {"entropy"}:
            assert one.sizes[name] == coded_bits(name, tensor.values, tensor.width, zero=zero, signed=True) / 8
        assert ("vela" in one.sizes) == (PEERS["vela"].missing() is None and tensor.kind == "weight")
        assert "zstd-19" not in one.sizes and "zlib-9" in one.sizes and "shapeshifter" in one.sizes
        raw = 8 * (-(-tensor.raw_bytes // 8) + len(one.packed.coded.index))
        assert one.best_bytes == min(raw, *(size for name, size in one.sizes.items() if name not in PEERS))
        assert sum(one.histogram) == one.values == tensor.array.size and len(one.histogram) == (16 if tensor.width == 4 else 256)
        assert one.packed is not None and one.packed.coded_bytes == one.best_bytes
        assert one.packed.crc32 and one.zero == zero and one.zero_stated == (tensor.zero_point is not None)
        assert tables.Table.from_json(one.table, tensor.width) == tables.optimal_table(
            tables.histogram(tensor.values, tensor.width), tensor.width
        )


def test_thorough_adds_the_slow_peer():
    assert "zstd-19" in settings_for(thorough=True)[0].peers and "zstd-19" not in settings_for()[0].peers


def test_several_processes_give_the_same():
    tensors, settings = network()[:3], settings_for()[0]
    seen: list[str] = []
    assert measure_all(tensors, settings, jobs=2, step=seen.append) == [measure(tensor, settings) for tensor in tensors]
    assert seen == [tensor.name for tensor in tensors]


def test_sums(measured):
    weights, acts = totals(measured)
    assert (weights.kind, weights.tensors, weights.raw_bytes) == ("weight", 2, 2000 + 500)
    assert (acts.kind, acts.tensors, acts.values) == ("activation", 4, 2 * 4800 + 2 * 3500)
    assert weights.partial("ebpc") and not weights.partial("apack") and not acts.partial("zvc")
    chosen = [one for one in measured if one.kind == "activation"]
    assert acts.ratio("zvc") == sum(one.raw_bytes for one in chosen) / sum(one.sizes["zvc"] for one in chosen)
    assert weights.ratio("ebpc") == 2000 / measured[0].sizes["ebpc"] and acts.ratio("vela") is None
    flow = traffic("net", measured)
    # weights once; x is an input that two operations read; y is written and read; both as the mean of two inputs
    assert flow.raw == 2000 + 500 + 2 * 4800 + 2 * 7000
    by_hand = sum(one.best_bytes * (1 if one.kind == "weight" else 1.0) for one in measured)
    assert flow.coded[BEST] == pytest.approx(by_hand) and flow.coded[BEST] < flow.coded["zvc"] < flow.raw
    assert re.search(r"traffic at one run become .* kB: \d+ % less", answer("net", measured))
    rows = list(csv.DictReader(networks_csv(measured).splitlines()))
    assert [row["kind"] for row in rows] == ["weight", "activation"] and rows[1]["ratio_vela"] == ""


class _Page(HTMLParser):
    """Checks the tags, and keeps what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.fetched += [known[key] for key in ("src", "srcset", "data") if key in known]
        if tag == "link" or tag == "script":
            self.fetched.append(tag)
        self.ids |= {known["id"]} if "id" in known else set()
        self.links += [known["href"]] if tag == "a" else []
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        if tag == "img":
            assert known["alt"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_needs_nothing_else(measured, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    notes, faults = ["<b>random</b> numbers"], ["broken.onnx: is not whole"]
    place = write_report(tmp_path / "out", measured, files=["a.npz"], notes=notes, faults=faults)
    assert place == tmp_path / "out" / "index.html"
    page = _Page()
    page.feed(place.read_text())
    assert page.open == [] and page.fetched and all(link.removeprefix("#") in page.ids for link in page.links)
    for source in page.fetched:
        head, _, data = source.partition(",")
        assert head == "data:image/png;base64"
        with Image.open(BytesIO(base64.b64decode(data))) as picture:
            assert picture.width > 800 and len(np.unique(np.asarray(picture.convert("L")))) > 5
    assert "url(" not in place.read_text() and "<b>random</b> numbers" in page.text and "broken.onnx: is not whole" in page.text
    assert page.text.count("weight/a") == 1 and "0,3,1,2" in page.text and "EBPC, channel first" in page.text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert len(list((tmp_path / "out" / "plots").iterdir())) == len(page.fetched) == 5
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert data["notes"] == notes and data["faults"] == faults and data["files"] == ["a.npz"]
    assert data["tensors"][0]["table"] == measured[0].table and data["tensors"][0]["bytes_apack"] == measured[0].sizes["apack"]
    assert set(data["methods"]) >= {"apack", "zstd-3", "best"} and data["traffic"][0]["network"] == "net"
    rows = list(csv.DictReader((tmp_path / "out" / "tensors.csv").read_text().splitlines()))
    assert len(rows) == len(measured) and rows[2]["input"] == "cat" and rows[1]["bytes_ebpc"] == ""


def test_rows_of_a_device(measured, tmp_path):
    def timed(name: str, kind: str, codec: str, values: int, cycles: tuple[int | None, int | None], ok: bool = True) -> Timed:
        return Timed("net", name, kind, "", codec, values, values, values // 2, *cycles, ok)

    rows = [
        timed("weight/a", "weight", "raw", 2000, (400, 500)),
        timed("weight/a", "weight", "zvc", 2000, (800, 1000)),
        timed("act/x", "activation", "raw", 4000, (1000, 800)),
        timed("act/x", "activation", "zvc", 4000, (4000, None)),
        timed("act/y", "activation", "raw", 1000, (1000, 200), ok=False),
    ]
    hardware = Hardware("Device test: 8 lanes", 4096, rows)
    weights, acts = hardware.totals()
    assert weights["rates"] == {"raw": (5.0, 4.0), "zvc": (2.5, 2.0)} and weights["tensors"] == 1
    assert acts["rates"] == {"raw": (2.5, 5.0), "zvc": (1.0, None)} and (acts["tensors"], acts["values"]) == (2, 5000)
    out = tmp_path / "out"
    page = _Page()
    page.feed(write_report(out, measured, hardware=hardware).read_text())
    assert page.open == [] and "Device test: 8 lanes" in page.text and "1 of 5 gave other bytes" in page.text and "DIFFER" in page.text
    held = json.loads((out / "report.json").read_text())["hardware"]
    assert held["device"] == "Device test: 8 lanes" and held["limit_bytes"] == 4096 and len(held["rows"]) == 5
    lines = list(csv.DictReader((out / "hardware.csv").read_text().splitlines()))
    assert lines[0]["compress_values_per_cycle"] == "5.0" and lines[3]["decompress_cycles"] == "" and lines[4]["ok"] == "False"
    write_report(out, measured)
    assert not (out / "hardware.csv").exists() and "hardware" not in json.loads((out / "report.json").read_text())


# ------------------------------------------------------------------------------------------------------------- the command line


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An .npz, a model with two inputs, and three files that cannot be used."""
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(9)
    np.savez(folder / "plain.npz", **{"weight/w": rng.normal(0, 5, 3000).astype(np.int8), "thing": np.arange(700, dtype=np.float32)})
    model_files.onnx_qdq(folder / "net.onnx")
    model_files.onnx_float(folder / "float.onnx")
    (folder / "broken.onnx").write_bytes((folder / "net.onnx").read_bytes()[:200])
    (folder / "broken.npz").write_bytes(b"PK\x03\x04")
    (folder / "inputs").mkdir()
    for name in ("a", "b", "c"):
        np.save(folder / "inputs" / f"{name}.npy", rng.normal(size=(1, 3, 8, 8)).astype(np.float32))
    return folder


def test_report_of_what_can_be_read(files, tmp_path):
    paths = [files / name for name in ("plain.npz", "broken.npz", "float.onnx", "net.onnx", "broken.onnx")]
    result = call("report", *paths, "-o", tmp_path / "out", "--inputs", files / "inputs", "--jobs", 1, "--choose", tmp_path / "c.tpz")
    assert result.exit_code == 2 and "Traceback" not in result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "3 things could not be read, the report is of the rest" in errors[0]
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [fault.split("/")[-1].split(":")[0] for fault in data["faults"]] == ["broken.npz", "float.onnx", "broken.onnx"]
    assert "is not quantised" in data["faults"][1]
    assert {row["network"] for row in data["networks"]} == {"plain", "net"}
    acts = [row for row in data["tensors"] if row["kind"] == "activation"]
    assert len(acts) == 9 and {row["input"] for row in acts} == {"a", "b", "c"}
    stored = {tensor.name: tensor for tensor in load_tensors(tmp_path / "c.tpz")}
    assert len(stored) == len(data["tensors"]) == 12
    assert "act/a/000_x_q" in stored or any(name.startswith("act/a/") for name in stored)
    thing = stored["thing"]
    assert thing.array.dtype == np.float32 and np.array_equal(thing.array, np.arange(700, dtype=np.float32))
    assert next(tensor for name, tensor in stored.items() if name.startswith("act/b/")).sample == "b"


def test_report_refuses(files, tmp_path):
    good, out = files / "plain.npz", tmp_path / "out"
    for arguments, message in (
        ((good, "-o", tmp_path / "none" / "out"), "does not exist"),
        ((good, "-o", good), "is not a folder"),
        ((good, "-o", out, "--inputs", files / "inputs"), "--inputs are for models"),
        ((good, "-o", out, "--choose", tmp_path / "x.npz"), "must end in .tpz"),
        ((good, "-o", out, "--names", "nothing"), "no tensor matches 'nothing'"),
        ((files / "broken.npz", files / "float.onnx", "-o", out), "(and 1 more)"),
        ((tmp_path / "gone.tflite", "-o", out), "no such file"),
    ):
        result = call("report", *arguments)
        assert result.exit_code == 2 and message in result.stderr, result.output
        assert not out.exists() and "Traceback" not in result.output
    out.mkdir()
    (out / "index.html").write_text("something")
    again = call("report", good, "-o", out)
    assert again.exit_code == 2 and "--force overwrites it" in again.stderr and (out / "index.html").read_text() == "something"
    assert call("report", good, "-o", out, "--jobs", 1, "--names", "thing", "--force").exit_code == 0
    assert "<h1>tensorpress report</h1>" in (out / "index.html").read_text()


def test_report_with_a_device(files, tmp_path):
    np.savez(tmp_path / "wide.npz", thing=np.arange(99, dtype=np.uint16))
    out, paths = tmp_path / "out", (files / "plain.npz", tmp_path / "wide.npz", files / "net.onnx")
    options = ("--inputs", files / "inputs", "--jobs", 1, "--device", "model", "--lanes", 2, "--device-limit", 1000)
    result = call("report", *paths, "-o", out, *options)
    assert result.exit_code == 0, result.output
    assert "Device model: 2 lanes" in result.stdout and "Every byte was the software model's" in result.stdout
    rows = json.loads((out / "report.json").read_text())["hardware"]["rows"]
    assert {row["codec"] for row in rows} == {"raw", "zvc", "ebpc", "apack"} and all(row["ok"] for row in rows)
    assert {row["network"] for row in rows} == {"plain", "net"} and max(row["raw_bytes"] for row in rows) <= 1000
    assert {row["input"] for row in rows} == {"", "a"}  # activations of the first input only
    assert len({(row["tensor"], row["codec"]) for row in rows}) == len(rows) == len((out / "hardware.csv").read_text().splitlines()) - 1
    assert "wide.npz, on the device: skipped 1 tensor: the device takes 8-bit values, not 16-bit ones" in result.stderr
    for arguments, message in (
        (("--device", "gpu"), "no device is called 'gpu'"),
        (("--device", "model", "--latency", 9), "device model takes no --latency"),
        (("--lanes", 2), "--lanes goes with --device"),
    ):
        refused = call("report", files / "plain.npz", "-o", tmp_path / "no", *arguments)
        assert refused.exit_code == 2 and message in refused.stderr and not (tmp_path / "no").exists(), refused.output


def test_a_device_that_fails_leaves_the_rest_of_the_report(files, tmp_path, monkeypatch):
    honest, closed = Job.result, []
    monkeypatch.setattr(ModelDevice, "_release", lambda self: closed.append(True))

    def lying(self):
        result = honest(self)
        if result.values is not None:
            result.values[0] ^= 1
        return result

    def failing(self, *arguments, **options):
        raise JobError(6, "READ_RESPONSE", 3, "the memory answered")

    options = ("--jobs", 1, "--device", "model", "--names", "weight/w")
    monkeypatch.setattr(Job, "result", lying)
    wrong = call("report", files / "plain.npz", "-o", tmp_path / "wrong", *options)
    assert wrong.exit_code == 1 and "error: tensor 'weight/w', codec raw, decompress" in wrong.stderr
    assert "4 of 4 gave other bytes than the software model" in (tmp_path / "wrong" / "index.html").read_text()
    monkeypatch.setattr(Engine, "compress", failing)
    stopped = call("report", files / "plain.npz", "-o", tmp_path / "stopped", *options)
    assert stopped.exit_code == 3 and "error: job failed at block 3: READ_RESPONSE" in stopped.stderr
    page = (tmp_path / "stopped" / "index.html").read_text()
    assert "plain.npz, on the device: it failed" in page and "weight/w" in page and not (tmp_path / "stopped" / "hardware.csv").exists()
    assert closed == [True, True] and "Traceback" not in wrong.output + stopped.output


def test_networks_of_one_name_stay_apart(measured):
    from tensorpress.cli.report import distinct

    tensors = [replace(tensor, source=f"/a/{'one' if number < 3 else 'two'}.npz") for number, tensor in enumerate(network())]
    named = distinct([replace(one) for one in measured], tensors)
    assert [one.network for one in named] == ["net (one.npz)"] * 3 + ["net (two.npz)"] * 3
    assert [one.network for one in distinct([replace(one) for one in measured], network())] == ["net"] * 6


def test_profile_of_a_model_tells_the_loss_on_other_inputs(files, tmp_path):
    out = tmp_path / "t.json"
    result = call("profile", files / "net.onnx", "--inputs", files / "inputs", "-o", out, "--json", tmp_path / "rows.json")
    assert result.exit_code == 0, result.output
    assert re.search(r"On inputs that a table was not made from, activations take .* a loss of \d+\.\d %", result.stdout)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["inputs"] for row in rows] == [1, 3, 3, 3] and len(tables.load_tables(out)) == 4
    acts = [row for row in rows if row["kind"] == "activation"]
    assert all(row["other_inputs_bits_per_value"] >= row["entropy_bits_per_value"] and row["loss_bits_per_value"] > 0 for row in acts)
    assert rows[0]["kind"] == "weight" and rows[0]["loss_bits_per_value"] is None
    # each input has tensors of its own name where there are several
    options = ["--table", out, "--codec", "apack", "-o", tmp_path / "x.tpz"]
    packed = call("compress", files / "net.onnx", "--inputs", files / "inputs", *options)
    assert packed.exit_code == 2 and "holds no table of this name" in packed.stderr
    alone = call("compress", files / "net.onnx", "--inputs", files / "inputs" / "a.npy", *options)
    assert alone.exit_code == 0 and len(load_tensors(tmp_path / "x.tpz")) == 4
    twice = call("profile", files / "net.onnx", files / "net.onnx", "-o", tmp_path / "u.json")
    assert twice.exit_code == 2 and "one model at a time" in twice.stderr
    lone = call("profile", files / "net.onnx", "-o", tmp_path / "v.json")
    assert lone.exit_code == 0 and "RANDOM" in lone.stderr and "cannot be told" in lone.stderr


def test_loss_is_that_of_the_tables_of_the_others():
    from tensorpress.cli.files import left_out

    rng = np.random.default_rng(10)
    members = [
        NamedTensor("act/x", rng.normal(5 * number, 6, 2000).round().astype(np.int8), "act", "n", 0, None, "int8", sample=str(number))
        for number in range(3)
    ]
    expected = np.zeros(3)
    for held in members:
        others = tables.profile([one.values for one in members if one is not held])
        own = tables.histogram(held.values)
        expected += 2000, tables.cost_bits(own, tables.optimal_table(others)), tables.cost_bits(own, tables.optimal_table(own))
    assert np.allclose(left_out(members, tables.optimal_table), expected) and expected[1] > 1.01 * expected[2]
