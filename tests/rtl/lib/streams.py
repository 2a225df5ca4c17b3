# SPDX-License-Identifier: Apache-2.0
"""Sources, sinks and monitors for valid/ready streams.

Signals are found by their prefix, in both spellings: ``s_valid s_ready s_data`` and ``s_raw_tvalid s_raw_tready s_raw_tdata``. All
signals are sampled and
driven at the rising edge. A beat is an int for a stream with one payload signal, else a dict from payload name to int. A stream without a
ready signal
moves a beat in each cycle with valid.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from lib.clock import Reset, clock_of
from lib.profiles import Pauses, pauses

Beat = int | Mapping[str, int]


class ProtocolViolation(AssertionError):
    """A stream broke a rule of the handshake."""


class _Stream:
    def __init__(self, dut: Any, prefix: str, *, payload: Sequence[str] = ("data",), clock: Any = None) -> None:
        self.dut, self.prefix = dut, prefix
        self.clock = clock_of(dut) if clock is None else clock
        self.reset = Reset(dut)
        style = "t" if getattr(dut, f"{prefix}_tvalid", None) is not None else ""
        self.valid = getattr(dut, f"{prefix}_{style}valid")
        self.ready = getattr(dut, f"{prefix}_{style}ready", None)
        self.fields = {name: getattr(dut, f"{prefix}_{style}{name}") for name in payload}
        self.cycle = 0

    def _sample(self, cycle: int) -> Beat:
        values = {}
        for name, signal in self.fields.items():
            value = signal.value
            if not value.is_resolvable:
                raise ProtocolViolation(f"{self.prefix}: {name} is {value} while valid, in cycle {cycle}")
            values[name] = int(value)
        return next(iter(values.values())) if len(values) == 1 else values


class StreamSource(_Stream):
    """Drives a stream that the module receives.

    Parameters
    ----------
    dut : handle
        Module with the signals.
    prefix : str
        For example ``"s"`` or ``"s_raw"``.
    payload : sequence of str
        Names of the payload signals after the prefix.
    profile : str or iterator of bool
        When to pause: a name from :mod:`lib.profiles`, or any iterator.
    seed : int or str
        Seed of a named profile.
    """

    def __init__(
        self,
        dut: Any,
        prefix: str,
        *,
        payload: Sequence[str] = ("data",),
        profile: str | Pauses = "none",
        seed: int | str = 0,
        clock: Any = None,
    ) -> None:
        super().__init__(dut, prefix, payload=payload, clock=clock)
        self.queue: deque[Beat] = deque()
        self.accepted = 0
        self._offered: Beat | None = None
        self.set_profile(profile, seed)
        self._idle()
        self._task = cocotb.start_soon(self._run())

    def set_profile(self, profile: str | Pauses, seed: int | str = 0) -> None:
        """Change when the source pauses."""
        self._pauses = pauses(profile, f"{self.prefix}:{seed}") if isinstance(profile, str) else profile

    def send(self, beats: Beat | Iterable[Beat]) -> None:
        """Queue one beat or many; returns at once."""
        if isinstance(beats, (int, Mapping)):
            self.queue.append(beats)
        else:
            self.queue.extend(beats)

    @property
    def idle(self) -> bool:
        """Nothing is queued or offered."""
        return not self.queue and self._offered is None

    async def drain(self, *, timeout: int = 100_000) -> None:
        """Wait until all queued beats have been accepted; fails after `timeout` cycles."""
        for _ in range(timeout):
            if self.idle:
                return
            await RisingEdge(self.clock)
        raise AssertionError(f"{self.prefix}: {len(self.queue) + 1} beats were not accepted within {timeout} cycles ({self.accepted} were)")

    def clear(self) -> None:
        """Drop what is queued and withdraw what is offered; legal only together with a reset of the module."""
        self.queue.clear()
        self._offered = None
        self._idle()

    def _idle(self) -> None:
        self.valid.value = 0
        for signal in self.fields.values():
            signal.value = 0

    async def _run(self) -> None:
        while True:
            await RisingEdge(self.clock)
            self.cycle += 1
            if self.reset.is_active():
                continue
            if self._offered is not None:
                if self.ready is not None and not int(self.ready.value):
                    continue
                self.accepted += 1
                self._offered = None
            if self.queue and not next(self._pauses):
                self._offered = self.queue.popleft()
                self.valid.value = 1
                if isinstance(self._offered, Mapping):
                    for name, value in self._offered.items():
                        self.fields[name].value = value
                else:
                    next(iter(self.fields.values())).value = self._offered
            else:
                self.valid.value = 0


class StreamMonitor(_Stream):
    """Watches a stream: collects its beats and checks that valid and payload are stable until taken.

    Attributes
    ----------
    beats : list
        Accepted beats, oldest first.
    cycles : list of int
        For each of them the cycle (edges since the monitor was made) in which it was accepted.
    """

    def __init__(self, dut: Any, prefix: str, *, payload: Sequence[str] = ("data",), clock: Any = None) -> None:
        super().__init__(dut, prefix, payload=payload, clock=clock)
        self.beats: list[Any] = []
        self.cycles: list[int] = []
        self._waiting: Beat | None = None
        self._prepare()
        self._task = cocotb.start_soon(self._run())

    def _prepare(self) -> None:
        pass

    def _drive(self) -> None:
        pass

    def clear(self) -> None:
        """Forget all beats."""
        self.beats.clear()
        self.cycles.clear()
        self._waiting = None

    def drop(self, count: int) -> None:
        """Forget the first beats."""
        del self.beats[:count], self.cycles[:count]

    async def receive(self, count: int, *, timeout: int = 100_000) -> list[Any]:
        """Wait for `count` beats, return them and forget them; fails after `timeout` cycles."""
        for _ in range(timeout):
            if len(self.beats) >= count:
                break
            await RisingEdge(self.clock)
        if len(self.beats) < count:
            raise AssertionError(f"{self.prefix}: {len(self.beats)} of {count} beats came within {timeout} cycles")
        taken = self.beats[:count]
        self.drop(count)
        return taken

    async def expect_silence(self, cycles: int = 50) -> None:
        """Wait for `cycles` cycles and fail if there is a beat that nobody has received."""
        for _ in range(cycles):
            await RisingEdge(self.clock)
        if self.beats or self._waiting is not None:
            raise AssertionError(f"{self.prefix}: {len(self.beats)} beats more than expected: {self.beats[:4]}; waiting: {self._waiting}")

    async def _run(self) -> None:
        while True:
            await RisingEdge(self.clock)
            self.cycle += 1
            if self.reset.is_active():
                self._waiting = None
                self._drive()
                continue
            valid = self.valid.value
            if not valid.is_resolvable:
                raise ProtocolViolation(f"{self.prefix}: valid is {valid} in cycle {self.cycle}")
            if int(valid):
                beat = self._sample(self.cycle)
                if self._waiting is not None and beat != self._waiting:
                    raise ProtocolViolation(
                        f"{self.prefix}: the payload changed before it was taken, in cycle {self.cycle}: {self._waiting} -> {beat}"
                    )
                if self.ready is None or int(self.ready.value):
                    self.beats.append(beat)
                    self.cycles.append(self.cycle)
                    self._waiting = None
                else:
                    self._waiting = beat
            elif self._waiting is not None:
                raise ProtocolViolation(f"{self.prefix}: valid fell before the beat was taken, in cycle {self.cycle}: {self._waiting}")
            self._drive()


class StreamSink(StreamMonitor):
    """Takes the beats of a stream that the module sends, with all the checks of :class:`StreamMonitor`.

    Parameters as for :class:`StreamSource`.
    """

    def __init__(
        self,
        dut: Any,
        prefix: str,
        *,
        payload: Sequence[str] = ("data",),
        profile: str | Pauses = "none",
        seed: int | str = 0,
        clock: Any = None,
    ) -> None:
        self._profile, self._seed = profile, seed
        super().__init__(dut, prefix, payload=payload, clock=clock)

    def set_profile(self, profile: str | Pauses, seed: int | str = 0) -> None:
        """Change when the sink pauses."""
        self._pauses = pauses(profile, f"{self.prefix}:{seed}") if isinstance(profile, str) else profile

    def _prepare(self) -> None:
        if self.ready is None:
            raise ValueError(f"{self.prefix} has no ready signal: use StreamMonitor")
        self.set_profile(self._profile, self._seed)
        self.ready.value = 0

    def _drive(self) -> None:
        if self.ready is not None:
            self.ready.value = 0 if next(self._pauses) else 1
