# SPDX-License-Identifier: Apache-2.0
"""Read a quantised TFLite model: its weights from the file, its activations by running it with every tensor kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorpress.errors import InputError
from tensorpress.tensors import NamedTensor

from .feeds import RANDOM, Feed, Slot, arrays_for
from .model import Imported, Quantisation, first_line, shape_text, tensor_name, unpacked_nibbles

IDENTIFIER = b"TFL3"
VIEWS = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operations that move no data."""
_DTYPES = {"INT8": "int8", "UINT8": "uint8", "INT16": "int16", "UINT16": "uint16", "INT4": "int4"}


def _libraries() -> tuple[Any, Any]:
    try:
        from ai_edge_litert import interpreter, schema_py_generated
    except ImportError as error:
        raise InputError("TFLite models need the package ai-edge-litert: pip install 'tensorpress[models]'") from error
    return interpreter, schema_py_generated


def read(path: Path, feeds: Sequence[Feed], network: str) -> Imported:
    """The tensors of a TFLite model; see :func:`tensorpress.importers.import_model`."""
    litert, schema = _libraries()
    content = path.read_bytes()
    if content[4:8] != IDENTIFIER:
        raise InputError(f"{path}: is not a TFLite model: its identifier TFL3 is missing")
    try:
        interpreter = litert.Interpreter(
            model_content=content,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: LiteRT refuses it: {first_line(error)}") from error
    model = _Model(path, content, schema, network)
    return model.imported(interpreter, feeds)


class _Model:
    """A parsed model: its main graph."""

    def __init__(self, path: Path, content: bytes, schema: Any, network: str) -> None:
        self.path, self.content, self.network = path, content, network
        self.model = schema.ModelT.InitFromPackedBuf(content, 0)
        self.graph = self.model.subgraphs[0]
        self.types = {number: name for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
        operations = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
        self.ops: list[tuple[str, list[int], list[int]]] = []
        for operator in self.graph.operators or []:
            code = self.model.operatorCodes[operator.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            name = operations.get(number, str(number))
            if name == "CUSTOM":
                name = (code.customCode or b"CUSTOM").decode(errors="replace")
            self.ops.append((name, _indices(operator.inputs), _indices(operator.outputs)))

    def dtype(self, index: int) -> str | None:
        """The dtype, where it is one of those that matter here."""
        return _DTYPES.get(self.types.get(self.graph.tensors[index].type, ""))

    def quantisation(self, index: int) -> Quantisation:
        """Its parameters."""
        stated = self.graph.tensors[index].quantization
        if stated is None:
            return Quantisation()
        scales, zeros = ([] if numbers is None else list(numbers) for numbers in (stated.scale, stated.zeroPoint))
        return Quantisation(scales, zeros, int(stated.quantizedDimension))

    def text(self, index: int) -> str:
        """The name in the file."""
        return (self.graph.tensors[index].name or b"").decode(errors="replace")

    def constant(self, index: int) -> npt.NDArray[np.uint8] | None:
        """The bytes of a constant."""
        tensor = self.graph.tensors[index]
        if tensor.isVariable or not 0 < tensor.buffer < len(self.model.buffers):
            return None
        buffer = self.model.buffers[tensor.buffer]
        if buffer.data is not None and len(buffer.data):
            return np.asarray(buffer.data, np.uint8)
        start, size = (int(getattr(buffer, key, 0) or 0) for key in ("offset", "size"))
        return np.frombuffer(self.content[start : start + size], np.uint8) if start > 1 and size else None

    def imported(self, interpreter: Any, feeds: Sequence[Feed]) -> Imported:
        """All tensors."""
        result = Imported()
        if len(self.model.subgraphs) > 1:
            result.notes.append(f"{self.path}: {len(self.model.subgraphs)} graphs, only the main one is read")
        weights = self._weights(result)
        activations = self._activations()
        if not weights and not activations:
            raise InputError(f"{self.path}: is not quantised: it has no tensors of 4, 8 or 16-bit integers; quantise the model first")
        result.tensors += weights
        if activations:
            self._run(interpreter, feeds, activations, result)
        else:
            result.notes.append(f"{self.path}: its activations are not quantised, only its weights are read")
        return result

    def _weights(self, result: Imported) -> list[NamedTensor]:
        weights: list[NamedTensor] = []
        wide = 0
        done: set[int] = set()
        for op, inputs, _ in self.ops:
            for index in inputs:
                data = self.constant(index) if index not in done else None
                if data is None:
                    continue
                done.add(index)
                dtype = self.dtype(index)
                shape = tuple(int(size) for size in _indices(self.graph.tensors[index].shape))
                count = int(np.prod(shape, dtype=np.int64))
                if dtype is None:
                    wide += count > 1
                    continue
                if count < 2:
                    continue
                name = tensor_name("weight", index, self.text(index))
                bits = {"int4": 4, "int16": 16, "uint16": 16}.get(dtype, 8)
                if len(data) < (count * bits + 7) // 8:
                    result.faults.append(f"{self.path}: weight {self.text(index)!r}: {len(data)} bytes for shape {shape_text(shape)}")
                    continue
                if dtype == "int4":
                    array = unpacked_nibbles(data, count, signed=True)
                else:
                    array = data[: count * bits // 8].view(np.dtype(dtype).newbyteorder("<")).astype(dtype)
                weights.append(self._named(name, array.reshape(shape), "weight", index, result, op=op))
        if wide:
            result.notes.append(f"{self.path}: {wide} constants of other types (biases, shapes) are left out")
        return weights

    def _activations(self) -> dict[int, tuple[str, int]]:
        """Tensors that move at a run -> the operation that makes each, and how many read it."""
        made: dict[int, str] = dict.fromkeys(_indices(self.graph.inputs), "INPUT")
        same: dict[int, int] = {}
        for op, inputs, outputs in self.ops:
            for index in outputs:
                if op in VIEWS and inputs:
                    same[index] = same.get(inputs[0], inputs[0])
                else:
                    made[index] = op
        reads = dict.fromkeys(made, 0)
        for op, inputs, _ in self.ops:
            for index in dict.fromkeys(inputs) if op not in VIEWS else []:
                origin = same.get(index, index)
                if origin in reads:
                    reads[origin] += 1
        return {index: (op, reads[index]) for index, op in made.items() if self.dtype(index) not in (None, "int4")}

    def _named(
        self,
        name: str,
        array: npt.NDArray[Any],
        kind: str,
        index: int,
        result: Imported,
        *,
        op: str,
        sample: str = "",
        reads: int = 1,
    ) -> NamedTensor:
        quantisation = self.quantisation(index)
        fault = quantisation.fault(array.shape)
        if fault is not None and not sample:
            result.faults.append(f"{self.path}: {kind} {self.text(index)!r}: {fault}; its channel axis is unknown")
        axis = quantisation.channel_axis(array.shape) if kind == "weight" else array.ndim - 1 if array.ndim > 2 else None
        array = np.ascontiguousarray(array)
        dtype = self.dtype(index) or array.dtype.name
        return NamedTensor(name, array, kind, self.network, quantisation.zero_point, axis, dtype, str(self.path), sample, op, reads)

    def _run(self, interpreter: Any, feeds: Sequence[Feed], wanted: dict[int, tuple[str, int]], result: Imported) -> None:
        slots = []
        for index in _indices(self.graph.inputs):
            tensor = self.graph.tensors[index]
            shape = _indices(tensor.shapeSignature) or _indices(tensor.shape)
            quantisation = self.quantisation(index)
            stated = {detail["index"]: detail for detail in interpreter.get_input_details()}[index]
            slots.append(
                Slot(
                    self.text(index),
                    tuple(None if size < 0 else size for size in shape),
                    np.dtype(stated["dtype"]),
                    quantisation.scales[0] if len(quantisation.scales) == 1 else None,
                    quantisation.zero_point or 0,
                )
            )
        if not feeds:
            result.notes.append(
                f"{self.path}: no inputs were given, its activations come from RANDOM numbers and say little about real ones"
            )
        for feed in feeds or [RANDOM]:
            try:
                arrays = arrays_for(feed, slots)
                for slot, index in zip(slots, _indices(self.graph.inputs), strict=True):
                    interpreter.resize_tensor_input(index, list(arrays[slot.name].shape))
                interpreter.allocate_tensors()
                for slot, index in zip(slots, _indices(self.graph.inputs), strict=True):
                    interpreter.set_tensor(index, arrays[slot.name])
                interpreter.invoke()
            except InputError as error:
                result.faults.append(str(error))
                continue
            except (ValueError, RuntimeError) as error:
                result.faults.append(f"{self.path}: cannot be run with input {feed.name!r}, so without activations: {first_line(error)}")
                continue
            for index, (op, reads) in wanted.items():
                array = np.array(interpreter.get_tensor(index))
                if array.size > 1:
                    name = tensor_name("act", index, self.text(index))
                    result.tensors.append(self._named(name, array, "act", index, result, op=op, sample=feed.name, reads=reads))


def _indices(numbers: Any) -> list[int]:
    return [] if numbers is None else [int(number) for number in numbers]
