# SPDX-License-Identifier: Apache-2.0
"""The named builds: one file for all who use them, with names that they all know."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tensorpress.device.builds import checkout, engine_build, engine_builds
from tensorpress.device.model import ModelDevice
from tensorpress.engine import Engine
from tensorpress.errors import DeviceError, InputError

ROOT = Path(__file__).resolve().parents[2]


def test_the_three_builds_are_there_and_fusesoc_knows_their_parameters():
    builds = engine_builds(ROOT)
    assert {"full", "inference", "small"} <= set(builds)
    core = yaml.safe_load((ROOT / "fusesoc.core").read_text().removeprefix("CAPI=2:"))
    for build in builds.values():
        assert set(build.parameters) <= set(core["parameters"]), build.name


@pytest.mark.parametrize(
    ("name", "lanes", "encode", "decode"),
    [
        ("full", (8, 8), ("raw", "zvc", "ebpc", "apack"), ("raw", "zvc", "ebpc", "apack")),
        ("inference", (4, 16), ("raw", "zvc", "apack"), ("raw", "zvc", "apack")),
        ("small", (2, 2), ("raw", "zvc", "ebpc", "apack"), ("raw", "zvc", "ebpc", "apack")),
    ],
)
def test_a_device_has_what_its_build_says(name, lanes, encode, decode):
    with ModelDevice(build=name, memory_bytes=1 << 20) as device:
        can = Engine(device).capabilities
    assert (can.encode_lanes, can.decode_lanes) == lanes and can.lanes == max(lanes)
    assert (can.encode_codecs, can.decode_codecs) == (encode, decode)
    assert can.apack_coders == engine_build(ROOT, name).parameter("APACK_CODERS")


def test_an_unknown_build_is_named():
    with pytest.raises(InputError, match=r"no build 'huge'.*full, inference, small"):
        ModelDevice(build="huge")


def test_checkout_is_this_one():
    assert checkout() == ROOT


def test_a_codec_of_one_direction_is_refused_in_the_other():
    from tensorpress.codecs import Coding

    with ModelDevice(encode_codecs=1 | 2, decode_codecs=1 | 2 | 4, memory_bytes=1 << 20) as device:
        engine = Engine(device)
        with pytest.raises(DeviceError, match="'ebpc' is not built in to compress"):
            engine.compress_job(100, Coding("ebpc"))
        engine.decompress_job(100, Coding("ebpc"), 10).close()
        assert str(engine.capabilities).startswith("8 lanes compress raw, zvc; 8 lanes decompress raw, zvc, ebpc; blocks")
