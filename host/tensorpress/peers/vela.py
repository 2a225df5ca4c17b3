# SPDX-License-Identifier: Apache-2.0
"""The weight coder of Arm's Ethos-U compiler Vela, through its own extension module."""

from __future__ import annotations

import numpy as np

from .peer import Peer, Sample


def _vela(sample: Sample) -> float:
    from ethosu import mlw_codec

    numbers = sample.values.astype(np.int32)
    zero = sample.zero
    if sample.signed:
        half, whole = 1 << (sample.width - 1), 1 << sample.width
        numbers = np.where(numbers >= half, numbers - whole, numbers)
        zero = zero - whole if zero >= half else zero
    return 8 * len(mlw_codec.encode((numbers - zero).astype(np.int16).tolist()))


VELA = Peer(
    "vela",
    "Vela",
    "the weight code of Arm's Vela compiler for Ethos-U NPUs (mlw_codec of the package ethos-u-vela), on weights less their zero point, in "
    "the stored order",
    _vela,
    widths=(4, 8),
    weights_only=True,
    needs=("ethosu.mlw_codec", "ethos-u-vela"),
)
