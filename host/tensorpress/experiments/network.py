# SPDX-License-Identifier: Apache-2.0
"""A network as the experiments see it: its weights, its frames of activations, and its layers with their multiply-accumulates.

A file of tensors does not hold the graph of its network, so layers come from names, shapes and, where the metadata tell them, operators:

* An activation ``act/<frame>/<layer>`` belongs to a frame (one input of the network); with fewer parts there is one frame.
* The activations of a frame are in the order of execution: by number, where all their names begin with one (``017_relu``), else as in the
  file. The first one of operator ``INPUT`` is the network's input.
* Each weight goes to the first activation that it can have made: same channels out, an operator that takes weights (where operators are
  known; an activation function hides the operator before it), and, if there is a choice, channels in that fit the activations before.
  Weights that could change places have equal shapes, so the multiply-accumulates do not depend on the choice.
* ``MACs = weights * positions``: every weight of a layer is used once at each output position, and there are ``elements / channels`` of
  these (fully connected: the rows). This counts padding as work.
* A weight without an activation is a layer of its own with as many positions as the frame's two-dimensional activations have rows
  (transformers, whose projections are not all recorded), or 1 (one token).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, TensorpressError
from ..importers import MODEL_SUFFIXES, find_feeds, import_model
from ..tensors import NamedTensor, load_tensors

CONV, DEPTHWISE, DENSE, OTHER = "conv", "depthwise", "dense", "other"
_FUNCTIONS = ("RELU", "CLIP", "SIGMOID", "TANH", "SWISH", "GELU", "NORMALIZATION")  # operators that layers with weights end in
_NEAR = 4  # activations back that a layer may read: the branches of a residual block


@dataclass(frozen=True)
class Layer:
    """One layer of one frame.

    Attributes
    ----------
    name : str
        The activation's name, or the weight's where no activation is known.
    kind : str
        ``conv``, ``depthwise``, ``dense``, or ``other`` (no weights: pooling, addition, input of the network).
    weight : NamedTensor or None
        Its weights.
    sources : tuple of NamedTensor
        The activations that it reads; none for the first one.
    output : NamedTensor or None
        The activation that it writes.
    positions : int
        Output positions of one frame: times that each weight is used.
    """

    name: str
    kind: str
    weight: NamedTensor | None
    sources: tuple[NamedTensor, ...]
    output: NamedTensor | None
    positions: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one frame; 0 for a layer without weights."""
        return self.positions * self.weight.array.size if self.weight is not None else 0


@dataclass(frozen=True)
class Network:
    """The tensors of one network.

    Attributes
    ----------
    name : str
        Its name.
    weights : list of NamedTensor
        In the order of the file.
    frames : dict of str to list of NamedTensor
        Frame -> its activations in the order of execution. A network without activations has no frames.
    """

    name: str
    weights: list[NamedTensor] = field(repr=False)
    frames: dict[str, list[NamedTensor]] = field(repr=False)

    @property
    def activations(self) -> list[NamedTensor]:
        """The activations of all frames."""
        return [tensor for frame in self.frames.values() for tensor in frame]

    @property
    def dtypes(self) -> str:
        """``int8`` or ``int8/uint8``: dtypes of the weights, and of the activations where others."""
        parts = [",".join(dict.fromkeys(tensor.dtype for tensor in group)) for group in (self.weights, self.activations) if group]
        return "/".join(dict.fromkeys(parts))

    def layers(self, frame: str | None = None) -> list[Layer]:
        """The layers of a frame, in the order of execution; without activations, those of one position."""
        if frame is None and self.frames:
            frame = next(iter(self.frames))
        return find_layers(self.weights, self.frames[frame] if frame is not None else [])


def load_networks(
    paths: Sequence[Path],
    *,
    inputs: Sequence[Path] = (),
    manifest: Path | None = None,
    note: Callable[[str], None] = lambda text: None,
    fault: Callable[[TensorpressError], None] | None = None,
) -> list[Network]:
    """Read networks from files of tensors and from models. Files of one network (by its name) are put together.

    Parameters
    ----------
    paths : sequence of Path
        Files of tensors (see :mod:`tensorpress.tensors`), and models (see :mod:`tensorpress.importers`).
    inputs : sequence of Path
        What models are run with: files, and folders of files. Without: random numbers.
    manifest : Path, optional
        Metadata for the files of tensors.
    note : callable
        Told what the importers have to say: random inputs, parts of a model that cannot be read.
    fault : callable, optional
        Told of a file that cannot be read, which then is left out. Without: the error is raised.

    Raises
    ------
    InputError, FormatError
        A file cannot be read (a tensor with NaNs counts as such), or holds neither weights nor activations; inputs, but no model.
    """
    models = [path for path in paths if path.suffix.lower() in MODEL_SUFFIXES]
    if inputs and not models:
        raise InputError(f"inputs are for models ({', '.join(MODEL_SUFFIXES)}); no file is one")
    feeds = find_feeds(inputs)
    tensors: dict[str, list[NamedTensor]] = {}
    for path in paths:
        try:
            if path in models:
                imported = import_model(path, feeds)
                for text in (*imported.notes, *imported.faults):
                    note(text)
                read = imported.tensors
            else:
                read = load_tensors(path, manifest=manifest)
        except TensorpressError as error:
            if fault is None:
                raise
            fault(error)
            continue
        for tensor in read:
            tensors.setdefault(tensor.network, []).append(tensor)
    return [make_network(name, group) for name, group in tensors.items()]


def make_network(name: str, tensors: Iterable[NamedTensor]) -> Network:
    """Sort tensors into weights and frames. Tensors of unknown kind count as weights when nothing else is there, else they are left out.

    Raises
    ------
    InputError
        No tensor is left.
    """
    group = list(tensors)
    weights = [tensor for tensor in group if tensor.kind == "weight"]
    frames: dict[str, list[NamedTensor]] = {}
    for tensor in group:
        if tensor.kind == "act":
            frames.setdefault(frame_name(tensor), []).append(tensor)
    for of_frame in frames.values():
        numbers = [re.match(r"(\d+)_", layer_name(tensor)) for tensor in of_frame]
        if all(numbers):
            of_frame.sort(key=lambda tensor: int(layer_name(tensor).split("_")[0]))
    if not weights and not frames:
        weights = group
    if not weights and not frames:
        raise InputError(f"network {name!r}: holds neither weights nor activations")
    return Network(name, weights, frames)


def frame_name(tensor: NamedTensor) -> str:
    """The input that an activation comes from: as the metadata tell, or ``cat`` of ``act/cat/conv1``; empty for ``act/conv1``."""
    parts = tensor.name.split("/")
    return tensor.sample or (parts[1] if len(parts) > 2 else "")


def layer_name(tensor: NamedTensor) -> str:
    """``conv1`` of ``act/cat/conv1``, ``act/conv1`` and ``weight/conv1``: what the frames of a layer share."""
    parts = tensor.name.split("/")[1:]
    if tensor.kind == "act" and len(parts) > 1 and parts[0] == frame_name(tensor):
        parts = parts[1:]
    return "/".join(parts) or tensor.name


def channels(tensor: NamedTensor) -> int:
    """Channels of an activation: of its channel axis where known, else the last axis, or axis 1 when the axes look like (N, C, H, H)."""
    shape = tensor.array.shape
    if tensor.channel_axis is not None:
        return int(shape[tensor.channel_axis])
    if len(shape) == 4 and shape[2] == shape[3] and shape[1] != shape[2]:
        return int(shape[1])
    return int(shape[-1]) if shape else 1


def weight_kind(tensor: NamedTensor) -> str:
    """``conv``, ``depthwise`` or ``dense``, by operator and shape; ``other`` for a vector."""
    shape = tensor.array.shape
    if len(shape) >= 3:
        spread = shape[0] == 1 or (shape[1] == 1 and shape[2] > 1 and shape[2] == shape[-1])  # (1, kh, kw, C) or (C, 1, k, k)
        return DEPTHWISE if "DEPTHWISE" in tensor.op.upper() or (not tensor.op and spread) else CONV
    return DENSE if len(shape) == 2 else OTHER


def _made_by(op: str) -> str | None:
    """The kind of layer that an operator is, or None when it is unknown."""
    upper = op.upper()
    if not upper or any(word in upper for word in _FUNCTIONS):
        return None
    if "DEPTHWISE" in upper:
        return DEPTHWISE
    if "CONV" in upper:
        return CONV
    return DENSE if any(word in upper for word in ("FULLY", "GEMM", "MATMUL", "DENSE", "LINEAR")) else OTHER


def weight_channels(tensor: NamedTensor) -> tuple[set[int], set[int]]:
    """Channels in and out that a weight may have: (out, kh, kw, in) of TFLite and (out, in, kh, kw) of ONNX both count."""
    shape, kind = tensor.array.shape, weight_kind(tensor)
    if kind == DEPTHWISE:
        count = {shape[-1] if shape[0] == 1 else shape[0]}
        return count, count
    if kind == CONV:
        return {shape[-1], shape[1]}, {shape[0]}
    if kind == DENSE and any(word in tensor.op.upper() for word in ("MATMUL", "GEMM")):
        return set(shape), set(shape)  # (in, out), or transposed
    return ({shape[1]}, {shape[0]}) if kind == DENSE else (set(), set())


def natural(text: str) -> list[tuple[int, int | str]]:
    """Sort key with numbers as numbers, a leading ``007_`` left out."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", re.sub(r"^\d+_", "", text)) if part]


def find_layers(weights: Sequence[NamedTensor], activations: Sequence[NamedTensor]) -> list[Layer]:
    """The layers of one frame (see the module).

    Parameters
    ----------
    weights : sequence of NamedTensor
        Weights of the network.
    activations : sequence of NamedTensor
        Activations of one frame, in the order of execution.

    Returns
    -------
    list of Layer
        One for each activation, then one for each weight that no activation could take.
    """
    free = sorted(weights, key=lambda tensor: natural(layer_name(tensor)))
    unread = {tensor.name: tensor.reads for tensor in activations}  # names are unique within a frame
    layers: list[Layer] = []
    for place, output in enumerate(activations):
        before = activations[max(0, place - _NEAR) : place][::-1]
        kind, weight = OTHER, None
        wanted = _made_by(output.op)
        if output.op.upper() != "INPUT" and wanted != OTHER:
            usable = [one for one in free if wanted in (None, weight_kind(one))]
            weight = _weight_of(output, before, usable, strict=wanted is None)
            kind = weight_kind(weight) if weight is not None else wanted or OTHER
        if weight is not None:
            free.remove(weight)
            sources = _with_channels(before, weight_channels(weight)[0])[1] or before[:1]
        elif output.op.upper() == "INPUT":
            sources = []
        else:
            sources = _operands(output, before, unread)
        for source in sources:
            unread[source.name] -= 1
        positions = output.array.size // max(1, channels(output)) if weight is not None else 0
        layers.append(Layer(layer_name(output), kind, weight, tuple(sources), output, positions))
    rows = Counter(tensor.array.shape[0] for tensor in activations if tensor.array.ndim == 2)
    for weight in free:
        positions = rows.most_common(1)[0][0] if rows else 1
        layers.append(Layer(layer_name(weight), weight_kind(weight), weight, (), None, positions))
    return layers


def _weight_of(output: NamedTensor, before: Sequence[NamedTensor], free: Sequence[NamedTensor], *, strict: bool) -> NamedTensor | None:
    """The best weight for an activation. Strict: only one whose channels in are those of the activation just before."""
    made = channels(output)
    best: tuple[tuple[int, int], NamedTensor] | None = None
    for weight in free:
        ins, outs = weight_channels(weight)
        distance, read = _with_channels(before, ins)
        if made not in outs or (strict and before and distance != 0):
            continue
        # where the picture gets smaller, a kernel larger than 1x1 is likelier than a pointwise one
        shrinks = bool(read) and output.array.size // made < read[0].array.size // channels(read[0])
        pointwise = weight_kind(weight) == CONV and sorted(weight.array.shape)[:2] == [1, 1]
        rank = (distance, int(shrinks and pointwise))
        if best is None or rank < best[0]:
            best = rank, weight
    return None if best is None else best[1]


def _with_channels(before: Sequence[NamedTensor], wanted: set[int]) -> tuple[int, list[NamedTensor]]:
    """The nearest activation with so many channels, or the last ones that have them together; with its distance, 0 the nearest."""
    for distance, one in enumerate(before):
        if channels(one) in wanted:
            return distance, [one]
        parts = list(before[: distance + 1])
        if len({part.array.size // channels(part) for part in parts}) == 1 and sum(map(channels, parts)) in wanted:
            return distance, parts
    return _NEAR + 1, []


def _operands(output: NamedTensor, before: Sequence[NamedTensor], unread: dict[str, int]) -> list[NamedTensor]:
    """What a layer without weights reads: the activation before, an addition one of equal shape besides, a concatenation its parts."""
    operands = list(before[:1])
    if any(word in output.op.upper() for word in ("CONCAT", "POOL")):
        return _with_channels(before, {channels(output)})[1] or operands
    if operands and any(word in output.op.upper() for word in ("ADD", "MUL", "SUB")):
        equal = [one for one in before[1:] if one.array.shape == output.array.shape]
        operands += sorted(equal, key=lambda one: unread[one.name] <= 0)[:1]  # first the one that still has a reader to come
    return operands
