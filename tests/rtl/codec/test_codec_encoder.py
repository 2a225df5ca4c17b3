# SPDX-License-Identifier: Apache-2.0
"""codec_encoder: the whole box kit through the selection, and changes of codec between blocks."""

from __future__ import annotations

import os

import pytest
from codec.apack.apack_tables import bus_words, make_table
from codec.box import BoxConfig, EncoderBox, add_encoder_tests, add_selection_tests
from harness import run_cocotb
from tensorpress.codecs import CODEC_NUMBERS

BLOCK_BYTES = 512
CODECS = int(os.environ.get("CODECS", "2"))
CODEC = os.environ.get("CODEC", "zvc")
TABLE = make_table("zeros", 8)
APACK = {"table": TABLE, "table_words": bus_words(TABLE), "zeros": (0,)}

CONFIGS = {
    codec: BoxConfig(codec, block_bytes=BLOCK_BYTES, inputs={"codec": CODEC_NUMBERS[codec]}, **(APACK if codec == "apack" else {}))
    for codec in ("zvc", "ebpc", "apack")
    if CODECS >> CODEC_NUMBERS[codec] & 1
}
KIT_TESTS = add_encoder_tests(globals(), CONFIGS[CODEC])
add_selection_tests(globals(), EncoderBox, CONFIGS)


def run(simulator: str, codecs: int, codec: str, tests: int, only: str | None = None) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:codec",
        toplevel="codec_encoder",
        parameters={"BLOCK_BYTES": BLOCK_BYTES, "CODECS": codecs},
        extra_env={"CODECS": str(codecs), "CODEC": codec},
        expected_tests=tests,
        test_filter=only,
        simulator=simulator,
    )


def test_codec_encoder() -> None:
    run("verilator", 15, "ebpc", 4, "selection_(changes|raw_is_silent)|encoder_(edges|back_to_back)")


def test_codec_encoder_two_codecs(icarus: str) -> None:
    run(icarus, 6, "zvc", 2, "selection_(changes|raw_is_silent)")


def test_codec_encoder_without_selection(icarus: str) -> None:
    run(icarus, 2, "zvc", 2, "selection_changes|encoder_abort")


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["zvc", "ebpc", "apack"])
def test_codec_encoder_kit(simulator: str, codec: str) -> None:
    run(simulator, 15, codec, KIT_TESTS + 2)
