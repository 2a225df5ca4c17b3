# SPDX-License-Identifier: Apache-2.0
"""The DDR3 model: its commands keep their distances, its rates are the published ones, and the engine works on it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import assert_same_image, assert_same_values, codecs_of, coding_for, mixed_values
from shared_devices import SMALL_BUILD, settle, verilated
from tensorpress.codecs import encode
from tensorpress.device.ddr3 import Ddr3
from tensorpress.device.verilated import HEAVY_STALLS, Timing, VerilatedDevice
from tensorpress.engine import Engine
from tensorpress.errors import InputError, JobError

MODEL = Path(__file__).resolve().parents[2] / "cores" / "verilated"
BURST = 128  # bytes: 16 beats of 8
BARE = Ddr3(request_ns=0, response_ns=0, t_refi_ns=0)
"""Without the way to the chip and without refreshes: what is left are commands."""


class Probe:
    """The model with a port as fast as the memory, so that ticks are memory clocks."""

    def __init__(self, library: ctypes.CDLL, settings: Ddr3, port_mhz: float | None = None) -> None:
        self._library, self._model = library, library.probe_create()
        for name, value in settings.settings(port_mhz or settings.memory_mhz).items():
            if name != "ddr3":
                assert library.probe_set(self._model, name.removeprefix("ddr3_").encode(), value), name
        library.probe_start(self._model)

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *exception: object) -> None:
        self._library.probe_destroy(self._model)

    def count(self, name: str) -> int:
        return self._library.probe_count(self._model, name.encode())

    def one_by_one(self, bursts: list[tuple[int, bool]], nbytes: int = 16) -> list[int]:
        addresses, writes = np.array([a for a, _ in bursts], np.uint64), np.array([w for _, w in bursts], np.uint8)
        ticks = np.zeros(len(bursts), np.uint64)
        self._library.probe_one_by_one(self._model, addresses.ctypes.data, writes.ctypes.data, len(bursts), nbytes, ticks.ctypes.data)
        return ticks.tolist()

    def at_once(self, addresses: np.ndarray, writes: np.ndarray, outstanding: int = 32) -> int:
        addresses, writes = np.ascontiguousarray(addresses, np.uint64), np.ascontiguousarray(writes, np.uint8)
        ticks = self._library.probe_at_once(self._model, addresses.ctypes.data, writes.ctypes.data, len(addresses), BURST, outstanding)
        assert ticks > 0, "some burst never ended"
        return ticks


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    target = tmp_path_factory.mktemp("ddr3") / "probe.so"
    source = Path(__file__).with_name("ddr3_probe.cpp")
    flags = ["-std=gnu++20", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{MODEL}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(target)], check=True)
    loaded = ctypes.CDLL(str(target))
    pointer, u32, text = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p
    for name, result, arguments in (
        ("probe_create", pointer, []),
        ("probe_destroy", None, [pointer]),
        ("probe_set", ctypes.c_int, [pointer, text, ctypes.c_double]),
        ("probe_start", None, [pointer]),
        ("probe_count", ctypes.c_int64, [pointer, text]),
        ("probe_one_by_one", None, [pointer, pointer, pointer, u32, u32, pointer]),
        ("probe_at_once", ctypes.c_uint64, [pointer, pointer, pointer, u32, u32, u32]),
    ):
        getattr(loaded, name).restype, getattr(loaded, name).argtypes = result, arguments
    return loaded


# ---- single commands: clocks by hand, of the figures in Ddr3 (tRCD = tRP = 7, CL 7, BL/2 = 4)


def test_row_hit_miss_and_conflict(library: ctypes.CDLL) -> None:
    """A closed row costs tRCD, an open one nothing, another row of the bank tRP + tRCD, more when tRAS or tRC still runs."""
    row = BARE.row_bytes
    other_row, other_bank = row * BARE.banks, row
    with Probe(library, BARE) as probe:
        closed, hit, bank, conflict = probe.one_by_one([(0, False), (16, False), (other_bank, False), (other_row, False)])
        read = BARE.cl + BARE.burst // 2
        assert (closed, hit, bank, conflict) == (read + 7, read, read + 7, read + 7 + 7)
        assert [probe.count(name) for name in ("activates", "conflicts", "reads")] == [3, 1, 4]
    with Probe(library, replace(BARE, t_ras_ns=200.0, t_rc_ns=213.125)) as probe:
        closed, late = probe.one_by_one([(0, False), (other_row, False)])
        assert late > conflict  # the first row had to stay open for 105 clocks
        assert closed + late >= 105 + 7 + 7 + read


def test_turnaround(library: ctypes.CDLL) -> None:
    """A read right after a write waits for the data, then tWTR; tWR holds the precharge."""
    write_then_read = [(0, True), (16, False)]
    with Probe(library, BARE) as probe:
        taken, read = probe.one_by_one(write_then_read)
        assert taken <= 2  # a write ends when the controller has it
        assert probe.count("turnarounds") == 2
        # the write: ACT, tRCD, then CWL + BL/2 + tWTR until the read may come, then CL + BL/2
        assert read >= 7 + 6 + 4 + 4 + 7 + 4 - taken
    with Probe(library, replace(BARE, t_wtr_ns=100.0)) as probe:
        assert probe.one_by_one(write_then_read)[1] == read + 53 - 4
    with Probe(library, BARE) as probe:
        conflict = probe.one_by_one([(0, True), (BARE.row_bytes * BARE.banks, False)])[1]
    with Probe(library, replace(BARE, t_wr_ns=100.0)) as probe:
        assert probe.one_by_one([(0, True), (BARE.row_bytes * BARE.banks, False)])[1] == conflict + 53 - 8


def test_activates_are_limited(library: ctypes.CDLL) -> None:
    """Bursts that each open a row: tRRD and tFAW set the rate."""
    accesses = 400
    banks = np.arange(accesses) % BARE.banks
    rows = np.arange(accesses) // BARE.banks
    addresses = (rows * BARE.banks + banks) * BARE.row_bytes
    reads = np.zeros(accesses, bool)
    ticks = {}
    for name, settings in {"board": BARE, "tFAW": replace(BARE, t_faw_ns=400.0), "tRRD": replace(BARE, t_rrd_ns=100.0)}.items():
        with Probe(library, settings) as probe:
            ticks[name] = probe.at_once(addresses, reads)
            assert probe.count("activates") == accesses
    assert ticks["tFAW"] / accesses == pytest.approx(210 / 4, rel=0.05)
    assert ticks["tRRD"] / accesses == pytest.approx(53, rel=0.05)
    assert ticks["board"] < ticks["tFAW"]


def test_refresh(library: ctypes.CDLL) -> None:
    """A refresh comes every tREFI, closes the rows and takes tRFC."""
    with Probe(library, replace(BARE, t_refi_ns=7800.0)) as probe:
        ticks = probe.at_once(np.arange(20_000) * BURST, np.zeros(20_000, bool))
        refreshes = probe.count("refreshes")
        assert refreshes == pytest.approx(ticks / 4095, abs=1)
    with Probe(library, BARE) as probe:
        without = probe.at_once(np.arange(20_000) * BURST, np.zeros(20_000, bool))
    lost = (ticks - without) / refreshes
    assert 137 <= lost <= 137 + 40  # tRFC, and closing and opening the row


def test_nothing_starves(library: ctypes.CDLL) -> None:
    """A row that is always hit gives way to the access that has waited longest."""
    hits = np.arange(3000) * 16 % BARE.row_bytes
    addresses = np.where(np.arange(3000) % 100 == 50, BARE.row_bytes * BARE.banks, hits)
    with Probe(library, replace(BARE, patience=64)) as probe:
        probe.at_once(addresses // BURST * BURST, np.zeros(3000, bool))
        assert probe.count("conflicts") >= 30


# ---- rates, against UG585 (docs.amd.com, Zynq-7000 TRM, "DDR Efficiency"), measured there with DDR3-1050 and a port clock of 150 MHz


PUBLISHED = {
    ("reads", "sequential"): 97,
    ("reads", "random"): 92,
    ("writes", "sequential"): 90,
    ("writes", "random"): 87,
    ("both", "sequential"): 87,
    ("both", "random"): 79,
}


def efficiency(library: ctypes.CDLL, kind: str, pattern: str, count: int = 20_000) -> float:
    rng = np.random.default_rng(7)
    writes = {"reads": np.zeros(count, bool), "writes": np.ones(count, bool), "both": np.arange(count) % 2 == 1}[kind]
    addresses = np.empty(count, np.uint64)
    for side in (False, True):
        here = writes == side
        number = rng.integers(0, 1 << 20, here.sum()) if pattern == "random" else np.arange(here.sum())
        addresses[here] = number * BURST + (side << 27)
    with Probe(library, Ddr3()) as probe:
        return 100 * count * BURST / (probe.at_once(addresses, writes) * 4)  # 4 bytes a clock


def test_efficiency(library: ctypes.CDLL) -> None:
    """Share of the peak that bursts of 16 beats reach, with enough of them under way: within 9 points of the published ones."""
    measured = {case: efficiency(library, *case) for case in PUBLISHED}
    for (kind, pattern), value in measured.items():
        print(f"{kind:<8}{pattern:<12}{value:6.1f} %, published {PUBLISHED[kind, pattern]} %")
    for case, value in measured.items():
        assert abs(value - PUBLISHED[case]) <= 9, (case, value)
    assert abs(measured["reads", "sequential"] - 97) <= 1.5
    assert abs(measured["both", "sequential"] - 87) <= 3


def test_port_latency(library: ctypes.CDLL) -> None:
    """An idle read is back after about 40 cycles of 150 MHz, the latency of the ideal memory."""
    with Probe(library, Ddr3(), port_mhz=150.0) as probe:
        first, second = probe.one_by_one([(0, False), (BURST, False)], nbytes=8)
        assert 39 <= first <= 42
        assert 36 <= second < first


# ---- settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"banks": 0}, "banks is 0"),
        ({"banks": 128}, "at most 64 banks"),
        ({"row_bytes": 100}, "rows of whole bursts"),
        ({"memory_mhz": -1.0}, "memory_mhz is -1"),
        ({"cwl": 30}, "longer than a read's way"),
        ({"read_outstanding": 0}, "read_outstanding is 0"),
    ],
)
def test_bad_settings(change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(Ddr3(), **change)  # type: ignore[arg-type]


def test_bad_clock() -> None:
    with pytest.raises(InputError, match="a port of 600 MHz"):
        Ddr3().settings(600.0)
    assert Ddr3().peak_bytes_per_second == 2.1e9


# ---- the engine on it


@pytest.fixture
def small() -> Iterator[VerilatedDevice]:
    device = verilated(lanes=1, **SMALL_BUILD)
    yield device
    device.set_memory("ideal")
    settle(device)


def test_engine_on_ddr3(small: VerilatedDevice) -> None:
    """Every codec, both ways, gives the model's bytes; the counts fit each other; a slower chip takes longer; errors stay errors."""
    engine = Engine(small)
    values = mixed_values(12 * 1024 + 5)
    cycles = {}
    for name, memory in {
        "ideal": "ideal",
        "board": "ddr3",
        "slow": Ddr3(memory_mhz=150.0, t_rfc_ns=2000.0, bus_bytes=1, request_ns=300.0),
    }.items():
        small.set_memory(memory)  # type: ignore[arg-type]
        small.configure(Timing(stalls=HEAVY_STALLS if name == "slow" else {}))
        cycles[name] = 0
        for codec in codecs_of(engine):
            coding = coding_for(engine, codec, values, block=1024)
            expected = encode(values, coding)
            before = [small.statistic(s) for s in ("read_bursts", "write_bursts", "read_beats", "write_beats")]
            compressed = engine.compress(values, coding)
            assert_same_image(compressed.coded, expected)
            decompressed = engine.decompress(expected, values.size, coding)
            assert_same_values(decompressed.values, values)
            cycles[name] += (compressed.cycles or 0) + (decompressed.cycles or 0)
            after = [small.statistic(s) for s in ("read_bursts", "write_bursts", "read_beats", "write_beats")]
            bursts, beats = np.subtract(after, before)[:2], np.subtract(after, before)[2:]
            assert (bursts <= beats).all()
        if name == "board":
            small.run(1000)  # the last writes reach the chip after their responses
            reads, writes = small.statistic("ddr3_reads"), small.statistic("ddr3_writes")
            assert reads * 16 >= small.statistic("ddr3_activates") > 0
            assert reads > 0 and writes > 0
            assert small.statistic("ddr3_turnarounds") > 0
            assert small.statistic("ddr3_clocks") * 16 // 4 >= (reads + writes) * 16
    assert cycles["slow"] > 1.2 * cycles["board"]
    assert cycles["board"] > cycles["ideal"] * 0.9
    small.set_memory("ddr3")
    small.configure(Timing())
    coding = coding_for(engine, "raw", values, block=1024)
    small.fail_reads(5)
    with pytest.raises(JobError, match="READ_RESPONSE"):
        engine.compress(values, coding)
    small.fail_reads(0, 0)
    assert_same_image(engine.compress(values, coding).coded, encode(values, coding))


def test_memory_names(small: VerilatedDevice) -> None:
    with pytest.raises(InputError, match="memory 'sram' is not one of ideal, ddr3"):
        small.set_memory("sram")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no such statistic: ddr3_moons"):
        small.statistic("ddr3_moons")
