# SPDX-License-Identifier: Apache-2.0
"""The engine as a software model behind its registers: no compiler, no RTL, the same bytes and the same error codes.

A job runs as a whole when CONTROL.START is written, or, with the stream port as source, when enough of the stream has come.
Counts of data are those of the hardware; counts of time (cycles, waits, lanes) read 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from tensorpress.codecs import CODEC_NUMBERS, Coded, Coding, decode, encode, split_entry
from tensorpress.device.base import Bytes, PoolDevice, Windows
from tensorpress.device.builds import EngineBuild, checkout, engine_build
from tensorpress.errors import DeviceError, FormatError, InputError, ProtocolError, TableError
from tensorpress.job_queue import DESCRIPTOR_BYTES, INTERRUPT, JOB_WORDS, STATUS_WORD
from tensorpress.registers import ID, REG, VERSION, WINDOWS, ErrorCode
from tensorpress.tables import ROWS, TOTAL, Table

_WIDTH = 8
_MOST_VALUES = 1 << 28
_ADDRESS_END = 1 << 32
_BY_OFFSET = {register.offset: register for register in REG.values()}
_CODEC_NAMES = {number: name for name, number in CODEC_NUMBERS.items()}
_APACK = CODEC_NUMBERS["apack"]


class _Fault(Exception):
    """The job ends with an error code."""

    def __init__(self, code: ErrorCode, block: int = 0) -> None:
        self.code, self.block = code, block


class _Waiting(Exception):
    """The stream has not brought enough yet."""


class ModelDevice(PoolDevice):
    """The software model as a device.

    Parameters
    ----------
    build : str, optional
        Name of a build of ``cores/builds.toml``, whose parameters hold where no other argument gives one.
    lanes : int
        Lanes that CAPABILITIES states, 1..16; without effect on results.
    encode_lanes, decode_lanes : int, optional
        Lanes of each direction; default: `lanes`. 0: the engine lacks the direction.
    block_bytes : int
        Largest raw block, a power of two of 512..16384.
    codecs : int
        Mask of the codecs (bit 0 raw, 1 zvc, 2 ebpc, 3 apack).
    encode_codecs, decode_codecs : int, optional
        Masks of each direction; default: `codecs`.
    apack_coders : int
        Interleaved coders of an apack block, 1..16.
    memory_bytes, memory_base : int
        Size and address of the memory.
    """

    name = "model"
    has_cycles = False
    has_interrupt = True

    def __init__(
        self,
        *,
        build: str | None = None,
        lanes: int | None = None,
        encode_lanes: int | None = None,
        decode_lanes: int | None = None,
        block_bytes: int | None = None,
        codecs: int | None = None,
        encode_codecs: int | None = None,
        decode_codecs: int | None = None,
        apack_coders: int | None = None,
        memory_bytes: int = 64 << 20,
        memory_base: int = 0x1000_0000,
    ) -> None:
        asked = {
            "LANES": lanes,
            "ENCODE_LANES": encode_lanes,
            "DECODE_LANES": decode_lanes,
            "BLOCK_BYTES": block_bytes,
            "CODECS": codecs,
            "ENCODE_CODECS": encode_codecs,
            "DECODE_CODECS": decode_codecs,
            "APACK_CODERS": apack_coders,
        }
        base = dict(engine_build(checkout("a named build"), build).parameters) if build is not None else {}
        spec = EngineBuild(build or "", "", base | {name: value for name, value in asked.items() if value is not None})
        self.encode_lanes, self.decode_lanes = spec.parameter("ENCODE_LANES"), spec.parameter("DECODE_LANES")
        self.lanes, self.block_bytes = max(self.encode_lanes, self.decode_lanes), spec.parameter("BLOCK_BYTES")
        masks = spec.parameter("ENCODE_CODECS"), spec.parameter("DECODE_CODECS")
        self.apack_coders, self.stream_bytes = spec.parameter("APACK_CODERS"), spec.parameter("STREAM_BYTES")
        self.memory_ports = spec.parameter("MEMORY_PORTS")
        if (
            min(self.encode_lanes, self.decode_lanes) < 0
            or not 1 <= self.lanes <= 16
            or self.block_bytes not in (512, 1024, 2048, 4096, 8192, 16384)
            or not 1 <= self.apack_coders <= 16
            or (masks[0] | masks[1]) & ~0b1111
        ):
            raise InputError(
                f"no such engine: {self.encode_lanes} lanes compress, {self.decode_lanes} decompress, blocks of {self.block_bytes} bytes,"
                f" codecs {masks[0]:#x} and {masks[1]:#x}, {self.apack_coders} coders"
            )
        super().__init__(memory_bytes, memory_base)
        self.encode_codecs, self.decode_codecs = (masks[0] | 1) * bool(self.encode_lanes), (masks[1] | 1) * bool(self.decode_lanes)
        self.codecs = self.encode_codecs | self.decode_codecs
        self._reads: list[tuple[int, int]] = []
        self._writes: list[tuple[int, int]] = []
        self.reset()

    # ---- the device protocol

    def read_register(self, offset: int) -> int:
        """See :meth:`Device.read_register`."""
        self._open()
        register = _BY_OFFSET.get(offset)
        if register is None or register.access not in ("ro", "rw", "w1c"):
            return 0
        return self._registers.get(register.name, 0)

    def write_register(self, offset: int, value: int) -> None:
        """See :meth:`Device.write_register`."""
        self._open()
        value = int(value) & 0xFFFF_FFFF
        table = WINDOWS["TABLE"]
        if table.offset <= offset < table.offset + 4 * table.words:
            self._table[(offset - table.offset) // 4] = value
            return
        register = _BY_OFFSET.get(offset)
        if register is None:
            return
        if register.name == "CONTROL":
            control = register.unpack(value)
            if control["START"] and not self._busy:
                self._start()
            elif control["START_QUEUE"] and not self._busy:
                self._start_queue()
            if control["ABORT"] and self._busy:
                self._end(_Fault(ErrorCode.ABORTED))
        elif register.access == "w1c":
            self._registers[register.name] = self._registers.get(register.name, 0) & ~value
        elif register.access == "rw":
            self._registers[register.name] = value

    def write_registers(self, offset: int, words: Sequence[int]) -> None:
        """See :meth:`Device.write_registers`."""
        for number, word in enumerate(words):
            self.write_register(offset + 4 * number, word)

    def set_windows(self, reads: Windows, writes: Windows) -> None:
        """See :meth:`Device.set_windows`."""
        self._reads, self._writes = list(reads), list(writes)

    def wait(self, timeout_s: float | None, *, cycles: int | None = None) -> bool:
        """See :meth:`Device.wait`. Nothing happens during a wait, so it returns at once."""
        self._open()
        return bool(self._registers.get("IRQ_STATUS", 0) & self._registers.get("IRQ_ENABLE", 0) & 3)

    def stream_send(self, data: bytes | Bytes, *, last: bool = True) -> None:
        """See :meth:`Device.stream_send`. Only the final beat of a packet may be shorter than 8 bytes."""
        self._open()
        raw = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.ascontiguousarray(data).view(np.uint8).reshape(-1)
        if raw.size == 0 or (raw.size % 8 and not last):
            raise InputError(f"{raw.size} bytes to a stream: whole 8-byte beats are needed, and at least one")
        beats = np.zeros(-(-raw.size // 8) * 8, np.uint8)
        beats[: raw.size] = raw
        self._stream_in.append((beats, last))
        if self._busy:
            self._try()
            self._run_queue()

    def stream_receive(self, nbytes: int) -> Bytes:
        """See :meth:`Device.stream_receive`."""
        self._open()
        there = self._stream_out.popleft() if self._stream_out else np.empty(0, np.uint8)
        if there.size != nbytes:
            raise DeviceError(f"m_axis_raw gave {there.size} bytes, expected {nbytes} and TLAST with the last of them")
        return there

    def stream_clear(self) -> None:
        """See :meth:`Device.stream_clear`."""
        self._open()
        self._stream_in.clear()
        self._stream_out.clear()

    def reset(self) -> None:
        """See :meth:`Device.reset`."""
        self._open()
        self._busy = self._queued = self._readable = self._interrupt = False
        self._follow, self._descriptor = False, 0
        self._table = np.zeros(WINDOWS["TABLE"].words, np.uint32)
        self._stream_in: deque[tuple[Bytes, bool]] = deque()
        self._stream_out: deque[Bytes] = deque()
        capabilities = REG["CAPABILITIES"].pack(
            LANES=self.lanes,
            BLOCK_BYTES_LOG2=self.block_bytes.bit_length() - 1,
            VALUE_WIDTH=_WIDTH,
            CODECS=self.codecs,
            APACK_CODERS=self.apack_coders if self.codecs >> _APACK & 1 else 0,
            STREAM_BYTES_LOG2=self.stream_bytes.bit_length() - 1,
            SECOND_PORT=self.memory_ports - 1,
        )
        directions = REG["DIRECTIONS"].pack(
            ENCODE_LANES=self.encode_lanes,
            DECODE_LANES=self.decode_lanes,
            ENCODE_CODECS=self.encode_codecs,
            DECODE_CODECS=self.decode_codecs,
        )
        self._registers: dict[str, int] = {"ID": ID, "VERSION": VERSION, "CAPABILITIES": capabilities, "DIRECTIONS": directions}

    # ---- the job, the queue

    def _start_queue(self) -> None:
        self._descriptor = self._registers.get("QUEUE_ADDRESS", 0)
        self._clear_results()
        self._registers["QUEUE_JOBS"] = 0
        self._follow = True
        self._run_queue()

    def _run_queue(self) -> None:
        """Run jobs until the last one has ended, or one waits for the stream."""
        while self._follow:
            self._follow = False
            self._next_job()

    def _next_job(self) -> None:
        """Read the next descriptor and run its job."""
        at = self._registers["QUEUE_DESCRIPTOR"] = self._descriptor
        self._busy = True
        self._registers["STATUS"] = REG["STATUS"].pack(BUSY=1)
        self._queued = True
        self._readable = False
        try:
            if at % DESCRIPTOR_BYTES:
                raise _Fault(ErrorCode.BAD_DESCRIPTOR)
            words = self._read(at, JOB_WORDS).view(np.uint32).tolist()
            self._readable = True
            names = ("VALUES", "BLOCK_VALUES", "RAW_ADDRESS", "INDEX_ADDRESS", "PAYLOAD_ADDRESS", "PAYLOAD_WORDS")
            self._job = {"JOB_CONFIG": words[0], **{f"JOB_{name}": word for name, word in zip(names, words[2:8], strict=True)}}
            self._descriptor, self._interrupt = words[1], bool(words[0] & INTERRUPT)
            if words[0] & 0xF == _APACK and words[8]:
                self._table[:ROWS] = self._read(words[8], ROWS // 2).view(np.uint32)
            self._job_table = self._table.copy()
        except _Fault as fault:
            self._end(fault)
            return
        self._try()

    def _end_queued(self, fault: _Fault | None) -> bool:
        """Write the status of a queued job; True when another one follows."""
        at = self._registers["QUEUE_DESCRIPTOR"]
        if self._readable:
            results = [self._registers.get(f"RESULT_{name}", 0) for name in ("BLOCKS", "PAYLOAD_WORDS", "RAW_BLOCKS")]
            status = REG["STATUS"].pack(ERROR=int(fault is not None), ERROR_CODE=int(fault.code) if fault is not None else 0) | 1
            words = np.array([status, fault.block if fault is not None else 0, *results, 0], np.uint32)
            self._write(at + 8 * STATUS_WORD, words.view(np.uint8))
            if self._interrupt:
                self._registers["IRQ_STATUS"] = self._registers.get("IRQ_STATUS", 0) | 2
        if fault is not None:
            return False
        self._registers["QUEUE_JOBS"] += 1
        return self._descriptor != 0

    def _clear_results(self) -> None:
        for name in REG:
            if name.startswith(("RESULT_", "COUNT_", "PEAK_")):
                self._registers[name] = 0
        self._registers["ERROR_BLOCK"] = 0

    def _start(self) -> None:
        self._queued = False
        self._job = {name: value for name, value in self._registers.items() if name.startswith("JOB_")}
        self._job_table = self._table.copy()  # the next one may be loaded while this job runs
        self._clear_results()
        self._registers["STATUS"] = REG["STATUS"].pack(BUSY=1)
        self._busy = True
        self._try()

    def _try(self) -> None:
        try:
            self._run()
        except _Waiting:
            return
        except _Fault as fault:
            self._end(fault)
        else:
            self._end(None)

    def _end(self, fault: _Fault | None) -> None:
        if self._queued and self._end_queued(fault):
            self._follow = True  # whoever runs the queue goes on with the next job
            return
        self._busy = False
        if fault is None:
            self._registers["STATUS"] = REG["STATUS"].pack(DONE=1)
        else:
            self._registers["STATUS"] = REG["STATUS"].pack(DONE=1, ERROR=1, ERROR_CODE=int(fault.code))
            self._registers["ERROR_BLOCK"] = fault.block
        self._registers["IRQ_STATUS"] = self._registers.get("IRQ_STATUS", 0) | 1

    def _run(self) -> None:
        config = REG["JOB_CONFIG"].unpack(self._job.get("JOB_CONFIG", 0))
        count = self._job.get("JOB_VALUES", 0)
        block_values = REG["JOB_BLOCK_VALUES"].unpack(self._job.get("JOB_BLOCK_VALUES", 0))["VALUES"]
        raw, index, payload = (self._job.get(f"JOB_{name}_ADDRESS", 0) for name in ("RAW", "INDEX", "PAYLOAD"))
        capacity = self._job.get("JOB_PAYLOAD_WORDS", 0)
        stream = bool(config["STREAM"])
        if not 1 <= count <= _MOST_VALUES:
            raise _Fault(ErrorCode.BAD_LENGTH)
        if not block_values or block_values % 128 or block_values > self.block_bytes:
            raise _Fault(ErrorCode.BAD_BLOCK)
        regions = [(index, 8 * -(-count // 128)), (payload, 8 * capacity)] + ([] if stream else [(raw, count)])
        if any(address % 8 or address + nbytes > _ADDRESS_END for address, nbytes in regions):
            raise _Fault(ErrorCode.BAD_ADDRESS)
        if not (self.decode_codecs if config["DECOMPRESS"] else self.encode_codecs) >> config["CODEC"] & 1:
            raise _Fault(ErrorCode.UNSUPPORTED_CODEC)
        name = _CODEC_NAMES[config["CODEC"]]
        table = None
        if name == "apack":
            try:
                rows = self._job_table[:ROWS]
                table = Table(_WIDTH, tuple((rows & 0xFF).tolist()), (*(rows >> 16 & 0x7FF).tolist(), TOTAL))
            except TableError as error:
                raise _Fault(ErrorCode.BAD_TABLE) from error
        zero = config["ZERO"] if name in ("zvc", "ebpc") else 0
        coding = Coding(name, _WIDTH, block_values, zero, bool(config["SIGNED"]), self.apack_coders, table)
        if config["DECOMPRESS"]:
            self._decompress(coding, count, None if stream else raw, index, payload, capacity)
        else:
            self._compress(coding, count, None if stream else raw, index, payload, capacity)

    def _compress(self, coding: Coding, count: int, raw: int | None, index: int, payload: int, capacity: int) -> None:
        words = -(-count // 8)
        if raw is None:
            values = self._take_stream(words, coding.block_values)[:count]
        else:
            values = self._read(raw, words)[:count]
            self._registers["COUNT_READ_BEATS"] = words
        coded = encode(values, coding)
        raw_blocks = done = written = 0
        fault = None
        for block, entry in enumerate(coded.index.tolist()):
            offset, a_words, b_words, is_raw = split_entry(entry)
            if offset + a_words + b_words > capacity:
                fault = _Fault(ErrorCode.PAYLOAD_FULL, block)
                break
            done, written, raw_blocks = block + 1, offset + a_words + b_words, raw_blocks + is_raw
        self._write(payload, coded.payload[:written].view(np.uint8))
        self._write(index, coded.index[:done].view(np.uint8))
        self._registers["COUNT_WRITE_BEATS"] = written + done
        self._result(done, written, raw_blocks)
        if fault is not None:
            raise fault

    def _decompress(self, coding: Coding, count: int, raw: int | None, index: int, payload: int, capacity: int) -> None:
        blocks = coding.blocks(count)
        entries = self._read(index, blocks).view(np.uint64)
        beats, good, fault = blocks, blocks, None
        for block, entry in enumerate(entries.tolist()):
            offset, a_words, b_words, is_raw = split_entry(entry)
            words, raw_words = a_words + b_words, coding.raw_words_of(block, count)
            if entry >> 62 & 1 or words == 0 or (is_raw and (a_words or words != raw_words)):
                fault = _Fault(ErrorCode.INDEX_MALFORMED, block)
            elif not is_raw and words >= raw_words:
                fault = _Fault(ErrorCode.BLOCK_TOO_LARGE, block)
            elif offset + words > capacity:
                fault = _Fault(ErrorCode.INDEX_OUT_OF_BOUNDS, block)
            if fault is not None:
                good = block
                break
            beats += words
        values = min(count, good * coding.block_values)
        decoded = np.empty(0, np.uint8)
        if good:
            coded = Coded(entries[:good], self._read(payload, capacity, window=False).view(np.uint64))
            try:
                decoded = decode(coded, values, coding)
            except FormatError as error:
                good = error.block or 0
                fault = _Fault(ErrorCode.CORRUPT_BLOCK, good)
                values = good * coding.block_values
                decoded = decode(Coded(entries[:good], coded.payload), values, coding) if good else decoded
        self._registers["COUNT_READ_BEATS"] = beats
        finished = [split_entry(entry) for entry in entries[:good].tolist()]
        self._result(good, sum(a + b for _, a, b, _ in finished), sum(is_raw for *_, is_raw in finished))
        if raw is not None:
            self._write(raw, decoded)
            self._registers["COUNT_WRITE_BEATS"] = -(-decoded.size // 8)
        elif fault is None:
            self._stream_out.append(decoded)
        if fault is not None:
            raise fault

    def _result(self, blocks: int, words: int, raw_blocks: int) -> None:
        self._registers["RESULT_BLOCKS"] = blocks
        self._registers["RESULT_PAYLOAD_WORDS"] = words
        self._registers["RESULT_RAW_BLOCKS"] = raw_blocks

    # ---- memory and stream

    def _take_stream(self, words: int, block_values: int) -> Bytes:
        """Take `words` beats off the queue; TLAST must be on the last of them. The block of an error is the first that is not whole."""
        beats, parts = 0, []
        for data, last in self._stream_in:
            use = min(data.size // 8, words - beats)
            beats += use
            parts.append(data[: 8 * use])
            at_end = use == data.size // 8
            if last and at_end and beats < words:
                self._drop_stream(beats)
                raise _Fault(ErrorCode.STREAM_UNDERRUN, beats * 8 // block_values)
            if beats == words:
                self._drop_stream(beats)
                if not (last and at_end):
                    raise _Fault(ErrorCode.STREAM_OVERRUN, -(-beats * 8 // block_values))
                return np.concatenate(parts)
        raise _Waiting

    def _drop_stream(self, beats: int) -> None:
        while beats:
            data, last = self._stream_in.popleft()
            size = data.size // 8
            if size > beats:
                self._stream_in.appendleft((data[8 * beats :], last))
            beats -= min(size, beats)

    def _read(self, address: int, words: int, *, window: bool = True) -> Bytes:
        nbytes = 8 * words
        if window and not any(start <= address and address + nbytes <= end for start, end in self._reads):
            raise ProtocolError(f"read of {words} words at 0x{address:08x} outside the buffers of the job")
        if not self.memory.holds(address, nbytes):
            raise _Fault(ErrorCode.READ_RESPONSE)
        return self.memory.view(address, nbytes).copy()

    def _write(self, address: int, data: Bytes) -> None:
        if not data.size:
            return
        if not any(start <= address and address + data.size <= end for start, end in self._writes):
            raise ProtocolError(f"write of bytes 0x{address:08x}..0x{address + data.size - 1:08x} outside the destination of the job")
        if not self.memory.holds(address, data.size):
            raise _Fault(ErrorCode.WRITE_RESPONSE)
        self.memory.view(address, data.size)[:] = data
