# SPDX-License-Identifier: Apache-2.0
"""The Verilog files of a FuseSoC core, in dependency order: the one source of file lists for simulation, lint and synthesis.

On the command line: ``python scripts/rtl_files.py tensorpress:rtl:common`` prints them, one a line.
"""

from __future__ import annotations

import functools
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class RtlFiles:
    """Files of a core and of all the cores it depends on."""

    sources: tuple[Path, ...]
    headers: tuple[Path, ...]

    @property
    def include_dirs(self) -> tuple[Path, ...]:
        """Folders of the headers, each once."""
        return tuple(dict.fromkeys(header.parent for header in self.headers))


def _ignore(folder: Path) -> None:
    """Keep FuseSoC out of a folder that holds no cores of ours."""
    if folder.is_dir():
        (folder / "FUSESOC_IGNORE").touch()


@functools.lru_cache(maxsize=1)
def _manager() -> Any:
    from fusesoc.config import Config
    from fusesoc.coremanager import CoreManager

    (ROOT / "build").mkdir(exist_ok=True)
    _ignore(ROOT / "build")
    _ignore(ROOT / ".venv")
    level = logging.getLogger().level
    manager = CoreManager(Config(str(ROOT / "fusesoc.conf")))
    for library in manager.config.libraries:
        manager.add_library(library, [])
    logging.getLogger().setLevel(level)
    return manager


def core_names() -> list[str]:
    """VLNVs of all cores of this checkout that FuseSoC can read."""
    return sorted(str(core.name) for core in _manager().get_cores().values())


@functools.cache
def core_files(name: str, target: str = "default") -> RtlFiles:
    """Return the Verilog files of the core `name` (``vendor:library:name[:version]``) and its dependencies, deepest first.

    Raises
    ------
    LookupError
        The core or one of its dependencies is missing or unreadable.
    """
    from fusesoc.coremanager import DependencyError
    from fusesoc.vlnv import Vlnv

    manager = _manager()
    try:
        top = manager.get_core(Vlnv(name))
        cores = manager.get_depends(top.name, {"target": target, "tool": None, "is_toplevel": True})
    except DependencyError as error:
        known = ", ".join(core_names())
        raise LookupError(f"no core {name!r}, or a core that it needs is missing or invalid ({error.value}); known: {known}") from error
    sources: list[Path] = []
    headers: list[Path] = []
    for core in cores:
        flags = {"target": target if core.name == top.name else "default", "tool": None, "is_toplevel": core.name == top.name}
        for file in core.get_files(flags):
            path = Path(core.files_root) / str(file["name"])
            if not path.is_file():
                raise LookupError(f"core {core.name} names a file that does not exist: {path}")
            if file.get("is_include_file"):
                headers.append(path)
            elif str(file.get("file_type", "")).startswith("verilogSource"):
                sources.append(path)
    return RtlFiles(tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(headers)))


def core_parameters(name: str, target: str, *flags: str) -> dict[str, int | None]:
    """Return the Verilog parameters that a target of a core passes on, with their values there; None: the RTL's own default."""
    from fusesoc.vlnv import Vlnv

    core = _manager().get_core(Vlnv(name))
    found = core.get_parameters({"target": target, "is_toplevel": True, **dict.fromkeys(flags, True)})
    return {parameter: entry.get("default") for parameter, entry in found.items() if entry["paramtype"] == "vlogparam"}


def main() -> int:
    """Print the files of the cores named on the command line."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    for name in sys.argv[1:]:
        files = core_files(name)
        for path in (*files.headers, *files.sources):
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
