# SPDX-License-Identifier: Apache-2.0
"""A queue of jobs that the engine works through by itself: descriptors in memory, each with the job, its table's address, and its status.

Made by :meth:`tensorpress.engine.Engine.enqueue`. The layout of a descriptor is in ``docs/ARCHITECTURE.md``, "The job queue".
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tensorpress.errors import DeviceError, InputError, JobError
from tensorpress.registers import ERRORS, REG

if TYPE_CHECKING:
    from typing_extensions import Self

    from tensorpress.device.base import Buffer
    from tensorpress.engine import Engine, Job, Result
    from tensorpress.tables import Table

DESCRIPTOR_BYTES = 64
TABLE_BYTES = 64
JOB_WORDS = 5
"""Words of a descriptor that the engine reads."""
STATUS_WORD = 5
"""First of the three words that the engine writes."""
INTERRUPT = 1 << 16
"""Bit of a descriptor's configuration: the job's end raises IRQ_STATUS.JOB."""

_CONTROL = REG["CONTROL"]


@dataclass(frozen=True)
class JobStatus:
    """What the engine wrote into a job's descriptor.

    Attributes
    ----------
    ended : bool
        The job has ended, well or not. False: it was not reached, and nothing was written for it but what lies before the error's end.
    code : int
        Error code; 0 is well.
    name : str
        Name of the code.
    block : int
        Block of the error.
    blocks, payload_words, raw_blocks : int
        As in :class:`~tensorpress.engine.Result`.
    end_cycle : int
        Cycles from the start of the queue to the end of this job.
    """

    ended: bool
    code: int
    name: str
    block: int
    blocks: int
    payload_words: int
    raw_blocks: int
    end_cycle: int

    @property
    def ok(self) -> bool:
        """The job has ended well."""
        return self.ended and self.code == 0


class JobQueue:
    """Prepared jobs in the order in which they run; see the module's text.

    It frees its descriptors and tables when closed; the jobs stay the caller's.

    Attributes
    ----------
    jobs : tuple of Job
        The jobs.
    """

    def __init__(self, engine: Engine, jobs: Sequence[Job], *, interrupt_each: bool = False) -> None:
        if not jobs:
            raise InputError("a queue needs at least one job")
        if any(job.engine is not engine for job in jobs):
            raise InputError("a job of another engine cannot be queued")
        self.engine, self.jobs = engine, tuple(jobs)
        self._closed = False
        self._began = self._seconds = 0.0
        tables: dict[Table, int] = {}
        for job in self.jobs:
            if job.coding.table is not None:
                engine.check_table(job.coding.table)
                tables.setdefault(job.coding.table, len(tables))
        self._table_start = DESCRIPTOR_BYTES * len(self.jobs)
        self.buffer: Buffer = engine.device.allocate(self._table_start + TABLE_BYTES * len(tables), DESCRIPTOR_BYTES)
        words = self.buffer.array.view(np.uint32)
        words[:] = 0
        for number, job in enumerate(self.jobs):
            table = self._table_start + TABLE_BYTES * tables[job.coding.table] if job.coding.table is not None else None
            descriptor = [
                job.config | INTERRUPT * interrupt_each,
                self.address(number + 1) if number + 1 < len(self.jobs) else 0,
                job.count,
                job.coding.block_values,
                job.raw.address if job.raw is not None else 0,
                job.index.address,
                job.payload.address,
                job.payload_words,
                0 if table is None else self.buffer.address + table,
                0,
            ]
            words[16 * number : 16 * number + len(descriptor)] = descriptor
        for table_, number in tables.items():
            start = (self._table_start + TABLE_BYTES * number) // 4
            words[start : start + 16] = engine.table_words(table_)

    def address(self, number: int) -> int:
        """Return the address of a job's descriptor."""
        return self.buffer.address + DESCRIPTOR_BYTES * number

    def start(self) -> None:
        """Start the queue; returns at once.

        Raises
        ------
        DeviceError
            The queue or one of its jobs is closed, or the engine is busy.
        """
        if self._closed or any(job.closed for job in self.jobs):
            raise DeviceError("the queue, or one of its jobs, is closed")
        engine = self.engine
        engine._claim(self)
        for number in range(len(self.jobs)):
            first = DESCRIPTOR_BYTES * number + 8 * STATUS_WORD
            self.buffer.array[first : DESCRIPTOR_BYTES * (number + 1)] = 0
        self.buffer.sync_to_device()
        reads = [(self.buffer.address, self.buffer.address + self.buffer.nbytes)]
        writes = [(self.address(number) + 8 * STATUS_WORD, self.address(number + 1)) for number in range(len(self.jobs))]
        for job in self.jobs:
            of_job = job.windows()
            reads += of_job[0]
            writes += of_job[1]
        engine.device.set_windows(reads, writes)
        engine.write("QUEUE_ADDRESS", self.buffer.address)
        engine.write("IRQ_STATUS", 3)
        engine.write("IRQ_ENABLE", 1)
        self._began = time.perf_counter()
        engine.write("CONTROL", _CONTROL.pack(START_QUEUE=1))

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end of the queue; the parameter is that of :meth:`Job.wait`.

        Raises
        ------
        JobError
            A job ended with an error, which ended the queue; `job` of the error is its number.
        DeviceTimeoutError
            The queue did not end in time. It still runs: :meth:`Engine.reset` stops it.
        """
        self.engine._wait(self, timeout)
        self._seconds = time.perf_counter() - self._began
        self.engine._finish(self)

    def abort(self) -> bool:
        """Stop the queue and wait until the engine is idle; see :meth:`Job.abort`."""
        return self.engine._abort(self)

    def statuses(self) -> list[JobStatus]:
        """Read the status of each job; call it at any time."""
        self.buffer.sync_from_device()
        words = self.buffer.array.view(np.uint32)
        result = []
        for number in range(len(self.jobs)):
            status, block, blocks, payload_words, raw_blocks, cycle = (int(word) for word in words[16 * number + 10 : 16 * number + 16])
            code = status >> 16 & 0xFF
            name = ERRORS.get(code, (f"code {code}", ""))[0]
            result.append(JobStatus(bool(status & 1), code, name, block, blocks, payload_words, raw_blocks, cycle))
        return result

    def results(self) -> list[Result]:
        """Fetch what the jobs gave; call it after a :meth:`wait` that ended well. Their cycles sum to those of the queue."""
        counters, statuses, found, before = self.engine.counters(), self.statuses(), [], 0
        for job, status in zip(self.jobs, statuses, strict=True):
            if not status.ok:
                raise DeviceError(f"the engine reports success, but a descriptor says {status}", status=self.engine.status())
            cycles = status.end_cycle - before
            before = status.end_cycle
            found.append(job.result_of(status.blocks, status.payload_words, status.raw_blocks, counters, cycles, self._seconds))
        return found

    def failed(self, code: int) -> JobError:
        """Make the error of a queue that ended with a code, from its descriptors and the registers."""
        at = (self.engine.read("QUEUE_DESCRIPTOR") - self.buffer.address) // DESCRIPTOR_BYTES
        name, meaning = ERRORS.get(code, (f"code {code}", "unknown to this driver"))
        status = self.engine.status()
        return JobError(code, name, self.engine.read("ERROR_BLOCK"), meaning, status=status, job=at)

    @property
    def streams(self) -> bool:
        """A job has its raw side at a stream port."""
        return any(job.endpoint == "stream" for job in self.jobs)

    def describe(self) -> str:
        """Name the queue for a message."""
        return f"queue of {len(self.jobs)} jobs"

    def close(self) -> None:
        """Free descriptors and tables; a queue that still runs is stopped first."""
        if self._closed:
            return
        self._closed = True
        try:
            if self.engine._running is self:
                self.engine.reset()
        finally:
            self.buffer.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


__all__ = ["DESCRIPTOR_BYTES", "JobQueue", "JobStatus"]
