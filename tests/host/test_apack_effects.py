# SPDX-License-Identifier: Apache-2.0
"""scripts/apack_effects.py: its figures are those of the codec, and its errors are one line."""

from __future__ import annotations

from pathlib import Path

import apack_effects
import numpy as np
import pytest
from tensorpress.codecs import Coding
from tensorpress.codecs.apack import encode_block


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(3)
    values = np.clip(rng.normal(128, 20, 30_000), 0, 255).astype(np.uint8)
    entropy = apack_effects.entropy(values)
    assert entropy == pytest.approx(6.37, abs=0.03)  # log2(20 * sqrt(2 * pi * e))
    table = apack_effects.own_table(values)
    sizes = [apack_effects.bits(values, table, block=block) for block in (512, 4096, 16384)]
    assert sizes[0] > sizes[1] > sizes[2] > entropy
    assert apack_effects.bits(values, table, coders=16) > apack_effects.bits(values, table, coders=1)
    file = tmp_path / "some.npz"
    np.savez(file, **{"act/one": values, "act/wide": values.astype(np.uint16)})
    assert apack_effects.main([str(file)]) == 0
    text = capsys.readouterr().out
    assert f"| order-0 entropy | {entropy:.3f} |" in text
    assert f"| blocks of 4096 values | {sizes[1]:.3f} |" in text and f"| act/one | 30000 | {entropy:.3f} | {sizes[1]:.3f} |" in text
    assert "act/wide" not in text
    assert "entropy above 3 bits: 1 tensors, the image of 1 of them is within 2% of it" in text


def test_distance_from_the_ideal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(4)
    values = np.clip(rng.normal(128, 20, 40_000), 0, 255).astype(np.uint8)
    table = apack_effects.own_table(values)
    ideal, whole = apack_effects.ideal_bits(values, table), apack_effects.whole_bits(values, table)
    assert (
        apack_effects.entropy(values) * len(values) < ideal < whole < 1.005 * ideal
    )  # 16-bit coder, shares of 1024, padding of two streams
    streams = encode_block(values[:9000].tolist(), Coding("apack", coders=1, table=table))
    assert apack_effects.whole_bits(values[:9000], table) == 64 * (len(streams.a.words()) + len(streams.b.words()))
    np.save(tmp_path / "x.npy", values)
    assert apack_effects.main(["--ideal", str(tmp_path / "x.npy")]) == 0
    assert f"| 1 | 40,000 | {ideal / 40_000:.3f} | {whole / 40_000:.3f} | {whole / ideal - 1:.2%} |" in capsys.readouterr().out


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert apack_effects.main([str(tmp_path / "none.npz")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    np.save(tmp_path / "wide.npy", np.zeros(4, np.uint16))
    assert apack_effects.main([str(tmp_path / "wide.npy")]) == 2
    assert capsys.readouterr().err == "error: no tensor of 8 bits in these files\n"
