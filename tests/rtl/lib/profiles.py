# SPDX-License-Identifier: Apache-2.0
"""Named, seeded patterns of pauses: endless iterators over "pause in this cycle?"."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

Pauses = Iterator[bool]


def _none(_: random.Random) -> Pauses:
    while True:
        yield False


def _light(rng: random.Random) -> Pauses:
    while True:
        yield rng.random() < 0.125


def _heavy(rng: random.Random) -> Pauses:
    while True:
        yield rng.random() < 0.75


def _one_cycle(rng: random.Random) -> Pauses:
    pause = rng.random() < 0.5
    while True:
        yield pause
        pause = not pause


def _long_stalls(rng: random.Random) -> Pauses:
    while True:
        for pause, cycles in ((False, rng.randint(1, 60)), (True, rng.randint(20, 150))):
            for _ in range(cycles):
                yield pause


_PROFILES: dict[str, Callable[[random.Random], Pauses]] = {
    "none": _none,
    "light": _light,
    "heavy": _heavy,
    "one_cycle": _one_cycle,
    "long_stalls": _long_stalls,
}

PROFILES = tuple(_PROFILES)
"""Names of all profiles: no pauses; one cycle in eight; three in four; every other cycle; runs of 1..60 free and 20..150 blocked cycles."""


def pauses(name: str, seed: int | str = 0) -> Pauses:
    """Return the pattern `name`; equal seeds give equal patterns. Give each port a seed of its own, else they pause together."""
    if name not in _PROFILES:
        raise ValueError(f"unknown profile {name!r}, expected one of {', '.join(PROFILES)}")
    return _PROFILES[name](random.Random(f"{name}:{seed}"))
