# SPDX-License-Identifier: Apache-2.0
# Made by scripts/generate_registers.py from rtl/csr/registers.toml: do not edit.
"""The register map of the engine: addresses, fields, counters, error codes. What they mean is in rtl/csr/REGISTERS.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


@dataclass(frozen=True)
class Field:
    """Some bits of a register."""

    name: str
    shift: int
    width: int
    description: str = ""

    @property
    def mask(self) -> int:
        """The field's bits, in place."""
        return ((1 << self.width) - 1) << self.shift

    def get(self, word: int) -> int:
        """The field's value in a register value."""
        return (word & self.mask) >> self.shift

    def insert(self, word: int, value: int) -> int:
        """`word` with this field set to `value`; raises ValueError if it does not fit."""
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"{value} does not fit the {self.width} bits of {self.name}")
        return (word & ~self.mask) | value << self.shift


@dataclass(frozen=True)
class Register:
    """A 32-bit register: byte offset, access (ro, rw, wo, w1s, w1c) and fields."""

    name: str
    offset: int
    access: str
    description: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)

    def pack(self, **values: int) -> int:
        """A register value from field values; fields that are not named are 0."""
        word = 0
        for name, value in values.items():
            word = self.fields[name].insert(word, value)
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """The values of all fields."""
        return {name: part.get(word) for name, part in self.fields.items()}


@dataclass(frozen=True)
class Window:
    """A range of words: byte offset, number of words, access."""

    name: str
    offset: int
    words: int
    access: str
    description: str = ""


class ErrorCode(IntEnum):
    """STATUS.ERROR_CODE."""

    NONE = 0
    BAD_LENGTH = 1
    BAD_BLOCK = 2
    BAD_ADDRESS = 3
    UNSUPPORTED_CODEC = 4
    BAD_TABLE = 5
    READ_RESPONSE = 6
    WRITE_RESPONSE = 7
    STREAM_UNDERRUN = 8
    STREAM_OVERRUN = 9
    BLOCK_TOO_LARGE = 10
    INDEX_OUT_OF_BOUNDS = 11
    INDEX_MALFORMED = 12
    PAYLOAD_FULL = 13
    CORRUPT_BLOCK = 14
    ABORTED = 15
    BAD_DESCRIPTOR = 16


def _register(name: str, offset: int, access: str, description: str, *fields: Field) -> Register:
    return Register(name, offset, access, description, {part.name: part for part in fields})


NAME = "tensorpress"
ADDRESS_WIDTH = 12
ID = 0x54505A31
VERSION = 0x00010100

_REGISTERS = (
    _register(
        "ID",
        0x000,
        "ro",
        "Reads 0x54505A31 (ASCII TPZ1).",
    ),
    _register(
        "VERSION",
        0x004,
        "ro",
        "Version of the register map: major [31:16], minor [15:8], patch [7:0].",
    ),
    _register(
        "CAPABILITIES",
        0x008,
        "ro",
        "What this build can do.",
        Field("LANES", 0, 5, "Number of lanes, 1..16: the larger of the two numbers in DIRECTIONS."),
        Field("BLOCK_BYTES_LOG2", 5, 5, "log2 of the largest raw block in bytes."),
        Field("VALUE_WIDTH", 10, 6, "Bits of a value, W."),
        Field("CODECS", 16, 4, "Codecs built in at least one direction: bit 0 raw, 1 zvc, 2 ebpc, 3 apack."),
        Field("APACK_CODERS", 20, 5, "S, the interleaved coders of an apack block; 0 when apack is not built."),
        Field("STREAM_BYTES_LOG2", 25, 4, "log2 of the bytes of a beat of m_axis_raw. A beat of s_axis_raw has 8 bytes."),
        Field("SECOND_PORT", 29, 1, "1: blocks are read through two memory ports."),
    ),
    _register(
        "DIRECTIONS",
        0x00C,
        "ro",
        "What this build can do in each direction. A job whose codec is not there for its direction ends with UNSUPPORTED_CODEC.",
        Field("ENCODE_LANES", 0, 5, "Lanes that compress, 0..16."),
        Field("DECODE_LANES", 8, 5, "Lanes that decompress, 0..16."),
        Field("ENCODE_CODECS", 16, 4, "Codecs that compress: bit 0 raw, 1 zvc, 2 ebpc, 3 apack."),
        Field("DECODE_CODECS", 20, 4, "Codecs that decompress, in the same order."),
    ),
    _register(
        "SCRATCH",
        0x010,
        "rw",
        "Holds what was written; for testing the bus.",
    ),
    _register(
        "CONTROL",
        0x014,
        "w1s",
        "Commands.",
        Field("START", 0, 1, "Start the job that the JOB registers describe. Ignored while STATUS.BUSY."),
        Field("ABORT", 1, 1, "Stop the running job, and its queue: issued bursts finish, then it ends with error ABORTED."),
        Field("START_QUEUE", 2, 1, "Start the jobs of the queue that begins at QUEUE_ADDRESS. Ignored while STATUS.BUSY, and with START."),
    ),
    _register(
        "STATUS",
        0x018,
        "ro",
        "State of the job.",
        Field("BUSY", 0, 1, "A job or a queue is running."),
        Field("DONE", 1, 1, "The last job, or the queue, has ended, well or with an error; cleared by a start."),
        Field("ERROR", 8, 1, "The last job ended with an error, which also ended its queue; cleared by a start."),
        Field("ERROR_CODE", 16, 8, "The first error of the last job, see the error codes."),
    ),
    _register(
        "ERROR_BLOCK",
        0x01C,
        "ro",
        "Number of the block at which the first error was seen.",
    ),
    _register(
        "IRQ_ENABLE",
        0x020,
        "rw",
        "Interrupt enable.",
        Field("DONE", 0, 1, "Raise the interrupt while IRQ_STATUS.DONE is set."),
        Field("JOB", 1, 1, "Raise the interrupt while IRQ_STATUS.JOB is set."),
    ),
    _register(
        "IRQ_STATUS",
        0x024,
        "w1c",
        "Interrupt causes.",
        Field("DONE", 0, 1, "A job, or a queue as a whole, has ended."),
        Field("JOB", 1, 1, "A job of a queue that asks for it has ended; its status is in its descriptor."),
    ),
    _register(
        "JOB_CONFIG",
        0x040,
        "rw",
        "What the next job does. JOB registers are copied at START; they may be written for the next job while one runs.",
        Field("CODEC", 0, 4, "0 raw, 1 zvc, 2 ebpc, 3 apack."),
        Field("DECOMPRESS", 4, 1, "0 compress, 1 decompress."),
        Field("STREAM", 5, 1, "The raw side is 0: DDR at JOB_RAW_ADDRESS, 1: the stream port."),
        Field("SIGNED", 6, 1, "EBPC reads values as signed."),
        Field("ZERO", 8, 8, "The zero point of zvc and ebpc."),
    ),
    _register(
        "JOB_VALUES",
        0x044,
        "rw",
        "Values of the tensor, 1..2^28.",
    ),
    _register(
        "JOB_BLOCK_VALUES",
        0x048,
        "rw",
        "Values of a block: a multiple of 128 bytes of raw data, at most the build's block.",
        Field("VALUES", 0, 16, "Values of a block."),
    ),
    _register(
        "JOB_RAW_ADDRESS",
        0x050,
        "rw",
        "Byte address of the raw image, a multiple of 8. Unused with STREAM.",
    ),
    _register(
        "JOB_INDEX_ADDRESS",
        0x058,
        "rw",
        "Byte address of the index, a multiple of 8; 8 bytes a block.",
    ),
    _register(
        "JOB_PAYLOAD_ADDRESS",
        0x060,
        "rw",
        "Byte address of the payload, a multiple of 8.",
    ),
    _register(
        "JOB_PAYLOAD_WORDS",
        0x068,
        "rw",
        "Words of the payload region: its capacity when compressing, its size when decompressing.",
    ),
    _register(
        "QUEUE_ADDRESS",
        0x070,
        "rw",
        "Byte address of the first descriptor of a queue, a multiple of 64. It is copied at START_QUEUE.",
    ),
    _register(
        "RESULT_BLOCKS",
        0x080,
        "ro",
        "Blocks whose output is complete.",
    ),
    _register(
        "RESULT_PAYLOAD_WORDS",
        0x084,
        "ro",
        "Payload words written (compress) or taken by finished blocks (decompress).",
    ),
    _register(
        "RESULT_RAW_BLOCKS",
        0x088,
        "ro",
        "Finished blocks that are stored raw.",
    ),
    _register(
        "QUEUE_JOBS",
        0x08C,
        "ro",
        "Jobs that have ended well since the start.",
    ),
    _register(
        "QUEUE_DESCRIPTOR",
        0x090,
        "ro",
        "Descriptor of the first job that has not ended; after the end, of the last job: the one with the error, if any.",
    ),
    _register(
        "COUNT_CYCLES",
        0x0C0,
        "ro",
        "Cycles from the start to the end of the job or queue.",
    ),
    _register(
        "COUNT_LANE_BUSY",
        0x0C4,
        "ro",
        "Lane cycles in which the lane's coder moved data.",
    ),
    _register(
        "COUNT_LANE_STARVED",
        0x0C8,
        "ro",
        "Lane cycles in which a lane had a block but its coder waited for input.",
    ),
    _register(
        "COUNT_LANE_BLOCKED",
        0x0CC,
        "ro",
        "Lane cycles in which a lane had finished blocks only, and waited for its turn to drain.",
    ),
    _register(
        "COUNT_LANE_IDLE",
        0x0D0,
        "ro",
        "Lane cycles in which a lane had no block.",
    ),
    _register(
        "COUNT_READ_BEATS",
        0x0D4,
        "ro",
        "Beats read from memory (8 bytes each).",
    ),
    _register(
        "COUNT_READ_WAIT",
        0x0D8,
        "ro",
        "Cycles in which ARVALID waited for ARREADY, at one memory port or both.",
    ),
    _register(
        "COUNT_WRITE_BEATS",
        0x0DC,
        "ro",
        "Beats written to memory (8 bytes each).",
    ),
    _register(
        "COUNT_WRITE_WAIT",
        0x0E0,
        "ro",
        "Cycles in which AWVALID or WVALID waited for its ready.",
    ),
    _register(
        "COUNT_STREAM_WAIT",
        0x0E4,
        "ro",
        "Cycles of waiting for the stream port's partner: TREADY without TVALID on s_axis_raw, TVALID without TREADY on m_axis_raw.",
    ),
    _register(
        "PEAK_READS",
        0x0E8,
        "ro",
        "Most read bursts outstanding at once, on both memory ports together.",
    ),
    _register(
        "PEAK_WRITES",
        0x0EC,
        "ro",
        "Most write bursts outstanding at once.",
    ),
)
REG: dict[str, Register] = {register.name: register for register in _REGISTERS}

COUNTERS: tuple[str, ...] = (
    "COUNT_CYCLES",
    "COUNT_LANE_BUSY",
    "COUNT_LANE_STARVED",
    "COUNT_LANE_BLOCKED",
    "COUNT_LANE_IDLE",
    "COUNT_READ_BEATS",
    "COUNT_READ_WAIT",
    "COUNT_WRITE_BEATS",
    "COUNT_WRITE_WAIT",
    "COUNT_STREAM_WAIT",
    "PEAK_READS",
    "PEAK_WRITES",
)

WINDOWS: dict[str, Window] = {
    "TABLE": Window("TABLE", 0x400, 256, "wo", "Codec table for the next job, word by word; the codec's README says what the words mean."),
}

ERRORS: dict[int, tuple[str, str]] = {
    0: ("NONE", "No error."),
    1: ("BAD_LENGTH", "JOB_VALUES is 0 or more than 2^28."),
    2: ("BAD_BLOCK", "JOB_BLOCK_VALUES is 0, not a multiple of 128 bytes, or more than the build's block."),
    3: ("BAD_ADDRESS", "An address is not a multiple of 8, or a region passes the end of the address space."),
    4: ("UNSUPPORTED_CODEC", "The codec is not built in for the direction of the job."),
    5: ("BAD_TABLE", "The codec's table breaks a rule of the format, or was never loaded."),
    6: ("READ_RESPONSE", "The memory answered a read with SLVERR or DECERR."),
    7: ("WRITE_RESPONSE", "The memory answered a write with SLVERR or DECERR."),
    8: ("STREAM_UNDERRUN", "TLAST came on s_axis_raw before the last value of the job."),
    9: ("STREAM_OVERRUN", "No TLAST came on s_axis_raw with the last value of the job."),
    10: ("BLOCK_TOO_LARGE", "An index entry claims more words than its raw block would take."),
    11: ("INDEX_OUT_OF_BOUNDS", "An index entry points outside the payload region."),
    12: ("INDEX_MALFORMED", "An index entry has no words, a set reserved bit, or is raw with words in stream A or of another length."),
    13: ("PAYLOAD_FULL", "The payload region is too small for the coded blocks."),
    14: ("CORRUPT_BLOCK", "A coded block needs bits that its streams do not hold, or breaks a rule of its code."),
    15: ("ABORTED", "The job was stopped by CONTROL.ABORT."),
    16: ("BAD_DESCRIPTOR", "The address of a descriptor is not a multiple of 64."),
}
