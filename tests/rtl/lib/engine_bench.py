# SPDX-License-Identifier: Apache-2.0
"""Drives a whole engine in cocotb: registers, memory behind its AXI port, stream ports; runs jobs and compares with the software model."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from cocotb.triggers import RisingEdge
from tensorpress.codecs import CODEC_NUMBERS, Coded, Coding, encode, raw_image
from tensorpress.registers import ERRORS, REG

from lib.axi import AxiMemory, Region
from lib.clock import start, wait_cycles
from lib.streams import StreamSink, StreamSource

RAW, INDEX, PAYLOAD, QUEUE = 0x1000_0000, 0x1100_0000, 0x1200_0000, 0x1300_0000
_APART = 0x1_0000  # bytes from a queued job's region to the next one's


class QueuedJob:
    """One job of a queue, from DDR to DDR; see :meth:`EngineBench.queued`."""

    def __init__(self, memory: AxiMemory, number: int, values: np.ndarray, coding: Coding, decompress: bool) -> None:
        self.memory, self.number, self.coding, self.decompress, self.count = memory, number, coding, decompress, len(values)
        coded = encode(values, coding, implementation="reference")
        self.image = raw_image(values, 8).tobytes()
        self.index, self.payload = coded.index.astype("<u8").tobytes(), coded.payload.astype("<u8").tobytes()
        self.at = [base + number * _APART for base in (RAW, INDEX, PAYLOAD)]
        # the first word of the last block
        last = 8 * (int(coded.index[-1]) & 0xFFFF_FFFF) if decompress else (len(coded.index) - 1) * coding.block_values
        self.last_read = self.at[2 if decompress else 0] + last
        self.load()

    def load(self) -> None:
        """Put what the job reads into memory, and noise where it writes."""
        for address, data, coded in zip(self.at, (self.image, self.index, self.payload), (False, True, True), strict=True):
            self.memory.write(address, data if coded == self.decompress else b"\xa5" * len(data))

    def descriptor(self, last: bool) -> bytes:
        """Its 64 bytes in memory."""
        config = CODEC_NUMBERS[self.coding.codec] | self.decompress << 4 | self.coding.signed << 6 | self.coding.zero << 8
        follow = 0 if last else QUEUE + 64 * (self.number + 1)
        words = [config, follow, self.count, self.coding.block_values, *self.at, len(self.payload) // 8, *[0] * 8]
        return np.array(words, "<u4").tobytes()

    def check(self, good: bool) -> None:
        """What it wrote, and its status."""
        status = self.memory.read(QUEUE + 64 * self.number + 40, 4)
        assert status[:2] == (b"\x01\x00" if good else b"\x01\x01"), self.number
        if good:
            for address, data in zip(self.at, (self.image, self.index, self.payload), strict=True):
                assert self.memory.read(address, len(data)) == data, self.number


class EngineBench:
    """One engine with a memory, see the module's docstring. Make it, then await :meth:`start`.

    The number of its memory ports is the environment variable ``MEMORY_PORTS``, by default 1; :attr:`ports` are the memory's sides of them.
    """

    def __init__(self, dut: Any, *, profile: str = "none", seed: int = 0, latency: tuple[int, int] = (20, 20)) -> None:
        self.dut = dut
        self.memory = AxiMemory(dut, "m_axi", latency=latency, profile=profile, seed=seed)
        self.ports = [self.memory]
        if os.environ.get("MEMORY_PORTS") == "2":
            self.ports.append(AxiMemory(dut, "m1_axi", latency=latency, profile=profile, seed=seed, behind=self.memory))
        self.stream_bytes = len(dut.m_axis_raw_tkeep)
        self.source = StreamSource(dut, "s_axis_raw", payload=("data", "keep", "last"), profile=profile, seed=seed)
        self.sink = StreamSink(dut, "m_axis_raw", payload=("data", "keep", "last"), profile=profile, seed=seed)

    async def start(self) -> None:
        names = ["awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arprot", "arvalid", "rready"]
        await start(self.dut, **{f"s_axi_{name}": 0 for name in names})

    async def write(self, name: str, value: int) -> None:
        """Write a register."""
        dut = self.dut
        dut.s_axi_awaddr.value = REG[name].offset
        dut.s_axi_wdata.value = value
        dut.s_axi_wstrb.value = 15
        dut.s_axi_awvalid.value = dut.s_axi_wvalid.value = dut.s_axi_bready.value = 1
        waiting = {"aw", "w", "b"}
        for _ in range(1000):
            if not waiting:
                break
            await RisingEdge(dut.aclk)
            for channel in sorted(waiting):
                if int(getattr(dut, f"s_axi_{channel}valid").value) and int(getattr(dut, f"s_axi_{channel}ready").value):
                    waiting.discard(channel)
                    getattr(dut, f"s_axi_{channel}{'ready' if channel == 'b' else 'valid'}").value = 0
        assert not waiting, f"register write of {name}: no answer on {waiting}"
        assert int(dut.s_axi_bresp.value) == 0

    async def read(self, name: str) -> int:
        """Read a register."""
        dut = self.dut
        dut.s_axi_araddr.value = REG[name].offset
        dut.s_axi_arvalid.value = dut.s_axi_rready.value = 1
        for _ in range(1000):
            await RisingEdge(dut.aclk)
            if int(dut.s_axi_arvalid.value) and int(dut.s_axi_arready.value):
                dut.s_axi_arvalid.value = 0
            if int(dut.s_axi_rvalid.value) and int(dut.s_axi_rready.value):
                dut.s_axi_rready.value = 0
                assert int(dut.s_axi_rresp.value) == 0
                return int(dut.s_axi_rdata.value)
        raise AssertionError(f"register read of {name}: no answer")

    async def job(
        self, coding: Coding, *, values: int, decompress: bool, stream: bool, payload_words: int, timeout: int = 60_000, **more: int
    ) -> str:
        """Run a job; returns the name of its error code, with ERROR_BLOCK in ``self.error_block``."""
        config = CODEC_NUMBERS[coding.codec] | decompress << 4 | stream << 5 | coding.signed << 6 | coding.zero << 8
        registers = {
            "JOB_CONFIG": config,
            "JOB_VALUES": values,
            "JOB_BLOCK_VALUES": coding.block_values,
            "JOB_RAW_ADDRESS": RAW,
            "JOB_INDEX_ADDRESS": INDEX,
            "JOB_PAYLOAD_ADDRESS": PAYLOAD,
            "JOB_PAYLOAD_WORDS": payload_words,
            "IRQ_ENABLE": 1,
            **more,
        }
        for name, value in registers.items():
            await self.write(name, value)
        await self.write("CONTROL", 1)
        await self.wait(timeout)
        return await self.status()

    def queued(self, number: int, values: np.ndarray, coding: Coding, *, decompress: bool) -> QueuedJob:
        """Prepare job `number` of a queue."""
        return QueuedJob(self.memory, number, values, coding, decompress)

    async def run_queue(self, jobs: list[QueuedJob]) -> str:
        """Run the jobs; returns the name of the error code, with ERROR_BLOCK in ``self.error_block``."""
        for job in jobs:
            self.memory.write(QUEUE + 64 * job.number, job.descriptor(job is jobs[-1]))
        self.memory.checker.regions = []
        await self.write("QUEUE_ADDRESS", QUEUE)
        await self.write("IRQ_ENABLE", 1)
        await self.write("CONTROL", 4)
        await self.wait()
        return await self.status()

    async def wait(self, timeout: int = 60_000) -> None:
        """Wait for the interrupt."""
        for _ in range(timeout):
            if int(self.dut.irq.value):
                return
            await RisingEdge(self.dut.aclk)
        raise AssertionError(f"no interrupt within {timeout} cycles, STATUS = {await self.read('STATUS'):#x}")

    async def status(self) -> str:
        """Acknowledge the interrupt and return the error of the job that ended."""
        await self.write("IRQ_STATUS", 1)
        await wait_cycles(self.dut, 4)
        assert not int(self.dut.irq.value)
        status = await self.read("STATUS")
        assert status & 1 == 0 and status & 2, "done and not busy"
        code = status >> 16 & 0xFF
        assert bool(status & 0x100) == bool(code)
        self.error_block = await self.read("ERROR_BLOCK")
        return ERRORS[code][0]

    async def compress(self, values: np.ndarray, coding: Coding, *, stream: bool = False) -> Coded:
        """Compress `values` and compare index and payload with the model, byte for byte, and the memory around them with what was there."""
        expected = encode(values, coding, implementation="reference")
        image = raw_image(values, 8).tobytes()
        capacity = (len(values) + 7) // 8 + len(expected.index)
        index_bytes, payload_bytes = 8 * len(expected.index), 8 * len(expected.payload)
        self.memory.write(INDEX - 64, b"\xa5" * (index_bytes + 128))
        self.memory.write(PAYLOAD - 64, b"\xa5" * (payload_bytes + 128))
        self.memory.write(RAW, image)
        self.memory.checker.regions = [
            Region(RAW, RAW + (len(image) + 7 & ~7), write=False),
            Region(INDEX, INDEX + index_bytes, read=False),
            Region(PAYLOAD, PAYLOAD + 8 * capacity, read=False),
        ]
        if stream:
            self.source.send(self.beats(image))
        error = await self.job(coding, values=len(values), decompress=False, stream=stream, payload_words=capacity)
        assert error == "NONE", f"{error} at block {self.error_block}"
        assert self.memory.read(INDEX - 64, index_bytes + 128) == b"\xa5" * 64 + expected.index.astype("<u8").tobytes() + b"\xa5" * 64
        assert self.memory.read(PAYLOAD - 64, payload_bytes + 128) == b"\xa5" * 64 + expected.payload.astype("<u8").tobytes() + b"\xa5" * 64
        assert await self.read("RESULT_BLOCKS") == len(expected.index)
        assert await self.read("RESULT_PAYLOAD_WORDS") == len(expected.payload)
        assert await self.read("RESULT_RAW_BLOCKS") == expected.raw_blocks
        return expected

    async def decompress(self, coded: Coded, values: np.ndarray, coding: Coding, *, stream: bool = False) -> None:
        """Decompress `coded` and compare with `values`."""
        image = raw_image(values, 8).tobytes()
        self.load(coded)
        self.memory.write(RAW - 64, b"\x5a" * (len(image) + 128))
        self.memory.checker.regions = [
            Region(RAW, RAW + (len(image) + 7 & ~7), read=False),  # whole words; the strobes keep the bytes behind
            Region(INDEX, INDEX + 8 * len(coded.index), write=False),
            Region(PAYLOAD, PAYLOAD + 8 * len(coded.payload), write=False),
        ]
        error = await self.job(coding, values=len(values), decompress=True, stream=stream, payload_words=len(coded.payload))
        assert error == "NONE", f"{error} at block {self.error_block}"
        if stream:
            expected = self.beats(image, self.stream_bytes)
            received = await self.sink.receive(len(expected))
            for beat in received:  # bytes without TKEEP mean nothing
                beat["data"] &= (1 << 8 * beat["keep"].bit_count()) - 1
            assert received == expected
            await self.sink.expect_silence()
            image = b"\x5a" * len(image)
        assert self.memory.read(RAW - 64, len(image) + 128) == b"\x5a" * 64 + image + b"\x5a" * 64
        assert await self.read("RESULT_BLOCKS") == len(coded.index)
        assert await self.read("RESULT_PAYLOAD_WORDS") == len(coded.payload)
        assert await self.read("RESULT_RAW_BLOCKS") == coded.raw_blocks

    def load(self, coded: Coded) -> None:
        """Put index and payload into memory."""
        self.memory.write(INDEX, coded.index.astype("<u8").tobytes())
        self.memory.write(PAYLOAD, coded.payload.astype("<u8").tobytes())

    @staticmethod
    def beats(image: bytes, width: int = 8) -> list[dict[str, int]]:
        """The stream beats of a raw image, `width` bytes each."""
        beats = []
        for offset in range(0, len(image), width):
            part = image[offset : offset + width]
            beats.append({"data": int.from_bytes(part, "little"), "keep": (1 << len(part)) - 1, "last": int(offset + width >= len(image))})
        return beats

    @property
    def quiet(self) -> bool:
        """No burst is unfinished at any memory port."""
        return all(port.checker.idle for port in self.ports)

    async def forget(self) -> None:
        """Wait until the memory is idle, then forget faults and counts."""
        for port in self.ports:
            await port.wait_idle()
        for port in self.ports:
            port.clear()

    async def settle(self, cycles: int = 60) -> None:
        """Let things that should not happen happen."""
        await wait_cycles(self.dut, cycles)
