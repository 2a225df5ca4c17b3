# SPDX-License-Identifier: Apache-2.0
"""Test kit for the codec box: the same tests for every encoder and every decoder, and for the modules that select among them.

A test file describes its codec with a :class:`BoxConfig` and calls :func:`add_encoder_tests` or :func:`add_decoder_tests`::

    BLOCK_BYTES = int(os.environ.get("BLOCK_BYTES", "512"))
    CONFIG = BoxConfig("zvc", block_bytes=BLOCK_BYTES, cycles=lambda values: -(-values // 4) + 24)
    TESTS = add_encoder_tests(globals(), CONFIG)

    @pytest.mark.parametrize("block_bytes", [512, 4096])
    def test_zvc_encoder(simulator, block_bytes):
        run_cocotb(__file__, core="tensorpress:rtl:zvc", toplevel="zvc_encoder", expected_tests=TESTS, simulator=simulator,
                   parameters={"BLOCK_BYTES": block_bytes}, extra_env={"BLOCK_BYTES": str(block_bytes)})

The reference is the software model: expected streams come from ``encode_block``, expected values from ``decode_block``.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from lib import clock
from lib.profiles import PROFILES, Pauses
from lib.streams import StreamSink, StreamSource
from tensorpress.codecs.blocks import decode_block, encode_block
from tensorpress.codecs.coding import Block, Coding
from tensorpress.tables import Table

SLOW = 60
"""How many times longer than without pauses a block may take."""


@dataclass(frozen=True)
class BoxConfig:
    """A codec under test.

    Attributes
    ----------
    codec : str
        Name in the software model.
    width, block_bytes : int
        The Verilog parameters W and BLOCK_BYTES.
    signed : bool
        ``is_signed`` and the model's ``signed``.
    coders : int
        apack: interleaved coders.
    table : Table or None
        apack: the model's table.
    table_words : sequence of (int, int)
        Address and data for the table load bus, sent after each reset that ends :meth:`_Box.begin`.
    zeros : sequence of int
        Values of ``zero`` to test with.
    cycles : callable or None
        Number of values -> most cycles from ``start`` to ``done`` (both counted) without back-pressure, whatever the data.
    expansion : callable or None
        Number of values, zero -> the values that the codec expands most; None: random values without a zero.
    limit_values : sequence of int
        encoder: values at which the model hits a coder limit; empty: the codec has none.
    strict_corrupt : bool
        decoder: ``corrupt`` is exactly "a missing bit was needed"; False: the decoder may find more faults than the model.
    inputs : mapping
        Further inputs of the module with the value to hold, for example ``{"codec": 1}``.
    """

    codec: str
    width: int = 8
    block_bytes: int = 4096
    signed: bool = True
    coders: int = 8
    table: Table | None = None
    table_words: Sequence[tuple[int, int]] = ()
    zeros: Sequence[int] = (0, 128)
    cycles: Callable[[int], int] | None = None
    expansion: Callable[[int, int], list[int]] | None = None
    limit_values: Sequence[int] = ()
    strict_corrupt: bool = True
    inputs: Mapping[str, int] = field(default_factory=dict)

    @property
    def block_values(self) -> int:
        """Values of a whole block."""
        return self.block_bytes * 8 // self.width

    def coding(self, zero: int = 0) -> Coding:
        """The model's coding."""
        return Coding(
            self.codec,
            width=self.width,
            block_values=self.block_values,
            zero=zero,
            signed=self.signed,
            coders=self.coders,
            table=self.table,
        )

    def streams(self, values: Sequence[int], zero: int) -> Block:
        """What the model makes of a block."""
        return encode_block(unsigned(values, self.width), self.coding(zero))


def unsigned(values: Sequence[int], width: int) -> Any:
    """Values as the model takes them."""
    import numpy as np

    return np.array(values, {4: np.uint8, 8: np.uint8, 16: np.uint16, 32: np.uint32}[width])


def raw_words(values: Sequence[int], width: int) -> list[int]:
    """Values as the words of the raw image, zero-padded: the first value is in the lowest bits."""
    lane = 64 // width
    return [sum(int(value) << width * place for place, value in enumerate(values[at : at + lane])) for at in range(0, len(values), lane)]


def mixed_values(rng: random.Random, count: int, width: int, zero: int, share: float) -> list[int]:
    """Random values; about `share` of them are `zero`."""
    return [zero if rng.random() < share else rng.randrange(1 << width) for _ in range(count)]


def smooth_values(rng: random.Random, count: int, width: int) -> list[int]:
    """A random walk, like neighbouring activations."""
    value, values = rng.randrange(1 << width), []
    for _ in range(count):
        value = (value + round(rng.gauss(0, 3))) % (1 << width)
        values.append(value)
    return values


def edge_cases(config: BoxConfig, zero: int) -> dict[str, list[int]]:
    """The named edges of a block: lengths around a word and around the block, and the extreme contents."""
    rng = random.Random(f"edges:{config.codec}:{config.block_bytes}:{zero}")
    full, top = config.block_values, (1 << config.width) - 1
    nonzero = [value for value in range(top + 1) if value != zero] if config.width <= 8 else []

    def without_zero(count: int) -> list[int]:
        return [rng.choice(nonzero) if nonzero else (zero + rng.randint(1, top)) % (top + 1) for _ in range(count)]

    cases = {
        "one value": [(zero + 1) % (top + 1)],
        "one value, zero": [zero],
        "all zero": [zero] * full,
        "all zero, short": [zero] * 21,
        "all equal": [(zero + 77) % (top + 1)] * full,
        "no zero": without_zero(full),
        "alternating zero": [zero if k % 2 else 255 - (k & 15) for k in range(full)],
        "alternating extremes": [0 if k % 2 else top for k in range(full)],
        "ramp": [k & top for k in range(full)],
        "last value only": [zero] * (full - 1) + [(zero + 9) % (top + 1)],
        "first value only": [(zero + 9) % (top + 1)] + [zero] * (full - 1),
        "largest expansion": config.expansion(full, zero) if config.expansion else without_zero(full),
        "smooth": smooth_values(rng, full, config.width),
    }
    for count in (2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, full // 2, full - 9, full - 8, full - 7, full - 1, full):
        cases[f"{count} values"] = mixed_values(rng, count, config.width, zero, 0.4)
    for percent in (10, 50, 90, 99):
        cases[f"{percent} % zeros"] = mixed_values(rng, full, config.width, zero, percent / 100)
    return cases


def pressures(ports: Sequence[str]) -> Iterator[dict[str, str]]:
    """Profiles for some ports: each one alone, then all together, then mixes."""
    paused = [name for name in PROFILES if name != "none"]
    for port, profile in itertools.product(ports, paused):
        yield {**dict.fromkeys(ports, "none"), port: profile}
    for profile in paused:
        yield dict.fromkeys(ports, profile)
    rng = random.Random(f"pressures:{len(ports)}")
    for _ in range(4):
        yield {port: rng.choice(PROFILES) for port in ports}


class _Box:
    """What encoders and decoders share: clock, reset, table, start, done."""

    def __init__(self, dut: Any, config: BoxConfig, sources: Sequence[StreamSource], sinks: Sequence[StreamSink]) -> None:
        self.dut, self.config, self.sources, self.sinks = dut, config, sources, sinks
        self.running = 0  # blocks that were started and are not done
        self.cycle = 0
        self._done: list[tuple[int, dict[str, int]]] = []
        self._results: tuple[str, ...] = ()

    async def begin(self) -> None:
        """Start the clock, reset, load the table."""
        inputs = {
            "start": 0,
            "values": 1,
            "zero": 0,
            "is_signed": int(self.config.signed),
            "table_valid": 0,
            "table_address": 0,
            "table_data": 0,
        }
        cocotb.start_soon(self._watch())
        await clock.start(self.dut, **inputs, **self.config.inputs)
        await self.load_table()

    async def load_table(self) -> None:
        """Send the table words."""
        for address, data in self.config.table_words:
            (self.dut.table_valid.value, self.dut.table_address.value, self.dut.table_data.value) = 1, address, data
            await RisingEdge(self.dut.clk)
        self.dut.table_valid.value = 0
        await clock.wait_cycles(self.dut, 2)

    async def _watch(self) -> None:
        """Note each `done` with its results; one outside a block is a failure."""
        reset = clock.Reset(self.dut)
        while True:
            await RisingEdge(self.dut.clk)
            self.cycle += 1
            if reset.is_active():
                continue
            done = self.dut.done.value
            assert done.is_resolvable, f"done is {done} in cycle {self.cycle}"
            if int(done):
                assert self.running, f"done without a block, in cycle {self.cycle}"
                self.running -= 1
                self._done.append((self.cycle, {name: int(getattr(self.dut, name).value) for name in self._results}))

    def set_pressure(self, pressure: Mapping[str, str], seed: int | str = 0) -> None:
        """Set the profile of each port, by its prefix."""
        for port in (*self.sources, *self.sinks):
            port.set_profile(pressure.get(port.prefix, "none"), seed)

    async def _set_zero(self, zero: int) -> None:
        if int(self.dut.zero.value) != zero:
            self.dut.zero.value = zero
            await RisingEdge(self.dut.clk)

    async def _pulse_start(self, count: int) -> int:
        """Give `start`; returns the cycle in which it is high."""
        self.dut.values.value = count
        self.dut.start.value = 1
        self.running += 1
        await RisingEdge(self.dut.clk)
        self.dut.start.value = 0
        return self._edge()

    def _edge(self) -> int:
        """Number of the present edge, the same for every coroutine: the drivers count the same edges."""
        return max(self.cycle, *(port.cycle for port in (*self.sources, *self.sinks)))

    async def _wait_done(self, bound: int, what: str) -> tuple[int, dict[str, int]]:
        for _ in range(bound):
            if self._done:
                break
            await RisingEdge(self.dut.clk)
        assert self._done, f"{what}: no done within {bound} cycles"
        assert len(self._done) == 1, f"{what}: done came {len(self._done)} times"
        return self._done[0]

    async def abort(self) -> None:
        """Assert `rst` for one cycle; the next start can come in the next cycle."""
        for source in self.sources:
            source.clear()
        self.dut.rst.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self.running = 0
        self._done.clear()
        for source in self.sources:
            source.clear()
        for sink in self.sinks:
            sink.clear()

    async def expect_silence(self, cycles: int = 40) -> None:
        """Nothing more comes: no beat, no done."""
        for sink in self.sinks:
            sink.set_profile("none")
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)
        for sink in self.sinks:
            assert not sink.beats, f"{len(sink.beats)} beats on {sink.prefix} after the end of the block"
            assert not int(sink.valid.value), f"{sink.prefix} is valid after the end of the block"


class EncoderBox(_Box):
    """Drives an encoder and compares its streams with the model's."""

    PORTS = ("s_raw", "m_a", "m_b")

    def __init__(self, dut: Any, config: BoxConfig) -> None:
        self.raw = StreamSource(dut, "s_raw")
        self.a = StreamSink(dut, "m_a", payload=("data", "address", "strb"))
        self.b = StreamSink(dut, "m_b")
        super().__init__(dut, config, [self.raw], [self.a, self.b])
        self._results = ("a_words", "limit")

    async def begin_block(self, values: Sequence[int], zero: int, *, early: int = 0) -> int:
        """Queue the raw words (`early` cycles before `start`) and start; returns the cycle of `start`."""
        await self._set_zero(zero)
        self.raw.send(raw_words(values, self.config.width))
        if early:
            await clock.wait_cycles(self.dut, early)
        self._done.clear()
        return await self._pulse_start(len(values))

    async def encode(self, what: str, values: Sequence[int], zero: int = 0, *, early: int = 0, slow: bool = False) -> int:
        """Code one block and check everything about it; returns the cycles from `start` to `done`, both counted."""
        expected = self.config.streams(values, zero)
        first = await self.begin_block(values, zero, early=early)
        last, results = await self._wait_done((40 * len(values) + 4000) * (SLOW if slow else 1), what)
        assert results["limit"] == int(expected.limit), f"{what}: limit is {results['limit']}, expected {int(expected.limit)}"
        if expected.limit:
            await self.abort()
            return last - first + 1
        self._check_a(what, expected, results["a_words"], last, len(self.a.beats))
        self._check_b(what, expected, last, len(self.b.beats))
        assert self.raw.idle, f"{what}: {len(self.raw.queue) + 1} raw words were not taken"
        return last - first + 1

    async def encode_ahead(self, blocks: Sequence[Sequence[int]], waits: Iterator[int]) -> list[int]:
        """Code blocks, `start` of each ahead: some cycles after the last raw word of the one before was taken.

        Checks everything about each; returns the cycles of all `done`. For an encoder that gives A in single parts (apack).
        """
        self._done.clear()
        done = self._done
        for values in blocks:
            while not self.raw.idle or self.running > 1:
                await RisingEdge(self.dut.clk)
            for _ in range(next(waits)):
                await RisingEdge(self.dut.clk)
            self.raw.send(raw_words(values, self.config.width))
            await self._pulse_start(len(values))
        for _ in range(SLOW * (40 * max(map(len, blocks)) + 4000)):
            if len(done) == len(blocks):
                break
            await RisingEdge(self.dut.clk)
        assert len(done) == len(blocks), f"{len(done)} of {len(blocks)} blocks were done"
        for number, (values, (last, results)) in enumerate(zip(blocks, list(done), strict=True)):
            what, expected = f"block {number} of {len(values)} values", self.config.streams(values, 0)
            assert results["limit"] == int(expected.limit), f"{what}: limit is {results['limit']}, expected {int(expected.limit)}"
            if expected.limit:  # what it gave nobody uses
                for sink in (self.a, self.b):
                    sink.drop(sum(when <= last for when in sink.cycles))
                continue
            self._check_a(what, expected, results["a_words"], last, 4 * len(expected.a_stream))
            self._check_b(what, expected, last, len(expected.b_stream))
        assert not self.a.beats and not self.b.beats, "beats behind the last block"
        return [last for last, _ in done]

    def _check_a(self, what: str, block: Block, a_words: int, last: int, beats: int) -> None:
        """The first `beats` beats of A are this block's; they are dropped."""
        expected = [int(word) for word in block.a_stream]
        assert a_words == len(expected), f"{what}: a_words is {a_words}, expected {len(expected)}"
        parts: dict[tuple[int, int], int] = {}
        for beat, when in zip(self.a.beats[:beats], self.a.cycles[:beats], strict=True):
            assert when <= last, f"{what}: a part of A was accepted {when - last} cycles after done"
            assert beat["strb"], f"{what}: a beat of A without strobe at word {beat['address']}"
            for part in range(4):
                if beat["strb"] >> (3 - part) & 1:
                    place = (beat["address"], part)
                    assert place not in parts, f"{what}: part {part} of A word {beat['address']} was written twice"
                    assert beat["address"] < len(expected), f"{what}: A word {beat['address']} was written, A has {len(expected)}"
                    parts[place] = beat["data"] >> (48 - 16 * part) & 0xFFFF
        missing = [place for place in itertools.product(range(len(expected)), range(4)) if place not in parts]
        assert not missing, f"{what}: {len(missing)} parts of A were not written, the first is part {missing[0][1]} of word {missing[0][0]}"
        for number, word in enumerate(expected):
            got = sum(parts[number, part] << (48 - 16 * part) for part in range(4))
            assert got == word, f"{what}: word {number} of A is {got:016x}, expected {word:016x}"
        self.a.drop(beats)

    def _check_b(self, what: str, block: Block, last: int, beats: int) -> None:
        """The same for B."""
        got, expected = self.b.beats[:beats], [int(word) for word in block.b_stream]
        assert len(got) == len(expected), f"{what}: B has {len(got)} words, expected {len(expected)}"
        for number, (word, right) in enumerate(zip(got, expected, strict=True)):
            assert word == right, f"{what}: word {number} of B is {word:016x}, expected {right:016x}"
        assert not got or self.b.cycles[beats - 1] <= last, f"{what}: a word of B was accepted after done"
        self.b.drop(beats)


class _EndedSource(StreamSource):
    """A source with the `end` signal beside it: 1 from `start` on as soon as every word has been taken, or some cycles later."""

    def __init__(self, dut: Any, prefix: str) -> None:
        super().__init__(dut, prefix)
        self.end = getattr(dut, f"{prefix}_end")
        self.end.value = 0
        self._left: int | None = None  # cycles until end; None: the stream is not complete, or not started
        self._target: int | None = None
        self._delay = 0
        cocotb.start_soon(self._drive_end())

    def expect(self, words: int, delay: int) -> None:
        """A block of `words` words is about to start; `end` comes `delay` cycles late."""
        self.end.value = 0
        self._target, self._delay, self._left = self.accepted + words, delay, None

    def stop(self) -> None:
        """The block is over: withdraw what is left; `end` keeps its level."""
        self.clear()
        self._target = None

    async def _drive_end(self) -> None:
        while True:
            await RisingEdge(self.clock)
            if self._target is None or self.accepted < self._target:
                continue
            self._left = self._delay if self._left is None else self._left - 1
            if self._left <= 0:
                self.end.value = 1


class DecoderBox(_Box):
    """Drives a decoder and compares its values with the model's."""

    PORTS = ("s_a", "s_b", "m_raw")

    def __init__(self, dut: Any, config: BoxConfig) -> None:
        self.a = _EndedSource(dut, "s_a")
        self.b = _EndedSource(dut, "s_b")
        self.raw = StreamSink(dut, "m_raw")
        super().__init__(dut, config, [self.a, self.b], [self.raw])
        self._results = ("corrupt",)

    async def begin_block(
        self, a: Sequence[int], b: Sequence[int], count: int, zero: int, *, early: int = 0, late: int = 0, end_delay: int = 0
    ) -> int:
        """Start a block; its words are queued `early` cycles before or `late` cycles after. Returns the cycle of `start`."""
        await self._set_zero(zero)
        if early:
            self.a.send(a)
            self.b.send(b)
            await clock.wait_cycles(self.dut, early)
        accepted = self.a.accepted, self.b.accepted
        self.a.expect(len(a), end_delay)
        self.b.expect(len(b), end_delay)
        assert not early or accepted == (self.a.accepted, self.b.accepted)
        if not early and not late:
            self.a.send(a)
            self.b.send(b)
        self._done.clear()
        first = await self._pulse_start(count)
        if late:
            await clock.wait_cycles(self.dut, late)
            self.a.send(a)
            self.b.send(b)
        return first

    async def decode(
        self,
        what: str,
        a: Sequence[int],
        b: Sequence[int],
        count: int,
        zero: int = 0,
        *,
        early: int = 0,
        late: int = 0,
        end_delay: int = 0,
        slow: bool = False,
    ) -> int:
        """Decode one block, corrupt or not, and check everything about it; returns the cycles from `start` to `done`, both counted."""
        a, b = [int(word) for word in a], [int(word) for word in b]
        values, corrupt = decode_block(a, b, count, self.config.coding(zero))
        expected = raw_words([int(value) for value in values], self.config.width)
        first = await self.begin_block(a, b, count, zero, early=early, late=late, end_delay=end_delay)
        last, results = await self._wait_done((40 * count + 4000) * (SLOW if slow else 1), what)
        self.a.stop()
        self.b.stop()
        got = list(self.raw.beats)
        if corrupt or results["corrupt"]:
            assert results["corrupt"] or not corrupt, f"{what}: a missing bit was not noticed"
            assert corrupt or not self.config.strict_corrupt, f"{what}: corrupt, but every bit was there"
            assert len(got) <= len(expected), f"{what}: {len(got)} raw words of a corrupt block, at most {len(expected)}"
        else:
            assert len(got) == len(expected), f"{what}: {len(got)} raw words, expected {len(expected)}"
            for number, (word, right) in enumerate(zip(got, expected, strict=True)):
                assert word == right, f"{what}: raw word {number} is {word:016x}, expected {right:016x}"
        assert not got or self.raw.cycles[-1] <= last, f"{what}: a raw word was accepted after done"
        self.raw.clear()
        return last - first + 1


Body = Callable[[Any], Any]

FULL_KIT = os.environ.get("KIT") == "full"
"""Run the long versions of the tests; for runs that are marked slow."""


def _register(namespace: dict[str, Any], name: str, body: Body) -> None:
    async def coroutine(dut: Any) -> None:
        await body(dut)

    coroutine.__name__ = coroutine.__qualname__ = name
    coroutine.__module__ = namespace["__name__"]
    coroutine.__doc__ = body.__doc__
    namespace[name] = cocotb.test(name=name)(coroutine)


def add_encoder_tests(namespace: dict[str, Any], config: BoxConfig) -> int:
    """Put the cocotb tests of an encoder into a test module's namespace; returns how many they are."""
    full = config.block_values

    async def edges(dut: Any) -> None:
        """Every named edge, with each zero point."""
        box = EncoderBox(dut, config)
        await box.begin()
        for zero in config.zeros:
            for name, values in edge_cases(config, zero).items():
                await box.encode(f"{name}, zero {zero}", values, zero)
        await box.expect_silence()

    async def back_pressure(dut: Any) -> None:
        """Pauses on each side alone and together."""
        box = EncoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"pressure:{config.codec}")
        for number, pressure in enumerate(pressures(EncoderBox.PORTS)):
            box.set_pressure(pressure, number)
            count = rng.randint(1, min(full, 512))
            values = mixed_values(rng, count, config.width, config.zeros[-1], rng.random())
            await box.encode(f"{count} values with pauses {pressure}", values, config.zeros[-1], slow=True, early=number % 3)
        await box.expect_silence()

    async def back_to_back(dut: Any) -> None:
        """Each start right after the done before it."""
        box = EncoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"blocks:{config.codec}")
        for number in range(25):
            box.set_pressure(dict.fromkeys(EncoderBox.PORTS, "light") if number >= 15 else {}, number)
            count = rng.choice((1, 3, 8, 9, 64, rng.randint(1, min(full, 700))))
            values = mixed_values(rng, count, config.width, 0, rng.choice((0.0, 0.3, 0.8, 1.0)))
            await box.encode(f"block {number} of {count} values", values, 0, slow=True)
        await box.expect_silence()

    async def abort(dut: Any) -> None:
        """rst at any time in a block; the next block starts right after it and is not disturbed."""
        box = EncoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"abort:{config.codec}")
        span = min(full, 300)
        for number, cycles in enumerate([0, 1, 2, 3, 4, 5, 6, 7, 8, *(rng.randint(9, span) for _ in range(16))]):
            box.set_pressure({port: rng.choice(("none", "light", "heavy")) for port in EncoderBox.PORTS} if number % 2 else {}, number)
            await box.begin_block(mixed_values(rng, full, config.width, 0, 0.3), 0)
            await clock.wait_cycles(dut, cycles)
            await box.abort()
            count = rng.randint(1, 100)
            await box.encode(f"after rst in cycle {cycles}", mixed_values(rng, count, config.width, 0, 0.3), 0, slow=True)
        await box.expect_silence()

    async def cycles(dut: Any) -> None:
        """Without back-pressure a block takes no more cycles than stated, whatever the data."""
        assert config.cycles is not None
        box = EncoderBox(dut, config)
        await box.begin()
        box.set_pressure({})
        for name, values in edge_cases(config, config.zeros[-1]).items():
            taken, most = (await box.encode(name, values, config.zeros[-1], early=3), config.cycles(len(values)))
            dut._log.info("%s: %d values in %d cycles", name, len(values), taken)
            assert taken <= most, f"{name}: {len(values)} values took {taken} cycles, at most {most} allowed"

    async def limit(dut: Any) -> None:
        """A block that hits a coder limit says so, and the next block is coded afresh."""
        box = EncoderBox(dut, config)
        await box.begin()
        assert config.streams(config.limit_values, 0).limit, "the model does not hit a limit here"
        for _ in range(2):
            await box.encode("limit", config.limit_values, 0)
            await box.encode("after the limit", list(range(50)), 0)
        await box.expect_silence()

    bodies: dict[str, Body] = {"edges": edges, "back_pressure": back_pressure, "back_to_back": back_to_back, "abort": abort}
    if config.cycles is not None:
        bodies["cycles"] = cycles
    if config.limit_values:
        bodies["limit"] = limit
    for name, body in bodies.items():
        _register(namespace, f"encoder_{name}", body)
    return len(bodies)


def add_decoder_tests(namespace: dict[str, Any], config: BoxConfig) -> int:
    """Put the cocotb tests of a decoder into a test module's namespace; returns how many they are."""
    full = config.block_values

    def coded(values: Sequence[int], zero: int) -> tuple[list[int], list[int]] | None:
        block = config.streams(values, zero)
        if block.limit or len(block.a_stream) > config.block_bytes // 8:
            return None  # a lane never has such a block: it is stored raw
        return [int(word) for word in block.a_stream], [int(word) for word in block.b_stream]

    def random_block(rng: random.Random, most: int, zero: int) -> tuple[list[int], list[int], int]:
        while True:
            count = rng.randint(1, most)
            streams = coded(mixed_values(rng, count, config.width, zero, rng.choice((0.0, 0.3, 0.8, 1.0))), zero)
            if streams is not None:
                return *streams, count

    async def edges(dut: Any) -> None:
        """Every named edge, with each zero point."""
        box = DecoderBox(dut, config)
        await box.begin()
        for zero in config.zeros:
            for name, values in edge_cases(config, zero).items():
                streams = coded(values, zero)
                if streams is not None:
                    await box.decode(f"{name}, zero {zero}", *streams, len(values), zero)
        await box.expect_silence()

    async def back_pressure(dut: Any) -> None:
        """Pauses on each side alone and together, words before and after start, late ends."""
        box = DecoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"pressure:{config.codec}")
        for number, pressure in enumerate(pressures(DecoderBox.PORTS)):
            box.set_pressure(pressure, number)
            a, b, count = random_block(rng, min(full, 512), config.zeros[-1])
            timing = [{}, {"early": 3}, {"late": 9}, {"end_delay": 7}][number % 4]
            await box.decode(f"{count} values with pauses {pressure}, {timing}", a, b, count, config.zeros[-1], slow=True, **timing)
        await box.expect_silence()

    async def back_to_back(dut: Any) -> None:
        """Each start right after the done before it."""
        box = DecoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"blocks:{config.codec}")
        for number in range(25):
            box.set_pressure(dict.fromkeys(DecoderBox.PORTS, "light") if number >= 15 else {}, number)
            a, b, count = random_block(rng, rng.choice((1, 3, 8, 9, 64, min(full, 700))), 0)
            await box.decode(f"block {number} of {count} values", a, b, count, 0, slow=True)
        await box.expect_silence()

    async def left_over(dut: Any) -> None:
        """Words past those that the block needs are no fault, and do not disturb the next block."""
        box = DecoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"left over:{config.codec}")
        for number in range(8):
            a, b, count = random_block(rng, 200, 0)
            more_a, more_b = ([rng.getrandbits(64) for _ in range(rng.randint(0, 6))] for _ in range(2))
            await box.decode(f"{len(more_a)} and {len(more_b)} words too many", a + more_a, b + more_b, count, 0, end_delay=number % 3)
            a, b, count = random_block(rng, 200, 0)
            await box.decode("the block after it", a, b, count, 0)
        await box.expect_silence()

    async def abort(dut: Any) -> None:
        """rst at any time in a block; the next block starts right after it and is not disturbed."""
        box = DecoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"abort:{config.codec}")
        span = min(full, 300)
        for number, cycles in enumerate([0, 1, 2, 3, 4, 5, 6, 7, 8, *(rng.randint(9, span) for _ in range(16))]):
            box.set_pressure({port: rng.choice(("none", "light", "heavy")) for port in DecoderBox.PORTS} if number % 2 else {}, number)
            a, b, count = random_block(rng, full, 0)
            while count < full // 2:
                a, b, count = random_block(rng, full, 0)
            await box.begin_block(a, b, count, 0)
            await clock.wait_cycles(dut, cycles)
            await box.abort()
            a, b, count = random_block(rng, 100, 0)
            await box.decode(f"after rst in cycle {cycles}", a, b, count, 0, slow=True)
        await box.expect_silence()

    async def truncated(dut: Any) -> None:
        """Streams that end too early: bounded cycles, `corrupt`, and the next block is right."""
        box = DecoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"truncated:{config.codec}")
        noticed = 0
        for number in range(24):
            a, b, count = random_block(rng, min(full, 512), 0)
            keep_a = (len(a), len(a) - 1, 0, rng.randint(0, len(a)))[number % 4]
            keep_b = (max(len(b) - 1, 0), len(b), 0, rng.randint(0, len(b)))[(number // 2) % 4]
            what = f"{keep_a} of {len(a)} words of A, {keep_b} of {len(b)} of B, {count} values"
            a, b = a[:keep_a], b[:keep_b]
            noticed += decode_block(a, b, count, config.coding(0))[1]
            await box.decode(what, a, b, count, 0, end_delay=number % 5)
            a, b, count = random_block(rng, 60, 0)
            await box.decode(f"after {what}", a, b, count, 0)
        assert noticed >= 8, f"only {noticed} of the truncated blocks are corrupt"
        await box.expect_silence()

    async def bit_flips(dut: Any) -> None:
        """Flipped bits and random streams: bounded cycles, the model's values or `corrupt`, and the next block is right."""
        box = DecoderBox(dut, config)
        await box.begin()
        rng = random.Random(f"flips:{config.codec}")
        for number in range(30):
            a, b, count = random_block(rng, min(full, 400), 0)
            if number % 3 == 2:
                a, b = ([rng.getrandbits(64) for _ in stream] for stream in (a, b))
            else:
                for _ in range(rng.randint(1, 4)):
                    stream = a if (rng.random() < 0.5 or not b) else b
                    stream[rng.randrange(len(stream))] ^= 1 << rng.randrange(64)
            await box.decode(f"flips {number}, {count} values", a, b, count, 0)
            if number % 4 == 3:
                a, b, count = random_block(rng, 60, 0)
                await box.decode(f"after flips {number}", a, b, count, 0)
        await box.expect_silence()

    async def cycles(dut: Any) -> None:
        """Without back-pressure a block takes no more cycles than stated, whatever the data."""
        assert config.cycles is not None
        box = DecoderBox(dut, config)
        await box.begin()
        box.set_pressure({})
        for name, values in edge_cases(config, config.zeros[-1]).items():
            streams = coded(values, config.zeros[-1])
            if streams is None:
                continue
            taken, most = (await box.decode(name, *streams, len(values), config.zeros[-1], early=3), config.cycles(len(values)))
            dut._log.info("%s: %d values in %d cycles", name, len(values), taken)
            assert taken <= most, f"{name}: {len(values)} values took {taken} cycles, at most {most} allowed"

    bodies: dict[str, Body] = {
        "edges": edges,
        "back_pressure": back_pressure,
        "back_to_back": back_to_back,
        "left_over": left_over,
        "abort": abort,
        "truncated": truncated,
        "bit_flips": bit_flips,
    }
    if config.cycles is not None:
        bodies["cycles"] = cycles
    for name, body in bodies.items():
        _register(namespace, f"decoder_{name}", body)
    return len(bodies)


def add_fault_tests(namespace: dict[str, Any], config: BoxConfig, blocks: Sequence[tuple[Sequence[int], int]], spare: int) -> int:
    """Put tests of corrupt streams into a test module's namespace; returns how many they are.

    After each fault the decoder must give the model's values, or `corrupt` where the model misses bits; never more words than the block
    has; and `done` in time. Then a good block must be right: after every fault, in the short version after every eighth.

    Parameters
    ----------
    blocks : sequence of (values, zero)
        Blocks of few words that use every kind of code; the short version takes the first only.
    spare : int
        Most cycles from ``start`` to ``done`` beyond one a value, both counted, without back-pressure.
    """
    chosen = blocks if FULL_KIT else blocks[:1]
    after_every = 1 if FULL_KIT else 8
    good_values = mixed_values(random.Random(f"good:{config.codec}"), 21, config.width, 0, 0.3)

    def words_of(values: Sequence[int], zero: int) -> tuple[list[int], list[int]]:
        block = config.streams(values, zero)
        return [int(word) for word in block.a_stream], [int(word) for word in block.b_stream]

    class Faults:
        """Decodes faulty blocks, and good ones between them."""

        def __init__(self, box: DecoderBox) -> None:
            self.box, self.count, self.corrupt = box, 0, 0

        async def decode(self, what: str, streams: Sequence[Sequence[int]], count: int, zero: int) -> None:
            self.corrupt += decode_block(*streams, count, config.coding(zero))[1]
            taken = await self.box.decode(what, *streams, count, zero)
            assert taken <= count + spare, f"{what}: {count} values took {taken} cycles, at most {count + spare} allowed"
            self.count += 1
            if self.count % after_every == 0:
                values, corrupt = decode_block(*words_of(good_values, zero), len(good_values), config.coding(zero))
                assert not corrupt and [int(value) for value in values] == good_values
                await self.box.decode(f"a good block after {what}", *words_of(good_values, zero), len(good_values), zero)

    async def begin(dut: Any) -> Faults:
        box = DecoderBox(dut, config)
        await box.begin()
        box.set_pressure({})
        return Faults(box)

    async def every_bit_flipped(dut: Any) -> None:
        """Each bit of short blocks, one at a time."""
        faults = await begin(dut)
        bits = 0
        for values, zero in chosen:
            good = words_of(values, zero)
            for side, bit in [(which, bit) for which in (0, 1) for bit in range(64 * len(good[which]))]:
                streams = list(good[0]), list(good[1])
                streams[side][bit // 64] ^= 1 << (63 - bit % 64)
                await faults.decode(f"bit {bit} of {'AB'[side]} flipped, {len(values)} values", streams, len(values), zero)
                bits += 1
        dut._log.info("%d bits, %d blocks corrupt", bits, faults.corrupt)
        assert bits >= 128 * len(chosen)
        await faults.box.expect_silence()

    async def every_truncation(dut: Any) -> None:
        """Streams that end at each byte, and streams of the right length that are zero from each byte on."""
        faults = await begin(dut)
        for values, zero in chosen:
            good = words_of(values, zero)
            for side, byte in [(which, byte) for which in (0, 1) for byte in range(8 * len(good[which]))]:
                words, rest = -(-byte // 8), byte % 8
                cut = good[side][:words]
                if rest:
                    cut[-1] &= ~((1 << (64 - 8 * rest)) - 1)
                for padding in (0, len(good[side]) - words):
                    streams = [*good]
                    streams[side] = cut + [0] * padding
                    what = f"{'AB'[side]} ends at byte {byte}, {padding} words of zeros follow, {len(values)} values"
                    await faults.decode(what, streams, len(values), zero)
        assert faults.corrupt >= 2, "no truncation left bits missing"
        await faults.box.expect_silence()

    async def random_words(dut: Any) -> None:
        """Random streams, mostly far too short or too long."""
        faults = await begin(dut)
        rng = random.Random(f"random words:{config.codec}")
        for number in range(300 if FULL_KIT else 30):
            count = rng.randint(1, min(config.block_values, 300))
            streams = [[rng.getrandbits(64) for _ in range(rng.randint(0, rng.choice((2, 12, 40))))] for _ in range(2)]
            await faults.decode(f"random words {number}", streams, count, rng.choice(config.zeros))
        assert 0 < faults.corrupt < faults.count, f"{faults.corrupt} of {faults.count} are corrupt"
        await faults.box.expect_silence()

    bodies: dict[str, Body] = {"every_bit_flipped": every_bit_flipped, "every_truncation": every_truncation, "random_words": random_words}
    for name, body in bodies.items():
        _register(namespace, f"decoder_{name}", body)
    return len(bodies)


def add_selection_tests(namespace: dict[str, Any], box_class: type[EncoderBox] | type[DecoderBox], configs: Mapping[str, BoxConfig]) -> int:
    """Put tests of codec_encoder or codec_decoder into a test module's namespace; returns how many they are.

    `configs` are the codecs of the build, by name, each with the input ``codec`` that selects it.
    """

    def select(box: EncoderBox | DecoderBox, config: BoxConfig) -> None:
        box.config = config
        box.dut.codec.value = config.inputs["codec"]

    async def changes(dut: Any) -> None:
        """The codecs of the build in turn, with rst between them; what is not selected stays silent."""
        box = box_class(dut, next(iter(configs.values())))
        await box.begin()
        for config in configs.values():
            select(box, config)
            await box.load_table()  # a table stays while other codecs run
        rng = random.Random(len(configs))
        for number in range(12):
            config = list(configs.values())[number % len(configs)]
            select(box, config)
            await box.abort()
            await clock.wait_cycles(dut, 1)
            zero = rng.choice(config.zeros)
            values = mixed_values(rng, rng.randint(1, config.block_values), config.width, zero, 0.5)
            what = f"block {number}, {config.codec}"
            if isinstance(box, EncoderBox):
                await box.encode(what, values, zero)
            else:
                block = config.streams(values, zero)
                await box.decode(what, block.a_stream, block.b_stream, len(values), zero)
        await box.expect_silence()

    async def raw_is_silent(dut: Any) -> None:
        """Codec 0 has no coder: with it selected nothing is taken and nothing comes."""
        box = box_class(dut, next(iter(configs.values())))
        await box.begin()
        dut.codec.value = 0
        await clock.wait_cycles(dut, 2)
        for source in box.sources:
            source.send([1, 2, 3])
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        for _ in range(60):
            await RisingEdge(dut.clk)
            for sink in box.sinks:
                assert not int(sink.valid.value), f"{sink.prefix} is valid"
            for source in box.sources:
                assert not source.accepted, f"a word of {source.prefix} was taken"
            assert not int(dut.done.value), "done"

    bodies: dict[str, Body] = {"changes": changes}
    if len(configs) > 1:  # the only codec of a build is always selected
        bodies["raw_is_silent"] = raw_is_silent
    for name, body in bodies.items():
        _register(namespace, f"selection_{name}", body)
    return len(bodies)


__all__ = [
    "FULL_KIT",
    "BoxConfig",
    "DecoderBox",
    "EncoderBox",
    "Pauses",
    "add_decoder_tests",
    "add_encoder_tests",
    "add_fault_tests",
    "add_selection_tests",
]
