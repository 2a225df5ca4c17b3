# SPDX-License-Identifier: Apache-2.0
"""csr: every register over AXI4-Lite, all orders and pauses of the channels, commands, status, interrupt, table window."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib import clock
from lib.axi_names import AxiNames
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource
from tensorpress.registers import COUNTERS, ID, REG, VERSION, WINDOWS, ErrorCode

OKAY, SLVERR = 0, 2
PARAMETERS = {
    "ENCODE_LANES": 3,
    "DECODE_LANES": 5,
    "BLOCK_BYTES": 2048,
    "ENCODE_CODECS": 3,
    "DECODE_CODECS": 9,
    "STREAM_BYTES": 16,
    "MEMORY_PORTS": 2,
    "APACK_CODERS": 12,
}
STATE_INPUTS = ("status_busy", "status_done", "status_error_code", "status_error_block", "status_job")
RESULTS = {
    name: name.lower() for name in (*COUNTERS, *(name for name in REG if name.startswith("RESULT_")), "QUEUE_JOBS", "QUEUE_DESCRIPTOR")
}
JOB_OUTPUTS = {
    "JOB_VALUES": "job_values",
    "JOB_RAW_ADDRESS": "job_raw_address",
    "JOB_INDEX_ADDRESS": "job_index_address",
    "JOB_PAYLOAD_ADDRESS": "job_payload_address",
    "JOB_PAYLOAD_WORDS": "job_payload_words",
    "QUEUE_ADDRESS": "queue_address",
}
TABLE = WINDOWS["TABLE"].offset


def writable_mask(name: str) -> int:
    """Bits of a rw register that hold what was written."""
    fields = REG[name].fields
    return sum(part.mask for part in fields.values()) if fields else 0xFFFFFFFF


class Bus:
    """AXI4-Lite master made of stream drivers, so that every channel pauses on its own; and watchers of the pulses."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        ports = AxiNames(dut)
        self.aw = StreamSource(ports, "s_axi_aw", payload=("addr", "prot"))
        self.w = StreamSource(ports, "s_axi_w", payload=("data", "strb"))
        self.ar = StreamSource(ports, "s_axi_ar", payload=("addr", "prot"))
        self.b = StreamSink(ports, "s_axi_b", payload=("resp",))
        self.r = StreamSink(ports, "s_axi_r", payload=("data", "resp"))
        self.pulses: dict[str, int] = {"job_start": 0, "job_start_queue": 0, "job_abort": 0}
        self.table: list[tuple[int, int]] = []

    async def begin(self) -> None:
        cocotb.start_soon(self._watch())
        await clock.start(self.dut, **dict.fromkeys((*STATE_INPUTS, *RESULTS.values()), 0))

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut.rst.value):
                continue
            for name in self.pulses:
                self.pulses[name] += int(getattr(self.dut, name).value)
            if int(self.dut.table_valid.value):
                self.table.append((int(self.dut.table_address.value), int(self.dut.table_data.value)))

    def set_profile(self, profile: str, seed: int) -> None:
        for port in (self.aw, self.w, self.ar, self.b, self.r):
            port.set_profile(profile, f"{port.prefix}{seed}")

    async def write(self, address: int, data: int, strb: int = 15, *, aw_first: int = 0) -> int:
        """Write a word; AW is given `aw_first` cycles before W (negative: after). Returns the response."""
        if aw_first < 0:
            self.w.send({"data": data, "strb": strb})
            await clock.wait_cycles(self.dut, -aw_first)
        self.aw.send({"addr": address, "prot": 0})
        if aw_first >= 0:
            if aw_first:
                await clock.wait_cycles(self.dut, aw_first)
            self.w.send({"data": data, "strb": strb})
        return (await self.b.receive(1, timeout=2000))[0]

    async def read(self, address: int) -> tuple[int, int]:
        """Read a word: data, response."""
        self.ar.send({"addr": address, "prot": 0})
        beat = (await self.r.receive(1, timeout=2000))[0]
        return beat["data"], beat["resp"]

    async def value(self, name: str) -> int:
        data, response = await self.read(REG[name].offset)
        assert response == OKAY, f"{name}: response {response}"
        return data

    async def store(self, name: str, data: int) -> None:
        assert await self.write(REG[name].offset, data) == OKAY, name

    async def end_job(self, code: int = 0, block: int = 0) -> None:
        """What the engine does at the end of a job."""
        self.dut.status_done.value, self.dut.status_error_code.value, self.dut.status_error_block.value = 1, code, block
        await RisingEdge(self.dut.clk)
        self.dut.status_done.value, self.dut.status_busy.value = 0, 0
        self.dut.status_error_code.value, self.dut.status_error_block.value = 0x5A, 0x12345678
        await clock.wait_cycles(self.dut, 2)


@cocotb.test()
async def values_after_reset(dut: Any) -> None:
    """Every register after reset; identity and capabilities."""
    bus = Bus(dut)
    await bus.begin()
    capabilities = REG["CAPABILITIES"].pack(
        LANES=5, BLOCK_BYTES_LOG2=11, VALUE_WIDTH=8, CODECS=11, APACK_CODERS=12, STREAM_BYTES_LOG2=4, SECOND_PORT=1
    )
    directions = REG["DIRECTIONS"].pack(ENCODE_LANES=3, DECODE_LANES=5, ENCODE_CODECS=3, DECODE_CODECS=9)
    expected = {"ID": ID, "VERSION": VERSION, "CAPABILITIES": capabilities, "DIRECTIONS": directions}
    for name in REG:
        assert await bus.value(name) == expected.get(name, 0), name
    assert not int(dut.interrupt.value)
    assert bus.pulses == {"job_start": 0, "job_start_queue": 0, "job_abort": 0}


@cocotb.test()
async def read_write_registers(dut: Any) -> None:
    """Every rw register holds its bits, none disturbs another, every byte strobe works, read only ones stay."""
    bus = Bus(dut)
    await bus.begin()
    rng = random.Random(1)
    model = {name: 0 for name, register in REG.items() if register.access == "rw"}
    assert len(model) == 10
    before = {name: await bus.value(name) for name in REG if name not in model}
    for round_ in range(6):
        for name in rng.sample(sorted(REG), len(REG)):
            if name in ("CONTROL", "IRQ_STATUS"):
                continue
            data, strb = rng.getrandbits(32), 15 if round_ == 0 else rng.randrange(16)
            assert await bus.write(REG[name].offset | rng.randrange(4), data, strb) == OKAY, name
            if name in model:
                lanes = sum(0xFF << 8 * k for k in range(4) if strb >> k & 1)
                model[name] = (model[name] & ~lanes | data & lanes) & writable_mask(name)
        for name in REG:
            assert await bus.value(name) == model.get(name, before.get(name)), name
        config = REG["JOB_CONFIG"].unpack(model["JOB_CONFIG"])
        for field, output in (
            ("CODEC", "job_codec"),
            ("DECOMPRESS", "job_decompress"),
            ("STREAM", "job_stream"),
            ("SIGNED", "job_signed"),
            ("ZERO", "job_zero"),
        ):
            assert int(getattr(dut, output).value) == config[field], field
        for name, output in JOB_OUTPUTS.items():
            assert int(getattr(dut, output).value) == model[name], name
        assert int(dut.job_block_values.value) == model["JOB_BLOCK_VALUES"]
    assert bus.pulses == {"job_start": 0, "job_start_queue": 0, "job_abort": 0}
    assert not bus.table


@cocotb.test()
async def engine_values(dut: Any) -> None:
    """Results and counters are read from their own inputs."""
    bus = Bus(dut)
    await bus.begin()
    rng = random.Random(2)
    for _ in range(2):
        values = {name: rng.getrandbits(32) for name in RESULTS}
        for name, value in values.items():
            getattr(dut, RESULTS[name]).value = value
        for name, value in values.items():
            assert await bus.value(name) == value, name


@cocotb.test()
async def channel_orders(dut: Any) -> None:
    """AW before W, W before AW, both at once, with every profile of pauses on every channel, reads beside writes."""
    bus = Bus(dut)
    await bus.begin()
    rng = random.Random(3)
    scratch = REG["SCRATCH"].offset
    for number, profile in enumerate(PROFILES):
        bus.set_profile(profile, number)
        for aw_first in (0, 1, 2, 3, 7, -1, -2, -3, -7):
            data = rng.getrandbits(32)
            assert await bus.write(scratch, data, aw_first=aw_first) == OKAY
            assert await bus.read(scratch) == (data, OKAY), f"{profile}, AW {aw_first} cycles before W"

        # queued: several writes and reads go out without waiting; the channels are independent
        words = [rng.getrandbits(32) for _ in range(20)]
        bus.aw.send([{"addr": TABLE + 4 * k, "prot": 0} for k in range(20)])
        bus.w.send([{"data": word, "strb": 15} for word in words])
        bus.ar.send([{"addr": REG["ID"].offset, "prot": 0}, {"addr": 0x3FC, "prot": 0}] * 10)
        assert await bus.b.receive(20) == [OKAY] * 20
        assert await bus.r.receive(20) == [{"data": ID, "resp": OKAY}, {"data": 0, "resp": SLVERR}] * 10
        assert bus.table == list(enumerate(words)), profile
        bus.table.clear()
    bus.set_profile("none", 0)
    await bus.b.expect_silence()
    await bus.r.expect_silence()


@cocotb.test()
async def unmapped_addresses(dut: Any) -> None:
    """The whole address space: SLVERR exactly where nothing is, and a write there changes nothing."""
    bus = Bus(dut)
    await bus.begin()
    mapped = {register.offset for register in REG.values()} | {TABLE + 4 * k for k in range(WINDOWS["TABLE"].words)}
    await bus.store("SCRATCH", 0xCAFEF00D)
    addresses = range(0, 4096, 4)
    bus.ar.send([{"addr": address, "prot": 0} for address in addresses])
    for address, beat in zip(addresses, await bus.r.receive(len(addresses)), strict=True):
        assert beat["resp"] == (OKAY if address in mapped else SLVERR), f"read at {address:#x}"
        if address not in mapped or address >= TABLE:
            assert beat["data"] == 0, f"read at {address:#x}"
    holes = [address for address in addresses if address not in mapped]
    bus.aw.send([{"addr": address, "prot": 0} for address in holes])
    bus.w.send([{"data": 0xFFFFFFFF, "strb": 15}] * len(holes))
    assert await bus.b.receive(len(holes)) == [SLVERR] * len(holes)
    assert await bus.value("SCRATCH") == 0xCAFEF00D
    for name in ("IRQ_ENABLE", "IRQ_STATUS", "STATUS", *(name for name in REG if name.startswith("JOB_"))):
        assert await bus.value(name) == 0, name
    assert bus.pulses == {"job_start": 0, "job_start_queue": 0, "job_abort": 0}
    assert not bus.table


@cocotb.test()
async def table_window(dut: Any) -> None:
    """Whole words go out once each, with their number; partial words do not."""
    bus = Bus(dut)
    await bus.begin()
    rng = random.Random(4)
    expected = []
    for k in rng.sample(range(256), 256):
        data, strb = rng.getrandbits(32), 15 if k % 3 else rng.randrange(15)
        assert await bus.write(TABLE + 4 * k, data, strb) == OKAY
        if strb == 15:
            expected.append((k, data))
    await clock.wait_cycles(dut, 3)
    assert len(bus.table) == len(expected)
    assert bus.table == expected


@cocotb.test()
async def jobs(dut: Any) -> None:
    """START, ABORT, BUSY, DONE, the error and its block, the interrupt."""
    bus = Bus(dut)
    await bus.begin()
    control = REG["CONTROL"]
    status = REG["STATUS"]

    # no job: ABORT does nothing, START without its strobe does nothing
    await bus.store("CONTROL", control.pack(ABORT=1))
    assert await bus.write(control.offset, control.pack(START=1), strb=0b1110) == OKAY
    assert bus.pulses == {"job_start": 0, "job_start_queue": 0, "job_abort": 0}

    # a good job
    await bus.store("CONTROL", control.pack(START=1))
    assert bus.pulses == {"job_start": 1, "job_start_queue": 0, "job_abort": 0}
    assert status.unpack(await bus.value("STATUS")) == {"BUSY": 1, "DONE": 0, "ERROR": 0, "ERROR_CODE": 0}, "before the engine says busy"
    dut.status_busy.value = 1
    assert await bus.value("CONTROL") == 0
    await bus.store("CONTROL", control.pack(START=1))
    assert bus.pulses == {"job_start": 1, "job_start_queue": 0, "job_abort": 0}, "START must be ignored while a job runs"
    await bus.end_job()
    assert status.unpack(await bus.value("STATUS")) == {"BUSY": 0, "DONE": 1, "ERROR": 0, "ERROR_CODE": 0}
    assert await bus.value("IRQ_STATUS") == 1
    assert not int(dut.interrupt.value), "the interrupt is not enabled"
    await bus.store("IRQ_ENABLE", 1)
    await clock.wait_cycles(dut, 2)
    assert int(dut.interrupt.value)
    await bus.store("IRQ_STATUS", 0)
    assert await bus.value("IRQ_STATUS") == 1, "writing 0 clears nothing"
    assert int(dut.interrupt.value)
    assert await bus.write(REG["IRQ_STATUS"].offset, 1, strb=0b1110) == OKAY
    assert await bus.value("IRQ_STATUS") == 1
    await bus.store("IRQ_STATUS", 1)
    assert await bus.value("IRQ_STATUS") == 0
    await clock.wait_cycles(dut, 2)
    assert not int(dut.interrupt.value)
    assert status.unpack(await bus.value("STATUS"))["DONE"] == 1, "DONE stays until START"

    # every error code
    for code in ErrorCode:
        await bus.store("CONTROL", control.pack(START=1))
        assert status.unpack(await bus.value("STATUS")) == {"BUSY": 1, "DONE": 0, "ERROR": 0, "ERROR_CODE": 0}
        assert await bus.value("ERROR_BLOCK") == 0
        await bus.end_job(code, 1000 + code)
        assert status.unpack(await bus.value("STATUS")) == {"BUSY": 0, "DONE": 1, "ERROR": int(code != 0), "ERROR_CODE": code}
        assert await bus.value("ERROR_BLOCK") == 1000 + code
        assert int(dut.interrupt.value)
        await bus.store("IRQ_STATUS", 1)

    # ABORT while busy; START with ABORT is ABORT while a job runs, START otherwise
    starts = bus.pulses["job_start"]
    await bus.store("CONTROL", control.pack(START=1, ABORT=1))
    assert bus.pulses == {"job_start": starts + 1, "job_start_queue": 0, "job_abort": 0}
    await bus.store("CONTROL", control.pack(START=1, ABORT=1))
    await bus.store("CONTROL", control.pack(ABORT=1))
    assert bus.pulses == {"job_start": starts + 1, "job_start_queue": 0, "job_abort": 2}
    await bus.end_job(ErrorCode.ABORTED, 7)
    assert status.unpack(await bus.value("STATUS"))["ERROR_CODE"] == ErrorCode.ABORTED


@cocotb.test()
async def reset_in_the_middle(dut: Any) -> None:
    """A reset drops halves of transfers, the running job and all settings."""
    bus = Bus(dut)
    await bus.begin()
    await bus.store("SCRATCH", 1)
    await bus.store("IRQ_ENABLE", 1)
    await bus.store("CONTROL", 1)
    await bus.end_job(3, 4)
    assert int(dut.interrupt.value)
    await bus.store("CONTROL", 1)
    bus.aw.send({"addr": REG["SCRATCH"].offset, "prot": 0})
    await clock.wait_cycles(dut, 3)
    for source in (bus.aw, bus.w, bus.ar):
        source.clear()
    await clock.reset(dut)
    for sink in (bus.b, bus.r):
        sink.clear()
    await clock.wait_cycles(dut, 2)
    assert not int(dut.interrupt.value)
    for name in ("SCRATCH", "IRQ_ENABLE", "IRQ_STATUS", "STATUS", "ERROR_BLOCK"):
        assert await bus.value(name) == 0, name
    bus.w.send({"data": 5, "strb": 15})
    await bus.b.expect_silence(20)
    bus.aw.send({"addr": REG["SCRATCH"].offset, "prot": 0})
    assert await bus.b.receive(1) == [OKAY]
    assert await bus.value("SCRATCH") == 5


@cocotb.test()
async def latency(dut: Any) -> None:
    """Cycles from a command to its answer, as the header states: valid taken in cycle 0, answer valid in cycle 3."""
    bus = Bus(dut)
    await bus.begin()
    await clock.wait_cycles(dut, 3)
    for source, sink, beat in ((bus.ar, bus.r, {"addr": 0, "prot": 0}), (bus.aw, bus.b, {"addr": 0x10, "prot": 0})):
        source.send(beat)
        if source is bus.aw:
            bus.w.send({"data": 1, "strb": 15})
        taken = None
        for cycle in range(20):
            await RisingEdge(dut.clk)
            if taken is None and int(source.valid.value) and int(source.ready.value):
                taken = cycle
            if int(sink.valid.value):
                break
        assert taken is not None
        assert cycle - taken == 3
        await sink.receive(1)


@cocotb.test()
async def queue_commands(dut: Any) -> None:
    """START_QUEUE starts once, START goes before it; the interrupt of a job has its own bits."""
    bus = Bus(dut)
    await bus.begin()
    await bus.store("CONTROL", REG["CONTROL"].pack(START_QUEUE=1))
    await bus.store("CONTROL", REG["CONTROL"].pack(START_QUEUE=1))
    assert bus.pulses == {"job_start": 0, "job_start_queue": 1, "job_abort": 0}
    await bus.store("IRQ_ENABLE", 1)
    dut.status_job.value = 1
    await RisingEdge(dut.clk)
    dut.status_job.value = 0
    await clock.wait_cycles(dut, 3)
    assert await bus.value("IRQ_STATUS") == 2 and not int(dut.interrupt.value)
    await bus.store("IRQ_ENABLE", 3)
    await clock.wait_cycles(dut, 2)
    assert int(dut.interrupt.value)
    await bus.store("IRQ_STATUS", 1)
    assert await bus.value("IRQ_STATUS") == 2, "the other bit"
    await bus.store("IRQ_STATUS", 2)
    await clock.wait_cycles(dut, 2)
    assert await bus.value("IRQ_STATUS") == 0 and not int(dut.interrupt.value)
    await bus.end_job()
    await bus.store("CONTROL", REG["CONTROL"].pack(START=1, START_QUEUE=1))
    assert bus.pulses == {"job_start": 1, "job_start_queue": 1, "job_abort": 0}


def test_csr(simulator: str) -> None:
    run_cocotb(__file__, core="tensorpress:rtl:csr", toplevel="csr", parameters=PARAMETERS, simulator=simulator, expected_tests=10)
