# SPDX-License-Identifier: Apache-2.0
"""scripts/peer_ebpc.py, without the peer: what it says when the checkout is not there, and the blocks it measures."""

from __future__ import annotations

import sys
from pathlib import Path

import peer_ebpc
import pytest


def test_a_folder_that_is_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "ebpc_pkg.sv").touch()
    monkeypatch.setattr(sys, "argv", ["peer_ebpc.py", str(tmp_path)])
    assert peer_ebpc.main() == 1
    said = capsys.readouterr()
    assert not said.out
    assert f"{tmp_path} is no checkout of stream-ebpc: src/encoder/ebpc_encoder.sv, src/decoder/ebpc_decoder.sv missing" in said.err
    assert "git clone" in said.err


def test_table_of_the_readme_has_the_blocks_that_are_measured() -> None:
    rows = (peer_ebpc.ROOT / "rtl" / "codec" / "ebpc" / "README.md").read_text().split(peer_ebpc.HEAD, 1)[1].split("\n\n", 1)[0]
    names = [row.split("|")[1].strip() for row in rows.splitlines()]
    assert names == list(peer_ebpc.kinds())
