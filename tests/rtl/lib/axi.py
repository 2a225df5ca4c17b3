# SPDX-License-Identifier: Apache-2.0
"""Memory behind an AXI master, and the checker of what the master does.

:class:`AxiMemory` is a memory with 64-bit data of our own, because tests must control what cocotbext-axi's does not: latencies, stalls of
each channel, error
responses at a chosen beat, a limit of outstanding bursts, and regions outside which no access is allowed. :class:`AxiChecker` is part of
it and also works alone,
beside any other slave. Its rules are legal for AXI3 and AXI4 at once: INCR bursts of at most 16 beats of 8 bytes that do not cross 4 KiB,
payload stable
until taken, WLAST on the last beat and nowhere else, no more bursts outstanding than declared.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from lib.clock import Reset, clock_of
from lib.profiles import Pauses, pauses

OKAY, SLVERR, DECERR = 0, 2, 3
BEAT_BYTES = 8
MAX_BEATS = 16
_PAGE = 4096
_INCR = 1


class AxiViolation(AssertionError):
    """The master broke a rule of AXI, or accessed what it must not."""


@dataclass(frozen=True)
class Region:
    """Bytes `start` to `stop` - 1, and what is allowed there."""

    start: int
    stop: int
    read: bool = True
    write: bool = True
    name: str = "region"


@dataclass
class Burst:
    """One burst as the master asked for it."""

    address: int
    beats: int
    identifier: int
    cycle: int
    done: int = 0


class _Channel:
    """Signals of a channel that the master drives."""

    def __init__(self, dut: Any, prefix: str, fields: Sequence[str]) -> None:
        self.name = prefix
        self.valid = getattr(dut, f"{prefix}valid")
        self.ready = getattr(dut, f"{prefix}ready")
        self.fields = {name: signal for name in fields if (signal := getattr(dut, f"{prefix}{name}", None)) is not None}
        self.waiting: dict[str, int] | None = None

    def sample(self, cycle: int) -> dict[str, int] | None:
        """The payload if valid, after checking it against the cycle before."""
        valid = self.valid.value
        if not valid.is_resolvable:
            raise AxiViolation(f"{self.name}valid is {valid} in cycle {cycle}")
        if not int(valid):
            if self.waiting is not None:
                raise AxiViolation(f"{self.name}valid fell before {self.name}ready, in cycle {cycle}")
            return None
        payload = {}
        for name, signal in self.fields.items():
            value = signal.value
            if not value.is_resolvable:
                raise AxiViolation(f"{self.name}{name} is {value} while valid, in cycle {cycle}")
            payload[name] = int(value)
        if self.waiting is not None and payload != self.waiting:
            raise AxiViolation(f"{self.name}: payload changed before it was taken, in cycle {cycle}: {self.waiting} -> {payload}")
        return payload


@dataclass
class Events:
    """Handshakes of one cycle."""

    read: Burst | None = None
    write: Burst | None = None
    data: dict[str, int] | None = None
    read_taken: bool = False
    response_taken: bool = False


class AxiChecker:
    """Checks the master side of an AXI port, one call of :meth:`step` at each rising edge (see :meth:`start`).

    Parameters
    ----------
    dut : handle
        Module with the port.
    prefix : str
        For example ``"m_axi"``. A port may have the read or the write channels only.
    max_reads, max_writes : int
        Most bursts that may be outstanding.
    regions : sequence of Region
        Where accesses are allowed; empty: everywhere.

    Attributes
    ----------
    reads, writes : list of Burst
        All bursts so far.
    peak_reads, peak_writes : int
        Most bursts outstanding at once.
    read_beats, write_beats : int
        Beats so far.
    """

    def __init__(
        self, dut: Any, prefix: str = "m_axi", *, max_reads: int = 256, max_writes: int = 256, regions: Sequence[Region] = ()
    ) -> None:
        self.dut, self.prefix = dut, prefix
        self.clock, self.reset = clock_of(dut), Reset(dut)
        self.max_reads, self.max_writes = max_reads, max_writes
        self.regions = list(regions)
        address = ("addr", "len", "size", "burst", "id", "lock", "cache", "prot", "qos")
        self.ar = _Channel(dut, f"{prefix}_ar", address) if getattr(dut, f"{prefix}_arvalid", None) is not None else None
        self.aw = _Channel(dut, f"{prefix}_aw", address) if getattr(dut, f"{prefix}_awvalid", None) is not None else None
        self.w = _Channel(dut, f"{prefix}_w", ("data", "strb", "last", "id")) if self.aw is not None else None
        if self.ar is None and self.aw is None:
            raise ValueError(f"no AXI port {prefix}_*")
        if self.ar is not None:
            self.rvalid, self.rready, self.rlast = (getattr(dut, f"{prefix}_r{name}") for name in ("valid", "ready", "last"))
        if self.aw is not None:
            self.bvalid, self.bready = getattr(dut, f"{prefix}_bvalid"), getattr(dut, f"{prefix}_bready")
        self.cycle = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything (after a reset of master and memory)."""
        self.reads: list[Burst] = []
        self.writes: list[Burst] = []
        self.open_reads: deque[Burst] = deque()
        self.open_writes: deque[Burst] = deque()  # waiting for B
        self._filling: deque[Burst] = deque()  # waiting for W
        self._early: deque[dict[str, int]] = deque()  # W beats before their AW
        self.peak_reads = self.peak_writes = self.read_beats = self.write_beats = 0
        for channel in (self.ar, self.aw, self.w):
            if channel is not None:
                channel.waiting = None

    def start(self) -> AxiChecker:
        """Watch the port from now on, as a task of its own."""

        async def run() -> None:
            while True:
                await RisingEdge(self.clock)
                self.step()

        cocotb.start_soon(run())
        return self

    @property
    def idle(self) -> bool:
        """No burst is unfinished and nothing is offered."""
        waiting = any(channel is not None and channel.waiting is not None for channel in (self.ar, self.aw, self.w))
        return not (self.open_reads or self.open_writes or self._early or waiting)

    def step(self) -> Events:
        """Check one cycle; call right after a rising edge. Returns its handshakes."""
        self.cycle += 1
        events = Events()
        if self.reset.is_active():
            for channel in (self.ar, self.aw, self.w):
                if channel is not None:
                    channel.waiting = None
            return events
        if self.ar is not None:
            payload = self._handshake(self.ar)
            if payload is not None:
                events.read = self._burst(self.ar.name, payload, read=True)
                self.reads.append(events.read)
                self.open_reads.append(events.read)
                self.peak_reads = max(self.peak_reads, len(self.open_reads))
                if len(self.open_reads) > self.max_reads:
                    raise AxiViolation(f"{len(self.open_reads)} reads outstanding, declared {self.max_reads}, in cycle {self.cycle}")
            if int(self.rvalid.value) and int(self.rready.value):
                events.read_taken = True
                self.read_beats += 1
                burst = self.open_reads[0]
                burst.done += 1
                if int(self.rlast.value):
                    self.open_reads.popleft()
        if self.aw is not None and self.w is not None:
            payload = self._handshake(self.aw)
            if payload is not None:
                events.write = self._burst(self.aw.name, payload, read=False)
                self.writes.append(events.write)
                self.open_writes.append(events.write)
                self._filling.append(events.write)
                self.peak_writes = max(self.peak_writes, len(self.open_writes))
                if len(self.open_writes) > self.max_writes:
                    raise AxiViolation(f"{len(self.open_writes)} writes outstanding, declared {self.max_writes}, in cycle {self.cycle}")
            events.data = self._handshake(self.w)
            if events.data is not None:
                self.write_beats += 1
                self._early.append(events.data)
            while self._early and self._filling:
                self._beat(self._filling[0], self._early.popleft())
            if int(self.bvalid.value) and int(self.bready.value):
                events.response_taken = True
                self.open_writes.popleft()
        return events

    def _handshake(self, channel: _Channel) -> dict[str, int] | None:
        payload = channel.sample(self.cycle)
        taken = payload is not None and bool(int(channel.ready.value))
        channel.waiting = None if taken else payload
        return payload if taken else None

    def _beat(self, burst: Burst, beat: dict[str, int]) -> None:
        burst.done += 1
        last = burst.done == burst.beats
        if beat["last"] != int(last):
            raise AxiViolation(
                f"wlast is {beat['last']} at beat {burst.done} of {burst.beats} of the write to 0x{burst.address:x}, in cycle {self.cycle}"
            )
        if last:
            self._filling.popleft()

    def _burst(self, name: str, payload: dict[str, int], *, read: bool) -> Burst:
        address, beats = payload["addr"], payload["len"] + 1
        where = f"{name}: burst of {beats} at 0x{address:x} in cycle {self.cycle}"
        if beats > MAX_BEATS:
            raise AxiViolation(f"{where} has more than {MAX_BEATS} beats")
        if payload.get("size", 3) != 3:
            raise AxiViolation(f"{where} has size {payload['size']}, expected 3 (8 bytes)")
        if payload.get("burst", _INCR) != _INCR:
            raise AxiViolation(f"{where} has burst type {payload['burst']}, expected 1 (INCR)")
        if payload.get("lock", 0) != 0:
            raise AxiViolation(f"{where} is locked or exclusive")
        if address % BEAT_BYTES:
            raise AxiViolation(f"{where} is not aligned to {BEAT_BYTES} bytes")
        stop = address + beats * BEAT_BYTES
        if address // _PAGE != (stop - 1) // _PAGE:
            raise AxiViolation(f"{where} crosses a 4 KiB boundary")
        if self.regions and not any(
            region.start <= address and stop <= region.stop and (region.read if read else region.write) for region in self.regions
        ):
            raise AxiViolation(f"{where} is outside of the regions that may be {'read' if read else 'written'}")
        return Burst(address, beats, payload.get("id", 0), self.cycle)


@dataclass
class _Pending:
    burst: Burst
    ready_at: int
    beat: int = 0


@dataclass
class _Faults:
    """Beat or burst number -> response."""

    read: dict[int, int] = field(default_factory=dict)
    write: dict[int, int] = field(default_factory=dict)
    address: dict[int, int] = field(default_factory=dict)  # of a word that is read


class AxiMemory:
    """A sparse memory of 2^32 bytes and more behind the AXI master port `prefix` of `dut`; make it before the clock starts.

    Parameters
    ----------
    regions : sequence of Region
        The only places that may be accessed; empty: everywhere.
    latency : (int, int)
        Cycles from the address (or the last write beat) to the first data (or the response), drawn anew for each burst.
    profile : str or dict
        Name of a pause profile for all channels, or a dict from channel (``ar r aw w b``) to a name; missing channels do not pause.
    accept : int
        The memory takes no more addresses while this many bursts of the direction are unfinished.
    ready_after_valid : bool
        Each ready rises only after its valid was seen: a master that waits for ready before it asserts valid hangs.
    max_reads, max_writes : int
        See :class:`AxiChecker`.
    seed : int
        Seed of latencies and pauses.
    behind : AxiMemory, optional
        The memory of another port: this one has its contents and its regions.
    """

    def __init__(
        self,
        dut: Any,
        prefix: str = "m_axi",
        *,
        regions: Sequence[Region] = (),
        latency: tuple[int, int] = (4, 4),
        profile: str | dict[str, str] = "none",
        accept: int = 16,
        ready_after_valid: bool = False,
        max_reads: int = 256,
        max_writes: int = 256,
        seed: int = 0,
        behind: AxiMemory | None = None,
    ) -> None:
        self.dut, self.prefix = dut, prefix
        self._behind = behind
        self.checker = AxiChecker(dut, prefix, max_reads=max_reads, max_writes=max_writes, regions=regions)
        self.latency, self.accept, self.ready_after_valid = latency, accept, ready_after_valid
        self._rng = random.Random(f"{prefix}:{seed}")
        self._pages: dict[int, bytearray] = {} if behind is None else behind._pages
        self._faults = _Faults()
        self.set_profile(profile, seed)
        self._signals: dict[str, Any] = {}
        for name in ("arready", "rvalid", "rdata", "rresp", "rlast", "rid", "awready", "wready", "bvalid", "bresp", "bid"):
            signal = getattr(dut, f"{prefix}_{name}", None)
            self._signals[name] = signal
            if signal is not None:
                signal.value = 0
        self.clear()
        self._task = cocotb.start_soon(self._run())

    # What the tests use

    def set_profile(self, profile: str | dict[str, str], seed: int = 0) -> None:
        """Change when the channels pause."""
        names = dict.fromkeys(("ar", "r", "aw", "w", "b"), profile) if isinstance(profile, str) else profile
        self._pauses: dict[str, Pauses] = {
            channel: pauses(names.get(channel, "none"), f"{self.prefix}:{channel}:{seed}") for channel in ("ar", "r", "aw", "w", "b")
        }

    def read(self, address: int, length: int) -> bytes:
        """Bytes `address` to `address` + `length` - 1; what was never written reads 0xEE."""
        out = bytearray()
        while length:
            page, offset = divmod(address, _PAGE)
            count = min(length, _PAGE - offset)
            out += self._page(page)[offset : offset + count]
            address, length = address + count, length - count
        return bytes(out)

    def write(self, address: int, data: bytes) -> None:
        """Put `data` at `address`."""
        position = 0
        while position < len(data):
            page, offset = divmod(address + position, _PAGE)
            count = min(len(data) - position, _PAGE - offset)
            self._page(page)[offset : offset + count] = data[position : position + count]
            position += count

    def fail_read(self, beat: int, response: int = SLVERR) -> None:
        """Answer the read beat number `beat` (0 is the next beat) with `response`."""
        self._faults.read[self._read_beats + beat] = response

    def fail_address(self, address: int, response: int = SLVERR) -> None:
        """Answer every read beat of the word at `address` with `response`."""
        self._faults.address[address] = response

    def fail_write(self, burst: int, response: int = SLVERR) -> None:
        """Answer the write burst number `burst` (0 is the next one that ends) with `response`."""
        self._faults.write[self._write_bursts + burst] = response

    async def wait_idle(self, *, quiet: int = 20, timeout: int = 100_000) -> None:
        """Wait until nothing has been unfinished for `quiet` cycles; fails after `timeout` cycles."""
        calm = 0
        for _ in range(timeout):
            await RisingEdge(self.checker.clock)
            calm = calm + 1 if self.checker.idle else 0
            if calm >= quiet:
                return
        raise AssertionError(
            f"{self.prefix}: not idle after {timeout} cycles: {len(self.checker.open_reads)} reads"
            f" and {len(self.checker.open_writes)} writes unfinished"
        )

    def clear(self) -> None:
        """Forget unfinished bursts and counts (with a reset of the master); the contents stay."""
        self.checker.clear()
        self._reads: deque[_Pending] = deque()
        self._filling: deque[Burst] = deque()
        self._early: deque[dict[str, int]] = deque()
        self._responses: deque[_Pending] = deque()
        self._read_beats = self._write_bursts = 0
        self._faults = _Faults()
        self._driving = False
        self._responding = False
        self._stored = 0  # beats of the burst at the head of _filling

    # The memory

    def _page(self, page: int) -> bytearray:
        if page not in self._pages:
            self._pages[page] = bytearray(b"\xee" * _PAGE)
        return self._pages[page]

    async def _run(self) -> None:
        while True:
            await RisingEdge(self.checker.clock)
            if self._behind is not None:
                self.checker.regions = self._behind.checker.regions
            events = self.checker.step()
            if self.checker.reset.is_active():
                continue
            if self.checker.ar is not None:
                self._step_read(events)
            if self.checker.aw is not None:
                self._step_write(events)

    def _ready(self, name: str, signal: Any, room: bool) -> None:
        channel = getattr(self.checker, name)
        ready = room and not next(self._pauses[name])
        if self.ready_after_valid:
            ready = ready and channel.waiting is not None
        signal.value = int(ready)

    def _due(self) -> int:
        return self.checker.cycle + self._rng.randint(*self.latency)

    def _step_read(self, events: Events) -> None:
        if events.read is not None:
            self._reads.append(_Pending(events.read, self._due()))
        self._ready("ar", self._signals["arready"], len(self._reads) < self.accept)
        if events.read_taken:
            self._driving = False
            pending = self._reads[0]
            pending.beat += 1
            if pending.beat == pending.burst.beats:
                self._reads.popleft()
        if not self._driving:
            if self._reads and self._reads[0].ready_at <= self.checker.cycle and not next(self._pauses["r"]):
                pending = self._reads[0]
                address = pending.burst.address + pending.beat * BEAT_BYTES
                self._signals["rdata"].value = int.from_bytes(self.read(address, BEAT_BYTES), "little")
                self._signals["rresp"].value = self._faults.read.pop(self._read_beats, self._faults.address.get(address, OKAY))
                self._signals["rlast"].value = int(pending.beat == pending.burst.beats - 1)
                if self._signals["rid"] is not None:
                    self._signals["rid"].value = pending.burst.identifier
                self._signals["rvalid"].value = 1
                self._driving = True
                self._read_beats += 1
            else:
                self._signals["rvalid"].value = 0

    def _step_write(self, events: Events) -> None:
        if events.write is not None:
            self._filling.append(events.write)
        if events.data is not None:
            self._early.append(events.data)
        while self._early and self._filling:
            burst, beat = self._filling[0], self._early.popleft()
            self._store(burst.address + self._stored * BEAT_BYTES, beat)
            self._stored += 1
            if beat["last"]:
                self._stored = 0
                self._responses.append(_Pending(self._filling.popleft(), self._due()))
        self._ready("aw", self._signals["awready"], len(self._filling) + len(self._responses) < self.accept)
        self._ready("w", self._signals["wready"], len(self._early) < self.accept)
        if events.response_taken:
            self._responding = False
            self._responses.popleft()
        if not self._responding:
            if self._responses and self._responses[0].ready_at <= self.checker.cycle and not next(self._pauses["b"]):
                self._signals["bresp"].value = self._faults.write.pop(self._write_bursts, OKAY)
                if self._signals["bid"] is not None:
                    self._signals["bid"].value = self._responses[0].burst.identifier
                self._signals["bvalid"].value = 1
                self._responding = True
                self._write_bursts += 1
            else:
                self._signals["bvalid"].value = 0

    def _store(self, address: int, beat: dict[str, int]) -> None:
        data = beat["data"].to_bytes(BEAT_BYTES, "little")
        if beat["strb"] == 0xFF:
            self.write(address, data)
        else:
            for index in range(BEAT_BYTES):
                if beat["strb"] >> index & 1:
                    self.write(address + index, data[index : index + 1])
