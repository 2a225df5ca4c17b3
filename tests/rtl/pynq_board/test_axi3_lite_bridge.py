# SPDX-License-Identifier: Apache-2.0
"""axi3_lite_bridge: words reach the slave of their page, IDs come back, everything else is SLVERR and reaches nobody."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib import clock
from lib.axi_names import AxiNames
from lib.profiles import PROFILES, pauses
from lib.streams import StreamSink, StreamSource

OKAY, SLVERR, DECERR = 0, 2, 3
PAGES = (0x4000_0000, 0x4001_0000)
MASK = (1 << len(PAGES)) - 1


class Slaves:
    """Two AXI4-Lite slaves with words that remember; they check that requests are stable and each meant for one of them."""

    def __init__(self, dut: Any, profile: str, seed: int) -> None:
        self.dut = dut
        self.words: list[dict[int, int]] = [{} for _ in PAGES]
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int, int, int]] = []  # slave, address, data, strobes
        self.fail = OKAY  # the answer
        self._pauses = {name: pauses(profile, f"{name}{seed}") for name in ("aw", "w", "b", "ar", "r")}
        for name in ("awready", "wready", "bvalid", "bresp", "arready", "rvalid", "rdata", "rresp"):
            getattr(dut, f"m_axi_{name}").value = 0
        cocotb.start_soon(self._run())

    def _vector(self, name: str) -> int:
        return int(getattr(self.dut, f"m_axi_{name}").value)

    async def _run(self) -> None:
        dut = self.dut
        address: list[int | None] = [None] * len(PAGES)
        word: list[tuple[int, int] | None] = [None] * len(PAGES)
        read: list[int | None] = [None] * len(PAGES)
        answering = [False] * len(PAGES)
        giving = [False] * len(PAGES)
        waiting: dict[str, tuple[int, int]] = {}
        while True:
            await RisingEdge(dut.clk)
            if int(dut.rst.value):
                continue
            taken = {name: self._vector(f"{name}valid") & self._vector(f"{name}ready") for name in ("aw", "w", "ar", "b", "r")}
            for name, payload in (("aw", "awaddr"), ("w", "wdata"), ("ar", "araddr")):
                valid = self._vector(f"{name}valid")
                assert valid in (0, 1, 2), f"{name}valid {valid:b}: more than one slave"
                if name in waiting:
                    assert (valid, self._vector(payload)) == waiting[name], f"{name} changed before it was taken"
                waiting.pop(name, None)
                if valid & ~taken[name]:
                    waiting[name] = (valid, self._vector(payload))
            for k in range(len(PAGES)):
                bit = 1 << k
                if taken["aw"] & bit:
                    assert address[k] is None
                    address[k] = self._vector("awaddr")
                if taken["w"] & bit:
                    assert word[k] is None
                    word[k] = (self._vector("wdata"), self._vector("wstrb"))
                if taken["ar"] & bit:
                    assert read[k] is None
                    read[k] = self._vector("araddr")
                    self.reads.append((k, read[k]))
                if taken["b"] & bit:
                    answering[k] = False
                    address[k] = word[k] = None
                if taken["r"] & bit:
                    giving[k] = False
                    read[k] = None
                if address[k] is not None and word[k] is not None and not answering[k] and not next(self._pauses["b"]):
                    data, strobes = word[k]
                    self.writes.append((k, address[k], data, strobes))
                    lanes = sum(0xFF << 8 * lane for lane in range(4) if strobes >> lane & 1)
                    old = self.words[k].get(address[k] >> 2, 0)
                    self.words[k][address[k] >> 2] = old & ~lanes | data & lanes
                    answering[k] = True
                if read[k] is not None and not giving[k] and not next(self._pauses["r"]):
                    giving[k] = True
            ready = {name: 0 if next(self._pauses[name]) else MASK for name in ("aw", "w", "ar")}
            dut.m_axi_awready.value = ready["aw"] & sum((held is None) << k for k, held in enumerate(address))
            dut.m_axi_wready.value = ready["w"] & sum((held is None) << k for k, held in enumerate(word))
            dut.m_axi_arready.value = ready["ar"] & sum((held is None) << k for k, held in enumerate(read))
            dut.m_axi_bvalid.value = sum(flag << k for k, flag in enumerate(answering))
            dut.m_axi_bresp.value = sum((self.fail if flag else DECERR) << 2 * k for k, flag in enumerate(answering))
            dut.m_axi_rvalid.value = sum(flag << k for k, flag in enumerate(giving))
            words = [self.words[k].get((read[k] or 0) >> 2, 0) if giving[k] else 0xBADBAD for k in range(len(PAGES))]
            dut.m_axi_rdata.value = sum(value << 32 * k for k, value in enumerate(words))
            dut.m_axi_rresp.value = sum((self.fail if flag else DECERR) << 2 * k for k, flag in enumerate(giving))


class Bench:
    """The CPU's side and the slaves."""

    def __init__(self, dut: Any, profile: str = "none", seed: int = 0) -> None:
        self.dut = dut
        ports = AxiNames(dut)
        self.aw = StreamSource(ports, "s_axi_aw", payload=("id", "addr", "len"), profile=profile, seed=seed)
        self.w = StreamSource(ports, "s_axi_w", payload=("data", "strb", "last"), profile=profile, seed=seed + 1)
        self.b = StreamSink(ports, "s_axi_b", payload=("id", "resp"), profile=profile, seed=seed + 2)
        self.ar = StreamSource(ports, "s_axi_ar", payload=("id", "addr", "len"), profile=profile, seed=seed + 3)
        self.r = StreamSink(ports, "s_axi_r", payload=("id", "data", "resp", "last"), profile=profile, seed=seed + 4)
        self.slaves = Slaves(dut, profile, seed)
        self._id = 0

    def send_write(self, address: int, data: int, strobes: int = 15, beats: int = 1) -> int:
        """Offer a write; returns its ID."""
        self._id = (self._id * 37 + 0x123) % 4096
        self.aw.send({"id": self._id, "addr": address, "len": beats - 1})
        for beat in range(beats):
            self.w.send({"data": data, "strb": strobes, "last": int(beat == beats - 1)})
        return self._id

    def send_read(self, address: int, beats: int = 1) -> int:
        """Offer a read; returns its ID."""
        self._id = (self._id * 37 + 0x123) % 4096
        self.ar.send({"id": self._id, "addr": address, "len": beats - 1})
        return self._id

    async def write(self, address: int, data: int, strobes: int = 15, beats: int = 1) -> int:
        """Write and return the response."""
        identifier = self.send_write(address, data, strobes, beats)
        (answer,) = await self.b.receive(1, timeout=5000)
        assert answer["id"] == identifier
        return answer["resp"]

    async def read(self, address: int, beats: int = 1) -> list[tuple[int, int]]:
        """Read and return (data, response) of each beat."""
        identifier = self.send_read(address, beats)
        answers = await self.r.receive(beats, timeout=5000)
        assert [answer["id"] for answer in answers] == [identifier] * beats
        assert [answer["last"] for answer in answers] == [0] * (beats - 1) + [1]
        return [(answer["data"], answer["resp"]) for answer in answers]


@cocotb.test()
async def words_and_ids(dut: Any) -> None:
    """Random words to both pages with every profile, reads beside writes; the slaves' answers and the IDs come back in order."""
    bench = Bench(dut)
    await clock.start(dut)
    rng = random.Random(1)
    for number, profile in enumerate(PROFILES):
        for port in (bench.aw, bench.w, bench.b, bench.ar, bench.r):
            port.set_profile(profile, f"{port.prefix}{number}")
        bench.slaves._pauses = {name: pauses(profile, f"{name}{number}") for name in ("aw", "w", "b", "ar", "r")}
        model: dict[int, int] = {}
        expected, identifiers = [], []
        for _ in range(40):
            page, address, data, strobes = rng.randrange(2), 4 * rng.randrange(1024), rng.getrandbits(32), rng.randrange(16)
            identifiers.append(bench.send_write(PAGES[page] + address, data, strobes))
            expected.append((page, address, data, strobes))
            lanes = sum(0xFF << 8 * lane for lane in range(4) if strobes >> lane & 1)
            model[PAGES[page] + address] = model.get(PAGES[page] + address, 0) & ~lanes | data & lanes
        assert await bench.b.receive(40) == [{"id": identifier, "resp": OKAY} for identifier in identifiers]
        assert bench.slaves.writes == expected, profile
        addresses = rng.sample(sorted(model), len(model))
        identifiers = [bench.send_read(address) for address in addresses]
        assert await bench.r.receive(len(addresses)) == [
            {"id": identifier, "data": model[address], "resp": OKAY, "last": 1}
            for identifier, address in zip(identifiers, addresses, strict=True)
        ], profile
        bench.slaves.writes.clear()
        bench.slaves.words = [{} for _ in PAGES]
    await bench.b.expect_silence()
    await bench.r.expect_silence()


@cocotb.test()
async def slave_errors_pass(dut: Any) -> None:
    """A slave's SLVERR or DECERR is the master's."""
    bench = Bench(dut)
    await clock.start(dut)
    for error in (SLVERR, DECERR, OKAY):
        bench.slaves.fail = error
        assert await bench.write(PAGES[1] + 8, 5) == error
        assert await bench.read(PAGES[0] + 8) == [(0, error)]


@cocotb.test()
async def unmapped_reaches_nobody(dut: Any) -> None:
    """Just outside of each page, and far away: SLVERR, zeros, no slave hears of it; the next access works."""
    bench = Bench(dut, profile="light", seed=3)
    await clock.start(dut)
    for page in PAGES:
        for address in (page - 4, page + 0x1000, page ^ 0x8000_0000, page + 0x2_0000, page ^ 0x2000):
            if any(0 <= address - other < 0x1000 for other in PAGES):
                continue
            assert await bench.write(address, 0xFFFF_FFFF) == SLVERR, hex(address)
            assert await bench.read(address) == [(0, SLVERR)], hex(address)
    assert not bench.slaves.writes and not bench.slaves.reads
    assert await bench.write(PAGES[0], 77) == OKAY
    assert await bench.read(PAGES[0]) == [(77, OKAY)]


@cocotb.test()
async def bursts_reach_nobody(dut: Any) -> None:
    """2..16 beats at mapped and unmapped addresses: one SLVERR for a write, as many as asked for a read; no slave hears of it."""
    bench = Bench(dut, profile="light", seed=4)
    await clock.start(dut)
    assert await bench.write(PAGES[0] + 16, 99) == OKAY
    bench.slaves.writes.clear()
    for beats in (2, 3, 4, 8, 15, 16):
        for address in (PAGES[0] + 16, PAGES[1], 0):
            assert await bench.write(address, 1, beats=beats) == SLVERR
            assert await bench.read(address, beats=beats) == [(0, SLVERR)] * beats
    assert not bench.slaves.writes and not bench.slaves.reads
    assert await bench.read(PAGES[0] + 16) == [(99, OKAY)]
    await bench.b.expect_silence()
    await bench.r.expect_silence()


@cocotb.test()
async def latency(dut: Any) -> None:
    """The cycles that the headers promise: 6 from AW and W to B, 4 and the slave's 1 from AR to R."""
    bench = Bench(dut)
    await clock.start(dut)
    await clock.wait_cycles(dut, 5)
    measured = {}
    for name, send, valid in (
        ("write", lambda: bench.send_write(PAGES[0], 1), dut.s_axi_bvalid),
        ("read", lambda: bench.send_read(PAGES[0]), dut.s_axi_rvalid),
    ):
        request = dut.s_axi_awvalid if name == "write" else dut.s_axi_arvalid
        send()
        while not int(request.value):
            await RisingEdge(dut.clk)
        cycles = 0
        while not int(valid.value):
            await RisingEdge(dut.clk)
            cycles += 1
            assert cycles < 100
        measured[name] = cycles
        await clock.wait_cycles(dut, 20)
    dut._log.info("latency %s", measured)
    assert measured == {"write": 6, "read": 5}, measured


def test_axi3_lite_bridge(simulator):
    run_cocotb(__file__, core="tensorpress:cores:pynq", toplevel="axi3_lite_bridge", simulator=simulator, expected_tests=5)
