# SPDX-License-Identifier: Apache-2.0
"""Real tensors through each device: the demo's, and those of a folder of .npz files named by TENSORPRESS_DATA, where it is set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cases import assert_same_image, assert_same_values, codecs_of, coding_for
from tensorpress.codecs import encode
from tensorpress.demo import DEMO_TENSORS
from tensorpress.engine import Engine
from tensorpress.tensors import NamedTensor, load_tensors

DATA = os.environ.get("TENSORPRESS_DATA")
FILES = sorted(Path(DATA).glob("*.npz")) if DATA else []
LIMIT = 64 * 1024  # values of a tensor, but for the slow run


def _same_everywhere(engine: Engine, tensor: NamedTensor, limit: int | None) -> None:
    values = tensor.values.ravel().view("u1")[:limit]
    for codec in codecs_of(engine):
        coding = coding_for(engine, codec, values, block=min(4096, engine.capabilities.block_bytes))
        expected = encode(values, coding)
        assert_same_image(engine.compress(values, coding).coded, expected)
        assert_same_values(engine.decompress(expected, len(values), coding).values, values)


def test_demo_tensors(engine: Engine) -> None:
    tensors = load_tensors(DEMO_TENSORS)
    assert len(tensors) >= 10
    for tensor in tensors:
        _same_everywhere(engine, tensor, None)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_tensors_of_a_folder(engine: Engine, file: Path) -> None:
    tensors = [one for one in load_tensors(file) if one.width == 8]
    for tensor in tensors:
        _same_everywhere(engine, tensor, LIMIT)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_whole_tensors_of_a_folder(engine: Engine, file: Path) -> None:
    tensors = [one for one in load_tensors(file) if one.width == 8]
    for tensor in tensors:
        _same_everywhere(engine, tensor, None)
