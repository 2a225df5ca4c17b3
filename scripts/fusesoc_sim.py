#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The simulation of FuseSoC's target ``sim``, run in its work root: cocotb on the files, top and parameters of the ``.eda.yml`` found
there.

Edalize's own cocotb support reports success whether tests fail, or none runs; this script ends with a code other than 0 in both cases.
"""

from __future__ import annotations

import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
TESTS = 3


def main() -> int:
    """Run the smoke test of the engine; 0 if all its tests ran and passed."""
    sys.path[:0] = [str(TREE / "scripts"), str(TREE / "tests" / "rtl")]
    try:
        import yaml
        from harness import CocotbFailure, run_cocotb
        from rtl_files import RtlFiles
    except ImportError as error:
        print(f"error: {error}; run FuseSoC in the project's environment: make venv, then source .venv/bin/activate", file=sys.stderr)
        return 1
    found = sorted(Path.cwd().glob("*.eda.yml"))
    if len(found) != 1:
        print(f"error: {len(found)} .eda.yml files in {Path.cwd()}, expected one", file=sys.stderr)
        return 1
    eda = yaml.safe_load(found[0].read_text())
    verilog = [file for file in eda["files"] if str(file.get("file_type", "")).startswith("verilogSource")]
    sources = tuple((Path.cwd() / file["name"]).resolve() for file in verilog if not file.get("is_include_file"))
    headers = tuple((Path.cwd() / file["name"]).resolve() for file in verilog if file.get("is_include_file"))
    parameters = {name: entry["default"] for name, entry in eda.get("parameters", {}).items() if entry.get("paramtype") == "vlogparam"}
    try:
        folder = run_cocotb(
            TREE / "tests" / "rtl" / "smoke" / "engine_smoke.py",
            core=RtlFiles(sources, headers),
            toplevel=eda["toplevel"],
            parameters=parameters,
            extra_env={"MEMORY_PORTS": str(parameters.get("MEMORY_PORTS", 1))},
            expected_tests=TESTS,
        )
    except CocotbFailure as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    print(f"{TESTS} of {TESTS} cocotb tests passed; log in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
