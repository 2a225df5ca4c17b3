#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long the Verilated device takes to build, and how many cycles it simulates in a second of CPU time.

``python scripts/verilated_speed.py [--build full | --lanes 8 --codecs zvc] [--values 131072]``. CPU seconds of all processes, so that other
work on the machine counts little; a build that is there already takes none (remove ``build/verilated`` to measure it).
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "host"))

from tensorpress.bench_device import Case  # noqa: E402
from tensorpress.codecs import CODECS  # noqa: E402
from tensorpress.device.verilated import VerilatedDevice  # noqa: E402
from tensorpress.engine import Engine  # noqa: E402


def sparse(count: int) -> np.ndarray:
    """Values of a layer: two fifths zeros, the rest a bell."""
    rng = np.random.default_rng(1)
    values = np.clip(rng.normal(0, 12, count).round(), -128, 127).astype(np.int8)
    values[rng.random(count) < 0.4] = 0
    return values


def main() -> int:
    """Command line; 1 when a result differs from the software model's."""
    parser = argparse.ArgumentParser(description="Build time and speed of the Verilated device, in CPU seconds.")
    parser.add_argument("--build", help="a build of cores/builds.toml (default: full)")
    parser.add_argument("--lanes", type=int, help="in place of a build: lanes of the engine")
    parser.add_argument("--codecs", nargs="+", choices=tuple(CODECS), help="its codecs beside raw")
    parser.add_argument("--values", type=int, default=1 << 17, help="values of the tensor (default: 131072)")
    options = parser.parse_args()
    began, children = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    wrong = 0
    if options.build and (options.lanes or options.codecs):
        parser.error("--build says what --lanes and --codecs would")
    codecs = sum(1 << place for place, name in enumerate(CODECS) if name in ("raw", *(options.codecs or CODECS)))
    with (
        VerilatedDevice(lanes=options.lanes or 8, codecs=codecs)
        if options.lanes or options.codecs
        else VerilatedDevice(build=options.build or "full")
    ) as device:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = spent.ru_utime + spent.ru_stime - children.ru_utime - children.ru_stime
        print(f"{device.library_path.name}: {cpu:.0f} CPU s, {time.monotonic() - began:.0f} s to build or find")
        engine = Engine(device)
        array = sparse(options.values)
        for memory in ("ideal", "ddr3"):
            device.set_memory(memory)
            for codec in engine.capabilities.codecs:
                case = Case.of(engine, array, array.view(np.uint8), codec, block_bytes=min(4096, engine.capabilities.block_bytes), zero=0)
                ways = [way for way in ("compress", "decompress") if codec in engine.capabilities.codecs_of(way)]  # type: ignore[arg-type]
                start, cycle = time.process_time(), device.statistic("cycle")
                rows = list(case.run("stream", ways))  # type: ignore[arg-type]
                seconds, cycles = time.process_time() - start, device.statistic("cycle") - cycle
                wrong += sum(not row["ok"] for row in rows)
                rates = ", ".join(f"{row['direction']} {row['values_per_cycle']:.2f} values a cycle" for row in rows)
                print(f"{memory:<6}{codec:<6}{cycles:>9} cycles, {cycles / seconds / 1000:6.0f} k cycles per CPU s; {rates}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
