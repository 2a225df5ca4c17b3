# SPDX-License-Identifier: Apache-2.0
"""The engine in the PL of a PYNQ-Z2 or PYNQ-Z1, through the ``pynq`` package of the board's image.

:func:`open_pynq` loads a bitstream and gives a :class:`PynqDevice`; a design that an ``Overlay`` of the user's own has loaded gives one as
well: ``overlay.engine.open()`` (:mod:`tensorpress.overlay`). Nothing is touched before the ID and VERSION registers have been read; then
the clock and the width of the HP port are set and read back. Waiting is by interrupt, and by looking at the registers where there is none.

The same code runs on a PC against :mod:`tensorpress.device.pynq_sim`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import time
import warnings
import weakref
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorpress.device.base import Bytes, HeldBuffer, Windows
from tensorpress.errors import DeviceError, DeviceNotFoundError, InputError
from tensorpress.hwh import ENGINE_ADDRESS, ENGINE_VLNV, INTERRUPTS_ADDRESS, PAGE_BYTES, PLL_MHZ, clock_divisors
from tensorpress.registers import REG

if TYPE_CHECKING:
    from typing_extensions import Self

BITSTREAM_VARIABLE = "TENSORPRESS_BITSTREAM"
"""Names the bitstream where a caller does not."""

AFI = (0xF800_8000, 0xF800_9000)
"""Control registers of S_AXI_HP0 and S_AXI_HP1 (Zynq-7000 TRM, UG585, register set AFI)."""
SLCR = 0xF800_0000
"""System-level control registers: clocks and resets (UG585, register set slcr)."""

_AFI_READ_CONTROL, _AFI_WRITE_CONTROL = 0x00, 0x14  # bit 0: 1 = 32 bits wide
_SLCR_UNLOCK, _SLCR_UNLOCK_KEY, _SLCR_FABRIC_RESET = 0x008, 0xDF0D, 0x240
_INTERRUPT_ENABLE, _INTERRUPT_MASTER = 0x10, 0x1C  # of the AXI INTC: SIE and MER
_DEFAULT_MHZ = 100.0  # where no .hwh says what the build can do
_LEAST_BUFFER = 8192  # smaller ones can get addresses beyond 32 bits with some XRT versions
_SLICE_SECONDS = 0.05  # of waiting for the interrupt before the registers are looked at again
_MOST_LOST = 3  # interrupts that may be lost before waiting is by registers only
_STATUS = REG["STATUS"]


def import_pynq() -> Any:
    """The package ``pynq``.

    Raises
    ------
    DeviceNotFoundError
        It is not installed.
    """
    try:
        import pynq
    except ImportError as error:
        raise DeviceNotFoundError(
            f"the package pynq cannot be imported ({error}): a board has it on its SD card image;"
            " on a PC, pip install 'tensorpress[pynq]' and use the device pynq-sim"
        ) from error
    return pynq


def board() -> Any:
    """The board as pynq's active device.

    Raises
    ------
    DeviceNotFoundError
        pynq is not installed, or finds no board.
    """
    pynq = import_pynq()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return pynq.Device.active_device
    except Exception as error:
        hint = (
            "" if os.environ.get("XILINX_XRT") else "; on a board, XILINX_XRT is not set: run as root with the environment kept (sudo -E)"
        )
        raise DeviceNotFoundError(f"pynq finds no board here ({error}){hint}") from error


class PynqBuffer(HeldBuffer):
    """Contiguous memory of the board, as :class:`tensorpress.device.base.Buffer`."""

    def __init__(self, device: PynqDevice, memory: Any, nbytes: int) -> None:
        self._device, self._memory, self.nbytes = device, memory, nbytes
        self.address = int(memory.device_address)

    @property
    def array(self) -> Bytes:
        """The host's view; not to be used after :meth:`free`."""
        return np.asarray(self._open())[: self.nbytes]

    def sync_to_device(self) -> None:
        """See :meth:`Buffer.sync_to_device`."""
        self._open().flush()

    def sync_from_device(self) -> None:
        """See :meth:`Buffer.sync_from_device`."""
        self._open().invalidate()

    def free(self) -> None:
        """See :meth:`Buffer.free`.

        Raises
        ------
        DeviceError
            The running job uses the buffer.
        """
        if self._memory is not None:
            self._device.release(self)
            memory, self._memory = self._memory, None
            memory.freebuffer()

    def _open(self) -> Any:
        if self._memory is None:
            raise DeviceError(f"the buffer at 0x{self.address:08x} was freed and is used again")
        return self._memory

    @property
    def freed(self) -> bool:
        """See :class:`HeldBuffer`."""
        return self._memory is None


class PynqDevice:
    """An engine behind pynq as a device. :func:`open_pynq` and ``overlay.engine.open()`` make it. Use it as a context manager.

    Parameters
    ----------
    mmio : pynq.MMIO
        The engine's registers.
    device : pynq.Device
        The board.
    interrupt : pynq.Interrupt, optional
        The engine's interrupt; without it, waiting is by registers.
    clock_mhz : float, optional
        Frequency to set FCLK0 to; default: as it is.
    most_mhz : float, optional
        The frequency for which the bitstream was built.
    cacheable : bool
        Buffers are cached by the CPU, which makes filling and reading them several times faster; `sync_*` then cleans the caches.
    origin : str
        What was loaded, for messages.

    Attributes
    ----------
    lost_interrupts : int
        Jobs whose interrupt did not come although they had ended.

    Raises
    ------
    DeviceNotFoundError
        There is no engine behind the registers, or one with another register map.
    DeviceError
        Clock or HP port cannot be set.
    """

    name = "pynq"
    has_cycles = True
    has_interrupt = True  # `wait` looks at the registers where the interrupt does not come
    has_streams = False

    def __init__(
        self,
        mmio: Any,
        *,
        device: Any,
        interrupt: Any = None,
        clock_mhz: float | None = None,
        most_mhz: float | None = None,
        cacheable: bool = True,
        origin: str = "the bitstream",
    ) -> None:
        self._pynq = import_pynq()
        self._mmio, self._device, self._interrupt, self._cacheable = mmio, device, interrupt, cacheable
        self.simulated = bool(getattr(device, "simulated", False))
        self.clock_hz: float | None = None
        self.lost_interrupts = 0
        self.closed = False
        self.at_close: list[Callable[[], None]] = []
        self._buffers: weakref.WeakSet[PynqBuffer] = weakref.WeakSet()
        self._windows: list[tuple[int, int]] = []
        check_identity(self, origin)
        try:
            self._set_clock(clock_mhz, most_mhz)
            self._set_width()
        except (DeviceError, InputError):
            raise
        except Exception as error:
            raise DeviceError(f"clock and HP port of {origin} cannot be set: {error}") from error

    # ---- the device protocol

    def read_register(self, offset: int) -> int:
        """See :meth:`Device.read_register`."""
        self._open()
        return int(self._mmio.read(offset))

    def write_register(self, offset: int, value: int) -> None:
        """See :meth:`Device.write_register`."""
        self._open()
        self._mmio.write(offset, int(value) & 0xFFFF_FFFF)

    def write_registers(self, offset: int, words: Sequence[int]) -> None:
        """See :meth:`Device.write_registers`."""
        self._open()
        self._mmio.write(offset, struct.pack(f"<{len(words)}I", *(int(word) & 0xFFFF_FFFF for word in words)))

    def allocate(self, nbytes: int, alignment: int = 64) -> PynqBuffer:
        """See :meth:`Device.allocate`. Memory comes from the kernel's contiguous memory, 128 MiB on the images of PYNQ."""
        self._open()
        if nbytes < 1:
            raise InputError(f"a buffer of {nbytes} bytes was asked for")
        try:
            memory = self._pynq.allocate((max(nbytes, _LEAST_BUFFER),), "u1", target=self._device, cacheable=int(self._cacheable))
        except (RuntimeError, MemoryError, OSError) as error:
            raise DeviceError(f"out of device memory: {nbytes} bytes asked for{_contiguous_free()} ({error})") from error
        buffer = PynqBuffer(self, memory, nbytes)
        if buffer.address % alignment or buffer.address + nbytes > 1 << 32:
            buffer.free()
            raise DeviceError(f"memory at 0x{buffer.address:x}: 32-bit addresses that are multiples of {alignment} are needed")
        self._buffers.add(buffer)
        return buffer

    def release(self, buffer: PynqBuffer) -> None:
        """Allow a buffer to be freed, unless the running job uses it."""
        start, end = buffer.address, buffer.address + buffer.nbytes
        if not self.closed and any(start < high and low < end for low, high in self._windows) and self._busy():
            raise DeviceError(f"{buffer!r} is used by the running job: wait for it or abort it before freeing its buffers")
        self._buffers.discard(buffer)

    def set_windows(self, reads: Windows, writes: Windows) -> None:
        """See :meth:`Device.set_windows`: buffers in these ranges cannot be freed while the job runs."""
        self._windows = [*reads, *writes]

    def wait(self, timeout_s: float | None, *, cycles: int | None = None) -> bool:
        """See :meth:`Device.wait`. Inside a running event loop (Jupyter) it looks at the registers; see :meth:`wait_async`."""
        expired = self._limit(timeout_s, cycles)
        loop = None if self._interrupt is None else _event_loop()
        if loop is None or loop.is_running():
            pause = 1e-5
            while not self._pending():
                if expired():
                    return False
                time.sleep(pause)
                pause = min(2 * pause, 1e-3)
            return True
        return _run(loop, self._wait(expired))

    async def wait_async(self, timeout_s: float | None, *, cycles: int | None = None) -> bool:
        """Wait as :meth:`wait` does, while other tasks of the event loop run."""
        return await self._wait(self._limit(timeout_s, cycles))

    def stream_send(self, data: bytes | Bytes, *, last: bool = True) -> None:
        """There is nothing at the stream ports of a board."""
        raise DeviceError(f"device {self.name!r} has nothing at the stream ports")

    def stream_receive(self, nbytes: int) -> Bytes:
        """There is nothing at the stream ports of a board."""
        raise DeviceError(f"device {self.name!r} has nothing at the stream ports")

    def stream_clear(self) -> None:
        """See :meth:`Device.stream_clear`."""

    def reset(self) -> None:
        """See :meth:`Device.reset`: the reset that belongs to FCLK0, pulled by software. The whole PL is reset."""
        self._open()
        control = self._pynq.MMIO(SLCR, 0x1000, device=self._device)
        control.write(_SLCR_UNLOCK, _SLCR_UNLOCK_KEY)
        before = int(control.read(_SLCR_FABRIC_RESET))
        control.write(_SLCR_FABRIC_RESET, before | 1)
        control.write(_SLCR_FABRIC_RESET, before & ~1)
        if self._interrupt is not None:  # its controller was reset as well; pynq would not enable it again
            interrupts = self._pynq.MMIO(INTERRUPTS_ADDRESS, PAGE_BYTES, device=self._device)
            interrupts.write(_INTERRUPT_ENABLE, 1)
            interrupts.write(_INTERRUPT_MASTER, 3)

    def close(self) -> None:
        """Stop the engine and release everything.

        Raises
        ------
        DeviceError
            Buffers were still allocated: a leak of the caller. They are freed.
        """
        leaks = self._close()
        if leaks:
            raise DeviceError(f"{len(leaks)} buffers were not freed before the device {self.name!r} was closed: {', '.join(leaks[:4])}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:  # the error at hand matters more than a leak that it caused
            self._close()

    # ---- helpers

    def _open(self) -> None:
        if self.closed:
            raise DeviceError(f"the device {self.name!r} is closed")

    def _busy(self) -> bool:
        return bool(_STATUS.unpack(self.read_register(_STATUS.offset))["BUSY"])

    def _close(self) -> list[str]:
        if self.closed:
            return []
        try:
            self._stop()
        except DeviceError as error:
            warnings.warn(f"the engine cannot be stopped: {error}", stacklevel=3)
        self.closed = True
        left = list(self._buffers)
        leaks = [repr(buffer) for buffer in left]
        for buffer in left:
            buffer.free()
        while self.at_close:
            self.at_close.pop()()
        return leaks

    def _stop(self) -> None:
        if not self._busy():
            return
        self.write_register(REG["CONTROL"].offset, REG["CONTROL"].pack(ABORT=1))
        expired = self._limit(0.2, 100_000)
        while self._busy():
            if expired():
                self.reset()
                return

    def _set_clock(self, wanted: float | None, most: float | None) -> None:
        clocks = self._pynq.Clocks
        if wanted is not None:
            if most is not None and wanted > most:
                raise InputError(f"a clock of {wanted:g} MHz: the bitstream was built for {most:g} MHz")
            first, second = clock_divisors(int(wanted))
            clocks.set_pl_clk(0, first, second)
            most = PLL_MHZ / (first * second)
        actual = float(clocks.fclk0_mhz)
        if most is not None and actual > 1.001 * most:
            raise DeviceError(f"FCLK0 runs at {actual:g} MHz after it was set to {most:g} MHz: the board's PLL is set up differently")
        self.clock_hz = actual * 1e6

    def _set_width(self) -> None:
        """Make the HP ports in use 64 bits wide: what the boot loader chose stays when a bitstream is loaded."""
        capabilities = REG["CAPABILITIES"]
        second = capabilities.unpack(self.read_register(capabilities.offset))["SECOND_PORT"]
        for number, base in enumerate(AFI[: 1 + second]):
            port = self._pynq.MMIO(base, 0x1000, device=self._device)
            for offset in (_AFI_READ_CONTROL, _AFI_WRITE_CONTROL):
                control = int(port.read(offset))
                if control & 1:
                    port.write(offset, control & ~1)
                    if int(port.read(offset)) & 1:
                        raise DeviceError(
                            f"S_AXI_HP{number} is 32 bits wide and cannot be changed: boot the board with an SD card image of PYNQ"
                        )

    def _pending(self) -> bool:
        status = self.read_register(REG["IRQ_STATUS"].offset)
        return bool(status and status & self.read_register(REG["IRQ_ENABLE"].offset))

    def _limit(self, seconds: float | None, cycles: int | None) -> Callable[[], bool]:
        """A function that tells whether a wait is over its limit. Cycles count on a simulated board only."""
        if seconds is None and not (self.simulated and cycles is not None):
            raise InputError("a wait needs a limit: timeout_s, or on a simulated device cycles")
        began = time.monotonic()
        first = self._device.cycle if self.simulated else 0

        def expired() -> bool:
            if seconds is not None and time.monotonic() - began >= seconds:
                return True
            return self.simulated and cycles is not None and self._device.cycle - first >= cycles

        return expired

    async def _wait(self, expired: Callable[[], bool]) -> bool:
        silent = False
        while not self._pending():
            if expired():
                return False
            if self._interrupt is None:
                await asyncio.sleep(1e-4)
                continue
            try:
                silent = not await self._interrupted()
            except RuntimeError:  # pynq's Interrupt belongs to the event loop in which it was awaited first, and this is another one
                await asyncio.sleep(1e-3)
        if silent and not await self._interrupted():  # the first look may have been a moment too early
            self._count_lost()
        return True

    async def _interrupted(self) -> bool:
        """Wait for the interrupt for a short time."""
        try:
            await asyncio.wait_for(self._interrupt.wait(), _SLICE_SECONDS)
        except asyncio.TimeoutError:
            return bool(self._interrupt.event.is_set())
        return True

    def _count_lost(self) -> None:
        self.lost_interrupts += 1
        if self.lost_interrupts == _MOST_LOST:
            self._interrupt = None
            warnings.warn(f"{_MOST_LOST} interrupts did not come: device {self.name!r} looks at the registers from now on", stacklevel=2)


# ------------------------------------------------------------------------------------------------------------------------ opening


def check_identity(device: PynqDevice, origin: str) -> None:
    """Read ID, VERSION and CAPABILITIES, before anything else is touched.

    Raises
    ------
    DeviceNotFoundError
        They are not those of an engine that this driver knows.
    """
    from tensorpress.engine import Engine

    try:
        Engine(device)
    except DeviceNotFoundError as error:
        raise DeviceNotFoundError(f"{error}; loaded was {origin}: another design, or a .hwh that is not of this .bit?") from error


def find_bitstream(bitstream: str | os.PathLike[str] | None, *, hwh: bool = True) -> Path:
    """The bitstream's path, once the files that must be there are there.

    Parameters
    ----------
    bitstream : path, optional
        A ``.bit`` file; default: what ``TENSORPRESS_BITSTREAM`` names.
    hwh : bool
        A ``.hwh`` of the same name must stand beside it.

    Raises
    ------
    DeviceNotFoundError
        A file is missing, or one is there that makes pynq take another; the message names it.
    """
    named = os.fspath(bitstream) if bitstream is not None else os.environ.get(BITSTREAM_VARIABLE, "")
    if not named:
        raise DeviceNotFoundError(f"which bitstream? name a .bit file (--bitstream, or the variable {BITSTREAM_VARIABLE})")
    path = Path(named).absolute()
    if not path.is_file():
        raise DeviceNotFoundError(f"no bitstream {path}")
    if hwh:
        if not path.with_suffix(".hwh").is_file():
            raise DeviceNotFoundError(f"no {path.with_suffix('.hwh').name} beside {path}: copy both, or open it with hwh=False (--no-hwh)")
        if path.with_suffix(".xsa").exists():
            raise DeviceNotFoundError(f"{path.with_suffix('.xsa')} stands beside the .bit, and pynq would read that: move it away")
    return path


def open_pynq(
    bitstream: str | os.PathLike[str] | None = None,
    *,
    hwh: bool = True,
    clock_mhz: float | None = None,
    interrupt: bool = True,
    cacheable: bool = True,
    device: Any = None,
) -> PynqDevice:
    """Load a bitstream and open the engine in it.

    Parameters
    ----------
    bitstream : path, optional
        A ``.bit`` file; default: what ``TENSORPRESS_BITSTREAM`` names.
    hwh : bool
        Read the ``.hwh`` beside it: addresses, clock, interrupt. Without it, the addresses are those of ``cores/pynq``, FCLK0 is
        `clock_mhz` or 100 MHz, and waiting is by registers. Never load another design so: a board freezes when nothing answers.
    clock_mhz : float, optional
        Frequency of FCLK0; default: the one the bitstream was built for.
    interrupt : bool
        Wait by interrupt.
    cacheable : bool
        See :class:`PynqDevice`.
    device : pynq.Device, optional
        The board; default: pynq's active device.

    Raises
    ------
    DeviceNotFoundError
        No pynq, no board, no such bitstream, no ``.hwh``, or no engine in the design.
    DeviceError
        The board cannot be set up.
    """
    path = find_bitstream(bitstream, hwh=hwh)
    target = board() if device is None else device
    pynq = import_pynq()
    _event_loop()  # the one in which pynq makes its interrupts
    try:
        if hwh:
            return _open_overlay(pynq, path, target, clock_mhz, interrupt, cacheable)
        return _open_plain(pynq, path, target, clock_mhz, cacheable)
    except (DeviceError, InputError):
        raise
    except PermissionError as error:
        raise DeviceNotFoundError(f"{path}: {error}: loading a bitstream needs root (sudo -E)") from error
    except Exception as error:
        root = " (loading a bitstream needs root: sudo -E)" if "oot permissions" in str(error) else ""
        raise DeviceNotFoundError(f"pynq cannot load {path}: {type(error).__name__}: {error}{root}") from error


def _open_overlay(pynq: Any, path: Path, target: Any, clock_mhz: float | None, interrupt: bool, cacheable: bool) -> PynqDevice:
    from tensorpress.overlay import TensorpressIP

    overlay = pynq.Overlay(str(path), download=False, device=target)
    engines = [name for name, ip in overlay.ip_dict.items() if ip.get("type") == ENGINE_VLNV]
    if not engines:
        there = ", ".join(f"{name} ({ip.get('type')})" for name, ip in overlay.ip_dict.items()) or "nothing"
        raise DeviceNotFoundError(f"{path.with_suffix('.hwh')} describes no {ENGINE_VLNV}, but {there}")
    overlay.download()
    driver = overlay
    for part in engines[0].split("/"):
        driver = getattr(driver, part)
    if not isinstance(driver, TensorpressIP):
        raise DeviceNotFoundError(f"another driver than tensorpress.overlay is bound to {ENGINE_VLNV}: {type(driver).__name__}")
    opened = driver.open(clock_mhz=clock_mhz, interrupt=interrupt, cacheable=cacheable, origin=str(path))
    opened.at_close.append(lambda: setattr(driver, "overlay", None))
    driver.overlay = overlay  # keeps the interrupt alive
    return opened


def _open_plain(pynq: Any, path: Path, target: Any, clock_mhz: float | None, cacheable: bool) -> PynqDevice:
    if hasattr(pynq.Clocks, "set_device"):  # pynq 3.1
        pynq.Clocks.set_device(target)
    wanted = clock_mhz or _DEFAULT_MHZ
    pynq.Clocks.set_pl_clk(0, *clock_divisors(int(wanted)))
    pynq.Bitstream(str(path), device=target).download()
    mmio = pynq.MMIO(ENGINE_ADDRESS, PAGE_BYTES, device=target)
    return PynqDevice(mmio, device=target, clock_mhz=wanted, cacheable=cacheable, origin=str(path))


def _event_loop() -> asyncio.AbstractEventLoop:
    """The event loop of this thread, as pynq gets it; made where there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            loop = asyncio.get_event_loop()
        if not loop.is_closed():
            return loop
    except RuntimeError:
        pass
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, bool]) -> bool:
    """Run to the end; after an interruption nothing is left waiting in the loop."""
    task = loop.create_task(work)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            loop.run_until_complete(task)
        raise


def _contiguous_free() -> str:
    """What the kernel says about its contiguous memory."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        free, total = (int(lines[name].split()[0]) for name in ("CmaFree", "CmaTotal"))
    except (OSError, KeyError, ValueError, IndexError):
        return ""
    return f", {free} of {total} KiB of contiguous memory are free" if total else ""
