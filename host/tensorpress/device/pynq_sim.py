# SPDX-License-Identifier: Apache-2.0
"""A PYNQ board on a PC, as a device of pynq: unmodified pynq code runs against the Verilated ``pynq_top``.

:func:`activate` makes it pynq's active device. ``Overlay``, ``Bitstream``, ``MMIO``, ``allocate``, ``Clocks``, ``Interrupt`` and
drivers found by VLNV then work as on a board. :func:`write_bitstream` makes the ``.bit`` and ``.hwh`` to load: a bitstream of this board
names the build of the RTL, and loading it compiles that build at first use. Needed: a checkout in which ``make pynq-venv`` was called.

It is stricter than a board where that finds mistakes: host and device see separate copies of a buffer until it is flushed or invalidated;
the engine may touch allocated buffers only; contiguous memory is limited; an access that nothing answers is an error instead of a board
that freezes. Simulated time passes in accesses of the CPU, the faster the longer a register is polled, and while an event loop waits for
the interrupt.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pynq
import pynq.interrupt
import pynq.ps
from pynq.buffer import PynqBuffer
from pynq.pl_server.device import Device
from pynq.pl_server.embedded_device import Metadata, RuntimeMetadataParser, parse_bit_header

from tensorpress.device.base import MemoryPool, PoolBuffer
from tensorpress.device.pynq import AFI, SLCR, PynqDevice, open_pynq
from tensorpress.device.verilated import Progress, Timing, VerilatedDevice, cache_folder
from tensorpress.errors import DeviceError, ProtocolError
from tensorpress.hwh import PLL_MHZ, hwh_text

ARCHITECTURE = "armv7l"
CONTIGUOUS_BYTES = 128 << 20
"""Contiguous memory of the images of PYNQ."""

_BODY = b"tensorpress simulation"
_PAGE = 4096
_DESIGN, _PART = "pynq_top;UserID=0XFFFFFFFF;Version=simulated", "7z020clg400"
_GP0 = range(0x4000_0000, 0x8000_0000)
_ACCESS_CYCLES, _MOST_CYCLES = 50, 20_000  # that pass with one access; with the last of many reads of one register
_CHUNK_CYCLES = 5_000  # between two looks of the event loop

# Offsets in the SLCR (Zynq-7000 TRM, UG585). Values as the SD card image leaves them: a 50 MHz crystal, IO PLL 1 GHz, FCLK0 100 MHz.
_LOCK, _UNLOCK, _LOCK_STATE, _IO_PLL, _FCLK0, _FABRIC_RESET = 0x004, 0x008, 0x00C, 0x108, 0x170, 0x240
_LOCK_KEY, _UNLOCK_KEY = 0x767B, 0xDF0D
_SLCR_AT_BOOT = {
    _LOCK_STATE: 0,
    0x100: 26 << 12,
    0x104: 21 << 12,
    _IO_PLL: 20 << 12,
    0x120: 0x1F00_0200,
    _FCLK0: 2 << 20 | 5 << 8,
    0x180: 1 << 20 | 20 << 8,
    0x190: 1 << 20 | 20 << 8,
    0x1A0: 1 << 20 | 20 << 8,
    _FABRIC_RESET: 0,
    0x900: 0xF,
}
_AFI_AT_BOOT = {0x00: 0, 0x04: 7, 0x14: 0xF00, 0x18: 7}


class VerilatedPynq(VerilatedDevice):
    """The Verilated ``pynq_top``: registers at the CPU's addresses, memory behind S_AXI_HP0 and S_AXI_HP1."""

    name = "verilated_pynq"
    core, top = "tensorpress:cores:verilated_pynq", "verilated_pynq"
    has_streams = False

    def set_half_width(self, half: bool, port: int) -> None:
        """Set S_AXI_HP0 or S_AXI_HP1 to 32 bits, in which the engine must not use it."""
        self._set("half_width_1" if port else "half_width", float(half))

    def watch_buffers(self) -> None:
        """Let the engine touch what is allocated now, and nothing else."""
        ranges = self.memory.allocated()
        self.set_windows(ranges, ranges)


def write_bitstream(folder: str | os.PathLike[str], parameters: Mapping[str, int] | None = None, *, name: str = "tensorpress") -> Path:
    """Write the pair of files that an ``Overlay`` loads on a simulated board.

    Parameters
    ----------
    folder : path
        Where to; it is made.
    parameters : mapping of str to int, optional
        Verilog parameters of ``pynq_top``; those not named have their defaults. ``OPTIMISE`` is the compiler's -O level.
    name : str
        Name of the files.

    Returns
    -------
    Path
        The ``.bit``; the ``.hwh`` is beside it.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    build = dict(parameters or {})
    described = {key: value for key, value in build.items() if key != "OPTIMISE"}
    body = _BODY + json.dumps(build, sort_keys=True).encode()
    body += b" " * (-len(body) % 4)
    header = struct.pack(">H9xH", 9, 1)
    for key, text in (("a", _DESIGN), ("b", _PART), ("c", "2000/01/01"), ("d", "00:00:00")):
        header += key.encode() + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
    path = place / f"{name}.bit"
    path.write_bytes(header + b"e" + struct.pack(">I", len(body)) + body)
    path.with_suffix(".hwh").write_text(hwh_text(described))
    return path


class SimulatedBoard(Device):  # type: ignore[misc]
    """A PYNQ-Z2 as a device of pynq. :func:`activate` makes one.

    Parameters
    ----------
    memory_bytes : int
        Contiguous memory for buffers.
    timing : Timing, optional
        Behaviour of the memory and pauses on the buses.
    memory : {"ideal", "ddr3"}
        See :class:`~tensorpress.device.verilated.VerilatedDevice`.
    seed : int
        Of the pauses.
    progress : callable, optional
        Gets a line of text when a build begins and ends.

    Attributes
    ----------
    pl : VerilatedPynq or None
        What is loaded.
    """

    simulated = True

    def __init__(
        self,
        *,
        memory_bytes: int = CONTIGUOUS_BYTES,
        timing: Timing | None = None,
        memory: Any = "ideal",
        seed: int = 1,
        progress: Progress | None = None,
    ) -> None:
        super().__init__("tensorpress_simulated")
        self.name = "Pynq-Z2 (simulated)"
        self.arch = ARCHITECTURE
        self.capabilities = {"REGISTER_RW": True}
        self.pl: VerilatedPynq | None = None
        self.faults: list[DeviceError] = []
        self._options = {"memory_bytes": memory_bytes, "timing": timing, "memory": memory, "seed": seed, "progress": progress}
        self._slcr, self._afi = dict(_SLCR_AT_BOOT), {base: dict(_AFI_AT_BOOT) for base in AFI}
        self._build: dict[str, int] = {}
        self._polled, self._pace = -1, _ACCESS_CYCLES

    # ---- what pynq asks of a device: registers

    def read_registers(self, address: int, length: int) -> bytes:
        """Read words; address and length are multiples of 4."""
        return b"".join(struct.pack("<I", self._read(address + at)) for at in range(0, length, 4))

    def write_registers(self, address: int, data: bytes) -> None:
        """Write words; see :meth:`read_registers`."""
        for at, (word,) in enumerate(struct.iter_unpack("<I", bytes(data))):
            self._write(address + 4 * at, word)

    def _read(self, address: int) -> int:
        if address in _GP0:
            pl = self._fabric(address)
            value = self._access(address, lambda: pl.read_register(address))
            self._pace = min(2 * self._pace, _MOST_CYCLES) if address == self._polled else _ACCESS_CYCLES
            self._polled = address
            pl.run(self._pace)
            self._raise_faults()
            return int(value)
        for base, registers in ((SLCR, self._slcr), *self._afi.items()):
            if base <= address < base + _PAGE:
                return registers.get(address - base, 0)
        raise DeviceError(f"read of 0x{address:08x}: nothing is there; a board freezes or ends the process here")

    def _write(self, address: int, value: int) -> None:
        if address in _GP0:
            pl = self._fabric(address)
            self._access(address, lambda: pl.write_registers(address, [value]))
            self._polled = -1
            pl.run(_ACCESS_CYCLES)
            self._raise_faults()
        elif SLCR <= address < SLCR + _PAGE:
            self._write_slcr(address - SLCR, value)
        elif address - address % _PAGE in self._afi:
            self._afi[address - address % _PAGE][address % _PAGE] = value
            self._apply_width()
        else:
            raise DeviceError(f"write of 0x{address:08x}: nothing is there; a board freezes or ends the process here")

    def _fabric(self, address: int) -> VerilatedPynq:
        if self.pl is None:
            raise DeviceError(f"access to 0x{address:08x}: no design in the PL answers; a board freezes here")
        if self._slcr[_FABRIC_RESET] & 1:
            raise DeviceError(f"access to 0x{address:08x} while the PL is in reset; a board freezes here")
        return self.pl

    @staticmethod
    def _access(address: int, call: Any) -> Any:
        try:
            return call()
        except ProtocolError:
            raise
        except DeviceError as error:
            raise DeviceError(f"access to 0x{address:08x} ends in a bus error; on a board, the process ends here ({error})") from error

    def _write_slcr(self, offset: int, value: int) -> None:
        if offset == _UNLOCK:
            self._slcr[_LOCK_STATE] &= int(value != _UNLOCK_KEY)
        elif offset == _LOCK:
            self._slcr[_LOCK_STATE] |= int(value == _LOCK_KEY)
        elif not self._slcr[_LOCK_STATE]:
            self._slcr[offset] = value
            if offset == _FABRIC_RESET and value & 1 and self.pl is not None:
                self.pl.reset()

    def _apply_width(self) -> None:
        if self.pl is not None:
            for port, registers in enumerate(self._afi.values()):
                self.pl.set_half_width(bool((registers[0x00] | registers[0x14]) & 1), port)

    def _raise_faults(self) -> None:
        if self.faults:
            raise self.faults.pop(0)

    # ---- what pynq asks of a device: memory

    def allocate(self, shape: Any, dtype: npt.DTypeLike, **options: Any) -> PynqBuffer:
        """See ``pynq.allocate``; `cacheable` changes nothing: there is always a cache that must be flushed."""
        if self.pl is None:
            raise RuntimeError("Overlay is not downloaded")
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        try:
            region = self.pl.memory.allocate(max(count, 1), _PAGE)
        except DeviceError as error:
            raise RuntimeError(f"BO allocation failed: {error}") from error
        self.pl.watch_buffers()
        buffer = PynqBuffer(shape, dtype, buffer=region.array, device=self, bo=region, device_address=region.address, coherent=False)
        buffer.memory, buffer.pointer, buffer.return_to, buffer.freed = self, region, self, True
        return buffer

    def return_pointer(self, region: PoolBuffer) -> None:
        """Hear that a buffer was freed."""
        try:
            region.free()
        except ProtocolError as error:  # this may be a destructor: the next access tells
            self.faults.append(error)
        if self.pl is not None and not self.pl.closed:
            self.pl.watch_buffers()

    def flush(self, bo: PoolBuffer, offset: int, vaddr: int, nbytes: int) -> None:
        """Copy the host's bytes to the device."""
        self._memory().view(bo.address + offset, nbytes)[:] = bo.array[offset : offset + nbytes]

    def invalidate(self, bo: PoolBuffer, offset: int, vaddr: int, nbytes: int) -> None:
        """Copy the device's bytes to the host."""
        bo.array[offset : offset + nbytes] = self._memory().view(bo.address + offset, nbytes)

    def _memory(self) -> MemoryPool:
        if self.pl is None:
            raise RuntimeError("Overlay is not downloaded")
        return self.pl.memory

    # ---- what pynq asks of a device: bitstreams

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Parse the .hwh beside a bitstream."""
        description = Path(bitfile_name).with_suffix(".hwh")
        if not description.is_file():
            raise RuntimeError("Unable to find metadata for bitstream")
        return RuntimeMetadataParser(Metadata(input=str(description)))

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing is cached."""

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Load a bitstream. One that :func:`write_bitstream` did not make leaves a PL in which nothing answers."""
        body = parse_bit_header(Path(bitstream.bitfile_name).read_bytes())["data"]
        if body.startswith(_BODY):
            self._load(json.loads(body[len(_BODY) :]))
        else:
            self._unload()
        nothing: Mapping[str, dict[str, Any]] = {
            name: {} for name in ("ip_dict", "gpio_dict", "interrupt_controllers", "interrupt_pins", "hierarchy_dict", "mem_dict")
        }
        known = SimpleNamespace(**nothing) if parser is None else parser
        controllers = pynq.interrupt._InterruptController
        controllers._controllers.clear()
        for controller in known.interrupt_controllers.values():
            if "raw_irq" in controller:
                controllers._uio_devices[controller["raw_irq"]] = SimulatedUio(self)
        super().post_download(bitstream, known, self.name)

    def _load(self, build: Mapping[str, int]) -> None:
        if self.pl is not None and build == self._build:
            self.pl.reset()
            return
        self._unload()
        asked: dict[str, Any] = {key.lower(): value for key, value in build.items() if key != "CLOCK_MHZ"}
        self.pl = VerilatedPynq(**self._options, **asked, clock_mhz=self.clock_mhz)
        self._build = dict(build)
        self._apply_width()
        self.pl.watch_buffers()

    def _unload(self) -> None:
        if self.pl is not None and self.pl.memory.leaks:
            raise RuntimeError("Bitstream in use by another program/Possibly buffers still allocated")
        if self.pl is not None:
            self.pl.close()
        self.pl, self._build = None, {}

    # ---- the simulation

    @property
    def clock_mhz(self) -> float:
        """Frequency of FCLK0."""
        word = self._slcr[_FCLK0]
        return PLL_MHZ / (max(1, word >> 8 & 63) * max(1, word >> 20 & 63))

    @property
    def cycle(self) -> int:
        """Clock cycles since the PL was loaded."""
        return 0 if self.pl is None else self.pl.statistic("cycle")

    def run_to_interrupt(self, cycles: int) -> bool:
        """Let time pass until the interrupt to the CPU is raised."""
        if self.pl is None:
            raise DeviceError("a wait for the interrupt of a PL without a design")
        return self.pl.wait(None, cycles=cycles)

    def leaks(self) -> list[str]:
        """Buffers that are allocated now."""
        return [] if self.pl is None else [repr(region) for region in self.pl.memory.leaks]

    def close(self) -> None:
        """Take the board away from pynq.

        Raises
        ------
        DeviceError
            Buffers were not freed, or bytes around one were overwritten.
        """
        forget(self)
        leaks = self.leaks()
        if self.pl is not None:
            self.pl._close()
            self.pl = None
        self._raise_faults()
        if leaks:
            raise DeviceError(f"{len(leaks)} buffers were not freed before the simulated board was closed: {', '.join(leaks[:4])}")


class SimulatedUio:
    """The kernel's interrupt file of a simulated board, as pynq's interrupt controllers use it."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self._events: list[Any] = []

    def add_event(self, event: Any, number: int) -> None:
        """Set `event` at the next interrupt; until then simulated time passes with each turn of the event loop."""
        self._events.append(event)
        asyncio.get_running_loop().call_soon(self._advance)

    def _advance(self) -> None:
        if not self._events or self._board.pl is None:
            return
        if not self._board.run_to_interrupt(_CHUNK_CYCLES):
            asyncio.get_running_loop().call_soon(self._advance)
            return
        events, self._events = self._events, []
        for event in events:
            event.set()


def activate(**options: Any) -> SimulatedBoard:
    """Make a simulated board, and make it pynq's active device.

    Parameters
    ----------
    **options
        See :class:`SimulatedBoard`.
    """
    board = SimulatedBoard(**options)
    pynq.ps.CPU_ARCH = ARCHITECTURE  # pynq 3.0 looks at the machine
    _forget_clocks()
    Device.active_device = board
    return board


def forget(board: SimulatedBoard) -> None:
    """Leave nothing of a board in pynq."""
    pynq.interrupt._InterruptController._controllers.clear()
    uio = pynq.interrupt._InterruptController._uio_devices
    for number in [number for number, device in uio.items() if isinstance(device, SimulatedUio)]:
        del uio[number]
    if getattr(Device, "_active_device", None) is board:
        del Device._active_device
    _forget_clocks()


def _forget_clocks() -> None:
    for name in ("_real_instance", "_instance_cached"):
        with contextlib.suppress(AttributeError):
            delattr(pynq.Clocks, name)
    if hasattr(pynq.Clocks, "set_device"):  # pynq 3.1
        pynq.Clocks.set_device(None)


def default_bitstream(**parameters: int | None) -> Path:
    """A bitstream of the simulated board with these parameters (lower case; None: the default), in the folder of built libraries."""
    build = {"CODECS": 15} | {name.upper(): value for name, value in parameters.items() if value is not None}
    folder = cache_folder() / "pynq"
    return write_bitstream(folder, build, name="-".join(f"{name.lower()}{value}" for name, value in sorted(build.items())))


def open_simulated(
    *,
    lanes: int | None = None,
    codecs: int | None = None,
    block_bytes: int | None = None,
    apack_coders: int | None = None,
    optimise: int | None = None,
    clock_mhz: float | None = None,
    interrupt: bool = True,
    bitstream: str | os.PathLike[str] | None = None,
    **options: Any,
) -> PynqDevice:
    """Load the engine on a simulated board and open it, through the driver of a real one.

    Parameters
    ----------
    lanes, codecs, block_bytes, apack_coders, optimise : int, optional
        What to build; default: what ``pynq_top`` has, with all codecs.
    clock_mhz, interrupt
        See :func:`~tensorpress.device.pynq.open_pynq`.
    bitstream : path, optional
        A bitstream of :func:`write_bitstream` instead.
    **options
        See :class:`SimulatedBoard`.

    Raises
    ------
    DeviceNotFoundError, BuildError
        See :class:`~tensorpress.device.verilated.VerilatedDevice`.
    """
    path = bitstream or default_bitstream(lanes=lanes, codecs=codecs, block_bytes=block_bytes, apack_coders=apack_coders, optimise=optimise)
    board = activate(**options)
    try:
        device = open_pynq(path, clock_mhz=clock_mhz, interrupt=interrupt, device=board)
    except BaseException:
        board.close()
        raise
    device.name = "pynq-sim"
    device.at_close.append(board.close)
    return device
