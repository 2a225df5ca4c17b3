# SPDX-License-Identifier: Apache-2.0
"""The bus checker of the Verilated device finds each broken rule: a module that breaks one at a time runs in the engine's place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shared_devices import verilated
from tensorpress.device.verilated import Stall, Timing, VerilatedDevice
from tensorpress.errors import ProtocolError

READS, WRITES, BYTES = 0x1000_0100, 0x1000_2000, 32
READ_WINDOW, WRITE_WINDOW = (READS, READS + BYTES), (WRITES, WRITES + BYTES)
EVERYWHERE = (0x1000_0000, 0x1001_0000)

FREE, WAITING, LITE = "free", "waiting", "lite"
"""What the partners do: take everything at once; take nothing; take their time on the register port."""

FAULTS = {  # number in faulty_engine.v -> (its name there, partners, the checker's words)
    1: ("AR_LENGTH", FREE, r"AR: burst of 17 beats at 0x10000100, at most 16"),
    2: ("AR_PAGE", FREE, r"AR: 4 beats at 0x10000ff0 cross a 4 KiB boundary"),
    3: ("AR_TYPE", FREE, r"AR: burst type 0 at 0x10000100, not INCR"),
    4: ("AR_SIZE", FREE, r"AR: size 2 at 0x10000100, not 8 bytes"),
    5: ("AR_ALIGNMENT", FREE, r"AR: address 0x10000104 is not a multiple of 8"),
    6: ("AR_WITHDRAWN", WAITING, r"AR: valid was taken back before ready came"),
    7: ("AR_CHANGED", WAITING, r"AR: payload changed while valid waited for ready"),
    8: ("AR_OUTSIDE", FREE, r"AR: read of 4 words at 0x10000108 outside the buffers of the job"),
    9: ("AW_LENGTH", FREE, r"AW: burst of 17 beats at 0x10002000, at most 16"),
    10: ("AW_PAGE", FREE, r"AW: 4 beats at 0x10002ff0 cross a 4 KiB boundary"),
    11: ("AW_TYPE", FREE, r"AW: burst type 2 at 0x10002000, not INCR"),
    12: ("AW_SIZE", FREE, r"AW: size 2 at 0x10002000, not 8 bytes"),
    13: ("AW_ALIGNMENT", FREE, r"AW: address 0x10002004 is not a multiple of 8"),
    14: ("AW_WITHDRAWN", WAITING, r"AW: valid was taken back before ready came"),
    15: ("AW_CHANGED", WAITING, r"AW: payload changed while valid waited for ready"),
    16: ("W_EARLY_LAST", FREE, r"W: WLAST is 1 in beat 3 of 4, burst at 0x10002000"),
    17: ("W_NO_LAST", FREE, r"W: WLAST is 0 in beat 4 of 4, burst at 0x10002000"),
    18: ("W_WITHDRAWN", WAITING, r"W: valid was taken back before ready came"),
    19: ("W_CHANGED", WAITING, r"W: payload changed while valid waited for ready"),
    20: ("W_STROBE_CHANGED", WAITING, r"W: payload changed while valid waited for ready"),
    21: ("W_OUTSIDE", FREE, r"W: write of bytes 0x10002020..0x10002027 outside the destination of the job"),
    22: ("S_HOLE", FREE, r"m_axis_raw: TKEEP 0xfd with TLAST 0 at byte 0"),
    23: ("S_SHORT", FREE, r"m_axis_raw: TKEEP 0x0f with TLAST 0 at byte 0"),
    24: ("S_EMPTY", FREE, r"m_axis_raw: TKEEP 0x00 with TLAST 0 at byte 0"),
    25: ("S_WITHDRAWN", WAITING, r"m_axis_raw: valid was taken back before ready came"),
    26: ("S_CHANGED", WAITING, r"m_axis_raw: payload changed while valid waited for ready"),
    27: ("S_LAST_CHANGED", WAITING, r"m_axis_raw: payload changed while valid waited for ready"),
    28: ("B_EARLY", FREE, r"CPU port B: a response before the write"),
    29: ("R_EARLY", FREE, r"CPU port R: a response before the read"),
    30: ("B_WITHDRAWN", LITE, r"CPU port B: valid was taken back before ready came"),
    31: ("R_CHANGED", LITE, r"CPU port R: payload changed while valid waited for ready"),
}
FAULTS |= {32 + number: (f"AR1_{name[3:]}", how, f"second port {words}") for number, (name, how, words) in FAULTS.items() if number <= 8}
IN_RESET = {"IN_RESET": 32, "AR1_IN_RESET": 41}


@pytest.fixture
def faulty() -> Iterator[VerilatedDevice]:
    device = verilated(design=("faulty_engine", (Path(__file__).with_name("faulty_engine.v"),)), optimise=0)
    yield device
    device.set_dead(False)
    device.configure(Timing())
    device.reset()
    device.write_register(0x10, 0)
    device.reset()


def start(device: VerilatedDevice, fault: int) -> None:
    device.set_windows([READ_WINDOW], [WRITE_WINDOW])
    device.write_registers(0x10, [fault, 1])


def test_list_is_the_modules() -> None:
    text = Path(__file__).with_name("faulty_engine.v").read_text()
    for number, (name, _, _) in FAULTS.items():
        assert f" {name} = {number}," in text or f" {name} = {number};" in text
    assert all(f" {name} = {number};" in text for name, number in IN_RESET.items())


def test_no_fault(faulty: VerilatedDevice) -> None:
    """Without a fault nothing is found, whatever the partners do; so what is found below is the fault."""
    for timing in (
        Timing(),
        Timing(stalls={name: Stall(0.7, 5) for name in ("ar", "aw", "w", "b", "r", "stream_out", "lite", "ar1", "r1")}),
    ):
        faulty.reset()
        faulty.configure(timing)
        faulty.memory.data[WRITES - 0x1000_0000 :][:BYTES] = 0
        start(faulty, 0)
        assert faulty.wait(None, cycles=2000)
        words = faulty.memory.data[WRITES - 0x1000_0000 :][:BYTES].view("<u8")
        assert words.tolist() == [0x0891_19A2_2AB3_3BC0 + beat for beat in range(4)]
        assert faulty.stream_receive(12).tolist() == [0x11 * n for n in range(12)]
        assert faulty.read_register(0x10) == 0
    faulty.configure(Timing())


@pytest.mark.parametrize("number", FAULTS, ids=[name for name, _, _ in FAULTS.values()])
def test_fault_is_found(faulty: VerilatedDevice, number: int) -> None:
    """Each fault ends the run with a text that names cycle, channel and what is wrong; after a reset all is well."""
    name, partners, words = FAULTS[number]
    faulty.set_dead(partners == WAITING)
    stalls = {WAITING: {"stream_out": Stall(1.0, 1)}, LITE: {"lite": Stall(0.9, 6)}, FREE: {}}[partners]
    faulty.configure(Timing(stalls=stalls))
    with pytest.raises(ProtocolError, match=rf"bus rule broken in cycle \d+: {words}"):
        start(faulty, number)
        if name.startswith("R_CHANGED"):
            faulty.read_register(0x10)
        faulty.wait(None, cycles=200)
    with pytest.raises(ProtocolError):  # it is not forgotten by going on
        faulty.run(1)
    faulty.set_dead(False)
    faulty.configure(Timing())
    faulty.reset()
    if not name.startswith(("AR_", "AR1_", "AW_", "W_", "S_")):
        return  # the register port itself is at fault
    start(faulty, 0)
    assert faulty.wait(None, cycles=200)


@pytest.mark.parametrize("name", IN_RESET)
def test_valid_in_reset(faulty: VerilatedDevice, name: str) -> None:
    start(faulty, IN_RESET[name])
    assert faulty.wait(None, cycles=200)
    with pytest.raises(ProtocolError, match="reset: a valid output is high"):
        faulty.reset()
    faulty.reset()
    assert faulty.read_register(0x10) == 0


def test_windows_can_be_left_unchecked(faulty: VerilatedDevice) -> None:
    """Only the addresses are let through; the other rules stay."""
    faulty.check_windows(False)
    try:
        start(faulty, 8)
        assert faulty.wait(None, cycles=200)
        start(faulty, 1)
        with pytest.raises(ProtocolError, match="at most 16"):
            faulty.wait(None, cycles=200)
    finally:
        faulty.check_windows(True)
