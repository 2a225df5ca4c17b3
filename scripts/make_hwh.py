#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the hardware description (.hwh) that pynq reads beside a bitstream.

``python scripts/make_hwh.py OUTPUT.hwh [LANES=4 CLOCK_MHZ=100 ...]``: for a build of ``pynq_top`` with these parameters.
``python scripts/make_hwh.py OUTPUT.hwh --eda FILE.eda.yml``: the parameters of a FuseSoC work root. Parameters that are not named have the
defaults of ``cores/pynq/pynq_top.v``.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))

from tensorpress.errors import InputError, TensorpressError
from tensorpress.hwh import PARAMETERS, hwh_text


def eda_parameters(path: Path) -> dict[str, int]:
    """The Verilog parameters in the description of a FuseSoC work root.

    Raises
    ------
    InputError
        The file cannot be read, or is no such description.
    """
    import yaml

    try:
        description = yaml.safe_load(path.read_text())
        parameters = description["parameters"]
        named = {name: entry for name, entry in parameters.items() if entry["paramtype"] == "vlogparam" and name in PARAMETERS}
        return {name: int(entry["default"]) for name, entry in named.items() if "default" in entry}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not the description of a FuseSoC build: {error}") from error


def main() -> int:
    """Command line; 2 for bad input."""
    parser = argparse.ArgumentParser(description="Write the .hwh that pynq reads beside a bitstream.")
    parser.add_argument("output", type=Path, help="the file to write")
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="Verilog parameters of pynq_top")
    parser.add_argument("--eda", type=Path, help="take the parameters from this .eda.yml")
    parser.add_argument("--name", default="tensorpress", help="name of the system")
    options = parser.parse_intermixed_args()
    try:
        build = eda_parameters(options.eda) if options.eda else {}
        for text in options.parameters:
            found = re.fullmatch(r"(\w+)=(\d+)", text)
            if found is None:
                raise InputError(f"{text!r} is not NAME=VALUE")
            build[found[1]] = int(found[2])
        options.output.write_text(hwh_text(build, name=options.name))
    except (TensorpressError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
