# SPDX-License-Identifier: Apache-2.0
"""The collector: where the coder's words land in the out bank, in which byte order, and what it counts."""

from __future__ import annotations

import random

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start

ADDRESS_WIDTH = 6
WORDS = 1 << ADDRESS_WIDTH
TOP = WORDS - 1


def swap(word: int) -> int:
    return int.from_bytes(word.to_bytes(8, "big"), "little")


class Bench:
    """Drives the three streams a cycle at a time, keeps the bank that the write port makes, and checks readies and counts in each cycle."""

    def __init__(self, dut):
        self.dut = dut
        self.bank: dict[tuple[int, int], int] = {}  # (word, byte) -> value
        self.writes: list[tuple[int, int]] = []  # (enable, address)
        self.a: list[tuple[int, int, int]] = []
        self.b: list[int] = []
        self.raw: list[int] = []

    async def start(self) -> None:
        inputs = "load decompress s_a_tdata s_a_taddress s_a_tstrb s_a_tvalid s_b_tdata s_b_tvalid s_raw_tdata s_raw_tvalid"
        await start(self.dut, **dict.fromkeys(inputs.split(), 0))

    async def block(self, *, a=(), b=(), raw=(), pause: float = 0.0, rng: random.Random) -> None:
        """Run one block: `a` (data, address, strobes), `b`, `raw` in order, each side with pauses."""
        dut = self.dut
        self.bank.clear()
        self.writes.clear()
        dut.decompress.value = int(bool(raw))
        dut.load.value = 1
        await RisingEdge(dut.clk)
        dut.load.value = 0
        queues = {"a": list(a), "b": list(b), "raw": list(raw)}
        offered = dict.fromkeys(queues)
        a_top = b_words = 0
        size_q = a_late = 0  # what `size` shows: the counts a cycle ago, of A two cycles ago
        await RisingEdge(dut.clk)
        self._write()
        self.bank.clear()
        self.writes.clear()
        idle = 0
        while idle < 4:
            for name, queue in queues.items():
                if offered[name] is None and queue and rng.random() >= pause:
                    offered[name] = queue.pop(0)
                beat = offered[name]
                getattr(dut, f"s_{name}_tvalid").value = int(beat is not None)
                if name == "a":
                    dut.s_a_tdata.value, dut.s_a_taddress.value, dut.s_a_tstrb.value = beat or (
                        rng.getrandbits(64),
                        rng.randrange(WORDS),
                        15,
                    )
                else:
                    getattr(dut, f"s_{name}_tdata").value = rng.getrandbits(64) if beat is None else beat
            await RisingEdge(dut.clk)
            self._write()
            assert int(dut.s_b_tready.value) == 1
            assert int(dut.s_raw_tready.value) == 1
            assert int(dut.s_a_tready.value) == int(offered["b"] is None), "B before A"
            assert int(dut.b_words.value) == b_words
            assert int(dut.size.value) == size_q
            size_q, a_late = a_late + b_words, a_top
            if offered["b"] is not None:
                b_words += 1
                offered["b"] = None
            elif offered["a"] is not None:
                a_top = max(a_top, offered["a"][1] + 1)
                offered["a"] = None
            offered["raw"] = None
            idle = 0 if any(queues.values()) or offered["a"] is not None else idle + 1
        assert int(dut.size.value) == a_top + b_words
        assert int(dut.b_words.value) == b_words == len(b)

    def _write(self) -> None:
        enable = int(self.dut.write_enable.value)
        if not enable:
            return
        address, data = int(self.dut.write_address.value), int(self.dut.write_data.value).to_bytes(8, "little")
        self.writes.append((enable, address))
        for byte in range(8):
            if enable >> byte // 2 & 1:
                assert (address, byte) not in self.bank, f"word {address}, byte {byte} was written twice"
                self.bank[address, byte] = data[byte]

    def words(self, addresses) -> list[int]:
        return [int.from_bytes(bytes(self.bank[address, byte] for byte in range(8)), "little") for address in addresses]


def parts(words: list[int], rng: random.Random) -> list[tuple[int, int, int]]:
    """Stream A words cut at random into placed beats, in any order; bits outside the strobes are foreign."""
    beats = []
    for address, word in enumerate(words):
        left = [0, 1, 2, 3]
        rng.shuffle(left)
        while left:
            chosen = [left.pop() for _ in range(rng.randint(1, len(left)))]
            strobes = sum(1 << part for part in chosen)  # strobe bit p covers data[16p+15:16p]
            mask = sum(0xFFFF << 16 * part for part in chosen)
            beats.append((word & mask | rng.getrandbits(64) & ~mask & (1 << 64) - 1, address, strobes))
    rng.shuffle(beats)
    return beats


@cocotb.test()
@cocotb.parametrize(pause=(0.0, 0.2, 0.7))
async def coded_words_land_where_the_drain_reads_them(dut, pause):
    rng = random.Random(int(100 * pause))
    bench = Bench(dut)
    await bench.start()
    for a_words, b_words in [(0, 0), (1, 0), (0, 1), (1, 1), (4, 4), (WORDS, 0), (0, WORDS), (8, 56), (33, 31), (17, 5), (9, 40)]:
        a = [rng.getrandbits(64) for _ in range(a_words)]
        b = [rng.getrandbits(64) for _ in range(b_words)]
        await bench.block(a=parts(a, rng), b=b, pause=pause, rng=rng)
        assert len(bench.bank) == 8 * (a_words + b_words)
        assert bench.words(range(a_words)) == [swap(word) for word in a], "A goes up from 0"
        assert bench.words(range(TOP, TOP - b_words, -1)) == [swap(word) for word in b], "B goes down from the top"


@cocotb.test()
@cocotb.parametrize(pause=(0.0, 0.5))
async def raw_words_go_up_as_they_are(dut, pause):
    rng = random.Random(int(100 * pause) + 1)
    bench = Bench(dut)
    await bench.start()
    for count in (1, 2, 63, WORDS, 5):
        raw = [rng.getrandbits(64) for _ in range(count)]
        await bench.block(raw=raw, pause=pause, rng=rng)
        assert len(bench.bank) == 8 * count
        assert bench.words(range(count)) == raw
        assert [address for _, address in bench.writes] == list(range(count))


@cocotb.test()
async def every_strobe_places_its_part(dut):
    rng = random.Random(5)
    bench = Bench(dut)
    await bench.start()
    word = 0x0123_4567_89AB_CDEF  # the first 16 stream bits are 0123: bytes 0 and 1 in memory
    for strobes in range(1, 16):
        await bench.block(a=[(word, 7, strobes)], rng=rng)
        image = word.to_bytes(8, "big")
        expected = {(7, byte): image[byte] for byte in range(8) if strobes >> 3 - byte // 2 & 1}
        assert bench.bank == expected


@cocotb.test()
async def size_counts_the_highest_place_not_the_parts(dut):
    rng = random.Random(6)
    bench = Bench(dut)
    await bench.start()
    await bench.block(a=[(1, 9, 1), (2, 3, 1), (3, 9, 2), (4, 0, 8)], b=[5, 6], rng=rng)
    assert int(dut.size.value) == 10 + 2
    await bench.block(b=[1], rng=rng)
    assert int(dut.size.value) == 1, "the load clears it"


def test_lane_collector(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:lane",
        toplevel="lane_collector",
        parameters={"ADDRESS_WIDTH": ADDRESS_WIDTH},
        simulator=simulator,
        expected_tests=3 + 2 + 2,
    )
