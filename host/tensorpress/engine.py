# SPDX-License-Identifier: Apache-2.0
"""The driver: runs jobs of the engine on any device.

:meth:`Engine.compress` and :meth:`Engine.decompress` take and give numpy arrays. Underneath, a :class:`Job` keeps its buffers, so that a
caller can place data once and run many times. Everything is checked before a register is touched; an error of the job itself comes back
as :class:`~tensorpress.errors.JobError` with its code and block, and no wait is without an end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tensorpress.codecs import CODEC_NUMBERS, Coded, Coding
from tensorpress.codecs.coding import BLOCK_GRANULE_BYTES
from tensorpress.device.base import Buffer, Device
from tensorpress.errors import DeviceError, DeviceNotFoundError, DeviceTimeoutError, InputError, JobError, TensorpressError
from tensorpress.registers import COUNTERS, ERRORS, ID, REG, VERSION, WINDOWS, ErrorCode
from tensorpress.tables import ROWS, Table
from tensorpress.values import raw_bytes, raw_words, unsigned_values

if TYPE_CHECKING:
    from typing_extensions import Self

    from tensorpress.job_queue import JobQueue

Endpoint = Literal["ddr", "stream"]
Direction = Literal["compress", "decompress"]

MOST_VALUES = 1 << 28
"""Values of the largest job."""

_SLOWEST_CLOCK = 50e6  # for the timeout of a board that does not say its clock
_POLL_SECONDS = 1e-4
_STATUS = REG["STATUS"]
_CONTROL = REG["CONTROL"]


@dataclass(frozen=True)
class Capabilities:
    """What the engine on the device can do (registers CAPABILITIES and DIRECTIONS).

    Attributes
    ----------
    lanes : int
        Number of lanes.
    encode_lanes, decode_lanes : int
        Lanes that compress, and lanes that decompress.
    block_bytes : int
        Largest raw block in bytes.
    width : int
        Bits of a value.
    codecs : tuple of str
        Codecs that are built in, in at least one direction.
    encode_codecs, decode_codecs : tuple of str
        Codecs that compress, and codecs that decompress.
    apack_coders : int
        Interleaved coders of an apack block; 0 without apack.
    stream_bytes : int
        Bytes of a beat of ``m_axis_raw``; those of ``s_axis_raw`` have 8.
    memory_ports : int
        Ports to memory: 1, or 2 with a second one that reads blocks.
    """

    lanes: int
    block_bytes: int
    width: int
    codecs: tuple[str, ...]
    apack_coders: int
    stream_bytes: int
    memory_ports: int
    encode_lanes: int
    decode_lanes: int
    encode_codecs: tuple[str, ...]
    decode_codecs: tuple[str, ...]

    @classmethod
    def from_words(cls, capabilities: int, directions: int) -> Capabilities:
        """Read the values of the two registers."""
        fields = REG["CAPABILITIES"].unpack(capabilities) | REG["DIRECTIONS"].unpack(directions)

        def names(mask: int) -> tuple[str, ...]:
            return tuple(name for name, number in CODEC_NUMBERS.items() if mask >> number & 1)

        return cls(
            lanes=fields["LANES"],
            block_bytes=1 << fields["BLOCK_BYTES_LOG2"],
            width=fields["VALUE_WIDTH"],
            codecs=names(fields["CODECS"]),
            apack_coders=fields["APACK_CODERS"],
            stream_bytes=1 << fields["STREAM_BYTES_LOG2"],
            memory_ports=1 + fields["SECOND_PORT"],
            encode_lanes=fields["ENCODE_LANES"],
            decode_lanes=fields["DECODE_LANES"],
            encode_codecs=names(fields["ENCODE_CODECS"]),
            decode_codecs=names(fields["DECODE_CODECS"]),
        )

    def lanes_of(self, direction: Direction) -> int:
        """Return the number of lanes that work in a direction."""
        return self.encode_lanes if direction == "compress" else self.decode_lanes

    def codecs_of(self, direction: Direction) -> tuple[str, ...]:
        """Return the codecs that the hardware has for a direction."""
        return self.encode_codecs if direction == "compress" else self.decode_codecs

    def block_values_for(self, count: int) -> int:
        """Return the values of a block with which a job, or a chain of them, of `count` values goes fast: 4096, or less for a short one.

        The lanes of a job begin and end one after the other, so it takes about `count / lanes` cycles and a block more. A block is at most
        a twenty-fifth of that, but not below 1024 values: smaller ones cost size (index, last words, apack's coders) and cycles between
        them. The jobs of a chain overlap: it counts as one.
        """
        step = BLOCK_GRANULE_BYTES * 8 // self.width
        share = count // (25 * max(self.encode_lanes, self.decode_lanes))
        return min(max(share // step * step, 1024), 4096, self.block_bytes * 8 // self.width)

    def __str__(self) -> str:
        more = f", {self.apack_coders} apack coders" if self.apack_coders else ""
        more += ", two memory ports" if self.memory_ports == 2 else ""
        if self.encode_lanes != self.decode_lanes or self.encode_codecs != self.decode_codecs:
            ways = (("compress", self.encode_lanes, self.encode_codecs), ("decompress", self.decode_lanes, self.decode_codecs))
            lanes = "; ".join(f"{count} lanes {name} {', '.join(codecs) or 'nothing'}" for name, count, codecs in ways)
            return f"{lanes}; blocks of up to {self.block_bytes} bytes, {self.width}-bit values{more}"
        return f"{self.lanes} lanes, blocks of up to {self.block_bytes} bytes, {self.width}-bit values, {', '.join(self.codecs)}{more}"


@dataclass(frozen=True)
class Result:
    """What a finished job gave.

    Attributes
    ----------
    direction : {"compress", "decompress"}
        What was done.
    count : int
        Values of the tensor.
    coded : Coded or None
        Index and payload (compress).
    values : uint8 array, shape (count,), or None
        Unsigned view of the values (decompress).
    blocks, raw_blocks, payload_words : int
        Blocks of the tensor, those of them stored raw, and words of the payload.
    counters : dict of str to int
        The engine's counters by register name.
    cycles : int or None
        Clock cycles of the job; None where the device does not count them.
    seconds : float
        Time on the host's clock from start to end.
    """

    direction: Direction
    count: int
    coded: Coded | None
    values: npt.NDArray[np.uint8] | None
    blocks: int
    raw_blocks: int
    payload_words: int
    counters: dict[str, int]
    cycles: int | None
    seconds: float

    @property
    def values_per_cycle(self) -> float | None:
        """Rate of the job; None where cycles are not counted."""
        return self.count / self.cycles if self.cycles else None


class Job:
    """One prepared job with its buffers; made by :meth:`Engine.compress_job` and :meth:`Engine.decompress_job`.

    A job can run any number of times. It frees, when closed, the buffers that it allocated itself; those given by the caller stay.

    Attributes
    ----------
    raw : Buffer or None
        The raw image (None when that side is the stream port).
    index, payload : Buffer
        The coded tensor.
    """

    def __init__(
        self,
        engine: Engine,
        direction: Direction,
        count: int,
        coding: Coding,
        endpoint: Endpoint,
        payload_words: int,
        raw: Buffer | None,
        index: Buffer | None,
        payload: Buffer | None,
    ) -> None:
        self.engine, self.direction, self.count, self.coding, self.endpoint = engine, direction, count, coding, endpoint
        self.payload_words = payload_words
        self.blocks = coding.blocks(count)
        self._own: list[Buffer] = []
        self._closed = False
        self._began = 0.0
        self._seconds = 0.0
        if endpoint == "stream" and raw is not None:
            raise InputError("a job on the stream port takes no buffer for the raw image")
        try:
            self.raw = None if endpoint == "stream" else self._buffer("raw", raw, count, 8 * raw_words(count, coding.width))
            self.index: Buffer = self._buffer("index", index, 8 * self.blocks, 8 * self.blocks)
            self.payload: Buffer = self._buffer("payload", payload, 8 * payload_words, 8 * payload_words)
            self._check_overlap()
        except BaseException:
            self.close()
            raise

    # ---- data

    def load_values(self, values: npt.ArrayLike) -> None:
        """Place the tensor to compress: in its buffer, or in the queue of the stream port.

        Raises
        ------
        InputError
            The job decompresses, or the values do not fit it.
        """
        self._direction("compress")
        flat = unsigned_values(values, self.coding.width)
        if flat.size != self.count:
            raise InputError(f"the job is for {self.count} values, got {flat.size}")
        image = flat.view(np.uint8)
        if self.raw is None:
            self.engine.device.stream_send(image)
        else:
            self.raw.array[: image.size] = image
            self.raw.sync_to_device()

    def load_coded(self, coded: Coded) -> None:
        """Place the compressed tensor to decompress.

        Raises
        ------
        InputError
            The job compresses, or index or payload have another length than the job.
        """
        self._direction("decompress")
        for name, words, expected in (("index", coded.index, self.blocks), ("payload", coded.payload, self.payload_words)):
            if len(words) != expected:
                raise InputError(f"the job is for {expected} words of {name}, got {len(words)}")
        for buffer, words in ((self.index, coded.index), (self.payload, coded.payload)):
            image = np.ascontiguousarray(words, np.uint64).view(np.uint8)
            buffer.array[: image.size] = image
            buffer.sync_to_device()

    # ---- running

    @property
    def config(self) -> int:
        """The job's value of JOB_CONFIG."""
        return REG["JOB_CONFIG"].pack(
            CODEC=CODEC_NUMBERS[self.coding.codec],
            DECOMPRESS=int(self.direction == "decompress"),
            STREAM=int(self.endpoint == "stream"),
            SIGNED=int(self.coding.signed),
            ZERO=self.coding.zero,
        )

    @property
    def closed(self) -> bool:
        """The job's buffers are freed."""
        return self._closed

    @property
    def streams(self) -> bool:
        """The raw side is a stream port."""
        return self.endpoint == "stream"

    def describe(self) -> str:
        """Name the job for a message."""
        return f"{self.direction} of {self.count} values ({self.coding.codec})"

    def windows(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the byte ranges that the job reads, and those that it writes."""
        raw = self.raw.address if self.raw is not None else 0
        coded = [
            (self.index.address, self.index.address + 8 * self.blocks),
            (self.payload.address, self.payload.address + 8 * self.payload_words),
        ]
        if self.direction == "compress":
            return ([] if self.raw is None else [(raw, raw + 8 * raw_words(self.count, self.coding.width))]), coded
        return coded, ([] if self.raw is None else [(raw, raw + self.count)])

    def start(self, *, load_table: bool = True) -> None:
        """Write the registers and start; returns at once.

        Parameters
        ----------
        load_table : bool
            False when :meth:`Engine.load_table` has loaded the job's table already, for example while the last job ran.

        Raises
        ------
        DeviceError
            The engine still runs a job.
        """
        if self._closed:
            raise DeviceError("the job is closed")
        engine, coding = self.engine, self.coding
        engine._claim(self)
        engine.device.set_windows(*self.windows())
        if coding.table is not None and load_table:
            engine.load_table(coding.table)
        for name, value in (
            ("JOB_CONFIG", self.config),
            ("JOB_VALUES", self.count),
            ("JOB_BLOCK_VALUES", coding.block_values),
            ("JOB_RAW_ADDRESS", self.raw.address if self.raw is not None else 0),
            ("JOB_INDEX_ADDRESS", self.index.address),
            ("JOB_PAYLOAD_ADDRESS", self.payload.address),
            ("JOB_PAYLOAD_WORDS", self.payload_words),
        ):
            engine.write(name, value)
        engine.write("IRQ_STATUS", 3)
        engine.write("IRQ_ENABLE", 1)
        self._began = time.perf_counter()
        engine.write("CONTROL", _CONTROL.pack(START=1))

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end of the job.

        Parameters
        ----------
        timeout : float, optional
            Seconds. Default: from the size of the job, far above what a working engine needs; on a simulated device a number of cycles.

        Raises
        ------
        JobError
            The job ended with an error code.
        DeviceTimeoutError
            It did not end in time. It still runs: :meth:`Engine.reset` stops it.
        """
        self.engine._wait(self, timeout)
        self._seconds = time.perf_counter() - self._began
        self.engine._finish(self)

    def abort(self) -> bool:
        """Stop the job and wait until the engine is idle.

        Returns
        -------
        bool
            True when it was stopped; False when it had already ended by itself, well or not.

        Raises
        ------
        DeviceTimeoutError
            The engine cannot stop because the memory does not answer; :meth:`Engine.reset` helps.
        """
        return self.engine._abort(self)

    def result(self) -> Result:
        """Fetch what the last run gave; call it after :meth:`wait`.

        Raises
        ------
        DeviceError
            The engine reports success with fewer blocks than the tensor has.
        """
        engine = self.engine
        counters = engine.counters()
        blocks, words, raw_blocks = (engine.read(f"RESULT_{name}") for name in ("BLOCKS", "PAYLOAD_WORDS", "RAW_BLOCKS"))
        return self.result_of(blocks, words, raw_blocks, counters, counters["COUNT_CYCLES"], self._seconds)

    def result_of(self, blocks: int, words: int, raw_blocks: int, counters: dict[str, int], cycles: int, seconds: float) -> Result:
        """Fetch the data of a run that ended well, with the counts that the engine gave for it."""
        engine = self.engine
        # decompressing, blocks may share payload words, so their sum says nothing
        if blocks != self.blocks or (self.direction == "compress" and words > self.payload_words):
            raise DeviceError(
                f"the engine reports success after {blocks} of {self.blocks} blocks and {words} of {self.payload_words} payload words",
                status=engine.status(),
            )
        coded = values = None
        if self.direction == "compress":
            self.index.sync_from_device()
            self.payload.sync_from_device()
            coded = Coded(self.index.array[: 8 * blocks].copy().view(np.uint64), self.payload.array[: 8 * words].copy().view(np.uint64))
        elif self.raw is None:
            values = engine.device.stream_receive(raw_bytes(self.count, self.coding.width))
        else:
            self.raw.sync_from_device()
            values = self.raw.array[: self.count].copy()
        return Result(
            direction=self.direction,
            count=self.count,
            coded=coded,
            values=values,
            blocks=blocks,
            raw_blocks=raw_blocks,
            payload_words=words,
            counters=counters,
            cycles=cycles if engine.device.has_cycles else None,
            seconds=seconds,
        )

    def run(self, timeout: float | None = None) -> Result:
        """Start, wait, fetch; see there."""
        self.start()
        self.wait(timeout)
        return self.result()

    def close(self) -> None:
        """Free the job's own buffers; a job that still runs is stopped first."""
        if self._closed:
            return
        self._closed = True
        try:
            if self.engine._running is self:
                self.engine.reset()
        finally:
            while self._own:
                self._own.pop().free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # ---- helpers

    def _direction(self, direction: Direction) -> None:
        if self.direction != direction:
            raise InputError(f"the job is to {self.direction}, not to {direction}")

    def _buffer(self, name: str, given: Buffer | None, nbytes: int, region: int) -> Buffer:
        if given is None:
            buffer = self.engine.device.allocate(max(region, 8))
            self._own.append(buffer)
            return buffer
        if given.address % 8:
            raise InputError(f"the {name} buffer is at 0x{given.address:x}; addresses are multiples of 8")
        if given.nbytes < nbytes:
            raise InputError(f"the {name} buffer has {given.nbytes} bytes, the job needs {nbytes}")
        return given

    def _check_overlap(self) -> None:
        raw_length = 8 * raw_words(self.count, self.coding.width) if self.direction == "compress" else self.count
        regions = [("index", self.index.address, 8 * self.blocks), ("payload", self.payload.address, 8 * self.payload_words)]
        regions += [] if self.raw is None else [("raw", self.raw.address, raw_length)]
        regions.sort(key=lambda region: region[1])
        for (first, start, length), (second, address, _) in pairwise(regions):
            if start + length > address:
                raise InputError(f"the {first} buffer (0x{start:x}, {length} bytes) overlaps the {second} buffer (0x{address:x})")


class Engine:
    """The driver of one engine.

    Parameters
    ----------
    device : Device
        Where the engine is. The caller opens it and closes it.

    Attributes
    ----------
    capabilities : Capabilities
        What the engine can do.
    version : tuple of int
        Version of the register map.
    lost_interrupts : int
        Jobs whose interrupt did not come although they had ended; polling found them.

    Raises
    ------
    DeviceNotFoundError
        There is no engine behind the device, or one with another register map.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.lost_interrupts = 0
        self._running: Job | JobQueue | None = None
        identity, version = self.read("ID"), self.read("VERSION")
        if identity != ID:
            raise DeviceNotFoundError(f"device {device.name!r}: ID reads 0x{identity:08x}, a tensorpress engine has 0x{ID:08x}")
        self.version = (version >> 16, version >> 8 & 0xFF, version & 0xFF)
        if version >> 16 != VERSION >> 16:
            raise DeviceNotFoundError(
                f"device {device.name!r}: its register map has version {'.'.join(map(str, self.version))},"
                f" this driver knows {VERSION >> 16}.x"
            )
        self.capabilities = Capabilities.from_words(self.read("CAPABILITIES"), self.read("DIRECTIONS"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop a job that still runs. The device stays open."""
        if self._running is not None:
            self._running.close()

    # ---- whole tensors

    def compress(self, values: npt.ArrayLike, coding: Coding, *, source: Endpoint = "ddr", timeout: float | None = None) -> Result:
        """Compress a tensor.

        Parameters
        ----------
        values : array_like
            8-bit integers, signed or unsigned, any shape, in C order.
        coding : Coding
            Codec and parameters.
        source : {"ddr", "stream"}
            Where the engine takes the raw values from.
        timeout : float, optional
            See :meth:`Job.wait`.

        Returns
        -------
        Result
            With `coded`.

        Raises
        ------
        InputError
            The values cannot be coded so.
        DeviceError
            The engine cannot do this: width, codec, block size, number of values.
        JobError, DeviceTimeoutError
            See :meth:`Job.wait`.
        """
        flat = unsigned_values(values, coding.width)
        with self.compress_job(flat.size, coding, source=source) as job, self._stream_of(job):
            job.load_values(flat)
            return job.run(timeout)

    def decompress(self, coded: Coded, count: int, coding: Coding, *, sink: Endpoint = "ddr", timeout: float | None = None) -> Result:
        """Decompress a tensor. Nothing in `coded` is trusted: the engine checks each index entry and each block.

        Parameters
        ----------
        coded : Coded
            Index and payload.
        count : int
            Values of the tensor.
        coding : Coding
            As it was compressed.
        sink : {"ddr", "stream"}
            Where the engine puts the raw values.
        timeout : float, optional
            See :meth:`Job.wait`.

        Returns
        -------
        Result
            With `values`.

        Raises
        ------
        InputError
            The index has another length than the tensor has blocks.
        DeviceError
            The engine cannot do this: width, codec, block size, number of values.
        JobError, DeviceTimeoutError
            See :meth:`Job.wait`.
        """
        with self.decompress_job(count, coding, len(coded.payload), sink=sink) as job, self._stream_of(job):
            job.load_coded(coded)
            return job.run(timeout)

    def compress_job(
        self,
        count: int,
        coding: Coding,
        *,
        source: Endpoint = "ddr",
        payload_words: int | None = None,
        raw: Buffer | None = None,
        index: Buffer | None = None,
        payload: Buffer | None = None,
    ) -> Job:
        """Prepare a compression of `count` values.

        Parameters
        ----------
        count : int
            Values of the tensor.
        coding : Coding
            Codec and parameters.
        source : {"ddr", "stream"}
            Where the engine takes the raw values from.
        payload_words : int, optional
            Capacity of the payload region; default: enough for any data.
        raw, index, payload : Buffer, optional
            Buffers to use; default: allocated, and freed with the job.
        """
        self._check("compress", count, coding, source)
        words = raw_words(count, coding.width) if payload_words is None else payload_words
        return Job(self, "compress", count, coding, source, self._payload_words(words), raw, index, payload)

    def decompress_job(
        self,
        count: int,
        coding: Coding,
        payload_words: int,
        *,
        sink: Endpoint = "ddr",
        raw: Buffer | None = None,
        index: Buffer | None = None,
        payload: Buffer | None = None,
    ) -> Job:
        """Prepare a decompression into `count` values; the parameters are those of :meth:`compress_job`."""
        self._check("decompress", count, coding, sink)
        return Job(self, "decompress", count, coding, sink, self._payload_words(payload_words), raw, index, payload)

    # ---- registers

    def read(self, name: str) -> int:
        """Read a register by its name."""
        return self.device.read_register(REG[name].offset)

    def write(self, name: str, value: int) -> None:
        """Write a register by its name."""
        self.device.write_register(REG[name].offset, value)

    def load_table(self, table: Table) -> None:
        """Load the APack table of the next job. A job that runs keeps its own.

        Raises
        ------
        InputError
            The table is for values of another width than the engine's.
        """
        self.check_table(table)
        self.device.write_registers(WINDOWS["TABLE"].offset, self.table_words(table))

    def check_table(self, table: Table) -> None:
        """Raise InputError when a table is for values of another width than the engine's."""
        if table.width != self.capabilities.width:
            raise InputError(f"the table is for {table.width}-bit values, the engine takes {self.capabilities.width}-bit ones")

    @staticmethod
    def table_words(table: Table) -> list[int]:
        """Return a table as the words of the TABLE window, and of a queued job's table."""
        return [table.cum[row] << 16 | table.vmin[row] for row in range(ROWS)]

    # ---- queues

    def enqueue(self, jobs: Sequence[Job], *, interrupt_each: bool = False) -> JobQueue:
        """Put prepared jobs into a queue, which the engine works through by itself; jobs overlap, so no time is lost between them.

        Parameters
        ----------
        jobs : sequence of Job
            In the order in which they run. A job must not read what one before it writes: its data are fetched before that one has ended.
        interrupt_each : bool
            Each job's end sets IRQ_STATUS.JOB.

        Returns
        -------
        JobQueue
            Not started. Close it after use.
        """
        from tensorpress.job_queue import JobQueue

        return JobQueue(self, jobs, interrupt_each=interrupt_each)

    def run_chain(self, jobs: Sequence[Job], timeout: float | None = None) -> list[Result]:
        """Run prepared jobs as one queue, wait once, fetch all results.

        Raises
        ------
        JobError
            A job ended with an error; its number is the error's `job`. Those before it have ended well, those after it did not run.
        DeviceTimeoutError
            See :meth:`Job.wait`.
        """
        with self.enqueue(jobs) as queue:
            queue.start()
            queue.wait(timeout)
            return queue.results()

    def counters(self) -> dict[str, int]:
        """Read all counters, by register name."""
        return {name: self.read(name) for name in COUNTERS}

    def status(self) -> dict[str, Any]:
        """Read state, results and counters for a message; empty when the registers cannot be read."""
        try:
            word = self.read("STATUS")
            fields: dict[str, Any] = {f"STATUS.{name}": value for name, value in _STATUS.unpack(word).items()}
            for name in ("ERROR_BLOCK", "IRQ_STATUS", "RESULT_BLOCKS", "RESULT_PAYLOAD_WORDS", "RESULT_RAW_BLOCKS"):
                fields[name] = self.read(name)
            fields.update(self.counters())
            return fields
        except TensorpressError:
            return {}

    @property
    def busy(self) -> bool:
        """A job is running."""
        return bool(_STATUS.unpack(self.read("STATUS"))["BUSY"])

    def reset(self) -> None:
        """Make the engine ready for the next job: abort, wait until it is idle, and where that does not help, reset the device."""
        self._running = None
        try:
            if self.busy:
                self.write("CONTROL", _CONTROL.pack(ABORT=1))
                self._wait_idle()
            idle = not self.busy
            if idle:
                self.write("IRQ_STATUS", 1)
        except DeviceError:
            idle = False
        if not idle:
            self.device.reset()
            if self.read("ID") != ID:
                raise DeviceNotFoundError(f"device {self.device.name!r}: no tensorpress engine answers after a reset")
        if self.device.has_streams:
            self.device.stream_clear()

    # ---- helpers

    def _check(self, direction: Direction, count: int, coding: Coding, endpoint: str) -> None:
        can = self.capabilities
        if endpoint not in ("ddr", "stream"):
            raise InputError(f"endpoint {endpoint!r} is not one of ddr, stream")
        if endpoint == "stream" and not self.device.has_streams:
            raise DeviceError(f"device {self.device.name!r} has nothing at the stream ports")
        if count < 1:
            raise InputError("an empty tensor cannot be coded")
        if count > MOST_VALUES:
            raise DeviceError(f"a tensor of {count} values: a job of the hardware has at most {MOST_VALUES}")
        if coding.width != can.width:
            raise DeviceError(f"values of {coding.width} bits: the hardware does {can.width}-bit values; the software models do others")
        if coding.codec not in can.codecs:
            raise DeviceError(f"codec {coding.codec!r} is not built in: the hardware has {', '.join(can.codecs)}")
        if coding.codec not in can.codecs_of(direction):
            there = ", ".join(can.codecs_of(direction)) or "none"
            raise DeviceError(f"codec {coding.codec!r} is not built in to {direction}: of those that do, the hardware has {there}")
        if coding.block_values * coding.width // 8 > can.block_bytes:
            raise DeviceError(
                f"blocks of {coding.block_values} values: the hardware's largest block has {can.block_bytes * 8 // can.width}"
            )
        if coding.codec == "apack" and coding.coders != can.apack_coders:
            raise DeviceError(f"apack blocks of {coding.coders} coders: the hardware has {can.apack_coders}")

    @staticmethod
    def _payload_words(words: int) -> int:
        if not 0 < words < 1 << 32:
            raise InputError(f"a payload of {words} words: 1..2^32-1 are possible")
        return words

    def _limits(self, run: Job | JobQueue) -> tuple[float | None, int]:
        """Timeout of a job in seconds (None on a simulated device) and in cycles, many times what it needs."""
        jobs = (run,) if isinstance(run, Job) else run.jobs
        cycles = sum(50_000 + 32 * job.count + 2_000 * job.blocks for job in jobs)
        clock = self.device.clock_hz or _SLOWEST_CLOCK
        return (None if self.device.simulated else 1.0 + cycles / clock), cycles

    def _claim(self, job: Job | JobQueue) -> None:
        if self._running is not None or self.busy:
            raise DeviceError("the engine still runs a job; wait for it, abort it, or reset the engine", status=self.status())
        self._running = job

    def _wait(self, job: Job | JobQueue, timeout: float | None) -> None:
        if self._running is not job:
            raise DeviceError("the job was not started")
        if timeout is not None and timeout < 0:
            raise InputError(f"a timeout of {timeout} s")
        seconds, cycles = self._limits(job) if timeout is None else (timeout, None)
        if self._wait_end(seconds, cycles):
            return
        limit = f"{cycles} cycles" if seconds is None else f"{seconds:g} s"
        status = self.status()
        shown = ", ".join(f"{name} {value}" for name, value in status.items() if value)
        raise DeviceTimeoutError(
            f"device {self.device.name!r}: {job.describe()} did not end within {limit}; "
            + (shown or "its registers cannot be read or are all 0"),
            status=status,
        )

    def _wait_end(self, seconds: float | None, cycles: int | None) -> bool:
        """Wait for the end of a job; by interrupt where there is one, else, and as a last look, by STATUS."""
        if self.device.has_interrupt:
            if self.device.wait(seconds, cycles=cycles):
                return True
            if self._ended():
                self.lost_interrupts += 1
                return True
            return False
        end = time.monotonic() + (seconds if seconds is not None else 60.0)
        while not self._ended():
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _ended(self) -> bool:
        return bool(_STATUS.unpack(self.read("STATUS"))["DONE"])

    def _wait_idle(self) -> None:
        """Wait after an abort: issued bursts end soon when the memory lives."""
        self._wait_end(None if self.device.simulated else 0.2, 20_000)

    def _abort(self, job: Job | JobQueue) -> bool:
        if self._running is not job:
            return False
        self.write("CONTROL", _CONTROL.pack(ABORT=1))
        self._wait_idle()
        if not self._ended():
            raise DeviceTimeoutError(f"device {self.device.name!r}: the engine did not stop after an abort", status=self.status())
        try:
            self._finish(job)
        except JobError as error:
            return error.code == ErrorCode.ABORTED
        return False

    def _finish(self, job: Job | JobQueue) -> None:
        """Acknowledge the end of a job and raise its error."""
        status = _STATUS.unpack(self.read("STATUS"))
        self._running = None
        self.write("IRQ_STATUS", 3)
        if status["BUSY"] or not status["DONE"]:
            raise DeviceError("the engine raised its interrupt but has not finished", status=self.status())
        if status["ERROR"]:
            if job.streams:
                self.device.stream_clear()
            code = status["ERROR_CODE"]
            if not isinstance(job, Job):
                raise job.failed(code)
            name, meaning = ERRORS.get(code, (f"code {code}", "unknown to this driver"))
            raise JobError(code, name, self.read("ERROR_BLOCK"), meaning, status=self.status())

    @contextmanager
    def _stream_of(self, job: Job) -> Iterator[None]:
        """Leave nothing on the stream ports when a call fails half-way."""
        try:
            yield
        except BaseException:
            if job.endpoint == "stream":
                self.reset()
            raise
