# SPDX-License-Identifier: Apache-2.0
"""Devices without jobs: memory, buffers, opening and closing, and what is said when something is missing."""

from __future__ import annotations

import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cases import sparse_values
from tensorpress.codecs import Coding, encode
from tensorpress.device import Buffer, BufferPart, Device, open_device
from tensorpress.device import verilated as verilated_module
from tensorpress.device.base import GUARD_BYTES, MemoryPool, PoolDevice
from tensorpress.device.model import ModelDevice
from tensorpress.device.verilated import Build, VerilatedDevice, build, checkout
from tensorpress.engine import Engine
from tensorpress.errors import BuildError, DeviceError, DeviceNotFoundError, InputError, ProtocolError
from tensorpress.registers import ID, REG


def test_protocol(device: PoolDevice) -> None:
    assert isinstance(device, Device)
    assert device.read_register(REG["ID"].offset) == ID  # type: ignore[attr-defined]
    with device.allocate(100) as buffer:
        assert isinstance(buffer, Buffer)
        assert isinstance(BufferPart(buffer, 0, 8), Buffer)


def test_allocator() -> None:
    pool = MemoryPool(0x1000_0000, 1 << 20)
    rng = np.random.default_rng(1)
    buffers = []
    for _ in range(400):
        if buffers and rng.random() < 0.4:
            buffers.pop(int(rng.integers(len(buffers)))).free()
        alignment = int(rng.choice([8, 64, 4096]))
        buffers.append(pool.allocate(int(rng.integers(1, 900)), alignment))
        assert buffers[-1].address % alignment == 0
        ranges = sorted((buffer.address - GUARD_BYTES, buffer.address + buffer.nbytes) for buffer in buffers)
        assert pool.base <= ranges[0][0]
        assert ranges[-1][1] + GUARD_BYTES <= pool.base + pool.nbytes
        assert all(end <= start for (_, end), (start, _) in pairwise(ranges))
    pool.check_guards()
    for buffer in buffers:
        buffer.free()
        buffer.free()
    assert pool.leaks == []
    pool.allocate((1 << 20) - 2 * GUARD_BYTES).free()


def test_out_of_memory(device: PoolDevice) -> None:
    with device.allocate(3 << 20), pytest.raises(DeviceError, match=r"out of device memory: 2097152 bytes asked for, \d+ of 4194304"):
        device.allocate(2 << 20)
    for nbytes, alignment in ((0, 64), (-1, 64), (8, 12), (8, 4)):
        with pytest.raises(InputError):
            device.allocate(nbytes, alignment)


def test_stale_copies(device: PoolDevice) -> None:
    """What the host wrote is not there before sync_to_device, what the engine wrote not before sync_from_device."""
    with device.allocate(64) as buffer:
        there = device.memory.view(buffer.address, 64)
        assert set(there) == {0xCD}
        buffer.array[:] = 7
        assert set(there) == {0xCD}
        buffer.sync_to_device()
        assert set(there) == {7}
        there[:] = 9
        assert set(buffer.array) == {7}
        buffer.sync_from_device()
        assert set(buffer.array) == {9}
    with pytest.raises(DeviceError, match="freed and is used again"):
        buffer.array[0] = 1


def test_guards(device: PoolDevice) -> None:
    for at in (-1, -GUARD_BYTES, 100, 100 + GUARD_BYTES - 1):
        buffer = device.allocate(100)
        device.memory.view(buffer.address + at, 1)[:] = 1
        with pytest.raises(ProtocolError, match=f"1 bytes around .* first at 0x{buffer.address + at:08x}"):
            buffer.free()


def test_parts(device: PoolDevice) -> None:
    with device.allocate(100) as buffer:
        part = BufferPart(buffer, 24, 16)
        part.array[:] = 5
        part.sync_to_device()
        assert part.address == buffer.address + 24
        assert device.memory.view(part.address, 16).tolist() == [5] * 16
        for start, nbytes in ((-8, 8), (96, 8), (0, 0), (0, 101)):
            with pytest.raises(InputError, match="not inside a buffer of 100 bytes"):
                BufferPart(buffer, start, nbytes)


def test_leak_check() -> None:
    device = ModelDevice(memory_bytes=1 << 16)
    device.allocate(100)
    with pytest.raises(DeviceError, match="1 buffers were not freed"):
        device.close()
    device.close()
    for call in (lambda: device.allocate(8), lambda: device.read_register(0), device.reset):
        with pytest.raises(DeviceError, match="closed"):
            call()
    with pytest.raises(KeyError), ModelDevice(memory_bytes=1 << 16) as other:  # the error at hand is the one that is seen
        other.allocate(100)
        raise KeyError


def test_open_by_name() -> None:
    device = open_device("model", lanes=3, memory_bytes=1 << 16)
    assert Engine(device).capabilities.lanes == 3
    device.close()
    with pytest.raises(InputError, match=r"no device is called 'abacus'; there are model, verilated"):
        open_device("abacus")


def test_model_options() -> None:
    with ModelDevice(lanes=16, block_bytes=16384, codecs=0b0101, memory_bytes=1 << 20) as device:
        can = Engine(device).capabilities
        assert str(can) == "16 lanes, blocks of up to 16384 bytes, 8-bit values, raw, ebpc"
        values = sparse_values(20000)
        coding = Coding("ebpc", 8, 16384)
        result = Engine(device).compress(values, coding)
        assert result.coded is not None
        np.testing.assert_array_equal(result.coded.payload, encode(values, coding).payload)
        assert result.cycles is None
        assert result.values_per_cycle is None
    for wrong in ({"lanes": 0}, {"lanes": 17}, {"block_bytes": 1000}, {"codecs": 16}, {"apack_coders": 0}):
        with pytest.raises(InputError, match="no such engine"):
            ModelDevice(**wrong)
    with pytest.raises(InputError, match="memory of"):
        ModelDevice(memory_bytes=1000)


def test_another_thing_behind_the_device() -> None:
    class Foreign(ModelDevice):
        def read_register(self, offset: int) -> int:
            return 0xFFFF_FFFF if offset == 0 else super().read_register(offset)

    class Newer(ModelDevice):
        def read_register(self, offset: int) -> int:
            return 0x0002_0000 if offset == REG["VERSION"].offset else super().read_register(offset)

    with Foreign(memory_bytes=1 << 16) as device, pytest.raises(DeviceNotFoundError, match="ID reads 0xffffffff"):
        Engine(device)
    with Newer(memory_bytes=1 << 16) as device, pytest.raises(DeviceNotFoundError, match=r"version 2\.0\.0, this driver knows 1\.x"):
        Engine(device)


def test_polling() -> None:
    """Without an interrupt the driver polls; with one that gets lost it still sees the end."""

    class NoInterrupt(ModelDevice):
        has_interrupt = False

    class Lossy(ModelDevice):
        def wait(self, timeout_s: float | None, *, cycles: int | None = None) -> bool:
            return False

    values = sparse_values(1000)
    for kind, lost in ((NoInterrupt, 0), (Lossy, 1)):
        with kind(memory_bytes=1 << 16) as device:
            engine = Engine(device)
            result = engine.compress(values, Coding("zvc", 8, 256))
            assert result.blocks == 4
            assert engine.lost_interrupts == lost


# ---- building


def test_missing_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(DeviceNotFoundError, match=r"C\+\+ compiler no-such-compiler"):
        VerilatedDevice(lanes=1)
    monkeypatch.setenv("TENSORPRESS_CHECKOUT", str(tmp_path))
    with pytest.raises(DeviceNotFoundError, match=r"TENSORPRESS_CHECKOUT=.* is not one"):
        VerilatedDevice(lanes=1)


def test_bad_parameter_stops_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(verilated_module, "cache_folder", lambda: tmp_path)
    lines: list[str] = []
    try:
        with pytest.raises(BuildError, match="LANES"):
            build(Build({"LANES": 17}), lines.append)
    except DeviceNotFoundError as error:
        pytest.skip(str(error))
    assert len(lines) == 1
    assert "building the Verilated engine (lanes17)" in lines[0]
    assert not list(tmp_path.glob("making-*"))
    assert not list(tmp_path.glob("*.so"))


def test_broken_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "library.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(verilated_module, "_build_library", lambda spec, progress=None: broken)
    with pytest.raises(BuildError, match="delete it"):
        VerilatedDevice(lanes=1)
    with pytest.raises(InputError, match=r"\.vcd or \.fst"):
        VerilatedDevice(lanes=1, trace=tmp_path / "waves.txt")


def test_checkout_is_found() -> None:
    assert (checkout() / "rtl" / "engine").is_dir()


@pytest.mark.parametrize("suffix", ["vcd", "fst"])
def test_waveform(tmp_path: Path, suffix: str) -> None:
    """The smallest engine with a waveform of each kind: the job is right, and the file knows the ports and has their changes."""
    waves = tmp_path / f"waves.{suffix}"
    values = sparse_values(1000)
    coding = Coding("raw", 8, 128)
    lines: list[str] = []
    try:
        device = VerilatedDevice(lanes=1, block_bytes=512, codecs=3, memory_bytes=1 << 16, optimise=0, trace=waves, progress=lines.append)
    except DeviceNotFoundError as error:
        if os.environ.get("TENSORPRESS_REQUIRE_VERILATED") == "1" and suffix == "vcd":
            raise
        pytest.skip(str(error))
    with device:
        result = Engine(device).compress(values, coding)
        assert result.coded is not None
        np.testing.assert_array_equal(result.coded.payload, encode(values, coding).payload)
        cycles = device.statistic("cycle")
    data = waves.read_bytes()
    if suffix == "vcd":
        text = data.decode()
        assert "m_axi_awaddr" in text
        assert f"\n#{cycles * 10}\n" in text  # ten time units a cycle, to the last one
    else:
        assert len(data) > 1000


def test_fst_without_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where lz4's header is missing, the message names the packages to install and the format that needs none; nothing is written."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    wrapper = tmp_path / "compiler"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *lz4.h*) echo "lz4.h: No such file or directory" >&2; exit 1;; esac\nexec {compiler} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("CXX", str(wrapper))
    with pytest.raises(DeviceNotFoundError, match=r"\.fst need the headers of lz4 and zlib .*liblz4-dev zlib1g-dev.*; \.vcd needs nothing"):
        VerilatedDevice(lanes=1, trace=tmp_path / "waves.fst")
    assert not (tmp_path / "waves.fst").exists()
