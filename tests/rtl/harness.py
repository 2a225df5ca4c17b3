# SPDX-License-Identifier: Apache-2.0
"""Builds an RTL module with a simulator and runs the cocotb tests of a file against it. See README.md in this folder.

The file that calls :func:`run_cocotb` from a pytest function also holds the ``@cocotb.test()`` coroutines. The simulator runs in a
process group of its own,
so that a run that hangs is ended by force.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

TESTS_RTL = Path(__file__).resolve().parent
ROOT = TESTS_RTL.parents[1]
BUILD = ROOT / "build" / "rtl"
SIMULATORS = ("verilator", "icarus")
SEED = 20240611
LOG_LINES = 60

_PATHS = [ROOT / "host", ROOT / "scripts", TESTS_RTL]
for _path in _PATHS:
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))

from rtl_files import RtlFiles, core_files  # noqa: E402
from tensorpress import verilator_root  # noqa: E402

_BUILD_ARGS = {
    "verilator": ["--language", "1364-2005", "-Wall", "--no-timing", "-O3"],
    "icarus": ["-g2005", "-Wall"],
}
# cocotb's dump module for Icarus is written in SystemVerilog
_WAVE_ARGS = {"verilator": ["--trace-structs"], "icarus": ["-g2012"]}


class CocotbFailure(AssertionError):
    """A build or a simulation failed, hung, or did not run what it should have run."""


def run_cocotb(
    test_file: str | os.PathLike[str],
    *,
    core: str | RtlFiles | None,
    toplevel: str,
    expected_tests: int,
    parameters: Mapping[str, int | str] | None = None,
    simulator: str = "verilator",
    extra_sources: Sequence[str | os.PathLike[str]] = (),
    extra_env: Mapping[str, str] | None = None,
    timeout: float = 1200.0,
    seed: int | None = None,
    test_filter: str | None = None,
) -> Path:
    """Build `toplevel` and run the cocotb tests in `test_file`.

    Parameters
    ----------
    test_file : path
        The calling file (``__file__``): it holds the ``@cocotb.test()`` coroutines.
    core : str or RtlFiles
        FuseSoC core that lists the sources, for example ``tensorpress:rtl:common``; or the files themselves; None when `extra_sources`
        are all there is.
    toplevel : str
        Module to simulate.
    expected_tests : int
        How many cocotb tests must pass; any other number is a failure.
    parameters : mapping, optional
        Verilog parameters of the top module.
    simulator : {"verilator", "icarus"}
        Use the fixture of this name.
    extra_sources : sequence of paths, optional
        Further Verilog files (test tops), relative to the folder of `test_file`.
    extra_env : mapping, optional
        Environment for the cocotb tests.
    timeout : float
        Seconds after which a run is killed.
    seed : int, optional
        Seed of cocotb's random generator; default from ``SEED`` in the environment, else a constant.
    test_filter : str, optional
        Regular expression: run only the tests whose names match.

    Returns
    -------
    pathlib.Path
        Folder of the run: ``test.log``, ``results.xml``, waveforms with ``WAVES=1``.

    Raises
    ------
    CocotbFailure
        With the end of the log.
    """
    test_file = Path(test_file).resolve()
    if simulator not in SIMULATORS:
        raise ValueError(f"unknown simulator {simulator!r}, expected one of {SIMULATORS}")
    parameters = dict(parameters or {})
    waves = os.environ.get("WAVES", "0") not in ("", "0")
    files = core_files(core) if isinstance(core, str) else core or RtlFiles((), ())
    extra = [(test_file.parent / Path(path)).resolve() for path in extra_sources]
    sources = [*files.sources, *extra]
    seed = int(os.environ.get("SEED", SEED)) if seed is None else seed

    variant = "-".join([simulator, *(f"{name}={value}" for name, value in sorted(parameters.items())), *(["waves"] if waves else [])])
    inputs = {
        "toplevel": toplevel,
        "parameters": parameters,
        "build_args": _BUILD_ARGS[simulator] + (_WAVE_ARGS[simulator] if waves else []),
        "sources": [str(path) for path in sources],
        "content": _digest([*files.headers, *sources]),
        "python": sys.executable,
    }
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    folder = BUILD / _folder_name(test_file) / _short(f"{toplevel}-{variant}")
    env = _environment(simulator)
    job = {
        "simulator": simulator,
        "toplevel": toplevel,
        "parameters": parameters,
        "sources": inputs["sources"],
        "includes": [str(path) for path in files.include_dirs],
        "build_args": inputs["build_args"],
        "waves": waves,
        "folder": str(folder),
        "paths": [str(test_file.parent), *map(str, _PATHS)],
        "module": test_file.stem,
        "seed": str(seed),
        "env": dict(extra_env or {}),
        "test_filter": test_filter,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        stamp = folder / "built"
        if not stamp.is_file() or stamp.read_text() != digest:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder / "model", ignore_errors=True)
            _child("build", job, env, max(timeout, 600.0))
            stamp.write_text(digest)
        results = folder / "results.xml"
        results.unlink(missing_ok=True)
        _child("test", job, env, timeout)
        _check_results(results, expected_tests, folder)
    return folder


def _folder_name(test_file: Path) -> str:
    try:
        return test_file.relative_to(TESTS_RTL).with_suffix("").as_posix().replace("/", ".")
    except ValueError:
        return _short(str(test_file.with_suffix("")))


def _short(name: str) -> str:
    """A file name made of `name`; long ones end in a digest."""
    clean = re.sub(r"[^A-Za-z0-9_.=+-]+", "_", name).strip("_")
    return clean if len(clean) <= 100 else f"{clean[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _environment(simulator: str) -> dict[str, str]:
    env = verilator_root.prepare() if simulator == "verilator" else dict(os.environ)
    for name in ("PYTEST_CURRENT_TEST", "COCOTB_TEST_FILTER", "COCOTB_TESTCASE", "WAVES", "GUI", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        env.pop(name, None)
    # cocotbext-axi still imports names that cocotb 2 has renamed
    env["PYTHONWARNINGS"] = "ignore::DeprecationWarning,ignore::FutureWarning"
    # cocotb would rewrite the assertions of every module that a test imports, numba's hundreds among them: minutes of start-up
    env["COCOTB_REWRITE_ASSERTION_FILES"] = "test_*.py"
    env.setdefault("TENSORPRESS_NO_NUMBA", "1")  # the reference models are fast enough for a simulation; numba takes seconds to load
    return env


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process at a time builds and runs in a folder."""
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _child(step: str, job: Mapping[str, Any], env: Mapping[str, str], timeout: float) -> None:
    """Run one step of the cocotb runner in a process group of its own."""
    folder = Path(job["folder"])
    log = folder / f"{step}.log"
    (folder / "job.json").write_text(json.dumps(job, indent=1))
    with open(log, "w") as output:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), step, str(folder / "job.json")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
        )
        late = False
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if late:
        raise CocotbFailure(f"{job['toplevel']}: {step} took more than {timeout:g} s and was killed\n{_tail(log)}")
    if code != 0 and (step == "build" or not (folder / "results.xml").is_file()):
        raise CocotbFailure(f"{job['toplevel']}: {step} ended with exit code {code}\n{_tail(log)}")


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join([f"--- the last lines of {log} ---", *lines[-LOG_LINES:]])


def _check_results(results: Path, expected: int, folder: Path) -> None:
    if not results.is_file():
        raise CocotbFailure(f"the simulation ended without results\n{_tail(folder / 'test.log')}")
    passed: list[str] = []
    bad: list[str] = []
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        children = {child.tag for child in case}
        (bad if children & {"failure", "error", "skipped"} else passed).append(case.get("name", "?"))
    if bad:
        raise CocotbFailure(f"{len(bad)} of {len(bad) + len(passed)} cocotb tests failed: {', '.join(bad)}\n{_tail(folder / 'test.log')}")
    if len(passed) != expected:
        raise CocotbFailure(f"{len(passed)} cocotb tests ran ({', '.join(passed)}), expected {expected}\n{_tail(folder / 'test.log')}")


def _end_with(parent: int) -> None:
    """End this process group when the process that started it is gone (pytest was killed)."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


def _main(step: str, job_file: str) -> None:
    """The child process: one step with cocotb's own runner."""
    from cocotb_tools.runner import get_runner

    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    job = json.loads(Path(job_file).read_text())
    folder = Path(job["folder"])
    runner = get_runner(job["simulator"])
    if step == "build":
        runner.build(
            sources=job["sources"],
            includes=job["includes"],
            parameters=job["parameters"],
            hdl_toplevel=job["toplevel"],
            build_args=job["build_args"],
            build_dir=folder / "model",
            waves=job["waves"],
            always=True,
        )
        return
    sys.path[:0] = job["paths"]
    runner.test(
        test_module=job["module"],
        hdl_toplevel=job["toplevel"],
        hdl_toplevel_lang="verilog",
        build_dir=folder / "model",
        test_dir=folder,
        results_xml=str(folder / "results.xml"),
        seed=job["seed"],
        waves=job["waves"],
        extra_env=job["env"],
        test_filter=job["test_filter"],
    )


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
