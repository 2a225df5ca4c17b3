# SPDX-License-Identifier: Apache-2.0
"""What the driver asks of a device: registers, memory that the engine can reach, an interrupt, and the two raw stream ports.

Three devices speak this protocol: the software model (:mod:`tensorpress.device.model`), the Verilated RTL
(:mod:`tensorpress.device.verilated`) and a PYNQ board (:mod:`tensorpress.device.pynq`). :class:`MemoryPool` is the memory of those that
live in this process; it is stricter than a board where that finds mistakes: host and device see separate copies until a ``sync_*`` call,
fresh memory holds junk, and the bytes around each buffer are checked when it is freed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tensorpress.errors import DeviceError, InputError, ProtocolError

if TYPE_CHECKING:
    from typing_extensions import Self

Bytes = NDArray[np.uint8]
Windows = Iterable[tuple[int, int]]

GUARD_BYTES = 128
"""Bytes kept free, and filled with a pattern, on both sides of each buffer of a :class:`MemoryPool`."""

_FRESH = 0xCD
_GUARD = 0xA5


@runtime_checkable
class Buffer(Protocol):
    """Memory that the host and the engine share.

    Attributes
    ----------
    address : int
        Byte address as the engine sees it.
    nbytes : int
        Length in bytes.
    array : uint8 array, shape (nbytes,)
        The host's view. What the host writes reaches the engine at `sync_to_device`, what the engine wrote shows after `sync_from_device`.
    """

    address: int
    nbytes: int

    @property
    def array(self) -> Bytes:
        """The host's view."""
        ...

    def sync_to_device(self) -> None:
        """Let the engine see what the host wrote."""
        ...

    def sync_from_device(self) -> None:
        """Let the host see what the engine wrote."""
        ...

    def free(self) -> None:
        """Give the memory back. Freeing twice is allowed."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...


@runtime_checkable
class Device(Protocol):
    """A device that holds one engine.

    Attributes
    ----------
    name : str
        Short name: ``model``, ``verilated``.
    clock_hz : float or None
        Clock of the engine; None where there is no real clock.
    has_cycles : bool
        The cycle counters count (False on the software model).
    has_interrupt : bool
        `wait` sees the engine's interrupt; where it cannot, the driver polls.
    has_streams : bool
        `stream_send` and `stream_receive` work.
    simulated : bool
        Time passes only inside the calls of this protocol, so a wait can be bounded in cycles instead of seconds.
    """

    name: str
    clock_hz: float | None
    has_cycles: bool
    has_interrupt: bool
    has_streams: bool
    simulated: bool

    def read_register(self, offset: int) -> int:
        """Read the 32-bit register at a byte offset."""
        ...

    def write_register(self, offset: int, value: int) -> None:
        """Write the 32-bit register at a byte offset."""
        ...

    def write_registers(self, offset: int, words: Sequence[int]) -> None:
        """Write consecutive 32-bit registers from a byte offset on."""
        ...

    def allocate(self, nbytes: int, alignment: int = 64) -> Buffer:
        """Get memory that the engine can reach; its contents are undefined.

        Raises
        ------
        DeviceError
            The device's memory is exhausted; the message says how much is free.
        """
        ...

    def set_windows(self, reads: Windows, writes: Windows) -> None:
        """Declare the byte ranges ``(start, end)`` that the next job may read and write. Devices that cannot watch the bus ignore it."""
        ...

    def wait(self, timeout_s: float | None, *, cycles: int | None = None) -> bool:
        """Wait for the engine's interrupt; False when it did not come in time.

        Parameters
        ----------
        timeout_s : float or None
            Limit in seconds of the host's clock.
        cycles : int, optional
            Limit in clock cycles; only simulated devices heed it. The limit that comes first ends the wait.
        """
        ...

    def stream_send(self, data: bytes | Bytes, *, last: bool = True) -> None:
        """Queue bytes for ``s_axis_raw``; with `last`, TLAST goes with the final beat. Does not wait for the engine to take them."""
        ...

    def stream_receive(self, nbytes: int) -> Bytes:
        """Take bytes that ``m_axis_raw`` has given; call it after the job.

        Raises
        ------
        DeviceError
            Fewer bytes came, or TLAST is missing, early or late.
        """
        ...

    def stream_clear(self) -> None:
        """Forget bytes not yet sent and not yet received."""
        ...

    def reset(self) -> None:
        """Reset the engine, whatever it does. Buffers stay allocated."""
        ...

    def close(self) -> None:
        """Release the device. Closing twice is allowed."""
        ...


class BufferPart:
    """A stretch of a buffer, usable wherever a buffer is; freeing it leaves the buffer alone.

    Parameters
    ----------
    buffer : Buffer
        The whole buffer.
    start : int
        First byte of the part.
    nbytes : int
        Its length. Synchronising a part synchronises the whole buffer.
    """

    def __init__(self, buffer: Buffer, start: int, nbytes: int) -> None:
        if start < 0 or nbytes < 1 or start + nbytes > buffer.nbytes:
            raise InputError(f"bytes {start}..{start + nbytes - 1} are not inside a buffer of {buffer.nbytes} bytes")
        self.buffer, self.start, self.nbytes = buffer, start, nbytes
        self.address = buffer.address + start

    @property
    def array(self) -> Bytes:
        """The host's view."""
        return self.buffer.array[self.start : self.start + self.nbytes]

    def sync_to_device(self) -> None:
        """See :meth:`Buffer.sync_to_device`."""
        self.buffer.sync_to_device()

    def sync_from_device(self) -> None:
        """See :meth:`Buffer.sync_from_device`."""
        self.buffer.sync_from_device()

    def free(self) -> None:
        """See :meth:`Buffer.free`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.free()


class HeldBuffer(ABC):
    """What the buffers of all devices share: each is held until :meth:`free` or the end of its ``with``."""

    address: int
    nbytes: int

    @property
    @abstractmethod
    def freed(self) -> bool:
        """The buffer was given back."""

    @abstractmethod
    def free(self) -> None:
        """See :meth:`Buffer.free`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.free()

    def __repr__(self) -> str:
        return f"<{self.nbytes} bytes at 0x{self.address:08x}{' (freed)' if self.freed else ''}>"


class PoolBuffer(HeldBuffer):
    """A buffer of a :class:`MemoryPool`."""

    def __init__(self, pool: MemoryPool, address: int, nbytes: int) -> None:
        self._pool, self.address, self.nbytes = pool, address, nbytes
        self._host: Bytes | None = np.full(nbytes, _FRESH, np.uint8)

    @property
    def array(self) -> Bytes:
        """The host's view."""
        if self._host is None:
            raise DeviceError(f"the buffer at 0x{self.address:08x} was freed and is used again")
        return self._host

    def sync_to_device(self) -> None:
        """See :meth:`Buffer.sync_to_device`."""
        self._pool.view(self.address, self.nbytes)[:] = self.array

    def sync_from_device(self) -> None:
        """See :meth:`Buffer.sync_from_device`."""
        self.array[:] = self._pool.view(self.address, self.nbytes)

    def free(self) -> None:
        """See :meth:`Buffer.free`."""
        if self._host is not None:
            self._host = None
            self._pool.release(self)

    @property
    def freed(self) -> bool:
        """See :class:`HeldBuffer`."""
        return self._host is None


class MemoryPool:
    """The DDR of a simulated device, and its allocator (first fit).

    Parameters
    ----------
    base : int
        Address of the first byte.
    nbytes : int
        Size in bytes.

    Attributes
    ----------
    data : uint8 array, shape (nbytes,)
        The device's view of the memory.
    """

    def __init__(self, base: int, nbytes: int) -> None:
        if base % 4096 or nbytes % 4096 or nbytes < 4096 or base + nbytes > 1 << 32:
            raise InputError(f"memory of {nbytes} bytes at 0x{base:x}: multiples of 4096 inside 32 address bits are needed")
        self.base, self.nbytes = base, nbytes
        self.data: Bytes = np.full(nbytes, _FRESH, np.uint8)
        self._taken: list[tuple[int, int]] = []  # (address, end) without guards, sorted
        self._buffers: dict[int, PoolBuffer] = {}

    def view(self, address: int, nbytes: int) -> Bytes:
        """Return the device's bytes at an address, without a copy."""
        start = address - self.base
        return self.data[start : start + nbytes]

    def holds(self, address: int, nbytes: int) -> bool:
        """Tell whether a range lies inside the memory."""
        return self.base <= address and address + nbytes <= self.base + self.nbytes

    def allocate(self, nbytes: int, alignment: int = 64) -> PoolBuffer:
        """Take a buffer; see :meth:`Device.allocate`."""
        if nbytes < 1:
            raise InputError(f"a buffer of {nbytes} bytes was asked for")
        if alignment < 8 or alignment & (alignment - 1):
            raise InputError(f"alignment {alignment} is not a power of two of at least 8")
        end = self.base
        for start, stop in [*self._taken, (self.base + self.nbytes, 0)]:
            address = -(-(end + GUARD_BYTES) // alignment) * alignment
            if address + nbytes + GUARD_BYTES <= start:
                break
            end = stop
        else:
            used = sum(stop - start for start, stop in self._taken)
            raise DeviceError(
                f"out of device memory: {nbytes} bytes asked for, {self.nbytes - used} of {self.nbytes} not in use"
                f" ({len(self._taken)} buffers are allocated)"
            )
        insort(self._taken, (address, address + nbytes))
        self.view(address, nbytes)[:] = _FRESH
        for at in self._guards(address, nbytes):
            self.view(at, GUARD_BYTES)[:] = _GUARD
        buffer = self._buffers[address] = PoolBuffer(self, address, nbytes)
        return buffer

    def release(self, buffer: PoolBuffer) -> None:
        """Give a buffer back; raises ProtocolError when bytes around it have changed."""
        self._taken.remove((buffer.address, buffer.address + buffer.nbytes))
        del self._buffers[buffer.address]
        self._check(buffer)

    def check_guards(self) -> None:
        """Raise ProtocolError when bytes around any buffer have changed."""
        for buffer in self._buffers.values():
            self._check(buffer)

    @property
    def leaks(self) -> list[PoolBuffer]:
        """Buffers that are allocated now."""
        return list(self._buffers.values())

    def allocated(self) -> list[tuple[int, int]]:
        """Byte ranges (start, end) of all buffers; the ends rounded up to a word, as the engine reads whole words."""
        return [(start, -(-end // 8) * 8) for start, end in self._taken]

    @staticmethod
    def _guards(address: int, nbytes: int) -> tuple[int, int]:
        return address - GUARD_BYTES, address + nbytes

    def _check(self, buffer: PoolBuffer) -> None:
        for at in self._guards(buffer.address, buffer.nbytes):
            wrong = np.flatnonzero(self.view(at, GUARD_BYTES) != _GUARD)
            if wrong.size:
                self.view(at, GUARD_BYTES)[:] = _GUARD
                raise ProtocolError(f"{wrong.size} bytes around {buffer!r} were overwritten, the first at 0x{at + int(wrong[0]):08x}")


class PoolDevice:
    """What the devices of this process share: a memory pool, context management, and the leak check at the end.

    Parameters
    ----------
    memory_bytes : int
        Size of the memory.
    memory_base : int
        Address of its first byte.
    """

    name = "pool"
    clock_hz: float | None = None
    has_streams = True
    simulated = True

    def __init__(self, memory_bytes: int, memory_base: int) -> None:
        self.memory = MemoryPool(memory_base, memory_bytes)
        self.closed = False

    def allocate(self, nbytes: int, alignment: int = 64) -> PoolBuffer:
        """See :meth:`Device.allocate`."""
        self._open()
        return self.memory.allocate(nbytes, alignment)

    def _open(self) -> None:
        if self.closed:
            raise DeviceError(f"the device {self.name!r} is closed")

    def _release(self) -> None:
        """Free what the device holds outside of Python."""

    def close(self) -> None:
        """Release the device.

        Raises
        ------
        DeviceError
            Buffers are still allocated: a leak of the caller.
        """
        leaks = self._close()
        if leaks:
            raise DeviceError(f"{len(leaks)} buffers were not freed before the device {self.name!r} was closed: {leaks[:4]}")

    def _close(self) -> list[PoolBuffer]:
        if self.closed:
            return []
        self.closed = True
        self._release()
        return self.memory.leaks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:  # the error at hand matters more than a leak that it caused
            self._close()
