# SPDX-License-Identifier: Apache-2.0
"""Read a quantised ONNX model, QDQ or QOperator: its weights from the file, its activations by running it with all outputs shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorpress.errors import InputError
from tensorpress.tensors import NamedTensor

from .feeds import RANDOM, Feed, Slot, arrays_for
from .model import Imported, Quantisation, first_line, shape_text, tensor_name

_PAIR = ((0, 1, 2), (3, 4, 5))
INPUT_PARAMETERS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "QLinearConv": _PAIR,
    "QLinearMatMul": _PAIR,
    "QGemm": _PAIR,
    "QLinearAdd": _PAIR,
    "QLinearMul": _PAIR,
    "QLinearGlobalAveragePool": _PAIR[:1],
    "QLinearAveragePool": _PAIR[:1],
    "QLinearReduceMean": _PAIR[:1],
    "QLinearLeakyRelu": _PAIR[:1],
    "QLinearSigmoid": _PAIR[:1],
    "QLinearSoftmax": _PAIR[:1],
    "QLinearWhere": ((1, 2, 3), (4, 5, 6)),
    "DequantizeLinear": _PAIR[:1],
    "ConvInteger": ((0, -1, 2), (1, -1, 3)),
    "MatMulInteger": ((0, -1, 2), (1, -1, 3)),
}
"""Operation -> positions of (values, their scale, their zero point) among its inputs; -1: there is none."""
OUTPUT_PARAMETERS = {
    "QLinearConv": (6, 7),
    "QLinearMatMul": (6, 7),
    "QGemm": (7, 8),
    "QLinearAdd": (6, 7),
    "QLinearMul": (6, 7),
    "QLinearGlobalAveragePool": (3, 4),
    "QLinearAveragePool": (3, 4),
    "QLinearReduceMean": (3, 4),
    "QLinearLeakyRelu": (3, 4),
    "QLinearSigmoid": (3, 4),
    "QLinearSoftmax": (3, 4),
    "QLinearConcat": (0, 1),
    "QLinearWhere": (7, 8),
    "QuantizeLinear": (1, 2),
}
"""Operation -> positions of the scale and the zero point of its output among its inputs."""
VIEWS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity")
"""Operations that move no data."""
KEEP = (
    "MaxPool",
    "Transpose",
    "Slice",
    "Gather",
    "Split",
    "Resize",
    "DepthToSpace",
    "SpaceToDepth",
    "Relu",
    "Clip",
    "Concat",
    "Pad",
    "Tile",
)
"""Operations whose output means what their first input means."""
_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
_WEIGHT_DTYPES = ("int8", "uint8", "int16", "uint16", "int4", "uint4")
_RUN_TYPES = {"tensor(int8)": "int8", "tensor(uint8)": "uint8", "tensor(int16)": "int16", "tensor(uint16)": "uint16"}
_SLOT_TYPES = {
    **_RUN_TYPES, "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64",
    "tensor(int32)": "int32", "tensor(int64)": "int64", "tensor(bool)": "bool",
}  # fmt: skip


def _libraries() -> tuple[Any, Any]:
    for name in ("onnx", "onnxruntime"):
        try:
            __import__(name)
        except ImportError as error:
            raise InputError(f"ONNX models need the package {name}: pip install 'tensorpress[models]'") from error
    import onnx
    import onnxruntime

    return onnx, onnxruntime


def read(path: Path, feeds: Sequence[Feed], network: str) -> Imported:
    """The tensors of an ONNX model; see :func:`tensorpress.importers.import_model`."""
    onnx, runtime = _libraries()
    try:
        model = onnx.load(str(path))
        if not model.graph.node:
            raise ValueError("it has no operation")
    except Exception as error:  # protobuf, missing external data, and what else onnx raises
        raise InputError(f"{path}: is not a whole ONNX model: {first_line(error)}") from error
    return _Model(path, model, onnx, network).imported(runtime, feeds)


class _Model:
    """A parsed model."""

    def __init__(self, path: Path, model: Any, onnx: Any, network: str) -> None:
        self.path, self.model, self.onnx, self.network = path, model, onnx, network
        self.graph = model.graph
        self.constants = {tensor.name: tensor for tensor in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self.constants[node.output[0]] = attribute.t
        self.users: dict[str, list[Any]] = {}
        self.maker: dict[str, Any] = {}
        self.meaning: dict[str, Quantisation] = {}
        parameters = set()
        for node in self.graph.node:
            for name in dict.fromkeys(node.input):
                self.users.setdefault(name, []).append(node)
            for name in node.output:
                self.maker[name] = node
            parameters |= self._learn(node)
        self.parameters = parameters

    def _constant(self, name: str) -> npt.NDArray[Any] | None:
        if name not in self.constants:
            return None
        array: npt.NDArray[Any] = np.asarray(self.onnx.numpy_helper.to_array(self.constants[name]))
        return array

    def _learn(self, node: Any) -> set[str]:
        """Take what a node says about the meaning of its inputs and outputs; returns the names of its parameters."""

        def at(position: int) -> str:
            return node.input[position] if 0 <= position < len(node.input) else ""

        def stated(scale: int, zero: int, axis: int) -> Quantisation:
            numbers = [self._constant(at(position)) for position in (scale, zero)]
            if numbers[1] is None and at(zero):
                return Quantisation(axis=axis)  # known only at a run
            scales, zeros = ([] if part is None else part.reshape(-1).astype(np.float64).tolist() for part in numbers)
            if any(part is not None and part.ndim > 1 for part in numbers):  # by blocks: no axis has them
                scales = []
                zeros = zeros if len(set(zeros)) == 1 else []
                zeros = zeros[:1]
            return Quantisation(scales, [int(zero) for zero in zeros] or ([0] if not at(zero) else []), axis)

        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        used: set[str] = set()
        triples = list(INPUT_PARAMETERS.get(node.op_type, ()))
        if node.op_type == "QLinearConcat":
            triples = [(first, first + 1, first + 2) for first in range(2, len(node.input) - 2, 3)]
        for values, scale, zero in triples:
            used |= {at(scale), at(zero)}
            shape = self.constants[at(values)].dims if at(values) in self.constants else ()
            if node.op_type in ("QLinearConv", "ConvInteger"):
                channels = 0
            else:
                channels = axis if node.op_type == "DequantizeLinear" else max(0, len(shape) - 1)
            self.meaning.setdefault(at(values), stated(scale, zero, channels + len(shape) if channels < 0 else channels))
        if node.op_type in OUTPUT_PARAMETERS and node.output:
            scale, zero = OUTPUT_PARAMETERS[node.op_type]
            used |= {at(scale), at(zero)}
            self.meaning.setdefault(node.output[0], stated(scale, zero, axis))
        elif node.op_type in (*VIEWS, *KEEP) and at(0) in self.meaning:
            for name in node.output:
                self.meaning.setdefault(name, self.meaning[at(0)])
        return used - {""}

    def reads(self, name: str) -> int:
        """How many operations take a tensor, behind views and dequantisation."""
        return sum(
            sum(self.reads(output) for output in node.output) if node.op_type in (*VIEWS, "DequantizeLinear") else 1
            for node in self.users.get(name, [])
        )

    def producer(self, name: str) -> str:
        """The operation that computes a tensor, before its quantisation."""
        while name in self.maker and self.maker[name].op_type in _CONVERSIONS:
            name = self.maker[name].input[0]
        return self.maker[name].op_type if name in self.maker else "INPUT"

    def user(self, name: str) -> str:
        """The first operation that computes with a constant."""
        for node in self.users.get(name, []):
            return self.user(node.output[0]) if node.op_type in (*_CONVERSIONS, *VIEWS) and node.output else node.op_type
        return ""

    def imported(self, runtime: Any, feeds: Sequence[Feed]) -> Imported:
        """All tensors."""
        result = Imported()
        if any(attribute.HasField("g") for node in self.graph.node for attribute in node.attribute):
            result.notes.append(f"{self.path}: what is inside branches and loops is left out")
        numbers = {name: number for number, name in enumerate(dict.fromkeys([*self.users, *self.maker]))}
        left: Counter[str] = Counter()
        for name, tensor in self.constants.items():
            if name in self.parameters or name not in self.users:
                continue
            try:
                array = np.asarray(self.onnx.numpy_helper.to_array(tensor))
            except Exception as error:
                result.faults.append(f"{self.path}: weight {name!r}: {first_line(error)}")
                continue
            dtype = array.dtype.name
            if dtype not in _WEIGHT_DTYPES:
                left[dtype] += array.size > 1
            elif array.size > 1:
                array = array.astype({"int4": np.int8, "uint4": np.uint8}.get(dtype, array.dtype))
                result.tensors.append(self._named("weight", numbers[name], name, array, dtype, result, op=self.user(name)))
        if self._dynamic_or_quantised(result):
            self._run(runtime, feeds, numbers, result)
        if not result.tensors and not result.faults:
            raise InputError(f"{self.path}: is not quantised: it has no tensors of 4, 8 or 16-bit integers; quantise the model first")
        if left:
            told = ", ".join(f"{count} {dtype}" for dtype, count in left.items() if count)
            result.notes += [f"{self.path}: constants of other types (biases, shapes) are left out: {told}"] if told else []
        return result

    def _dynamic_or_quantised(self, result: Imported) -> bool:
        known = {*INPUT_PARAMETERS, *OUTPUT_PARAMETERS, *_CONVERSIONS}
        return bool(result.tensors) or any(node.op_type in known for node in self.graph.node)

    def _named(
        self,
        kind: str,
        number: int,
        name: str,
        array: npt.NDArray[Any],
        dtype: str,
        result: Imported,
        *,
        op: str,
        sample: str = "",
        reads: int = 1,
    ) -> NamedTensor:
        quantisation = self.meaning.get(name, Quantisation())
        fault = quantisation.fault(array.shape)
        if fault is not None and kind == "weight":
            result.faults.append(f"{self.path}: {kind} {name!r}: {fault}; its channel axis is unknown")
        axis = quantisation.channel_axis(array.shape) if kind == "weight" else 1 if array.ndim > 2 else None
        array = np.ascontiguousarray(array)
        named = tensor_name(kind, number, name)
        return NamedTensor(named, array, kind, self.network, quantisation.zero_point, axis, dtype, str(self.path), sample, op, reads)

    def _run(self, runtime: Any, feeds: Sequence[Feed], numbers: dict[str, int], result: Imported) -> None:
        shown = self.onnx.ModelProto()
        shown.CopyFrom(self.model)
        there = {output.name for output in shown.graph.output}
        names = [name for node in self.graph.node for name in node.output if name and name not in there and node.op_type != "Constant"]
        shown.graph.output.extend(self.onnx.ValueInfoProto(name=name) for name in names)
        options = runtime.SessionOptions()
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            session = runtime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            result.faults.append(f"{self.path}: cannot be run, so without activations: {first_line(error)}")
            return
        wanted = [
            output.name
            for output in session.get_outputs()
            if output.type in _RUN_TYPES and self.maker[output.name].op_type not in VIEWS and output.name not in self.parameters
        ]
        integer_inputs = [given.name for given in session.get_inputs() if given.type in _RUN_TYPES]
        if not wanted and not integer_inputs:
            result.notes.append(f"{self.path}: its activations are not quantised, only its weights are read")
            return
        slots = []
        for given in session.get_inputs():
            if given.type not in _SLOT_TYPES:
                result.faults.append(f"{self.path}: cannot be run, so without activations: input {given.name!r} is a {given.type}")
                return
            shape = tuple(size if isinstance(size, int) else None for size in given.shape)
            meaning = self.meaning.get(given.name, Quantisation())
            scale = meaning.scales[0] if len(meaning.scales) == 1 else None
            slots.append(Slot(given.name, shape, np.dtype(_SLOT_TYPES[given.type]), scale, meaning.zero_point or 0))
        if not feeds:
            result.notes.append(
                f"{self.path}: no inputs were given, its activations come from RANDOM numbers and say little about real ones"
            )
            if any(None in slot.shape for slot in slots):
                told = ", ".join(f"{slot.name} {shape_text(slot.shape)}" for slot in slots)
                result.notes.append(f"{self.path}: sizes that the model leaves open are 1: {told}")
        weights: set[str] = set()
        for feed in feeds or [RANDOM]:
            try:
                arrays = arrays_for(feed, slots)
                outputs = dict(zip(wanted, session.run(wanted, arrays), strict=True)) if wanted else {}
            except InputError as error:
                result.faults.append(str(error))
                continue
            except Exception as error:  # onnxruntime has errors of its own, without a common base
                result.faults.append(f"{self.path}: cannot be run with input {feed.name!r}, so without activations: {first_line(error)}")
                continue
            for name, array in {**{name: arrays[name] for name in integer_inputs}, **outputs}.items():
                if array.size < 2:
                    continue
                if name in self.maker and self.maker[name].input and self.maker[name].input[0] in self.constants:
                    if name not in weights:  # quantised at the run: the same for each input
                        weights.add(name)
                        op = self.user(name)
                        result.tensors.append(self._named("weight", numbers[name], name, array, array.dtype.name, result, op=op))
                    continue
                op, reads = self.producer(name), self.reads(name)
                one = self._named("act", numbers[name], name, array, array.dtype.name, result, op=op, sample=feed.name, reads=reads)
                result.tensors.append(one)
