# SPDX-License-Identifier: Apache-2.0
"""The test bench itself: faults must be seen, tests that do not run must be missed, runs that hang must end."""

from __future__ import annotations

import os
import random

import cocotb
import pytest
from cocotb.triggers import Timer
from harness import CocotbFailure, run_cocotb
from lib.clock import start, wait_cycles
from lib.profiles import PROFILES
from lib.streams import StreamSink, StreamSource

BEATS = 300


@cocotb.test()
@cocotb.parametrize(source_profile=PROFILES, sink_profile=PROFILES)
async def passes_all_beats(dut, source_profile, sink_profile):
    source = StreamSource(dut, "s", profile=source_profile, seed=1)
    sink = StreamSink(dut, "m", profile=sink_profile, seed=2)
    await start(dut)
    rng = random.Random(f"{source_profile}:{sink_profile}")
    sent = [rng.randrange(1 << 16) for _ in range(BEATS)]
    source.send(sent)
    received = await sink.receive(BEATS, timeout=20_000)
    assert received == sent
    await sink.expect_silence()
    assert source.accepted == BEATS


@cocotb.test(skip="MUST_FAIL" not in os.environ)
async def fails_in_the_background(dut):
    async def checker():
        await wait_cycles(dut, 2)
        raise AssertionError("seen by a background task")

    await start(dut)
    cocotb.start_soon(checker())
    await wait_cycles(dut, 20)


@cocotb.test(skip="MUST_HANG" not in os.environ)
async def hangs(dut):
    await start(dut)
    await Timer(1, "sec")


def run(simulator, fault=0, expected_tests=25, test_filter="passes_all_beats", **more):
    return run_cocotb(
        __file__,
        core=None,
        extra_sources=["selftest_stage.v"],
        toplevel="selftest_stage",
        parameters={"FAULT": fault},
        simulator=simulator,
        expected_tests=expected_tests,
        test_filter=test_filter,
        **more,
    )


def test_good_module_passes(simulator):
    folder = run(simulator)
    assert (folder / "results.xml").is_file()


@pytest.mark.parametrize("fault", [1, 2, 3])
def test_faulty_module_fails(simulator, fault):
    with pytest.raises(CocotbFailure, match=r"\d+ of 25 cocotb tests failed"):
        run(simulator, fault)


@pytest.mark.parametrize("wrong", [24, 26])
def test_wrong_number_of_tests_fails(simulator, wrong):
    with pytest.raises(CocotbFailure, match=rf"25 cocotb tests ran .*expected {wrong}"):
        run(simulator, expected_tests=wrong)


def test_filter_that_matches_nothing_fails(simulator):
    with pytest.raises(CocotbFailure):
        run(simulator, expected_tests=1, test_filter="no_such_test")


def test_skipped_test_fails(simulator):
    with pytest.raises(CocotbFailure, match=r"2 of 27 cocotb tests failed.*hangs"):
        run(simulator, expected_tests=25, test_filter=None)


def test_background_failure_fails(simulator):
    with pytest.raises(CocotbFailure, match="1 of 1 cocotb tests failed"):
        run(simulator, expected_tests=1, test_filter="fails_in_the_background", extra_env={"MUST_FAIL": "1"})


def test_hanging_run_is_killed(simulator):
    with pytest.raises(CocotbFailure, match="took more than 5 s"):
        run(simulator, expected_tests=1, test_filter="hangs", extra_env={"MUST_HANG": "1"}, timeout=5)


def test_build_error_fails_with_the_log(simulator):
    with pytest.raises(CocotbFailure, match="build ended with exit code"):
        run_cocotb(__file__, core=None, extra_sources=["selftest_stage.v"], toplevel="no_such_top", simulator=simulator, expected_tests=1)
