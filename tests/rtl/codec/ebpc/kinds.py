# SPDX-License-Identifier: Apache-2.0
"""Kinds of data for the throughput tests and the table in rtl/codec/ebpc/README.md."""

from __future__ import annotations

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
