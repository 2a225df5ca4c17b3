# SPDX-License-Identifier: Apache-2.0
"""Code that knows pynq and the register map only, on the simulated board. What works on a board works; what goes wrong there is told."""

from __future__ import annotations

import asyncio
import gc

import numpy as np
import pynq
import pytest
from pynq import MMIO, Bitstream, Clocks, Overlay, allocate
from pynq_support import ZVC, copied, foreign_bit, start_by_hand, tensor
from tensorpress.codecs import encode
from tensorpress.errors import DeviceError, ProtocolError
from tensorpress.overlay import TensorpressIP
from tensorpress.registers import ID, REG

STATUS = REG["STATUS"].offset


def finished(mmio) -> dict[str, int]:
    """Poll until the job has ended."""
    for _ in range(1000):
        status = REG["STATUS"].unpack(mmio.read(STATUS))
        if status["DONE"]:
            return status
    raise AssertionError("the job does not end")


def buffers(count: int):
    return allocate((count,), "u1"), allocate((-(-count // 4096),), "u8"), allocate((-(-count // 8),), "u8")


def test_overlay_finds_the_driver(board, bitstream):
    overlay = Overlay(str(bitstream))
    assert set(overlay.ip_dict) >= {"engine", "interrupts"}
    assert isinstance(overlay.engine, TensorpressIP)
    assert overlay.engine.read(0) == ID
    assert overlay.engine.register_map.CAPABILITIES.LANES == 2
    assert "2 lanes" in repr(overlay.engine)
    assert Clocks.fclk0_mhz == pytest.approx(125)
    Clocks.fclk0_mhz = 50
    assert board.clock_mhz == pytest.approx(50)
    overlay.engine.write(REG["SCRATCH"].offset, 0x1234_5678)
    assert MMIO(0x4000_0000, 4096).read(REG["SCRATCH"].offset) == 0x1234_5678


def test_a_job_by_hand(board, bitstream):
    mmio = Overlay(str(bitstream)).engine.mmio
    values = tensor()
    expected = encode(values, ZVC)
    raw, index, payload = buffers(values.size)
    raw[:] = values
    raw.sync_to_device()
    start_by_hand(mmio, raw, index, payload, values.size)
    assert finished(mmio) == {"BUSY": 0, "DONE": 1, "ERROR": 0, "ERROR_CODE": 0}
    words = mmio.read(REG["RESULT_PAYLOAD_WORDS"].offset)
    assert words == len(expected.payload)
    assert set(np.asarray(payload).view("u1")) == {0xCD}  # not before the cache is invalidated
    index.sync_from_device()
    payload.sync_from_device()
    np.testing.assert_array_equal(np.asarray(index), expected.index)
    np.testing.assert_array_equal(np.asarray(payload)[:words], expected.payload)
    assert board.pl.statistic("peak_reads") > 1


def test_a_forgotten_flush_is_seen(board, bitstream):
    mmio = Overlay(str(bitstream)).engine.mmio
    values = tensor()
    raw, index, payload = buffers(values.size)
    raw[:] = values
    start_by_hand(mmio, raw, index, payload, values.size)
    finished(mmio)
    index.sync_from_device()
    assert not np.array_equal(np.asarray(index), encode(values, ZVC).index)


def test_interrupt_in_an_event_loop(board, bitstream):
    values = tensor()

    async def work():
        overlay = Overlay(str(bitstream))
        mmio = overlay.engine.mmio
        raw, index, payload = buffers(values.size)
        raw[:] = values
        raw.sync_to_device()
        for _ in range(3):
            start_by_hand(mmio, raw, index, payload, values.size)
            await asyncio.wait_for(overlay.engine.irq.wait(), 60)
            if not mmio.read(REG["IRQ_STATUS"].offset):  # left over from the job before, as with the vendor's controller
                await asyncio.wait_for(overlay.engine.irq.wait(), 60)
            assert mmio.read(REG["IRQ_STATUS"].offset) == 1
            assert finished(mmio)["ERROR"] == 0
            mmio.write(REG["IRQ_STATUS"].offset, 1)

    asyncio.run(work())


def test_bitstream_without_description(board, bitstream, tmp_path):
    path = copied(bitstream, tmp_path)
    path.with_suffix(".hwh").unlink()
    with pytest.raises(RuntimeError, match="Unable to find metadata"):
        Overlay(str(path))
    Bitstream(str(path)).download()
    assert MMIO(0x4000_0000, 4096).read(0) == ID
    with pytest.raises(OSError, match="does not exist"):
        Bitstream(str(tmp_path / "other.bit"))


@pytest.mark.parametrize("address", [0x4000_1000, 0x4002_0000, 0x43C0_0000, 0x7FFF_F000])
def test_unmapped_addresses_in_the_pl(board, bitstream, address):
    Overlay(str(bitstream))
    with pytest.raises(DeviceError, match=f"0x{address:08x} ends in a bus error"):
        MMIO(address, 16).read(0)
    with pytest.raises(DeviceError, match="bus error"):
        MMIO(address, 16).write(0, 1)
    assert MMIO(0x4000_0000, 4096).read(0) == ID


def test_addresses_where_nothing_is(board, bitstream):
    Overlay(str(bitstream))
    with pytest.raises(DeviceError, match="0xe0000000: nothing is there"):
        MMIO(0xE000_0000, 16).read(0)
    with pytest.raises(DeviceError, match="0xe0000000: nothing is there"):
        MMIO(0xE000_0000, 16).write(0, 1)


def test_access_without_a_design(board, tmp_path):
    with pytest.raises(DeviceError, match="no design in the PL answers"):
        MMIO(0x4000_0000, 16).read(0)
    with pytest.raises(RuntimeError, match="not downloaded"):
        allocate((10,), "u1")
    Bitstream(str(foreign_bit(tmp_path / "blinky.bit"))).download()
    with pytest.raises(DeviceError, match="no design in the PL answers"):
        MMIO(0x4000_0000, 16).read(0)


def test_locked_and_reset(board, bitstream):
    Overlay(str(bitstream))
    slcr = MMIO(0xF800_0000, 0x1000)
    slcr.write(0x004, 0x767B)
    before = Clocks.fclk0_mhz
    slcr.write(0x170, 0x0010_0100)
    assert Clocks.fclk0_mhz == before
    slcr.write(0x008, 0xDF0D)
    slcr.write(0x240, 1)
    with pytest.raises(DeviceError, match="in reset"):
        MMIO(0x4000_0000, 16).read(0)
    slcr.write(0x240, 0)
    assert MMIO(0x4000_0000, 16).read(0) == ID


def test_contiguous_memory_is_limited_and_leaks_are_told(bitstream):
    from tensorpress.device.pynq_sim import activate

    board = activate(memory_bytes=1 << 20)
    Overlay(str(bitstream))
    first = allocate((600_000,), "u1")
    with pytest.raises(RuntimeError, match="BO allocation failed: out of device memory"):
        allocate((600_000,), "u1")
    first.freebuffer()
    second = allocate((600_000,), "u1")
    assert second.device_address % 4096 == 0
    part = second[100:300]
    assert part.device_address == second.device_address + 100
    with pytest.raises(DeviceError, match="1 buffers were not freed"):
        board.close()


def test_parts_of_a_buffer(board, bitstream):
    Overlay(str(bitstream))
    whole = allocate((100,), "u4")
    whole[:] = 7
    whole[10:20].flush()
    there = board.pl.memory.view(whole.device_address, 400).view("u4")
    assert set(there[10:20]) == {7} and set(there[:10]) == set(there[20:]) == {0xCDCDCDCD}
    there[:] = 9
    whole[50:].invalidate()
    assert set(np.asarray(whole[50:])) == {9} and set(np.asarray(whole[:50])) == {7}


def test_a_buffer_freed_while_the_engine_writes_it(board, bitstream):
    mmio = Overlay(str(bitstream)).engine.mmio
    values = tensor(400_000)
    raw, index, payload = buffers(values.size)
    raw[:] = values
    raw.sync_to_device()
    start_by_hand(mmio, raw, index, payload, values.size)
    del payload
    gc.collect()
    with pytest.raises(ProtocolError, match="outside the destination"):
        finished(mmio)
    board.pl.reset()


def test_a_port_of_half_the_width_is_seen(board, bitstream):
    mmio = Overlay(str(bitstream)).engine.mmio
    MMIO(0xF800_8000, 0x1000).write(0x14, 0xF01)
    values = tensor()
    raw, index, payload = buffers(values.size)
    with pytest.raises(ProtocolError, match="set to 32 bits"):
        start_by_hand(mmio, raw, index, payload, values.size)
        finished(mmio)
    board.pl.reset()


def test_what_is_left_in_pynq(bitstream):
    from tensorpress.device.pynq_sim import SimulatedBoard, activate

    board = activate(memory_bytes=1 << 20)
    Overlay(str(bitstream))
    assert pynq.Device.active_device is board
    board.close()
    assert not isinstance(getattr(pynq.Device, "_active_device", None), SimulatedBoard)
    assert not pynq.interrupt._InterruptController._uio_devices
