# SPDX-License-Identifier: Apache-2.0
"""Queues of jobs: every job's bytes and status, faults and aborts in mid-queue, and no time lost between jobs."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from cases import Values, assert_same_image, assert_same_values, codecs_of, coding_for, mixed_values, sparse_values
from tensorpress.codecs import Coded, encode
from tensorpress.device.verilated import HEAVY_STALLS, LIGHT_STALLS, LONG_STALLS, NO_STALLS, Timing, VerilatedDevice
from tensorpress.engine import Engine, Job
from tensorpress.errors import DeviceError, InputError, JobError
from tensorpress.job_queue import JobQueue

CONFIG, NEXT, VALUES, TABLE = 0, 1, 2, 8
"""Words of a descriptor, 32 bits each."""


@dataclass
class Item:
    """One job of a queue, and what it must give."""

    job: Job
    values: Values
    coded: Coded

    def check(self) -> None:
        """The job's bytes are in memory (a stream's are checked where they are received)."""
        if self.job.direction == "compress":
            self.job.index.sync_from_device()
            self.job.payload.sync_from_device()
            for buffer, words in ((self.job.index, self.coded.index), (self.job.payload, self.coded.payload)):
                np.testing.assert_array_equal(buffer.array[: 8 * len(words)].view(np.uint64), words)
        elif self.job.raw is not None:
            self.job.raw.sync_from_device()
            assert_same_values(self.job.raw.array[: self.job.count], self.values)


def item(
    engine: Engine, codec: str, way: str, count: int, *, seed: int = 1, block: int = 256, endpoint: str = "ddr", room: int | None = None
) -> Item:
    """Prepare one job with its data in place."""
    values = sparse_values(count, seed) if seed % 2 else mixed_values(count, seed)
    coding = coding_for(engine, codec, values, block=block)
    coded = encode(values, coding)
    if way == "compress":
        job = engine.compress_job(count, coding, source=endpoint, payload_words=room)  # type: ignore[arg-type]
        job.load_values(values)
    else:
        job = engine.decompress_job(count, coding, len(coded.payload), sink=endpoint)  # type: ignore[arg-type]
        job.load_coded(coded)
    return Item(job, values, coded)


def some_items(engine: Engine, number: int, seed: int) -> list[Item]:
    """Jobs of every kind in a random order."""
    rng, items = random.Random(seed), []
    for place in range(number):
        way = rng.choice(("compress", "decompress"))
        codec = rng.choice(engine.capabilities.codecs_of(way))  # type: ignore[arg-type]
        count = rng.choice((1, 9, 100, 256, 257, 1000, rng.randrange(1, 9000)))
        endpoint = rng.choice(("ddr", "ddr", "stream"))
        items.append(item(engine, codec, way, count, seed=100 * seed + place, block=rng.choice((128, 256, 512)), endpoint=endpoint))
    return items


def run(engine: Engine, items: list[Item]) -> None:
    """Run the queue, compare every result, close the jobs."""
    with ExitStack() as stack:
        for one in items:
            stack.callback(one.job.close)
        results = engine.run_chain([one.job for one in items])
        assert len(results) == len(items)
        for one, result in zip(items, results, strict=True):
            if one.job.direction == "compress":
                assert_same_image(result.coded, one.coded)
            else:
                assert_same_values(result.values, one.values)
            assert (result.blocks, result.payload_words, result.raw_blocks) == (
                one.job.blocks,
                len(one.coded.payload),
                one.coded.raw_blocks,
            )
        assert engine.read("QUEUE_JOBS") == len(items) and not engine.busy
        if results[0].cycles is not None:
            counters = engine.counters()
            assert 0 <= counters["COUNT_CYCLES"] - sum(result.cycles or 0 for result in results) < 2000, "the last status"
            states = [counters[f"COUNT_LANE_{name}"] for name in ("BUSY", "STARVED", "BLOCKED", "IDLE")]
            assert sum(states) == engine.capabilities.lanes * counters["COUNT_CYCLES"]


@pytest.mark.parametrize("number", [1, 2, 7, 40])
def test_jobs_of_every_kind(engine, number):
    run(engine, some_items(engine, number, seed=number))
    run(engine, some_items(engine, 2, seed=1))


@pytest.mark.parametrize("stalls", [LIGHT_STALLS, HEAVY_STALLS, LONG_STALLS], ids=["light", "heavy", "long"])
def test_pauses_on_every_bus(rtl, rtl_engine, stalls):
    rtl.configure(Timing(stalls=stalls))
    run(rtl_engine, some_items(rtl_engine, 14, seed=5))


def test_tables_change_from_job_to_job(engine):
    if "apack" not in codecs_of(engine):
        pytest.skip("no apack")
    run(engine, [item(engine, "apack", ("compress", "decompress")[n % 2], 700 + n, seed=n) for n in range(36)])


def test_a_queue_is_checked_before_it_starts(engine):
    with pytest.raises(InputError, match="at least one"):
        engine.enqueue([])
    one = item(engine, "zvc", "compress", 300)
    with engine.enqueue([one.job]) as queue:
        one.job.close()
        with pytest.raises(DeviceError, match="closed"):
            queue.start()


def test_each_end_may_raise_the_interrupt(engine):
    items = [item(engine, "zvc", "compress", 300, seed=n) for n in range(3)]
    for each in (False, True):
        with engine.enqueue([one.job for one in items], interrupt_each=each) as queue:
            queue.start()
            assert engine.device.wait(30.0, cycles=100_000)
            assert engine.read("IRQ_STATUS") == (3 if each else 1)
            queue.wait()
            assert all(status.ok for status in queue.statuses())
    for one in items:
        one.job.close()


# ---- errors


def word(queue: JobQueue, number: int, place: int) -> np.ndarray:
    """View one word of a descriptor."""
    return queue.buffer.array.view(np.uint32)[16 * number + place : 16 * number + place + 1]


def spoil_entry(queue: JobQueue, number: int) -> None:
    """Make the index entry of block 2 malformed."""
    index = queue.jobs[number].index
    index.array[16:24] = 0
    index.sync_to_device()


def spoil_payload_size(queue: JobQueue, number: int) -> None:
    """Take away words of the last block."""
    word(queue, number, 7)[:] -= 1


def spoil_length(queue: JobQueue, number: int) -> None:
    """No values."""
    word(queue, number, VALUES)[:] = 0


def spoil_codec(queue: JobQueue, number: int) -> None:
    """A codec that does not exist."""
    word(queue, number, CONFIG)[:] |= 15


def spoil_table(queue: JobQueue, number: int) -> None:
    """A row that does not rise."""
    place = (int(word(queue, number, TABLE)[0]) - queue.buffer.address) // 4
    table = queue.buffer.array.view(np.uint32)[place : place + 16]
    table[5] = table[4]


FAULTS: dict[str, tuple[str, str, Callable[[JobQueue, int], None]]] = {
    "INDEX_MALFORMED": ("zvc", "decompress", spoil_entry),
    "INDEX_OUT_OF_BOUNDS": ("zvc", "decompress", spoil_payload_size),
    "PAYLOAD_FULL": ("zvc", "compress", lambda queue, number: None),
    "BAD_LENGTH": ("raw", "compress", spoil_length),
    "UNSUPPORTED_CODEC": ("raw", "decompress", spoil_codec),
    "BAD_TABLE": ("apack", "decompress", spoil_table),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_fault_leaves_a_status_for_every_job(engine, name, place):
    codec, way, spoil = FAULTS[name]
    if codec not in codecs_of(engine):
        pytest.skip(f"no {codec}")
    items = [item(engine, "zvc", ("compress", "decompress")[n % 2], 600 + 300 * n, seed=n) for n in range(6)]
    items[place].job.close()
    items[place] = item(engine, codec, way, 2100, seed=8, room=70 if name == "PAYLOAD_FULL" else None)
    with engine.enqueue([one.job for one in items]) as queue:
        spoil(queue, place)
        queue.start()
        with pytest.raises(JobError, match=f"job {place} of the queue") as caught:
            queue.wait()
        assert (caught.value.name, caught.value.job) == (name, place)
        statuses = queue.statuses()
        assert [status.ended for status in statuses] == [True] * (place + 1) + [False] * (5 - place)
        assert all(status.ok for status in statuses[:place])
        assert (statuses[place].name, statuses[place].block) == (name, caught.value.block)
    for one in items[:place]:
        one.check()
    for one in items:
        one.job.close()
    run(engine, some_items(engine, 3, seed=2))


def test_a_descriptor_out_of_place_is_named(engine):
    items = [item(engine, "zvc", "compress", 600, seed=n) for n in range(3)]
    with engine.enqueue([one.job for one in items]) as queue:
        word(queue, 1, NEXT)[:] += 8
        queue.start()
        with pytest.raises(JobError, match="BAD_DESCRIPTOR"):
            queue.wait()
        assert [status.ok for status in queue.statuses()] == [True, True, False]
    for one in items:
        one.job.close()


@pytest.mark.parametrize("kind", ["read", "second_port_read", "write"])
def test_an_error_response_hits_one_job(rtl: VerilatedDevice, rtl_engine: Engine, kind):
    """All jobs before it are whole, none after it has a status."""
    ports = rtl_engine.capabilities.memory_ports
    if kind == "second_port_read" and ports == 1:
        pytest.skip("there is no second memory port")
    places = {"read": range(0, 480 // ports, 37 // ports), "second_port_read": range(0, 180, 15), "write": range(0, 36, 5)}[kind]
    fail = {"read": rtl.fail_reads, "second_port_read": partial(rtl.fail_reads, port=1), "write": rtl.fail_writes}[kind]
    hit = set()
    for at in places:
        items = [item(rtl_engine, "zvc", ("decompress", "compress")[n % 2], 500 + 200 * n, seed=n) for n in range(5)]
        with rtl_engine.enqueue([one.job for one in items]) as queue:
            fail(at)
            queue.start()
            with pytest.raises(JobError, match="WRITE_RESPONSE" if kind == "write" else "READ_RESPONSE") as caught:
                queue.wait()
            number = caught.value.job
            assert number is not None
            statuses = queue.statuses()
            assert all(status.ok for status in statuses[:number]) and not any(status.ended for status in statuses[number + 1 :])
            # where the error is that of the descriptor or of its status, nothing is written there
            assert statuses[number].code in (0, caught.value.code)
            for one in items[:number]:
                one.check()
            hit.add(number)
        for one in items:
            one.job.close()
        fail(0, 0)
    assert len(hit) >= 3, "the errors met different jobs"


def test_an_abort_leaves_a_status_for_every_job(rtl: VerilatedDevice, rtl_engine: Engine):
    ended = set()
    for delay in range(0, 2600, 200):
        items = [item(rtl_engine, "zvc", ("decompress", "compress")[n % 2], 900 + 200 * n, seed=n) for n in range(5)]
        with rtl_engine.enqueue([one.job for one in items]) as queue:
            queue.start()
            rtl.run(delay + 1)
            stopped = queue.abort()
            statuses = queue.statuses()
        good = [status.ok for status in statuses]
        number = sum(good)
        assert good == [True] * number + [False] * (5 - number)
        assert stopped == (number < 5)
        if number < 5:  # an abort between two jobs has met none
            assert statuses[number].name in ("ABORTED", "NONE") and not any(status.ended for status in statuses[number + 1 :])
        for one in items[:number]:
            one.check()
        for one in items:
            one.job.close()
        ended.add(number)
    assert {0, 5} < ended, "the aborts met different jobs"
    run(rtl_engine, some_items(rtl_engine, 3, seed=3))


# ---- time


def test_no_time_is_lost_between_jobs(rtl: VerilatedDevice, rtl_engine: Engine):
    """A queue of small tensors against the same values in one job of a queue; ideal memory, latency 40, 4 bursts outstanding."""
    rtl.configure(Timing(stalls=NO_STALLS))
    for codec in [codec for codec in ("apack", "zvc") if codec in codecs_of(rtl_engine)]:
        for way in ("compress", "decompress"):
            cycles = {}
            for number, count in ((2, 1 << 17), (16, 1 << 14), (32, 1 << 12)):
                items = [item(rtl_engine, codec, way, count, seed=1, block=4096) for _ in range(number)]
                results = rtl_engine.run_chain([one.job for one in items])
                cycles[count] = sum(result.cycles or 0 for result in results) / (number * count)
                for one in items:
                    one.job.close()
            assert cycles[1 << 17] / cycles[1 << 14] >= 0.88, f"{codec}, {way}: {cycles}"
            assert cycles[1 << 17] / cycles[1 << 12] >= 0.6, f"{codec}, {way}: {cycles}"
