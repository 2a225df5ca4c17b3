# SPDX-License-Identifier: Apache-2.0
"""The notebook that users get, executed from its first cell to its last on the simulated board."""

from __future__ import annotations

import base64
import re
from importlib.metadata import entry_points
from pathlib import Path

import nbformat
import pytest
import tensorpress.notebooks
from nbclient import NotebookClient

FOLDER = Path(tensorpress.notebooks.__file__).parent
KEPT = Path(__file__).resolve().parents[2] / "build" / "notebooks"


def test_notebook(bitstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORPRESS_DEVICE", "pynq-sim")
    monkeypatch.setenv("TENSORPRESS_BITSTREAM", str(bitstream))
    notebook = nbformat.read(FOLDER / "compress_a_network.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)  # committed without results
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert "pynq-sim at 125 MHz: 2 lanes" in text
    found = re.search(r"(\d+) transfers, every byte as the software model has it", text)
    assert found is not None and int(found[1]) >= 40
    saved = re.search(r"bytes become [\d,]+: ([\d.]+) times less", text)
    assert saved is not None and 1.2 < float(saved[1]) < 5
    pictures = [base64.b64decode(output.data["image/png"]) for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2 and all(len(picture) > 10_000 for picture in pictures)
    KEPT.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        (KEPT / f"compress_a_network-{number}.png").write_bytes(picture)
    nbformat.write(notebook, KEPT / "compress_a_network.ipynb")


def test_entry_points() -> None:
    found = {group: {one.value for one in entry_points(group=group)} for group in ("pynq.lib", "pynq.notebooks")}
    assert "tensorpress.overlay" in found["pynq.lib"]
    assert "tensorpress.notebooks" in found["pynq.notebooks"]
