# SPDX-License-Identifier: Apache-2.0
"""The named builds of the engine, as ``cores/builds.toml`` of the checkout lists them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorpress.errors import DeviceNotFoundError, InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOP = "tensorpress_engine"
DEFAULTS: Mapping[str, int] = {
    "LANES": 8,
    "CODECS": 15,
    "BLOCK_BYTES": 4096,
    "STREAM_BYTES": 8,
    "MEMORY_PORTS": 1,
    "APACK_CODERS": 8,
    "APACK_TREE": 0,
}
"""The engine's Verilog parameters where a build does not give them."""


@dataclass(frozen=True)
class EngineBuild:
    """One named build of the engine.

    Attributes
    ----------
    name, description : str
        As in the file.
    parameters : mapping of str to int
        Verilog parameters other than the RTL's defaults.
    clock_mhz : float
        The clock that it is meant for.
    """

    name: str
    description: str
    parameters: Mapping[str, int]
    clock_mhz: float = 150.0

    def parameter(self, name: str) -> int:
        """Return a parameter's value, given or default; those of the directions follow LANES and CODECS."""
        if name in self.parameters:
            return self.parameters[name]
        for direction in ("ENCODE_", "DECODE_"):
            if name.startswith(direction):
                return self.parameter(name.removeprefix(direction))
        return DEFAULTS[name]


def checkout(user: str = "the verilated device") -> Path:
    """Find the project's checkout: ``TENSORPRESS_CHECKOUT``, the folders above this file, or those above the working folder.

    Parameters
    ----------
    user : str
        Who needs it, for the message.

    Raises
    ------
    DeviceNotFoundError
        There is none: the package is installed without the RTL.
    """
    asked = os.environ.get("TENSORPRESS_CHECKOUT")
    places = [Path(asked)] if asked else [*Path(__file__).resolve().parents, Path.cwd(), *Path.cwd().parents]
    for place in places:
        if (place / "cores" / "verilated" / "verilated.core").is_file():
            return place.resolve()
    where = f"TENSORPRESS_CHECKOUT={asked} is not one" if asked else "set TENSORPRESS_CHECKOUT to its folder"
    raise DeviceNotFoundError(f"{user} needs a checkout of tensorpress with its RTL: {where}")


def engine_builds(root: Path) -> dict[str, EngineBuild]:
    """Read the engine's builds of a checkout, by name."""
    entries = tomllib.loads((root / "cores" / "builds.toml").read_text())["build"]
    return {
        entry["name"]: EngineBuild(
            entry["name"], entry.get("description", ""), entry.get("parameters", {}), float(entry.get("clock_mhz", 150.0))
        )
        for entry in entries
        if entry["top"] == TOP
    }


def engine_build(root: Path, name: str) -> EngineBuild:
    """Find one build.

    Raises
    ------
    InputError
        There is no such build.
    """
    builds = engine_builds(root)
    if name not in builds:
        raise InputError(f"no build {name!r}; cores/builds.toml has {', '.join(builds)}")
    return builds[name]
