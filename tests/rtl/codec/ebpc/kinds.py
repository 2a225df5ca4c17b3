# SPDX-License-Identifier: Apache-2.0
"""Kinds of data for the throughput tests and the table in rtl/codec/ebpc/README.md."""

from __future__ import annotations

import itertools
import random

import numpy as np
from codec.box import mixed_values

VALUES = 4096


def image() -> list[int]:
    """64 x 64 pixels whose spectrum falls with 1/f, as in photographs; uint8, C order."""
    rng = np.random.default_rng(7)
    frequency = np.fft.fftfreq(64)
    radius = np.hypot(*np.meshgrid(frequency, frequency))
    radius[0, 0] = 1
    plane = np.fft.ifft2(rng.standard_normal((64, 64)) / radius * np.exp(2j * np.pi * rng.random((64, 64)))).real
    plane = (plane - plane.mean()) / plane.std()
    return [int(value) for value in np.clip(np.round(plane * 40 + 128), 0, 255).ravel()]


def kinds() -> dict[str, list[int]]:
    """Name -> 4096 values of 8 bits, zero point 0."""
    rng = random.Random("kinds")
    short_codes = []  # groups whose differences alternate between 01010101 and 10101010: five bits a plane, never a run
    for _ in range(VALUES // 8):
        short_codes += [85 * (k % 3) + 1 for k in range(8)]
    return {
        "random, dense": [rng.randrange(256) for _ in range(VALUES)],
        "25 % zeros": mixed_values(rng, VALUES, 8, 0, 0.25),
        "50 % zeros": mixed_values(rng, VALUES, 8, 0, 0.5),
        "75 % zeros": mixed_values(rng, VALUES, 8, 0, 0.75),
        "all zeros": [0] * VALUES,
        "1/f image": image(),
        "short codes, no runs": short_codes,
    }


def codes(values: list[int]) -> int:
    """Codes of stream B: a base and its planes for each group of 8 values that are not zero (FORMAT.md section 4), signed."""
    signed = [value - 256 if value > 127 else value for value in values if value]
    signed += [0] * (-len(signed) % 8)
    total = 0
    for start in range(0, len(signed), 8):
        group = signed[start : start + 8]
        differences = [(after - before) & 0x1FF for before, after in itertools.pairwise(group)]
        planes = [[difference >> bit & 1 for difference in differences] for bit in range(9)]
        changes = [any(planes[0]), *(plane != before for before, plane in itertools.pairwise(planes))]
        zero_runs = sum(not change and (bit == 0 or changes[bit - 1]) for bit, change in enumerate(changes))
        total += 1 + sum(changes) + zero_runs
    return total


def rate_of_one_code_a_cycle(values: list[int]) -> float:
    """Values a cycle of a coder that takes one value and one code a cycle, as stream-ebpc does: what its data path can do at best."""
    return len(values) / max(len(values), codes(values))
