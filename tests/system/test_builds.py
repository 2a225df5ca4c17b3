# SPDX-License-Identifier: Apache-2.0
"""The named builds: what their rates must be, for long tensors and for chains of short ones."""

from __future__ import annotations

from typing import Any

import pytest
from shared_devices import BUILDS, settle, verilated
from tensorpress.bench_bandwidth import RUNS, chain_rates
from tensorpress.demo import DEMO_TENSORS
from tensorpress.device.verilated import PORT_OUTSTANDING, Timing
from tensorpress.engine import Engine
from tensorpress.tensors import load_tensors

LONG_SHARE = {1 << 14: 0.88, 1 << 12: 0.60}
"""Values of the tensors of a chain -> least share of the rate of the longest tensor."""

LEAST_OF_BOUND = {"full": 0.92, "inference": 0.93, "small": 0.93}
"""Build -> least share of what lanes, raw side and memory port allow a single tensor of 256 KiB or more to or from the stream."""


LEAST_RATE = {"full": 7.4}
"""Build -> least values a cycle of such a tensor."""


def largest(kind: str) -> Any:
    return max((one for one in load_tensors(DEMO_TENSORS) if one.kind == kind and one.width == 8), key=lambda one: one.array.size)


def check_states(rows: list[dict[str, Any]], lanes: int) -> None:
    """Every lane is in one state in every cycle."""
    for row in rows:
        states = [row[f"count_lane_{state}"] for state in ("busy", "starved", "blocked", "idle")]
        assert sum(states) == lanes * row["count_cycles"] == lanes * row["cycles"], row


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_rates(build: str) -> None:
    """To and from the stream; ideal memory, latency 40, bursts as an HP port; a weight and an activation, in pieces or repeated."""
    device = verilated(build=build)
    device.configure(Timing(read_outstanding=PORT_OUTSTANDING, write_outstanding=PORT_OUTSTANDING))
    engine = Engine(device)
    tensors = {"weight": largest("weight"), "activation": largest("act")}
    rows = chain_rates(
        {name: one.values for name, one in tensors.items()},
        engine,
        build=build,
        zeros={name: one.zero_code() for name, one in tensors.items()},
    )
    can = engine.capabilities
    ways = sum(len(can.codecs_of(way)) for way in ("compress", "decompress"))  # type: ignore[arg-type]
    assert len(rows) == len(tensors) * ways * len(RUNS) and all(row["ok"] for row in rows)
    check_states(rows, can.lanes)
    for row in rows:
        what = f"{row['tensor']}, {row['codec']}, {row['direction']}, {row['jobs']} x {row['job_values']}: {row['values_per_cycle']:.2f}"
        if row["jobs"] > 1:
            assert row["of_long"] >= LONG_SHARE[row["job_values"]], what
        else:
            assert row["of_bound"] >= LEAST_OF_BOUND[build], what
            assert row["values_per_cycle"] >= LEAST_RATE.get(build, 0), what
    settle(device)
