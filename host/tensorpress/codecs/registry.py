# SPDX-License-Identifier: Apache-2.0
"""The codecs there are. Add one here."""

from __future__ import annotations

from . import apack, ebpc, raw, zvc
from .codec import Codec

CODECS: dict[str, Codec] = {codec.name: codec for codec in (raw.CODEC, zvc.CODEC, ebpc.CODEC, apack.CODEC)}
CODEC_NUMBERS: dict[str, int] = {name: codec.number for name, codec in CODECS.items()}
