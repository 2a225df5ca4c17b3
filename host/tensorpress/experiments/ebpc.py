# SPDX-License-Identifier: Apache-2.0
"""EBPC's experiment: feature maps against zero-RLE, ZVC and BPC, frame by frame, in several number formats, and gradient maps.

Source: EBPC, arXiv 1908.11645. As there, sizes are those of the bit streams of a whole map, without framing; ``stored`` is what our
engine makes of the same map: blocks of 4 KiB, streams in whole words, an index. Maps are compressed channel by channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..tensors import NamedTensor
from . import digits
from .network import Network, frame_name, layer_name
from .papers import CLAIMS
from .sizes import FORMATS, below_zero, channel_first, coded_size, floats, in_format, peer_bits, raw_bits, zero_share
from .summary import deviation, known, mean, total

METHODS = {"zero-rle": "zero-RLE", "zvc-whole": "ZVC", "bpc": "BPC", "ebpc-whole": "EBPC"}
"""Methods of the paper: name among the peers, and title. EBPC comes last."""
STORED = "stored"
EBPC = "ebpc-whole"


@dataclass(frozen=True)
class MapSize:
    """Sizes of one map, in bits.

    Attributes
    ----------
    network, frame, layer, form : str
        Where it comes from, and its number format.
    rectified : bool
        No value lies below the one that stands for zero, and some are it: a map behind a ReLU.
    values, raw : int
        Its values, and their bits.
    zeros : float
        Share of values that stand for zero.
    coded : dict of str to int
        Method, or :data:`STORED`, -> bits. Methods that do not take the width are left out.
    """

    network: str
    frame: str
    layer: str
    form: str
    rectified: bool
    values: int
    raw: int
    zeros: float
    coded: dict[str, int]

    def row(self) -> dict[str, Any]:
        """For JSON and CSV: ratios."""
        ratios = {f"{method}_ratio": self.raw / bits for method, bits in self.coded.items()}
        known_of = {"network": self.network, "frame": self.frame, "layer": self.layer, "format": self.form, "rectified": self.rectified}
        return {**known_of, "values": self.values, "raw_bytes": self.raw / 8, "zeros": self.zeros, **ratios}


def map_size(tensor: NamedTensor, *, frame: str | None = None, form: str | None = None, order: str = "channel-first") -> MapSize:
    """Sizes of one map under all methods.

    Parameters
    ----------
    tensor : NamedTensor
        The map.
    frame, form : str, optional
        Its frame and number format; default: by its name, and its dtype.
    order : str
        ``channel-first``, or ``c`` for the order in the file.
    """
    stored = channel_first(tensor) if order == "channel-first" else tensor
    coded = {}
    for method in METHODS:
        bits = peer_bits(stored, method)
        if bits is not None:
            coded[method] = bits
    size = coded_size(stored, "ebpc")
    if size is not None:
        coded[STORED] = 8 * size
    zeros = zero_share(tensor)
    numbers = floats(tensor)
    above = not below_zero(tensor) if numbers is None else float(numbers.min()) >= 0
    return MapSize(
        tensor.network,
        frame_name(tensor) if frame is None else frame,
        layer_name(tensor),
        form or tensor.dtype,
        above and zeros > 0,
        int(tensor.array.size),
        raw_bits(tensor),
        zeros,
        coded,
    )


def compare(network: Network, *, order: str = "channel-first", step: Callable[[str], None] = lambda name: None) -> list[MapSize]:
    """Sizes of all maps of a network, in its own number format."""
    result = []
    for tensor in network.activations:
        step(tensor.name)
        result.append(map_size(tensor, order=order))
    return result


def convert(network: Network, *, order: str = "channel-first", step: Callable[[str], None] = lambda name: None) -> list[MapSize]:
    """Sizes of the maps of a network of floats in :data:`FORMATS`; nothing for a network of integers."""
    result = []
    for tensor in network.activations:
        numbers = floats(tensor)
        if numbers is None:
            continue
        step(tensor.name)
        for form in FORMATS:
            result.append(map_size(in_format(tensor, numbers, form), frame=frame_name(tensor), form=form, order=order))
    return result


def ratio(sizes: Sequence[MapSize], method: str) -> float | None:
    """Raw bits over coded bits of several maps; None when one of them has no size under this method."""
    if not sizes or any(method not in size.coded for size in sizes):
        return None
    return total(size.raw for size in sizes) / total(size.coded[method] for size in sizes)


def gain(sizes: Sequence[MapSize]) -> float | None:
    """EBPC's ratio over the best one of the other methods, less 1."""
    best = max(known(ratio(sizes, method) for method in METHODS if method != EBPC), default=None)
    ours = ratio(sizes, EBPC)
    return None if best is None or ours is None else ours / best - 1


def summarise(sizes: Sequence[MapSize], **keys: Any) -> dict[str, Any]:
    """One row for a group of maps: `keys`, values, share of zeros, ratio of each method, gain."""
    values = total(size.values for size in sizes)
    return {
        **keys,
        "maps": len(sizes),
        "values": int(values),
        "zeros": total(size.zeros * size.values for size in sizes) / values if values else None,
        **{f"{method}_ratio": ratio(sizes, method) for method in (*METHODS, STORED)},
        "gain": gain(sizes),
    }


def summaries(sizes: Sequence[MapSize]) -> list[dict[str, Any]]:
    """For each network a row over all its maps, and one over those behind a ReLU where these are some but not all."""
    rows = []
    for name in dict.fromkeys(size.network for size in sizes):
        group = [size for size in sizes if size.network == name]
        form = ",".join(dict.fromkeys(size.form for size in group))
        rectified = [size for size in group if size.rectified]
        rows.append(summarise(group, network=name, format=form, which="all"))
        if rectified:
            rows.append(summarise(rectified, network=name, format=form, which="ReLU"))
    return rows


def measured(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """What stands beside the paper's claims: a network whose name holds that of the paper's, and the least and largest gain in percent."""
    everything = [row for row in rows if row["which"] == "all"]
    found: dict[str, float | None] = {}
    for claim in CLAIMS["ebpc"]:
        wanted = "".join(filter(str.isalnum, claim.what.split(",")[0].lower()))
        named = [row for row in everything if wanted in "".join(filter(str.isalnum, row["network"].lower()))]
        found[claim.what] = mean(row[f"{EBPC}_ratio"] for row in named)
    gains = [100 * value for value in known(row["gain"] for row in everything)]
    found["gain over the methods before, least"] = min(gains, default=None)
    found["gain over the methods before, most"] = max(gains, default=None)
    return found


def frames(sizes: Sequence[MapSize], method: str = EBPC) -> list[dict[str, Any]]:
    """How the ratio of a network varies from frame to frame, for each with two frames or more: mean, deviation, extremes."""
    rows = []
    for name, form in dict.fromkeys((size.network, size.form) for size in sizes):
        group: dict[str, list[MapSize]] = {}
        for size in sizes:
            if (size.network, size.form) == (name, form):
                group.setdefault(size.frame, []).append(size)
        ratios = {frame: ratio(of_frame, method) for frame, of_frame in group.items()}
        there = known(ratios.values())
        if len(there) < 2:
            continue
        middle, spread = mean(there), deviation(there)
        rows.append(
            {
                "network": name,
                "format": form,
                "frames": len(there),
                "mean": middle,
                "deviation": spread,
                "relative": spread / middle if spread is not None and middle else None,
                "least": min(there),
                "most": max(there),
            }
        )
    return rows


# ----------------------------------------------------------------------------------------------------------------- the digits


@dataclass(frozen=True)
class Training:
    """What was seen of the digits' training.

    Attributes
    ----------
    sizes : list of MapSize
        Maps and gradient maps; the layer's name begins with ``map/`` or ``gradient/``, the frame is the epoch, ``0``..
    frames : list of MapSize
        Maps of single digits after the last epoch, ``fixed8``; the frame is the digit's number.
    accuracy : float
        On the held-out digits, after the last epoch.
    """

    sizes: list[MapSize]
    frames: list[MapSize]
    accuracy: float


def train_digits(
    epochs: int = 10, *, images: int = 64, forms: Sequence[str] = FORMATS, step: Callable[[str], None] = lambda name: None
) -> Training:
    """Train the CNN of :mod:`tensorpress.experiments.digits` and measure its maps and gradient maps as it learns.

    Parameters
    ----------
    epochs : int
        Epochs of training. Maps are looked at before the first one and after 1, 2, 4, 8, ... and the last one.
    images : int
        A batch of so many training digits gives the maps and gradients; as many held-out digits give the single frames.
    forms : sequence of str
        Number formats. A tensor is the map of one layer for the whole batch, with one scale.

    Raises
    ------
    InputError
        scikit-learn is not installed.
    """
    codes, labels, held_codes, held_labels = digits.load_digits()
    pictures, held = (part.astype(np.float32) / np.float32(255) for part in (codes, held_codes))
    relus = [layer.name for layer in digits.LAYERS if layer.relu]
    sizes: list[MapSize] = []
    last: dict[str, np.ndarray] = {}
    looked_at = {0, epochs, *(1 << power for power in range(epochs.bit_length()))}

    def look(epoch: int, parameters: dict[str, np.ndarray]) -> None:
        step(f"epoch {epoch}")
        last.update(parameters)
        if epoch not in looked_at:
            return
        maps: dict[str, np.ndarray] = {}
        activations = digits.forward(pictures[:images], parameters)
        digits.gradients(activations, parameters, labels[:images], maps)
        for what, group in (("map", activations), ("gradient", maps)):
            for name in relus:
                tensor = _digit_map(f"{what}/{name}", group[name])
                sizes.extend(map_size(in_format(tensor, group[name], form), frame=str(epoch), form=form) for form in forms)

    digits.train(pictures, labels, epochs, look)
    activations = digits.forward(held, last)
    # the scale of a single digit's map is that of its layer over all digits, as an accelerator's would be
    whole = [in_format(_digit_map(f"map/{name}", activations[name]), activations[name], "fixed8") for name in relus]
    singles = [
        map_size(replace(tensor, array=tensor.array[number : number + 1]), frame=str(number), form="fixed8")
        for number in range(min(images, len(held)))
        for tensor in whole
    ]
    return Training(sizes, singles, digits.accuracy(activations["logits"], held_labels))


def _digit_map(name: str, numbers: np.ndarray) -> NamedTensor:
    return NamedTensor(f"act/digits/{name}", np.ascontiguousarray(numbers, np.float32), "act", "digits", 0, numbers.ndim - 1, "float32")


def by_epoch(sizes: Sequence[MapSize]) -> list[dict[str, Any]]:
    """A row for each epoch, kind (``map``, ``gradient``) and number format of :attr:`Training.sizes`."""
    keys = dict.fromkeys((size.frame, size.layer.split("/")[0], size.form) for size in sizes)
    return [
        summarise(
            [size for size in sizes if (size.frame, size.layer.split("/")[0], size.form) == (epoch, what, form)],
            epoch=int(epoch),
            what=what,
            format=form,
        )
        for epoch, what, form in keys
    ]
