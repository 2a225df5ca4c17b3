#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cycles a value of the open EBPC hardware, stream-ebpc, beside ours, on the same blocks: the table in rtl/codec/ebpc/README.md.

::

    git clone https://github.com/pulp-platform/stream-ebpc
    python scripts/peer_ebpc.py stream-ebpc

Verilator simulates the peer's tops ``ebpc_encoder`` and ``ebpc_decoder`` (8 bits, groups of 8) with ``peer_ebpc.cpp``: what goes in is
always valid, what comes out is always taken, a reset before each block; cycles from the first value (word) taken to the last word (value)
that comes out. Its streams must be our model's, its decoder must give the values back. Ours are those of the throughput tests in
``tests/rtl/codec/ebpc``. Nothing of the peer is part of this project; its files are only read.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "tests" / "rtl")]

from codec.ebpc.kinds import VALUES, kinds  # noqa: E402
from tensorpress.codecs.blocks import encode_block  # noqa: E402
from tensorpress.codecs.coding import Coding  # noqa: E402
from tensorpress.errors import BuildError, InputError, TensorpressError  # noqa: E402
from tensorpress.verilator_root import prepare  # noqa: E402

BUILD = ROOT / "build" / "peer_ebpc"
TOPS = {"encoder": Path("src/encoder/ebpc_encoder.sv"), "decoder": Path("src/decoder/ebpc_decoder.sv")}
PACKAGE = Path("src/ebpc_pkg.sv")
HEAD = (
    "| data | encoder cycles | cycles a value | `stream-ebpc` | decoder cycles | cycles a value | `stream-ebpc` |\n"
    "|---|---|---|---|---|---|---|\n"
)


def run(command: Sequence[str], what: str, *, text: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """Output of a command; BuildError with the end of what it said when it fails."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=env, cwd=ROOT)
    if done.returncode:
        raise BuildError(f"{what} failed:\n" + "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:]))
    return done.stdout


def build(peer: Path, side: str) -> Path:
    """Simulator of one of the peer's tops; its modules are found by their names."""
    folder = BUILD / side
    command = ["verilator", "--cc", "--exe", "--build", "-O3", "--no-assert", "--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
    command += ["--top-module", TOPS[side].stem, "--prefix", "Vpeer", "--Mdir", str(folder), "-o", side]
    command += [part for name in ("src", "src/encoder", "src/decoder") for part in ("-y", str(peer / name))]
    command += ["+libext+.sv", str(peer / PACKAGE), str(peer / TOPS[side]), str(ROOT / "scripts" / "peer_ebpc.cpp")]
    command += ["-CFLAGS", "-DDECODER"] if side == "decoder" else []
    folder.parent.mkdir(parents=True, exist_ok=True)
    run(command, f"verilator {TOPS[side].name} of {peer}", env=prepare())
    return folder / side


def measure_peer(peer: Path, blocks: Mapping[str, Sequence[int]]) -> dict[str, dict[str, int]]:
    """Cycles of the peer: side -> kind of data -> cycles. Prints what is not as it should be."""
    encoder, decoder = (build(peer, side) for side in TOPS)
    coding = Coding("ebpc", width=8, block_values=VALUES, zero=0, signed=True)
    streams: dict[str, list[str]] = {}
    for name, values in blocks.items():
        block = encode_block(np.array(values, np.uint8), coding)
        bits = ((block.a_stream, block.a_bits), (block.b_stream, block.b_bits))
        streams[name] = [words.astype(">u8").tobytes()[: -(-count // 8)].hex() or "-" for words, count in bits]
    cycles: dict[str, dict[str, int]] = {side: {} for side in TOPS}
    answers = run([str(encoder)], "the peer's encoder", text="".join(bytes(values).hex() + "\n" for values in blocks.values()))
    for (name, right), line in zip(streams.items(), answers.splitlines(), strict=True):
        taken, *coded = line.split()
        cycles["encoder"][name] = int(taken)
        for stream, got, expected in zip("AB", coded, right, strict=True):
            if got != expected:
                lost = "its last bytes are missing" if expected.startswith(got.strip("-")) else "its bytes differ"
                print(f"{name}: stream {stream} of the peer has {len(got) // 2} bytes, our model's {len(expected) // 2}; {lost}")
    answers = run([str(decoder)], "the peer's decoder", text="".join(f"{' '.join(streams[name])} {len(blocks[name])}\n" for name in blocks))
    for (name, values), line in zip(blocks.items(), answers.splitlines(), strict=True):
        taken, got = line.split()
        cycles["decoder"][name] = int(taken)
        if got != bytes(values).hex():
            print(f"{name}: the peer's decoder does not give the values back ({len(got) // 2} of {len(values)} come out)")
    return cycles


def commit(peer: Path) -> str:
    """The checkout's commit, as git tells it; a copy without history has none."""
    if not (peer / ".git").exists():
        return "unknown"
    done = subprocess.run(["git", "-C", str(peer), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def measure_ours() -> dict[str, dict[str, int]]:
    """Cycles of our engines from the logs of the throughput tests, which run now: side -> kind of data -> cycles."""
    tests = [sys.executable, "-m", "pytest", "-q", "tests/rtl/codec/ebpc", "-k", "throughput"]
    run(tests, "pytest tests/rtl/codec/ebpc -k throughput")
    cycles = {}
    for side in TOPS:
        (log,) = (ROOT / "build" / "rtl" / f"codec.ebpc.test_ebpc_{side}").glob(f"*verilator*={VALUES}-W=8/test.log")
        found = re.findall(rf"ebpc_{side} +(.*): {VALUES} values in (\d+) cycles", log.read_text())
        cycles[side] = {name: int(count) for name, count in found}
    return cycles


def main() -> int:
    """Command line: measures, prints a Markdown table; 1 when something is missing or does not build."""
    parser = argparse.ArgumentParser(description="Cycles a value of stream-ebpc and of our engines on the same blocks.")
    parser.add_argument("peer", type=Path, help="a checkout of https://github.com/pulp-platform/stream-ebpc")
    peer = parser.parse_args().peer.resolve()
    try:
        missing = [str(file) for file in (PACKAGE, *TOPS.values()) if not (peer / file).is_file()]
        if missing:
            raise InputError(
                f"{peer} is no checkout of stream-ebpc: {', '.join(missing)} missing; git clone https://github.com/pulp-platform/stream-ebpc"
            )
        blocks = kinds()
        theirs, ours = measure_peer(peer, blocks), measure_ours()
    except TensorpressError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"stream-ebpc, commit {commit(peer)}:\n")
    print(HEAD, end="")
    for name, values in blocks.items():
        count = len(values)
        row = [f"{ours[side][name]} | {ours[side][name] / count:.3f} | {theirs[side][name] / count:.3f}" for side in TOPS]
        print(f"| {name} | {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
