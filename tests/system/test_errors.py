# SPDX-License-Identifier: Apache-2.0
"""Jobs that go wrong, on every device: each error code is provoked, named with its block, and the next job works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from cases import BLOCK, CODECS, assert_same_image, assert_same_values, codecs_of, coding_for, mixed_values, random_values, sparse_values
from tensorpress.codecs import Coded, Coding, encode, index_entry, split_entry
from tensorpress.device import BufferPart
from tensorpress.device.base import PoolDevice
from tensorpress.engine import Engine
from tensorpress.errors import DeviceError, DeviceTimeoutError, InputError, JobError, TableError
from tensorpress.registers import REG, WINDOWS, ErrorCode
from tensorpress.tables import ROWS, Table

BLOCKS = 20


@pytest.fixture(autouse=True)
def _next_job_works(engine: Engine) -> Iterator[None]:
    """After whatever a test did, a job gives the right bytes, without a reset."""
    yield
    assert not engine.busy
    values = mixed_values(5 * BLOCK + 1, seed=99)
    coding = coding_for(engine, "zvc", values)
    for endpoint in ("ddr", "stream"):
        coded = encode(values, coding)
        assert_same_image(engine.compress(values, coding, source=endpoint).coded, coded)  # type: ignore[arg-type]
        assert_same_values(engine.decompress(coded, values.size, coding, sink=endpoint).values, values)  # type: ignore[arg-type]


def _fails(code: ErrorCode, call: Callable[[], object], block: int | None = None) -> JobError:
    with pytest.raises(JobError) as caught:
        call()
    assert caught.value.name == code.name
    assert caught.value.code == code
    if block is not None:
        assert caught.value.block == block
    assert caught.value.status["STATUS.DONE"] == 1
    assert caught.value.status["STATUS.BUSY"] == 0
    return caught.value


# ---- bad jobs, written past the checks of the driver


@pytest.mark.parametrize(
    ("register", "value", "code"),
    [
        ("JOB_VALUES", 0, ErrorCode.BAD_LENGTH),
        ("JOB_VALUES", (1 << 28) + 1, ErrorCode.BAD_LENGTH),
        ("JOB_VALUES", 0xFFFF_FFFF, ErrorCode.BAD_LENGTH),
        ("JOB_BLOCK_VALUES", 0, ErrorCode.BAD_BLOCK),
        ("JOB_BLOCK_VALUES", 127, ErrorCode.BAD_BLOCK),
        ("JOB_BLOCK_VALUES", 129, ErrorCode.BAD_BLOCK),
        ("JOB_BLOCK_VALUES", 4096 + 128, ErrorCode.BAD_BLOCK),
        ("JOB_BLOCK_VALUES", 0x8000, ErrorCode.BAD_BLOCK),
        ("JOB_RAW_ADDRESS", 0x1000_0004, ErrorCode.BAD_ADDRESS),
        ("JOB_INDEX_ADDRESS", 0x1000_0001, ErrorCode.BAD_ADDRESS),
        ("JOB_PAYLOAD_ADDRESS", 0x1000_0002, ErrorCode.BAD_ADDRESS),
        ("JOB_RAW_ADDRESS", 0xFFFF_FFF8, ErrorCode.BAD_ADDRESS),
        ("JOB_INDEX_ADDRESS", 0xFFFF_FFF8, ErrorCode.BAD_ADDRESS),
        ("JOB_PAYLOAD_ADDRESS", 0xFFFF_FFF8, ErrorCode.BAD_ADDRESS),
        ("JOB_PAYLOAD_WORDS", 0xFFFF_FFFF, ErrorCode.BAD_ADDRESS),
        ("JOB_CONFIG", 4, ErrorCode.UNSUPPORTED_CODEC),
        ("JOB_CONFIG", 15, ErrorCode.UNSUPPORTED_CODEC),
    ],
)
@pytest.mark.parametrize("decompress", [0, 1])
def test_bad_job(device: PoolDevice, engine: Engine, register: str, value: int, code: ErrorCode, decompress: int) -> None:
    """A bad job ends at once and touches no memory (no window is declared, so any access would be a violation)."""
    device.set_windows([], [])  # type: ignore[attr-defined]
    job = {
        "JOB_CONFIG": 0,
        "JOB_VALUES": 4096,
        "JOB_BLOCK_VALUES": 256,
        "JOB_RAW_ADDRESS": 0x1000_0000,
        "JOB_INDEX_ADDRESS": 0x1001_0000,
        "JOB_PAYLOAD_ADDRESS": 0x1002_0000,
        "JOB_PAYLOAD_WORDS": 512,
    }
    job[register] = value
    job["JOB_CONFIG"] |= REG["JOB_CONFIG"].pack(DECOMPRESS=decompress)
    for name, word in job.items():
        engine.write(name, word)
    engine.write("IRQ_ENABLE", 1)
    engine.write("CONTROL", 1)
    assert device.wait(None, cycles=1000)  # type: ignore[attr-defined]
    status = REG["STATUS"].unpack(engine.read("STATUS"))
    assert status == {"BUSY": 0, "DONE": 1, "ERROR": 1, "ERROR_CODE": code}
    assert engine.read("RESULT_BLOCKS") == 0
    engine.write("IRQ_STATUS", 1)
    assert engine.read("IRQ_STATUS") == 0


def test_bad_table(engine: Engine, device: PoolDevice) -> None:
    """Each rule that a table can break; the driver cannot even make such a table."""
    if "apack" not in engine.capabilities.codecs:
        pytest.skip("this device is built without apack")
    values = sparse_values(1000)
    coding = coding_for(engine, "apack", values)
    assert coding.table is not None
    good = [coding.table.cum[row] << 16 | coding.table.vmin[row] for row in range(ROWS)]
    same_vmin, falling_vmin, same_cum, full_cum, first_vmin, first_cum = (list(good) for _ in range(6))
    same_vmin[5] = good[5] & ~0xFF | good[4] & 0xFF
    falling_vmin[15] = good[15] & ~0xFF | 1
    same_cum[9] = good[9] & 0xFF | good[8] & ~0xFF
    full_cum[15] = good[15] & 0xFF | 1024 << 16
    first_vmin[0] = good[0] | 1
    first_cum[0] = good[0] | 1 << 16
    with engine.compress_job(values.size, coding) as job:
        job.load_values(values)
        for bad in (same_vmin, falling_vmin, same_cum, full_cum, first_vmin, first_cum):
            job.start()
            job.wait()
            # the registers still describe the job: only the table is replaced
            device.write_registers(WINDOWS["TABLE"].offset, bad)  # type: ignore[attr-defined]
            engine.write("CONTROL", 1)
            assert device.wait(None, cycles=1000)  # type: ignore[attr-defined]
            assert REG["STATUS"].unpack(engine.read("STATUS"))["ERROR_CODE"] == ErrorCode.BAD_TABLE
            engine.write("IRQ_STATUS", 1)
    with pytest.raises(TableError):
        Table(8, coding.table.vmin, (*coding.table.cum[:-1], 1023))


# ---- corrupt index entries


@pytest.mark.parametrize("place", [0, 7, BLOCKS - 1])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("no_words", ErrorCode.INDEX_MALFORMED),
        ("reserved_bit", ErrorCode.INDEX_MALFORMED),
        ("raw_with_a", ErrorCode.INDEX_MALFORMED),
        ("raw_too_short", ErrorCode.INDEX_MALFORMED),
        ("raw_too_long", ErrorCode.INDEX_MALFORMED),
        ("as_long_as_raw", ErrorCode.BLOCK_TOO_LARGE),
        ("largest_words", ErrorCode.BLOCK_TOO_LARGE),
        ("offset_past_end", ErrorCode.INDEX_OUT_OF_BOUNDS),
        ("ends_past_end", ErrorCode.INDEX_OUT_OF_BOUNDS),
        ("offset_wraps", ErrorCode.INDEX_OUT_OF_BOUNDS),
        ("largest_offset", ErrorCode.INDEX_OUT_OF_BOUNDS),
    ],
)
@pytest.mark.parametrize("sink", ["ddr", "stream"])
def test_corrupt_index(engine: Engine, fault: str, code: ErrorCode, place: int, sink: str) -> None:
    values = sparse_values(BLOCKS * BLOCK - 5)
    coding = coding_for(engine, "zvc", values)
    coded = encode(values, coding)
    offset, a, b, raw = split_entry(int(coded.index[place]))
    assert not raw
    raw_words = coding.raw_words_of(place, values.size)
    words = len(coded.payload)
    entry = {
        "no_words": index_entry(offset, 0, 0, False),
        "reserved_bit": int(coded.index[place]) | 1 << 62,
        "raw_with_a": index_entry(0, 1, raw_words - 1, True),
        "raw_too_short": index_entry(0, 0, raw_words - 1, True),
        "raw_too_long": index_entry(0, 0, raw_words + 1, True),
        "as_long_as_raw": index_entry(0, a, raw_words - a, False),
        "largest_words": index_entry(0, 0x7FFF, 0x7FFF, False),
        "offset_past_end": index_entry(words, a, b, False),
        "ends_past_end": index_entry(words - a - b + 1, a, b, False),
        "offset_wraps": index_entry((1 << 32) - a - b, a, b, False),
        "largest_offset": index_entry((1 << 32) - 1, a, b, False),
    }[fault]
    coded.index[place] = entry
    _fails(code, lambda: engine.decompress(coded, values.size, coding, sink=sink), place)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [0, 7, BLOCKS - 1])
@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "raw"])
@pytest.mark.parametrize("sink", ["ddr", "stream"])
def test_corrupt_block(engine: Engine, codec: str, place: int, sink: str) -> None:
    """A block whose stream A or B is a word shorter than it needs."""
    if codec not in engine.capabilities.codecs:
        pytest.skip(f"this device is built without {codec}")
    values = sparse_values(BLOCKS * BLOCK - 5)
    coding = coding_for(engine, codec, values)
    coded = encode(values, coding)
    offset, a, b, raw = split_entry(int(coded.index[place]))
    assert not raw and a and b
    for entry in (index_entry(offset + 1, a - 1, b, False), index_entry(offset, a, b - 1, False)):
        # stream A a word shorter: for some data the rest of it still decodes to the end, so both streams lose nearly everything too
        coded.index[place] = entry
        short_b = split_entry(entry)[2] < b
        if short_b:
            _fails(ErrorCode.CORRUPT_BLOCK, lambda: engine.decompress(coded, values.size, coding, sink=sink), place)  # type: ignore[arg-type]
    coded.index[place] = index_entry(offset, 1, 0, False)
    _fails(ErrorCode.CORRUPT_BLOCK, lambda: engine.decompress(coded, values.size, coding, sink=sink), place)  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", CODECS)
def test_random_bytes(engine: Engine, codec: str) -> None:
    """Random payload words, and then random index entries: every job ends, well or with a named error, and writes nowhere else."""
    if codec not in engine.capabilities.codecs:
        pytest.skip(f"this device is built without {codec}")
    rng = np.random.default_rng(11)
    values = sparse_values(BLOCKS * BLOCK)
    coding = coding_for(engine, codec, values)
    names = set()
    for number in range(30):
        coded = encode(values, coding)
        if number % 2:
            coded.payload = rng.integers(0, 1 << 64, len(coded.payload), np.uint64)
        else:
            coded.index[int(rng.integers(BLOCKS))] = rng.integers(0, 1 << 64, dtype=np.uint64)
        try:
            engine.decompress(coded, values.size, coding)
        except JobError as error:
            names.add(error.name)
    assert names <= {"INDEX_MALFORMED", "BLOCK_TOO_LARGE", "INDEX_OUT_OF_BOUNDS", "CORRUPT_BLOCK"}
    assert names


# ---- payload and stream


@pytest.mark.parametrize("codec", CODECS)
def test_payload_full(engine: Engine, device: PoolDevice, codec: str) -> None:
    """A payload region that is too small by one word, and by nearly all."""
    if codec not in engine.capabilities.codecs:
        pytest.skip(f"this device is built without {codec}")
    values = mixed_values(BLOCKS * BLOCK)
    coding = coding_for(engine, codec, values)
    expected = encode(values, coding)
    ends = [sum(split_entry(int(entry))[:3]) for entry in expected.index]
    for capacity in (ends[-1] - 1, ends[3], ends[3] - 1, 1):
        block = next(number for number, end in enumerate(ends) if end > capacity)
        for source in ("ddr", "stream"):
            with engine.compress_job(values.size, coding, source=source, payload_words=capacity) as job:  # type: ignore[arg-type]
                job.load_values(values)
                _fails(ErrorCode.PAYLOAD_FULL, job.run, block)
    with engine.compress_job(values.size, coding, payload_words=ends[-1]) as job:  # exactly enough
        job.load_values(values)
        assert_same_image(job.run().coded, expected)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("missing", [1, BLOCK // 8 - 1, BLOCK // 8, BLOCK // 8 + 1, BLOCKS * BLOCK // 8 - 1])
def test_stream_underrun(engine: Engine, device: PoolDevice, codec: str, missing: int) -> None:
    """TLAST too early, by a word, by about a block, by nearly all; the error names the first block that is not whole."""
    if codec not in engine.capabilities.codecs:
        pytest.skip(f"this device is built without {codec}")
    values = mixed_values(BLOCKS * BLOCK)
    coding = coding_for(engine, codec, values)
    sent = values.size - 8 * missing
    with engine.compress_job(values.size, coding, source="stream") as job:
        device.stream_send(values[:sent])  # type: ignore[attr-defined]
        _fails(ErrorCode.STREAM_UNDERRUN, job.run, sent // BLOCK)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("extra", [8, BLOCK, 5 * BLOCK])
def test_stream_overrun(engine: Engine, device: PoolDevice, codec: str, extra: int) -> None:
    """No TLAST with the last value: more values follow, in the same packet."""
    if codec not in engine.capabilities.codecs:
        pytest.skip(f"this device is built without {codec}")
    values = mixed_values(BLOCKS * BLOCK)
    coding = coding_for(engine, codec, values)
    with engine.compress_job(values.size, coding, source="stream") as job:
        device.stream_send(np.concatenate([values, random_values(extra)]))  # type: ignore[attr-defined]
        _fails(ErrorCode.STREAM_OVERRUN, job.run, BLOCKS)  # a block that should not be there


def test_abort_while_waiting_for_the_stream(engine: Engine, device: PoolDevice) -> None:
    """A job that waits for a stream that does not come can be aborted; the interrupt tells of it."""
    values = mixed_values(BLOCKS * BLOCK)
    coding = coding_for(engine, "zvc", values)
    with engine.compress_job(values.size, coding, source="stream") as job:
        device.stream_send(values[: 4 * BLOCK], last=False)  # type: ignore[attr-defined]
        job.start()
        assert not device.wait(None, cycles=5000)  # type: ignore[attr-defined]
        assert engine.busy
        with pytest.raises(DeviceError, match="still runs a job"):
            job.start()
        assert job.abort()
        assert not engine.busy
        assert not job.abort()


def test_timeout_and_reset(engine: Engine, device: PoolDevice) -> None:
    """A stream that does not come: the wait ends with the state of the engine in the error, and reset() makes the next job work."""
    coding = coding_for(engine, "raw", np.zeros(1, np.uint8))
    with engine.compress_job(1000, coding, source="stream") as job:
        job.start()
        with pytest.raises(DeviceTimeoutError, match="did not end within") as caught:
            job.wait(0.05)
        assert caught.value.status["STATUS.BUSY"] == 1
        assert set(caught.value.status) >= {"COUNT_CYCLES", "RESULT_BLOCKS", "PEAK_READS"}
        assert isinstance(caught.value, TimeoutError)
        engine.reset()
    assert not engine.busy


def test_job_closed_while_running(engine: Engine) -> None:
    """Leaving the context stops the job before its buffers are freed."""
    coding = coding_for(engine, "raw", np.zeros(1, np.uint8))
    with engine.compress_job(1000, coding, source="stream") as job:
        job.start()
        assert engine.busy
    assert not engine.busy
    with pytest.raises(DeviceError, match="closed"):
        job.start()


# ---- what the driver refuses before a register is touched


def test_driver_checks(engine: Engine, device: PoolDevice) -> None:
    coding = coding_for(engine, "zvc", np.zeros(1, np.uint8))
    values = sparse_values(1000)
    coded = encode(values, coding)

    with pytest.raises(InputError, match="empty"):
        engine.compress(np.zeros(0, np.uint8), coding)
    for wrong in (values.astype(np.int16), values.astype(np.float32), values.astype(bool)):
        with pytest.raises(InputError, match="dtype"):
            engine.compress(wrong, coding)
    with pytest.raises(DeviceError, match=r"16 bits.*hardware does 8-bit"):
        engine.compress(np.zeros(9, np.uint16), Coding("zvc", 16, 256))
    with pytest.raises(DeviceError, match="4 bits"):
        engine.compress(np.zeros(9, np.uint8), Coding("raw", 4, 256))
    with pytest.raises(DeviceError, match=r"8192 values.*4096"):
        engine.compress(values, Coding("zvc", 8, 8192))
    with pytest.raises(DeviceError, match="at most"):
        engine.compress_job((1 << 28) + 1, coding)
    with pytest.raises(InputError, match="empty"):
        engine.decompress(coded, 0, coding)
    with pytest.raises(InputError, match="words of index"):
        engine.decompress(coded, values.size + 256, coding)
    with pytest.raises(InputError, match="endpoint"):
        engine.compress(values, coding, source="pcie")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="words"):
        engine.decompress(Coded(coded.index, coded.payload[:0]), values.size, coding)
    if "apack" in engine.capabilities.codecs:
        apack = coding_for(engine, "apack", values)
        with pytest.raises(DeviceError, match="coders"):
            engine.compress(values, replace(apack, coders=apack.coders - 1))

    with engine.compress_job(1000, coding) as job:
        with pytest.raises(InputError, match="1000 values, got 999"):
            job.load_values(values[:-1])
        with pytest.raises(InputError, match="to compress"):
            job.load_coded(coded)
        with pytest.raises(DeviceError, match="not started"):
            job.wait()


def test_driver_checks_buffers(engine: Engine, device: PoolDevice) -> None:
    coding = coding_for(engine, "zvc", np.zeros(1, np.uint8))
    with device.allocate(65536) as whole:
        raw, index, payload = BufferPart(whole, 0, 1000), BufferPart(whole, 1024, 32), BufferPart(whole, 2048, 1000)
        engine.compress_job(1000, coding, raw=raw, index=index, payload=payload).close()
        for bad, match in (
            ({"raw": BufferPart(whole, 4, 1000)}, "raw buffer is at .* multiples of 8"),
            ({"index": BufferPart(whole, 1028, 32)}, "index buffer is at .* multiples of 8"),
            ({"payload": BufferPart(whole, 2048, 992)}, "payload buffer has 992 bytes"),
            ({"index": BufferPart(whole, 1024, 24)}, "index buffer has 24 bytes"),
            ({"raw": BufferPart(whole, 0, 999)}, "raw buffer has 999 bytes"),
            ({"index": BufferPart(whole, 992, 32)}, "overlaps"),
            ({"payload": BufferPart(whole, 1048, 1000)}, "overlaps"),
            ({"payload": BufferPart(whole, 0, 1000)}, "overlaps"),
        ):
            with pytest.raises(InputError, match=match):
                engine.compress_job(1000, coding, **{"raw": raw, "index": index, "payload": payload, **bad})  # type: ignore[arg-type]
        with pytest.raises(InputError, match="no buffer for the raw image"):
            engine.compress_job(1000, coding, source="stream", raw=raw)
    leaks = device.memory.leaks
    assert not leaks


def test_every_codec_is_known(engine: Engine) -> None:
    """CAPABILITIES names raw and at least one coder, and the missing ones are refused by name."""
    assert codecs_of(engine)[0] == "raw"
    assert len(codecs_of(engine)) >= 2
    values = sparse_values(300)
    for codec in set(CODECS) - set(engine.capabilities.codecs):
        with pytest.raises(DeviceError, match=rf"{codec}.*not built in"):
            engine.compress(values, coding_for(engine, codec, values))
