# SPDX-License-Identifier: Apache-2.0
"""The feeder: A and B words of a bank that is still being filled, ends, back-pressure, loads in mid-stream, rate and latency."""

from __future__ import annotations

import random

import cocotb
from cocotb.triggers import RisingEdge
from harness import run_cocotb
from lib.clock import start, wait_cycles
from lib.profiles import PROFILES, pauses

ADDRESS_WIDTH = 6
WORDS = 1 << ADDRESS_WIDTH
EDGES = [(0, 1), (1, 0), (1, 1), (0, WORDS), (WORDS, 0), (WORDS // 2, WORDS // 2), (1, WORDS - 1), (WORDS - 1, 1), (3, 5), (5, 3), (4, 4)]


class Bench:
    """The bank behind the feeder and the coder before it: one step a cycle, in which all is sampled, checked, and driven anew."""

    def __init__(self, dut, *, a: str = "none", b: str = "none", grow: str | None = None, grant: str = "none", seed: int = 0):
        self.dut = dut
        self.rng = random.Random(seed)
        self.ready_pauses = {"a": pauses(a, f"a{seed}"), "b": pauses(b, f"b{seed}")}
        self.grant_pauses = pauses(grant, f"grant{seed}")
        self.grow = None if grow is None else pauses(grow, f"grow{seed}")
        self.cycle = 0
        self.following = None  # the block to be loaded
        self._begin([], [])

    def _begin(self, a: list[int], b: list[int]) -> None:
        self.words = {"a": a, "b": b}
        self.bank = a + b
        self.taken = {"a": 0, "b": 0}
        self.order = ""
        self.waiting = {"a": None, "b": None}
        self.empty = {"a": 0, "b": 0}  # cycles since all was taken
        self.read = set()
        self.load_cycle = self.cycle
        self.cycles = []  # of the beats, counted from the load

    async def start(self) -> None:
        self.array = self.available = 0
        inputs = "load a_words words available read_data m_a_tready m_b_tready"
        await start(self.dut, **dict.fromkeys(inputs.split(), 0), read_grant=1)
        cocotb.start_soon(self._run())

    async def load(self, a_words: int, b_words: int) -> None:
        """Begin a block; returns at the edge that took the load."""
        a = [self.rng.getrandbits(64) for _ in range(a_words)]
        b = [self.rng.getrandbits(64) for _ in range(b_words)]
        self.following = (a, b)
        while self.following is not None:
            await RisingEdge(self.dut.clk)

    async def finish(self, timeout: int = 4000) -> None:
        for _ in range(timeout):
            if all(self.taken[s] == len(self.words[s]) for s in "ab"):
                break
            await RisingEdge(self.dut.clk)
        assert self.taken == {s: len(self.words[s]) for s in "ab"}, "words are missing"
        await wait_cycles(self.dut, 8)  # a further word would be seen

    async def _run(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            enable, address = int(dut.read_enable.value), int(dut.read_address.value)
            assert not enable or int(dut.read_grant.value), "a read without grant"
            dut.read_data.value = self.array
            dut.read_grant.value = int(not next(self.grant_pauses))
            if int(dut.load.value):
                self._begin(*self.following)
                self.following = None
                dut.load.value = 0
            elif not int(dut.rst.value):
                if enable:
                    available = int(dut.available.value)
                    assert address < available, f"read of word {address} of {available} that are there"
                    assert address not in self.read, f"word {address} was read twice"
                    self.read.add(address)
                for side in "ab":
                    self._check(side)
            if enable:
                self.array = self.bank[address] if address < len(self.bank) else 0
            for side in "ab":
                getattr(dut, f"m_{side}_tready").value = int(not next(self.ready_pauses[side]))
            if self.following is not None:
                dut.load.value = 1
                dut.a_words.value = len(self.following[0])
                dut.words.value = sum(map(len, self.following))
                self.available = 0
            elif self.available < len(self.bank):
                if self.grow is None:
                    self.available = len(self.bank)
                elif not next(self.grow):
                    self.available += 1
            dut.available.value = self.available

    def _check(self, side: str) -> None:
        dut, words = self.dut, self.words[side]
        valid, ready, end = (int(getattr(dut, f"m_{side}_{name}").value) for name in ("tvalid", "tready", "end"))
        taken = self.taken[side]
        assert not end or taken == len(words), f"{side}: end after {taken} of {len(words)} words"
        self.empty[side] = self.empty[side] + 1 if taken == len(words) else 0
        assert end or self.empty[side] < 3, f"{side}: no end after all {taken} words"
        if not valid:
            assert self.waiting[side] is None, f"{side}: valid fell before the word was taken"
            return
        data = int(getattr(dut, f"m_{side}_tdata").value)
        assert taken < len(words), f"{side}: a word more than {len(words)}"
        assert data == words[taken], f"{side}: word {taken}"
        self.waiting[side] = None if ready else data
        if ready:
            self.taken[side] += 1
            self.order += side
            self.cycles.append(self.cycle - self.load_cycle)


@cocotb.test()
@cocotb.parametrize(a=PROFILES, b=("none", "heavy", "long_stalls"))
async def words_come_in_order_with_their_ends(dut, a, b):
    rng = random.Random(f"{a}{b}")
    bench = Bench(dut, a=a, b=b, grow=rng.choice(("light", "heavy", "one_cycle")), seed=1)
    await bench.start()
    random_sizes = [(n, rng.randint(0 if n else 1, WORDS - n)) for n in (rng.randint(0, WORDS - 1) for _ in range(4))]
    for sizes in rng.sample(EDGES, 5) + random_sizes:
        await bench.load(*sizes)
        await bench.finish()


@cocotb.test()
@cocotb.parametrize(grant=PROFILES[1:])
async def a_bank_that_reads_something_else_is_waited_for(dut, grant):
    bench = Bench(dut, a="light", grow="light", grant=grant, seed=3)
    await bench.start()
    for sizes in EDGES:
        await bench.load(*sizes)
        await bench.finish()


@cocotb.test()
async def every_size_of_the_edges(dut):
    bench = Bench(dut)
    await bench.start()
    for sizes in EDGES:
        await bench.load(*sizes)
        await bench.finish()


@cocotb.test()
@cocotb.parametrize(profile=PROFILES)
async def a_load_in_mid_stream_drops_what_is_left(dut, profile):
    bench = Bench(dut, a=profile, b="light", grow="light", seed=2)
    await bench.start()
    rng = random.Random(profile)
    left = 0
    for number in range(60):
        await bench.load(rng.randint(1, 30), rng.randint(1, 30))
        if number % 6 == 5:
            await bench.finish()
        else:
            await wait_cycles(dut, rng.randint(0, 60))
            left += sum(len(bench.words[s]) - bench.taken[s] for s in "ab")
    assert left > 200, "blocks were left early"
    await bench.finish()


@cocotb.test()
async def one_word_a_cycle_after_four_cycles(dut):
    bench = Bench(dut)
    await bench.start()
    for a_words, b_words in ((WORDS, 0), (0, WORDS), (WORDS // 2, WORDS // 2), (1, WORDS - 1), (20, 44)):
        await bench.load(a_words, b_words)
        await bench.finish()
        assert bench.cycles == list(range(4, 4 + WORDS)), (a_words, b_words)


@cocotb.test()
async def a_and_b_share_the_bank_fairly(dut):
    bench = Bench(dut)
    await bench.start()
    await bench.load(WORDS // 2, WORDS // 2)
    await bench.finish()
    for count in range(1, WORDS + 1):
        assert abs(bench.order[:count].count("a") - bench.order[:count].count("b")) <= 1, bench.order
    # one side blocked leaves the whole rate to the other
    for blocked in "ab":
        pausing = bench.ready_pauses[blocked]
        bench.ready_pauses[blocked] = iter(lambda: True, None)
        await bench.load(WORDS // 2, WORDS // 2)
        await wait_cycles(dut, WORDS // 2 + 5 + 4)
        assert bench.order == ("b" if blocked == "a" else "a") * (WORDS // 2)
        bench.ready_pauses[blocked] = pausing
        await bench.finish()


@cocotb.test()
async def reset_drops_everything(dut):
    bench = Bench(dut, a="long_stalls", b="long_stalls")
    await bench.start()
    await bench.load(WORDS // 2, WORDS // 2)
    await wait_cycles(dut, 20)
    assert sum(bench.taken.values()) < WORDS
    dut.rst.value = 1
    bench.bank, bench.available = [], 0  # so that nothing is read again
    await wait_cycles(dut, 2)
    bench.taken, bench.empty, bench.waiting = {"a": 0, "b": 0}, {"a": 0, "b": 0}, {"a": None, "b": None}
    dut.rst.value = 0
    for _ in range(30):
        await RisingEdge(dut.clk)
        assert not int(dut.m_a_tvalid.value) and not int(dut.m_b_tvalid.value) and not int(dut.read_enable.value)
    bench.ready_pauses = {"a": pauses("none"), "b": pauses("none")}
    await bench.load(3, 4)
    await bench.finish()


TESTS = len(PROFILES) * 3 + len(PROFILES) - 1 + 1 + len(PROFILES) + 3


def test_lane_feeder(simulator):
    run_cocotb(
        __file__,
        core="tensorpress:rtl:lane",
        toplevel="lane_feeder",
        parameters={"ADDRESS_WIDTH": ADDRESS_WIDTH},
        simulator=simulator,
        expected_tests=TESTS,
    )
