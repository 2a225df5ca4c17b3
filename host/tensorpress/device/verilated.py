# SPDX-License-Identifier: Apache-2.0
"""The RTL on a PC: ``tensorpress_engine``, turned into a shared library by Verilator, with a modelled memory, CPU port and stream partners.

The library is built at first use from the sources that FuseSoC names for ``cores/verilated/verilated.core``, and kept under a hash of
everything that went into it: sources, parameters, tools, flags. Needed on the machine: a checkout of the project, g++,
``pip install 'tensorpress[sim]'``.

The memory behind the engine is AXI4 over a numpy array, with limits of outstanding bursts, random stalls on every channel, error responses
at a chosen beat, and a mode in which it never answers. Its time is ideal (constant latency and rates) or that of a DDR3
(:class:`~tensorpress.device.ddr3.Ddr3`). A bus checker watches every cycle; a broken rule ends the running call with
:class:`~tensorpress.errors.ProtocolError`.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tensorpress.device.base import Bytes, PoolDevice, Windows
from tensorpress.device.builds import TOP, checkout, engine_build
from tensorpress.device.ddr3 import Ddr3
from tensorpress.errors import BuildError, DeviceError, DeviceNotFoundError, DeviceTimeoutError, InputError, ProtocolError
from tensorpress.verilator_root import prepare

CORE = "tensorpress:cores:verilated"
CHANNELS = ("ar", "r", "aw", "w", "b", "stream_in", "stream_out", "lite", "ar1", "r1")
"""Channels on which stalls can be asked for; ``ar1`` and ``r1`` are those of a second memory port."""

_LITE_LIMIT = 10_000  # cycles in which a register access must be answered
_CHUNK = 20_000  # cycles between two looks at the host's clock
_UNIT_SECONDS = 900  # no compiler call takes that long
_DONE, _CYCLES, _VIOLATION, _SILENT, _BAD_RESPONSE = range(5)

Progress = Callable[[str], None]
MemoryModel = Literal["ideal", "ddr3"] | Ddr3


@dataclass(frozen=True)
class Stall:
    """Random pauses of one channel.

    Parameters
    ----------
    probability : float
        Chance in each free cycle that a pause begins, 0..1.
    longest : int
        A pause lasts 1..`longest` cycles.
    """

    probability: float = 0.0
    longest: int = 1


NO_STALLS: Mapping[str, Stall] = {}
LIGHT_STALLS: Mapping[str, Stall] = dict.fromkeys(CHANNELS, Stall(0.1, 2))
HEAVY_STALLS: Mapping[str, Stall] = dict.fromkeys(CHANNELS, Stall(0.6, 3))
LONG_STALLS: Mapping[str, Stall] = dict.fromkeys(CHANNELS, Stall(0.02, 200))


PORT_OUTSTANDING = 8
"""Bursts in each direction that an HP port of the Zynq-7000 takes (reset value of its issuing capability, UG585)."""


@dataclass(frozen=True)
class Timing:
    """How the memory and the stream partners behave.

    Latencies and outstanding bursts are those of the ideal memory; a DDR3 (``memory="ddr3"``) brings its own. Those of reads hold for each
    of two memory ports.

    Parameters
    ----------
    read_latency : int
        Cycles from the read address to the first data beat.
    write_latency : int
        Cycles from the last data beat to the write response.
    read_outstanding, write_outstanding : int
        Bursts that the memory takes before it has finished the first.
    read_rate, write_rate : float
        Most beats a cycle, up to 1.
    shared_rate : float
        Most beats a cycle of reads and writes together; 0 means no common limit.
    address_waits_for_data : bool
        The memory takes a write address only while write data is offered, as AXI allows it to.
    stalls : mapping of channel name to Stall
        See :data:`CHANNELS`.
    """

    read_latency: int = 40
    write_latency: int = 20
    read_outstanding: int = 4
    write_outstanding: int = 4
    read_rate: float = 1.0
    write_rate: float = 1.0
    shared_rate: float = 0.0
    address_waits_for_data: bool = False
    stalls: Mapping[str, Stall] = field(default_factory=dict)

    def settings(self) -> dict[str, float]:
        """Return the settings of the C++ side by name."""
        unknown = set(self.stalls) - set(CHANNELS)
        if unknown:
            raise InputError(f"no such channel: {', '.join(sorted(unknown))}; there are {', '.join(CHANNELS)}")
        result = {f.name: float(getattr(self, f.name)) for f in fields(self) if f.name != "stalls"}
        for channel in CHANNELS:
            stall = self.stalls.get(channel, Stall())
            result[f"stall_{channel}"], result[f"stall_longest_{channel}"] = stall.probability, float(stall.longest)
        return result


@dataclass(frozen=True)
class Build:
    """What the library is built from, besides the sources.

    Parameters
    ----------
    parameters : mapping of str to int
        Verilog parameters of the top, for example ``{"LANES": 8}``; those not named keep the RTL's defaults.
    optimise : int
        Compiler's -O level for the simulation loop: 1 builds faster, 2 runs faster.
    trace : {None, "vcd", "fst"}
        Build for waveforms of this kind (several times slower).
    core, top : str
        FuseSoC core whose files are built, and the module.
    verilog : tuple of path
        Other files than the core's, where they are not the engine but a module with its ports.
    """

    parameters: Mapping[str, int]
    optimise: int = 2
    trace: Literal["vcd", "fst"] | None = None
    core: str = CORE
    top: str = TOP
    verilog: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Sources:
    verilog: tuple[Path, ...]
    includes: tuple[Path, ...]  # header files
    config: tuple[Path, ...]  # .vlt: what Verilator is told of the modules
    cpp: tuple[Path, ...]


def cache_folder() -> Path:
    """Return the folder of built libraries: ``build/verilated`` of the checkout, or the user's cache when that cannot be written."""
    build = checkout() / "build" / "verilated"
    try:
        build.mkdir(parents=True, exist_ok=True)
        if os.access(build, os.W_OK):
            return build
    except OSError:
        pass
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tensorpress" / "verilated"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _run(command: Sequence[str], what: str, **options: Any) -> str:
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_UNIT_SECONDS, **options
        )
    except FileNotFoundError as error:
        raise DeviceNotFoundError(f"{what}: {command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{what} took more than {_UNIT_SECONDS} s") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        first = next((number for number, line in enumerate(lines) if "rror" in line), max(0, len(lines) - 25))  # %Error, error:
        raise BuildError(f"{what} failed:\n" + "\n".join(lines[first : first + 25]))
    return done.stdout


def _fusesoc(root: Path) -> list[str]:
    """The command that runs FuseSoC: of this interpreter, else of the checkout's environment, else on PATH.

    pynq and FuseSoC cannot be installed side by side: they need different versions of pydantic.
    """
    if importlib.util.find_spec("fusesoc") is not None and importlib.util.find_spec("pynq") is None:
        return [sys.executable, "-c", "import sys; from fusesoc.main import main; sys.exit(main())"]
    command = shutil.which("fusesoc", path=str(root / ".venv" / "bin")) or shutil.which("fusesoc")
    if command is None:
        raise DeviceNotFoundError(
            "the verilated device needs FuseSoC: pip install 'tensorpress[sim]'; beside pynq it cannot be installed:"
            f" make venv in {root}, or put fusesoc on PATH"
        )
    return [command]


@functools.lru_cache(maxsize=8)
def _sources(root: Path, core: str) -> _Sources:
    """Ask FuseSoC for the files of the core."""
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError as error:
        raise DeviceNotFoundError("the verilated device needs FuseSoC: pip install 'tensorpress[sim]'") from error
    with tempfile.TemporaryDirectory(prefix="tensorpress-") as scratch:
        # a configuration of our own, so that the libraries of this user's fusesoc.conf cannot shadow the checkout
        config = Path(scratch) / "fusesoc.conf"
        config.write_text(f"[main]\ncache_root = {scratch}/cache\n[library.tensorpress]\nlocation = {root}\nsync-type = local\n")
        work = Path(scratch) / "work"
        command = [
            *_fusesoc(root),
            "--config",
            str(config),
            "run",
            "--setup",
            "--no-export",
            f"--work-root={work}",
            "--target=default",
            core,
        ]
        _run(command, f"fusesoc --setup {core}", cwd=root)
        found = sorted(work.glob("*.eda.yml"))
        if len(found) != 1:
            raise BuildError(f"fusesoc --setup {core} wrote {len(found)} files *.eda.yml, expected one")
        description = yaml.safe_load(found[0].read_text())
        verilog, includes, vlt, cpp = [], [], [], []
        for file in description["files"]:
            path = Path(os.path.normpath(work / file["name"]))
            kind = file.get("file_type", "")
            if file.get("is_include_file"):
                includes.append(path)
            elif kind.startswith("verilogSource"):
                verilog.append(path)
            elif kind == "vlt":
                vlt.append(path)
            elif kind.startswith("cppSource"):
                cpp.append(path)
    if not verilog or len(cpp) != 1:
        raise BuildError(f"{core} names {len(verilog)} Verilog files and {len(cpp)} C++ files: its dependencies are incomplete")
    return _Sources(tuple(verilog), tuple(includes), tuple(vlt), tuple(cpp))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two processes do not build the same thing at once."""
    with open(path, "w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except ImportError:  # no such locks here: the final rename is atomic, so the worst is work done twice
            pass
        yield


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def build(spec: Build, progress: Progress | None = None) -> Path:
    """Build the shared library, or find it in the cache.

    Parameters
    ----------
    spec : Build
        Parameters and flags.
    progress : callable, optional
        Gets a line of text when a build begins and ends; default: standard error.

    Returns
    -------
    Path
        The library.

    Raises
    ------
    DeviceNotFoundError
        g++, Verilator, FuseSoC or the checkout is missing.
    BuildError
        A tool failed; the message ends with its output.
    """
    tell = progress or _tell
    root = checkout()
    sources = _sources(root, spec.core)
    if spec.verilog:
        sources = replace(sources, verilog=spec.verilog)
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise DeviceNotFoundError(f"the verilated device needs the C++ compiler {compiler} on PATH (Debian: apt-get install g++)")
    if spec.trace == "fst":
        try:
            _run([compiler, "-E", "-x", "c++", "-include", "lz4.h", "-include", "zlib.h", os.devnull], compiler)
        except BuildError as error:
            raise DeviceNotFoundError(
                "waveforms in .fst need the headers of lz4 and zlib (Debian: apt-get install liblz4-dev zlib1g-dev); .vcd needs nothing"
            ) from error
    environment = prepare()
    if "VERILATOR_ROOT" not in environment:
        environment["VERILATOR_ROOT"] = _run(["verilator", "--getenv", "VERILATOR_ROOT"], "verilator", env=environment).strip()
    include = Path(environment["VERILATOR_ROOT"]) / "include"

    digest = hashlib.sha256()
    for file in [
        *sources.verilog,
        *sources.includes,
        *sources.config,
        *sources.cpp,
        include / "verilated.h",
        include / "verilated_config.h",
    ]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    recipe = "".join(inspect.getsource(function) for function in (_compile, _runtime_object, _defines))
    version = _run([compiler, "--version"], compiler)
    digest.update(json.dumps([spec.top, sorted(spec.parameters.items()), spec.optimise, spec.trace, version, recipe]).encode())
    parts = [] if spec.top == TOP else [spec.top]
    parts += [f"{key.lower()}{value}" for key, value in sorted(spec.parameters.items())]
    name = "-".join(parts + ([spec.trace] if spec.trace else [])) or "default"
    folder = cache_folder()
    library = folder / f"{name}-{digest.hexdigest()[:16]}.so"
    if library.is_file():
        return library
    with _locked(library.with_suffix(".lock")):
        if library.is_file():
            return library
        began = time.monotonic()
        tell(f"tensorpress: building the Verilated engine ({name}), once for these sources; this takes a minute or two")
        with tempfile.TemporaryDirectory(prefix="making-", dir=folder) as scratch:
            made = _compile(spec, sources, environment, include, compiler, Path(scratch))
            made.rename(library)
        tell(f"tensorpress: built {library.name} in {time.monotonic() - began:.0f} s")
    return library


_build_library = build  # where an argument is called build


def _runtime_object(unit: Path, compiler: str, trace: str | None) -> Path:
    """Compile a file of Verilator's runtime once for all designs."""
    flags = ["-std=gnu++20", "-fPIC", "-fvisibility=hidden", "-O2", f"-I{unit.parent}", f"-I{unit.parent / 'vltstd'}", *_defines(trace)]
    digest = hashlib.sha256(json.dumps([str(unit), compiler, flags]).encode() + unit.read_bytes()).hexdigest()[:16]
    target = cache_folder() / "runtime" / f"{unit.stem}-{digest}.o"
    if not target.is_file():
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="making-", dir=target.parent) as scratch:
            made = Path(scratch) / "unit.o"
            _run([compiler, *flags, "-c", str(unit), "-o", str(made)], f"{compiler} {unit.name}")
            made.rename(target)
    return target


def _defines(trace: str | None) -> list[str]:
    """The macros that Verilator's own makefiles would set."""
    on = {"VERILATOR": 1, "VM_TRACE": int(bool(trace)), "VM_TRACE_VCD": int(trace == "vcd"), "VM_TRACE_FST": int(trace == "fst")}
    off = dict.fromkeys(("VM_COVERAGE", "VM_SC", "VM_TIMING", "VM_TRACE_SAIF"), 0)
    return ["-faligned-new", "-w", *(f"-D{name}={value}" for name, value in {**on, **off}.items())]


def _compile(spec: Build, sources: _Sources, environment: dict[str, str], include: Path, compiler: str, scratch: Path) -> Path:
    generated = scratch / "generated"
    verilate = ["verilator", "--cc", "--top-module", spec.top, "--prefix", "Vtop", "--Mdir", str(generated), "--language", "1364-2005"]
    verilate += ["-O3", "--x-assign", "fast", "--x-initial", "unique", "--noassert", "-Wno-fatal", "--output-split", "10000"]
    verilate += [f"-G{name}={value}" for name, value in sorted(spec.parameters.items())]
    verilate += [f"+incdir+{folder}" for folder in sorted({str(file.parent) for file in sources.includes})]
    verilate += [f"--trace-{spec.trace}", "--trace-structs"] if spec.trace else []
    _run([*verilate, *map(str, [*sources.config, *sources.verilog])], "verilator", env=environment)

    flags = [
        "-std=gnu++20",
        "-fPIC",
        "-fvisibility=hidden",
        f"-I{generated}",
        f"-I{include}",
        f"-I{include / 'vltstd'}",
        *_defines(spec.trace),
    ]
    flags += [f"-DTP_TRACE_{spec.trace.upper()}"] if spec.trace else []
    runtime = ["verilated.cpp", "verilated_threads.cpp"] + ([f"verilated_{spec.trace}_c.cpp"] if spec.trace else [])
    units = [*sources.cpp, *sorted(generated.glob("*.cpp"), key=lambda unit: -unit.stat().st_size)]  # the largest early, for an even load

    def compile_unit(unit: Path) -> str:
        runs_once = "__Slow" in unit.name or "__Syms" in unit.name
        level = "-O0" if runs_once else f"-O{spec.optimise}"
        extra = ["-fvisibility=default"] if unit in sources.cpp else []
        target = scratch / f"{unit.stem}.o"
        _run([compiler, *flags, *extra, level, "-c", str(unit), "-o", str(target)], f"{compiler} {unit.name}")
        return str(target)

    with ThreadPoolExecutor(max_workers=max(1, min(8, os.cpu_count() or 1))) as pool:
        shared = [pool.submit(_runtime_object, include / name, compiler, spec.trace) for name in runtime]
        objects = [*pool.map(compile_unit, units), *(str(future.result()) for future in shared)]
    library = scratch / "library.so"
    _run(
        [compiler, "-shared", "-o", str(library), *objects, "-pthread", *(["-llz4", "-lz"] if spec.trace == "fst" else [])],
        f"{compiler} (link)",
    )
    return library


@functools.lru_cache(maxsize=16)
def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{path} cannot be loaded: {error}; delete it to build it anew") from error
    pointer, u64, u32, text = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_char_p
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "tp_create": (pointer, [pointer, u64, u64, u64, text]),
        "tp_destroy": (None, [pointer]),
        "tp_reset": (None, [pointer, u32]),
        "tp_configure": (ctypes.c_int, [pointer, text, ctypes.c_double]),
        "tp_fault": (None, [pointer, ctypes.c_int, u64, u64, u32]),
        "tp_windows": (None, [pointer, pointer, u32, u32]),
        "tp_write": (ctypes.c_int, [pointer, u32, pointer, u32, u64]),
        "tp_read": (ctypes.c_int, [pointer, u32, pointer, u64]),
        "tp_run": (ctypes.c_int, [pointer, u64, ctypes.c_int]),
        "tp_stream_send": (None, [pointer, pointer, u64, ctypes.c_int]),
        "tp_stream_receive": (u64, [pointer, pointer, u64]),
        "tp_stream_last": (ctypes.c_int64, [pointer, ctypes.c_int]),
        "tp_stream_clear": (None, [pointer]),
        "tp_violation": (text, [pointer]),
        "tp_clear_violation": (None, [pointer]),
        "tp_statistic": (ctypes.c_int64, [pointer, text]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class VerilatedDevice(PoolDevice):
    """The Verilated engine as a device. Use it as a context manager, or call :meth:`close`.

    A subclass with another `core` and `top` has the same memory, CPU port and checker around another top (see
    ``cores/verilated/verilated_device.cpp``).

    Parameters
    ----------
    build : str, optional
        Name of a build of ``cores/builds.toml`` (``full``, ``inference``, ``small``, ...), whose parameters hold where no other argument
        gives one.
    lanes : int, optional
        Number of lanes, 1..16; default: the build's, or 8.
    encode_lanes, decode_lanes : int, optional
        Lanes that compress and that decompress; default: the build's, or `lanes`.
    block_bytes : int, optional
        Largest raw block, a power of two of 512..16384; default: the RTL's.
    codecs : int, optional
        Mask of the codecs to build (bit 0 raw, 1 zvc, 2 ebpc, 3 apack); default: the RTL's.
    read_outstanding, write_outstanding : int, optional
        Bursts that the engine's masters keep on the way; default: the RTL's.
    stream_bytes : int, optional
        Bytes of a beat of ``m_axis_raw``, 8 or 16; default: the RTL's.
    memory_ports : int, optional
        1, or 2: a second one that reads; default: the RTL's.
    apack_coders : int, optional
        Interleaved coders of an apack block; default: the RTL's.
    apack_tree : int, optional
        1: the apack decoder with 6 DSP blocks; default: the RTL's.
    memory_bytes, memory_base : int
        Size and address of the DDR.
    timing : Timing
        Behaviour of memory and streams; can be changed later with :meth:`configure`.
    memory : {"ideal", "ddr3"} or Ddr3
        Time that the memory takes: constant latency and rates, or a DDR3; ``"ddr3"`` is that of a PYNQ-Z2. :meth:`set_memory` changes it.
    clock_mhz : float
        Clock of the engine; it decides how many cycles a DDR3 takes, and nothing else.
    seed : int
        Seed of the stalls and of registers without a reset.
    optimise : int
        Compiler's -O level: 1 builds faster, 2 runs faster.
    trace : path, optional
        Write a waveform here; ``.fst`` or ``.vcd``. Needs its own, slower build.
    design : (str, sequence of path), optional
        Another module with the engine's ports and its Verilog files, to run in the engine's place.
    progress : callable, optional
        Gets a line of text when a build begins and ends; default: standard error.

    Raises
    ------
    DeviceNotFoundError
        Compiler, Verilator, FuseSoC or the checkout is missing; the message says which.
    BuildError
        The build failed; the message holds the end of the tool's output.
    """

    name = "verilated"
    has_cycles = True
    has_interrupt = True
    core, top = CORE, TOP

    def __init__(
        self,
        *,
        build: str | None = None,
        lanes: int | None = None,
        encode_lanes: int | None = None,
        decode_lanes: int | None = None,
        block_bytes: int | None = None,
        codecs: int | None = None,
        read_outstanding: int | None = None,
        write_outstanding: int | None = None,
        stream_bytes: int | None = None,
        memory_ports: int | None = None,
        apack_coders: int | None = None,
        apack_tree: int | None = None,
        memory_bytes: int = 64 << 20,
        memory_base: int = 0x1000_0000,
        timing: Timing | None = None,
        memory: MemoryModel = "ideal",
        clock_mhz: float = 150.0,
        seed: int = 1,
        optimise: int = 2,
        trace: str | os.PathLike[str] | None = None,
        design: tuple[str, Sequence[str | os.PathLike[str]]] | None = None,
        progress: Progress | None = None,
    ) -> None:
        asked = {
            "LANES": lanes,
            "ENCODE_LANES": encode_lanes,
            "DECODE_LANES": decode_lanes,
            "BLOCK_BYTES": block_bytes,
            "CODECS": codecs,
            "READ_OUTSTANDING": read_outstanding,
            "WRITE_OUTSTANDING": write_outstanding,
            "STREAM_BYTES": stream_bytes,
            "MEMORY_PORTS": memory_ports,
            "APACK_CODERS": apack_coders,
            "APACK_TREE": apack_tree,
        }
        parameters = dict(engine_build(checkout(), build).parameters) if build is not None else {"LANES": 8}
        parameters |= {name: value for name, value in asked.items() if value is not None}
        kind: Literal["vcd", "fst"] | None = None
        if trace is not None:
            suffix = Path(trace).suffix
            if suffix not in (".vcd", ".fst"):
                raise InputError(f"trace file {os.fspath(trace)!r}: the name must end in .vcd or .fst")
            kind = "fst" if suffix == ".fst" else "vcd"
        self.closed = True  # until it is open
        spec = Build(parameters, optimise, kind, self.core, self.top)
        if design is not None:
            spec = replace(spec, parameters={}, top=design[0], verilog=tuple(Path(file).resolve() for file in design[1]))
        self.library_path = _build_library(spec, progress)
        self._library = _load(self.library_path)
        super().__init__(memory_bytes, memory_base)
        self._handle: int | None = self._library.tp_create(
            self.memory.data.ctypes.data, memory_base, memory_bytes, seed, os.fsencode(trace) if trace is not None else None
        )
        self.closed = False
        self.clock_mhz = clock_mhz
        self.timing = timing or Timing()
        self.set_memory(memory)
        self.reset()

    # ---- the device protocol

    def read_register(self, offset: int) -> int:
        """See :meth:`Device.read_register`."""
        value = ctypes.c_uint32()
        self._answer(
            self._library.tp_read(self._open_handle(), offset, ctypes.byref(value), _LITE_LIMIT), f"read of register 0x{offset:03x}"
        )
        return value.value

    def write_register(self, offset: int, value: int) -> None:
        """See :meth:`Device.write_register`."""
        self.write_registers(offset, [value])

    def write_registers(self, offset: int, words: Sequence[int]) -> None:
        """See :meth:`Device.write_registers`."""
        data = (ctypes.c_uint32 * len(words))(*(int(word) & 0xFFFF_FFFF for word in words))
        answer = self._library.tp_write(self._open_handle(), offset, data, len(words), _LITE_LIMIT)
        self._answer(answer, f"write of {len(words)} registers from 0x{offset:03x} on")

    def set_windows(self, reads: Windows, writes: Windows) -> None:
        """See :meth:`Device.set_windows`. Until the first call every access is a violation."""
        reads, writes = list(reads), list(writes)
        ranges = np.array([bound for window in (*reads, *writes) for bound in window], np.uint64)
        self._library.tp_windows(self._open_handle(), ranges.ctypes.data, len(reads), len(writes))

    def wait(self, timeout_s: float | None, *, cycles: int | None = None) -> bool:
        """See :meth:`Device.wait`; at least one of the limits must be given."""
        if timeout_s is None and cycles is None:
            raise InputError("a wait needs a limit: timeout_s or cycles")
        handle = self._open_handle()
        end = None if timeout_s is None else time.monotonic() + timeout_s
        left = cycles
        while True:
            chunk = _CHUNK if left is None else min(_CHUNK, left)
            answer = self._library.tp_run(handle, chunk, 1)
            if answer != _CYCLES:
                self._answer(answer, "a running job")
                return True
            if left is not None:
                left -= chunk
                if left <= 0:
                    return False
            if end is not None and time.monotonic() >= end:
                return False

    def stream_send(self, data: bytes | Bytes, *, last: bool = True) -> None:
        """See :meth:`Device.stream_send`. Only the final beat of a packet may be shorter than the port."""
        raw = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.ascontiguousarray(data).view(np.uint8).reshape(-1)
        beat = self.statistic("stream_in_bytes")
        if raw.size == 0 or (raw.size % beat and not last):
            raise InputError(f"{raw.size} bytes to a stream: whole {beat}-byte beats are needed, and at least one")
        self._library.tp_stream_send(self._open_handle(), raw.ctypes.data, raw.size, int(last))

    def stream_receive(self, nbytes: int) -> Bytes:
        """See :meth:`Device.stream_receive`."""
        result = np.empty(nbytes, np.uint8)
        there = self.statistic("stream_out_left")
        last = self._library.tp_stream_last(self._open_handle(), 1)
        if there < nbytes or last != nbytes:
            ends = f"TLAST after {last}" if last >= 0 else "no TLAST"
            raise DeviceError(f"m_axis_raw gave {there} bytes with {ends}, expected {nbytes} and TLAST with the last of them")
        self._library.tp_stream_receive(self._handle, result.ctypes.data, nbytes)
        return result

    def stream_clear(self) -> None:
        """See :meth:`Device.stream_clear`."""
        self._library.tp_stream_clear(self._open_handle())

    def reset(self) -> None:
        """See :meth:`Device.reset`: 8 cycles of ``aresetn`` low; memory and streams forget what was under way."""
        handle = self._open_handle()
        self._library.tp_clear_violation(handle)
        self._library.tp_stream_clear(handle)
        self._library.tp_reset(handle, 8)
        self._check()

    def _release(self) -> None:
        if self._handle is not None:
            self._library.tp_destroy(self._handle)
            self._handle = None

    def __del__(self) -> None:
        if not getattr(self, "closed", True):
            self._release()

    # ---- what only a simulation can do

    def configure(self, timing: Timing) -> None:
        """Change the behaviour of memory and streams from the next cycle on."""
        for name, value in timing.settings().items():
            if self.ddr3 is None or not name.endswith("_outstanding"):
                self._set(name, value)
        self.timing = timing

    def set_memory(self, memory: MemoryModel) -> None:
        """Choose the time that the memory takes, while no job runs; a DDR3 begins with closed rows and its counts at 0."""
        if isinstance(memory, str) and memory not in ("ideal", "ddr3"):
            raise InputError(f"memory {memory!r} is not one of ideal, ddr3")
        self.ddr3 = memory if isinstance(memory, Ddr3) else Ddr3() if memory == "ddr3" else None
        self.configure(self.timing)
        if self.ddr3 is None:
            self._set("ddr3", 0.0)
        else:
            limits = {name: float(getattr(self.ddr3, name)) for name in ("read_outstanding", "write_outstanding")}
            for name, value in {**limits, **self.ddr3.settings(self.clock_mhz)}.items():
                self._set(name, value)

    def set_dead(self, dead: bool) -> None:
        """Make the memory deaf: it takes no address and no data, and answers nothing, until told otherwise."""
        self._set("dead", float(dead))

    def check_windows(self, check: bool) -> None:
        """Switch the check of addresses against the windows of the job; the other bus rules are always checked."""
        self._set("check_windows", float(check))

    def fail_reads(self, first: int, count: int = 1, *, response: Literal["SLVERR", "DECERR"] = "SLVERR", port: Literal[0, 1] = 0) -> None:
        """Answer read beats ``first .. first + count - 1`` of a memory port, counted from now, with an error; `count` 0 ends it."""
        self._library.tp_fault(self._open_handle(), 2 * port, first, count, {"SLVERR": 2, "DECERR": 3}[response])

    def fail_writes(self, first: int, count: int = 1, *, response: Literal["SLVERR", "DECERR"] = "SLVERR") -> None:
        """Answer write bursts ``first .. first + count - 1``, counted from now, with an error; `count` 0 ends it."""
        self._library.tp_fault(self._open_handle(), 1, first, count, {"SLVERR": 2, "DECERR": 3}[response])

    def run(self, cycles: int) -> None:
        """Let a number of clock cycles pass."""
        self._answer(self._library.tp_run(self._open_handle(), cycles, 0), f"{cycles} cycles")

    def statistic(self, name: str) -> int:
        """Return a count of the simulation since it began: cycle, read_bursts, read_beats (of both
        memory ports), second_port_beats, write_bursts, write_beats, peak_reads, ...

        With a DDR3, since it was chosen: ddr3_clocks, ddr3_reads, ddr3_writes (accesses of one DRAM burst), ddr3_activates, ddr3_conflicts
        (rows closed for another), ddr3_refreshes, ddr3_turnarounds (of the data bus).
        """
        value: int = self._library.tp_statistic(self._open_handle(), name.encode())
        if value < 0:
            raise InputError(f"no such statistic: {name}")
        return value

    # ---- helpers

    def _open_handle(self) -> int:
        self._open()
        assert self._handle is not None
        return self._handle

    def _set(self, name: str, value: float) -> None:
        if self._library.tp_configure(self._open_handle(), name.encode(), value):
            raise InputError(f"no such setting: {name}")

    def _check(self) -> None:
        text = self._library.tp_violation(self._handle).decode()
        if text:
            raise ProtocolError(f"bus rule broken in {text}")

    def _answer(self, answer: int, what: str) -> None:
        if answer == _VIOLATION:
            self._check()
        if answer == _SILENT:
            raise DeviceTimeoutError(f"{what}: the AXI4-Lite port did not answer within {_LITE_LIMIT} cycles")
        if answer == _BAD_RESPONSE:
            raise DeviceError(f"{what}: the AXI4-Lite port answered with an error response")
