# SPDX-License-Identifier: Apache-2.0
"""The driver of a board, on the simulated one: jobs, waiting, set-up, and everything that goes wrong with boards."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pynq
import pytest
from pynq_support import BUILD, MEMORY_BYTES, ZVC, copied, foreign_bit, tensor
from tensorpress.codecs import Coding, encode
from tensorpress.device import Device, open_device
from tensorpress.device import pynq as driver
from tensorpress.device.pynq import PynqDevice, open_pynq
from tensorpress.device.pynq_sim import SimulatedBoard, SimulatedUio, open_simulated, write_bitstream
from tensorpress.engine import Engine
from tensorpress.errors import DeviceError, DeviceNotFoundError, DeviceTimeoutError, InputError, JobError
from tensorpress.overlay import run_async
from tensorpress.registers import REG


@pytest.fixture(params=["interrupt", "polling"])
def device(request: pytest.FixtureRequest, bitstream: Path) -> Iterator[PynqDevice]:
    """The driver, waiting in each of the two ways."""
    with open_simulated(bitstream=bitstream, memory_bytes=MEMORY_BYTES, interrupt=request.param == "interrupt") as opened:
        yield opened


@pytest.fixture
def idle(device: PynqDevice) -> Iterator[PynqDevice]:
    """The same; after the test the hardware is idle, no buffer is left, and the next job works."""
    yield device
    pl = device._device.pl
    assert pl.statistic("reads_open") == pl.statistic("writes_open") == 0
    assert device._device.leaks() == []
    round_trip(device, tensor(5000, seed=9), ZVC)


def round_trip(device: PynqDevice, values, coding: Coding) -> None:
    with Engine(device) as engine:
        result = engine.compress(values, coding)
        expected = encode(values, coding)
        np.testing.assert_array_equal(result.coded.index, expected.index)
        np.testing.assert_array_equal(result.coded.payload, expected.payload)
        np.testing.assert_array_equal(engine.decompress(expected, values.size, coding).values, values)
        assert result.cycles > values.size / 16


# --------------------------------------------------------------------------------------------------------------------------- jobs


@pytest.mark.parametrize("codec", ["raw", "zvc", "ebpc"])
@pytest.mark.parametrize("count", [1, 4096, 30_001])
def test_round_trip(idle, codec, count):
    assert isinstance(idle, Device)
    round_trip(idle, tensor(count), Coding(codec, zero=0 if codec == "raw" else 3))
    assert idle.lost_interrupts == 0


def test_capabilities_and_clock(device):
    assert device.name == "pynq-sim" and device.clock_hz == pytest.approx(125e6)
    can = Engine(device).capabilities
    assert (can.lanes, can.block_bytes, can.codecs) == (BUILD["LANES"], BUILD["BLOCK_BYTES"], ("raw", "zvc", "ebpc"))
    with pytest.raises(DeviceError, match="nothing at the stream ports"):
        Engine(device).compress(tensor(10), ZVC, source="stream")


def test_a_job_with_an_error(idle):
    values = tensor()
    with Engine(idle) as engine, engine.compress_job(values.size, ZVC, payload_words=16) as job:
        job.load_values(values)
        with pytest.raises(JobError, match="PAYLOAD_FULL"):
            job.run()


def test_in_the_event_loop_of_a_notebook(idle):
    values = tensor(60_000)
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def work():
        other = asyncio.create_task(tick())
        engine = Engine(idle)
        result = engine.compress(values, ZVC)  # cannot wait for the interrupt here: looks at the registers
        with engine.decompress_job(values.size, ZVC, len(result.coded.payload)) as job:
            job.load_coded(result.coded)
            back = await run_async(job, 60)
            job.start()
            with pytest.raises(DeviceError, match="still runs"):
                await run_async(job)
            job.wait()
        other.cancel()
        return back

    np.testing.assert_array_equal(asyncio.run(work()).values, values)
    assert ticks > 3


def test_a_lost_interrupt_costs_no_job(bitstream, monkeypatch):
    monkeypatch.setattr(SimulatedUio, "add_event", lambda self, event, number: None)
    values = tensor(60_000)
    with open_simulated(bitstream=bitstream, memory_bytes=MEMORY_BYTES) as device, Engine(device) as engine:
        with pytest.warns(UserWarning, match="3 interrupts did not come"):
            for _ in range(3):
                np.testing.assert_array_equal(engine.compress(values, ZVC).coded.payload, encode(values, ZVC).payload)
        assert device.lost_interrupts == 3
        engine.compress(values, ZVC)


# --------------------------------------------------------------------------------------------------------------------- set-up


def test_the_width_of_the_port_is_set(board, bitstream):
    port = pynq.MMIO(0xF800_8000, 0x1000)
    for offset in (0x00, 0x14):
        port.write(offset, port.read(offset) | 1)
    with open_pynq(bitstream) as device:
        assert [port.read(offset) & 1 for offset in (0x00, 0x14)] == [0, 0]
        round_trip(device, tensor(), ZVC)


@pytest.mark.slow
def test_two_memory_ports(board, tmp_path, monkeypatch):
    """The second one is S_AXI_HP1, whose width is set as well."""
    path = write_bitstream(tmp_path, {**BUILD, "CODECS": 3, "MEMORY_PORTS": 2})
    port = pynq.MMIO(0xF800_9000, 0x1000)
    port.write(0x00, port.read(0x00) | 1)
    with open_pynq(path) as device:
        assert Engine(device).capabilities.memory_ports == 2 and port.read(0x00) & 1 == 0
        round_trip(device, tensor(), ZVC)
        assert board.pl.statistic("second_port_beats") > 0
    board._afi[0xF800_9000][0x00] = 1
    monkeypatch.setattr(
        board, "_write", lambda address, value, write=board._write: None if address == 0xF800_9000 else write(address, value)
    )
    with pytest.raises(DeviceError, match="S_AXI_HP1 is 32 bits wide"):
        open_pynq(path)


def test_a_port_that_stays_narrow(board, bitstream, monkeypatch):
    board._afi[0xF800_8000][0x00] = 1
    monkeypatch.setattr(
        board, "_write", lambda address, value, write=board._write: None if address == 0xF800_8000 else write(address, value)
    )
    with pytest.raises(DeviceError, match="S_AXI_HP0 is 32 bits wide"):
        open_pynq(bitstream)


def test_clock(board, bitstream):
    with open_pynq(bitstream, clock_mhz=60) as device:
        assert board.clock_mhz == pytest.approx(1000 / 17) and device.clock_hz == pytest.approx(1e9 / 17)
    with pytest.raises(InputError, match="clock of 200 MHz: the bitstream was built for 125 MHz"):
        open_pynq(bitstream, clock_mhz=200)
    board._slcr[0x108] = 40 << 12
    with pytest.raises(DeviceError, match="FCLK0 runs at 250 MHz after it was set to 125 MHz"):
        open_pynq(bitstream)


def test_without_description(board, bitstream, tmp_path):
    path = copied(bitstream, tmp_path)
    path.with_suffix(".hwh").unlink()
    with open_pynq(path, hwh=False) as device:
        assert device.clock_hz == pytest.approx(100e6)
        round_trip(device, tensor(), ZVC)


def test_user_overlay(board, bitstream):
    overlay = pynq.Overlay(str(bitstream))
    with overlay.engine.open() as device:
        round_trip(device, tensor(), ZVC)


# ------------------------------------------------------------------------------------------------------------- wrong bitstreams


def test_missing_files(board, bitstream, tmp_path, monkeypatch):
    monkeypatch.delenv(driver.BITSTREAM_VARIABLE, raising=False)
    with pytest.raises(DeviceNotFoundError, match="which bitstream"):
        open_pynq()
    monkeypatch.setenv(driver.BITSTREAM_VARIABLE, str(tmp_path / "none.bit"))
    with pytest.raises(DeviceNotFoundError, match=r"no bitstream .*none\.bit"):
        open_pynq()
    path = copied(bitstream, tmp_path)
    path.with_suffix(".xsa").touch()
    with pytest.raises(DeviceNotFoundError, match=r"xsa stands beside"):
        open_pynq(path)
    path.with_suffix(".hwh").unlink()
    with pytest.raises(DeviceNotFoundError, match=r"no tensorpress\.hwh beside"):
        open_pynq(path)
    monkeypatch.setenv(driver.BITSTREAM_VARIABLE, str(bitstream))
    open_pynq().close()


def test_a_bitstream_of_another_design(board, bitstream, tmp_path):
    path = foreign_bit(copied(bitstream, tmp_path))  # with the .hwh of an engine
    with pytest.raises(DeviceError, match="no design in the PL answers"):
        open_pynq(path)
    path.with_suffix(".hwh").write_text(path.with_suffix(".hwh").read_text().replace("tensorpress:engine:", "someone:blinky:"))
    with pytest.raises(DeviceNotFoundError, match=r"describes no tensorpress:engine:tensorpress_engine:1\.0, but engine \(someone:blinky"):
        open_pynq(path)


def test_no_bitstream_at_all(board, bitstream, tmp_path):
    path = copied(bitstream, tmp_path)
    path.write_bytes(b"not a bitstream")
    with pytest.raises(DeviceNotFoundError, match="pynq cannot load"):
        open_pynq(path)
    path = copied(bitstream, tmp_path)
    path.with_suffix(".hwh").write_text("not a description")
    with pytest.raises(DeviceNotFoundError, match="pynq cannot load"):
        open_pynq(path)


@pytest.mark.parametrize(
    ("offset", "value", "said"), [(0, 0x0BAD_CAFE, "ID reads 0x0badcafe"), (4, 0x0002_0000, r"register map has version 2\.0\.0")]
)
def test_another_engine_behind_the_registers(board, bitstream, monkeypatch, offset, value, said):
    written: list[int] = []
    real_read, real_write = board._read, board._write
    monkeypatch.setattr(board, "_read", lambda address: value if address == 0x4000_0000 + offset else real_read(address))
    monkeypatch.setattr(board, "_write", lambda address, word: (written.append(address), real_write(address, word)))
    with pytest.raises(DeviceNotFoundError, match=said) as caught:
        open_pynq(bitstream)
    assert str(bitstream) in str(caught.value)
    touched = {address for address in written if not 0xF800_0000 <= address < 0xF800_0200}  # FCLK0 is set by Overlay itself
    assert all(0x4001_0000 <= address < 0x4001_1000 for address in touched)  # pynq's own interrupt controller


def test_description_of_another_build(board, bitstream, tmp_path):
    path = copied(bitstream, tmp_path)
    write_bitstream(tmp_path / "other", {**BUILD, "LANES": 4})
    path.with_suffix(".hwh").write_text((tmp_path / "other" / "tensorpress.hwh").read_text())
    with pytest.raises(DeviceNotFoundError, match=r"its \.hwh says ENCODE_LANES = 4, the engine 2: it is the \.hwh of another build"):
        open_pynq(path)


def test_no_board(bitstream, monkeypatch):
    monkeypatch.setattr(pynq.Device, "_devices", [], raising=False)
    monkeypatch.delattr(pynq.Device, "_active_device", raising=False)
    monkeypatch.delenv("XILINX_XRT", raising=False)
    with pytest.raises(DeviceNotFoundError, match=r"pynq finds no board here .* XILINX_XRT is not set"):
        open_device("pynq", bitstream=bitstream)


# ----------------------------------------------------------------------------------------------------------------- memory


def test_out_of_contiguous_memory(idle):
    with Engine(idle) as engine, pytest.raises(DeviceError, match=r"out of device memory: \d+ bytes asked for"):
        engine.compress(np.zeros(3_000_000, np.uint8), Coding("raw"))
    assert idle._device.leaks() == []


def test_a_buffer_freed_while_its_job_runs(idle):
    values = tensor(300_000)
    engine = Engine(idle)
    with idle.allocate(values.size) as mine, engine.compress_job(values.size, ZVC, raw=mine) as job:
        job.load_values(values)
        job.start()
        with pytest.raises(DeviceError, match="is used by the running job"):
            mine.free()
        job.wait()
        np.testing.assert_array_equal(job.result().coded.payload, encode(values, ZVC).payload)
        mine.free()
        with pytest.raises(DeviceError, match="freed and is used again"):
            mine.array[0] = 1


def test_leaks_are_told_and_freed(bitstream):
    device = open_simulated(bitstream=bitstream, memory_bytes=MEMORY_BYTES)
    board = device._device
    forgotten = device.allocate(1000)
    with pytest.raises(DeviceError, match=r"1 buffers were not freed before the device 'pynq-sim' was closed: <1000 bytes at 0x"):
        device.close()
    assert board.pl is None and forgotten._memory is None
    device.close()
    with pytest.raises(DeviceError, match="is closed"):
        device.allocate(8)


# -------------------------------------------------------------------------------------------------- interruptions and silence


def test_control_c_in_mid_job(idle):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    values = tensor(1_500_000)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    engine = Engine(idle)
    with pytest.raises(KeyboardInterrupt), warnings.catch_warnings():
        warnings.simplefilter("error")
        with engine.compress_job(values.size, ZVC) as job:
            job.load_values(values)
            job.start()
            timer.start()
            for _ in range(100):
                job.wait()
                job.start()
    timer.join()
    signal.signal(signal.SIGINT, before)
    assert not engine.busy


def test_an_interrupted_task(idle):
    values = tensor(1_000_000)
    engine = Engine(idle)

    async def work():
        with engine.compress_job(values.size, ZVC) as job:
            job.load_values(values)
            await asyncio.wait_for(run_async(job), 0.02)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(work())
    assert not engine.busy


def test_silent_memory_ends_in_a_timeout_and_a_reset(idle):
    values = tensor()
    pl = idle._device.pl
    with Engine(idle) as engine, engine.compress_job(values.size, ZVC) as job:
        job.load_values(values)
        pl.set_dead(True)
        job.start()
        with pytest.raises(DeviceTimeoutError, match=r"did not end within 0\.2 s") as caught:
            job.wait(0.2)
        assert caught.value.status["STATUS.BUSY"] == 1
        engine.reset()
        pl.set_dead(False)
        assert not engine.busy


def test_closing_stops_a_running_job(bitstream):
    values = tensor(400_000)
    with pytest.raises(ZeroDivisionError):
        with open_simulated(bitstream=bitstream, memory_bytes=MEMORY_BYTES) as device:
            board = device._device
            job = Engine(device).compress_job(values.size, ZVC)
            job.load_values(values)
            job.start()
            assert board._read(0x4000_0000 + REG["STATUS"].offset) & 1
            raise ZeroDivisionError
    assert board.pl is None


# ----------------------------------------------------------------------------------------------------------------- command line


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tensorpress", *map(str, arguments)], capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "small.npy", tensor(9000))
    return tmp_path / "small.npy"


def test_run(bitstream, file):
    done = call("run", file, "--device", "pynq-sim", "--bitstream", bitstream)
    assert done.returncode == 0, done.stderr
    assert "Device pynq-sim: 2 lanes" in done.stdout and "All 6 transfers gave the bytes of the software model." in done.stdout


def test_selftest(bitstream):
    done = call("selftest", "--device", "pynq-sim", "--bitstream", bitstream)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "The device works" in done.stdout


def test_bench(bitstream, file):
    done = call("bench", file, "--device", "pynq-sim", "--bitstream", bitstream, "--codec", "zvc", "--clock", "100")
    assert done.returncode == 0, done.stderr
    assert "zvc" in done.stdout and "stream" not in done.stdout


def test_commands_that_cannot_work(bitstream, file, tmp_path):
    for arguments, code, said in (
        (["--device", "pynq", "--bitstream", bitstream], 3, "error: pynq finds no board here"),
        (["--device", "pynq", "--bitstream", tmp_path / "none.bit"], 3, "error: no bitstream"),
        (["--device", "pynq", "--lanes", "2"], 2, "error: device pynq takes no --lanes"),
        (["--device", "model", "--bitstream", bitstream], 2, "error: device model takes no --bitstream"),
        (["--device", "verilated", "--no-hwh"], 2, "error: device verilated takes no --no-hwh"),
        (["--device", "pynq-sim", "--bitstream", bitstream, "--clock", "500"], 2, "error: a clock of 500 MHz"),
    ):
        done = call("run", file, *arguments)
        assert done.returncode == code, done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith(said), done.stderr
        assert "Traceback" not in done.stderr


def test_control_c_on_the_command_line(bitstream, tmp_path):
    np.save(tmp_path / "large.npy", tensor(30_000_000))
    command = ["run", tmp_path / "large.npy", "--device", "pynq-sim", "--bitstream", bitstream, "--codec", "raw"]
    with subprocess.Popen(
        [sys.executable, "-m", "tensorpress", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Device pynq-sim")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "error: interrupted" and "Traceback" not in errors


def test_the_simulated_board_is_a_device_of_pynq(board):
    assert isinstance(board, SimulatedBoard) and isinstance(board, pynq.Device) and pynq.Device.active_device is board
