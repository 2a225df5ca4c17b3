# SPDX-License-Identifier: Apache-2.0
"""interrupt_controller: the registers of AXI INTC as the product guide PG099 describes them, and the accesses of pynq's Interrupt."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from harness import run_cocotb
from lib import clock
from lib.axi_names import AxiNames
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource

OKAY, SLVERR = 0, 2
ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = range(0, 32, 4)
LINES = 5
ALL = (1 << LINES) - 1
NONE = 0xFFFF_FFFF


class Bench:
    """An AXI4-Lite master."""

    def __init__(self, dut: Any, profile: str = "none") -> None:
        self.dut = dut
        ports = AxiNames(dut)
        self.aw = StreamSource(ports, "s_axi_aw", payload=("addr",), profile=profile, seed=1)
        self.w = StreamSource(ports, "s_axi_w", payload=("data", "strb"), profile=profile, seed=2)
        self.b = StreamSink(ports, "s_axi_b", payload=("resp",), profile=profile, seed=3)
        self.ar = StreamSource(ports, "s_axi_ar", payload=("addr",), profile=profile, seed=4)
        self.r = StreamSink(ports, "s_axi_r", payload=("data", "resp"), profile=profile, seed=5)

    async def start(self) -> None:
        await clock.start(self.dut, lines=0)

    async def write(self, address: int, data: int, strb: int = 15, *, expected: int = OKAY) -> None:
        self.aw.send(address)
        self.w.send({"data": data, "strb": strb})
        assert await self.b.receive(1, timeout=2000) == [expected], hex(address)

    async def read(self, address: int, *, expected: int = OKAY) -> int:
        self.ar.send(address)
        (beat,) = await self.r.receive(1, timeout=2000)
        assert beat["resp"] == expected, hex(address)
        return beat["data"]

    async def lines(self, levels: int) -> None:
        self.dut.lines.value = levels
        await clock.wait_cycles(self.dut, 4)

    @property
    def irq(self) -> int:
        return int(self.dut.irq.value)


@cocotb.test()
async def after_reset(dut: Any) -> None:
    """All registers are zero but IVR; lines are not heard before HIE."""
    bench = Bench(dut)
    await bench.start()
    await bench.lines(ALL)
    assert [await bench.read(address) for address in range(0, 32, 4)] == [0, 0, 0, 0, 0, 0, NONE, 0]
    await bench.write(IER, NONE)
    await bench.write(MER, 1)
    await clock.wait_cycles(dut, 5)
    assert await bench.read(IER) == ALL and not bench.irq


@cocotb.test()
async def software_interrupts_until_hardware(dut: Any) -> None:
    """ISR can be set by software until HIE is; HIE stays."""
    bench = Bench(dut)
    await bench.start()
    await bench.write(IER, ALL)
    await bench.write(MER, 1)
    await bench.write(ISR, 0b00110)
    assert await bench.read(ISR) == await bench.read(IPR) == 0b00110
    assert await bench.read(IVR) == 1 and bench.irq
    await bench.write(ISR, 0b00000)  # zeros have no effect
    assert await bench.read(ISR) == 0b00110
    await bench.write(IAR, 0b00010)
    assert await bench.read(ISR) == 0b00100 and await bench.read(IVR) == 2
    await bench.write(MER, 2)
    await clock.wait_cycles(dut, 3)
    assert not bench.irq, "ME is off"
    await bench.write(ISR, ALL)
    assert await bench.read(ISR) == 0b00100, "software cannot set it any more"
    await bench.write(MER, 0)
    assert await bench.read(MER) == 2, "HIE stays"


@cocotb.test()
async def levels(dut: Any) -> None:
    """A level sets its bit; acknowledged while it is high it comes back; acknowledged when it is low it is gone."""
    bench = Bench(dut)
    await bench.start()
    await bench.write(MER, 3)
    await bench.lines(0b01000)
    assert await bench.read(ISR) == 0b01000 and await bench.read(IPR) == 0 and not bench.irq
    await bench.write(SIE, 0b01000)
    await clock.wait_cycles(dut, 3)
    assert bench.irq and await bench.read(IVR) == 3
    await bench.write(IAR, 0b01000)
    assert await bench.read(ISR) == 0b01000, "the line is still high"
    await bench.lines(0)
    assert await bench.read(ISR) == 0b01000, "held until acknowledged"
    await bench.write(IAR, 0b01000)
    await clock.wait_cycles(dut, 3)
    assert await bench.read(ISR) == 0 and not bench.irq and await bench.read(IVR) == NONE


@cocotb.test()
async def enables(dut: Any) -> None:
    """IER, SIE and CIE against a model, with byte strobes, with every profile; nothing else moves."""
    bench = Bench(dut)
    await bench.start()
    await bench.write(MER, 3)
    await bench.lines(0b10101)
    rng = random.Random(1)
    enabled = 0
    for number, profile in enumerate(PROFILES):
        for port in (bench.aw, bench.w, bench.b, bench.ar, bench.r):
            port.set_profile(profile, f"{port.prefix}{number}")
        for _ in range(15):
            address, data, strb = rng.choice((IER, SIE, CIE)), rng.getrandbits(32), rng.randrange(16)
            ones = data & ALL if strb & 1 else 0
            await bench.write(address, data, strb)
            if address == SIE:
                enabled |= ones
            elif address == CIE:
                enabled &= ~ones
            elif strb & 1:
                enabled = ones
            pending = 0b10101 & enabled
            assert await bench.read(IER) == enabled
            assert await bench.read(IPR) == pending
            first = await bench.read(IVR)
            assert first == (next(k for k in range(LINES) if pending >> k & 1) if pending else NONE)
            assert await bench.read(SIE) == 0 and await bench.read(CIE) == 0 and await bench.read(IAR) == 0
            assert bench.irq == bool(pending)
    assert await bench.read(ISR) == 0b10101 and await bench.read(MER) == 3


@cocotb.test()
async def unmapped(dut: Any) -> None:
    """SLVERR above MER, and a write there changes nothing."""
    bench = Bench(dut, profile="light")
    await bench.start()
    for address in (0x20, 0x24, 0x100, 0x400, 0xFFC):
        await bench.write(address, NONE, expected=SLVERR)
        assert await bench.read(address, expected=SLVERR) == 0
    assert [await bench.read(address) for address in range(0, 32, 4)] == [0, 0, 0, 0, 0, 0, NONE, 0]


@cocotb.test()
async def as_pynq_does(dut: Any) -> None:
    """The accesses of pynq.interrupt: controller made, event added, interrupt comes, controller.set, device cleared, event added again."""
    bench = Bench(dut)
    await bench.start()
    await bench.write(IER, 0)
    for _ in range(3):
        await bench.write(SIE, 1)
        await bench.write(MER, 3)
        await clock.wait_cycles(dut, 5)
        # what was acknowledged while its level was high is still there, and wakes the waiter once for nothing: drivers look at their device
        if bench.irq:
            await bench.write(CIE, 1)
            await bench.write(IAR, await bench.read(ISR))
            await bench.write(SIE, 1)
            await clock.wait_cycles(dut, 5)
        assert not bench.irq
        await bench.lines(1)
        assert bench.irq
        pending = await bench.read(IPR)
        assert pending == 1
        await bench.write(CIE, 1)
        await bench.write(IAR, pending)
        await clock.wait_cycles(dut, 3)
        assert not bench.irq
        await bench.lines(0)


def test_interrupt_controller(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:cores:pynq",
        toplevel="interrupt_controller",
        parameters={"LINES": LINES},
        simulator=simulator,
        expected_tests=6,
    )
