# SPDX-License-Identifier: Apache-2.0
"""apack_encoder against the model: streams, back-pressure, aborts, limits, cycles, tables."""

from __future__ import annotations

import os

import pytest
from codec.apack.apack_tables import bus_words, make_table
from codec.box import BoxConfig, add_encoder_tests
from harness import run_cocotb

BLOCK_BYTES = int(os.environ.get("BLOCK_BYTES", "512"))
CODERS = int(os.environ.get("CODERS", "8"))
WIDTH = int(os.environ.get("WIDTH", "8"))
TABLE = make_table(os.environ.get("TABLE", "zeros"), WIDTH)
CONFIG = BoxConfig(
    "apack",
    width=WIDTH,
    block_bytes=BLOCK_BYTES,
    coders=CODERS,
    table=TABLE,
    table_words=bus_words(TABLE),
    zeros=(0,),
    cycles=lambda values: values + 3 * CODERS + 60,  # a few events of more than 16 bits included
)
TESTS = add_encoder_tests(globals(), CONFIG)


@pytest.mark.parametrize(
    ("block_bytes", "coders", "width", "table"),
    [
        (512, 8, 8, "zeros"),
        (4096, 8, 8, "random 1"),
        (512, 10, 8, "zeros"),
        (512, 16, 16, "random 2"),
        (512, 13, 16, "wide"),
    ],
)
def test_apack_encoder(simulator: str, block_bytes: int, coders: int, width: int, table: str) -> None:
    run_cocotb(
        __file__,
        core="tensorpress:rtl:apack",
        toplevel="apack_encoder",
        parameters={"BLOCK_BYTES": block_bytes, "CODERS": coders, "W": width},
        extra_env={"BLOCK_BYTES": str(block_bytes), "CODERS": str(coders), "WIDTH": str(width), "TABLE": table},
        expected_tests=TESTS,
        simulator=simulator,
    )
