# SPDX-License-Identifier: Apache-2.0
"""Small quantised models, written here: ONNX in both forms, and TFLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

RNG_SEED = 7


def conv_weights(channels: int = 3) -> np.ndarray:
    """int8, shape (4, channels, 3, 3)."""
    return np.random.default_rng(RNG_SEED).integers(-127, 128, (4, channels, 3, 3)).astype(np.int8)


def matrix() -> np.ndarray:
    """uint8, shape (36, 5), zero point 131."""
    return np.random.default_rng(RNG_SEED + 1).integers(0, 256, (36, 5)).astype(np.uint8)


CHANNEL_SCALES = np.array([0.01, 0.02, 0.005, 0.03], np.float32)


def onnx_qdq(path: Path, *, batch: int | str = 1, scales: np.ndarray = CHANNEL_SCALES, int4: bool = False) -> Path:
    """Quantize, conv with weights by channel, relu, quantize, max pool, quantize; float input (batch, 3, 8, 8)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = conv_weights()
    constants = {
        "x_scale": np.float32(0.02), "x_zero": np.uint8(128), "w_scale": scales, "w_zero": np.zeros(len(scales), np.int8),
        "y_scale": np.float32(0.05), "y_zero": np.uint8(0), "p_scale": np.float32(0.05), "p_zero": np.int8(-128),
        "b": np.arange(4, dtype=np.float32) / 10,
    }  # fmt: skip
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    if int4:
        small = (weights % 16 - 8).astype(np.int8)
        initializers.append(helper.make_tensor("w", TensorProto.INT4, small.shape, small.ravel().tolist()))
        initializers = [one for one in initializers if one.name != "w_zero"]
        dequantise = helper.make_node("DequantizeLinear", ["w", "w_scale"], ["w_real"], axis=0)
    else:
        initializers.append(numpy_helper.from_array(weights, "w"))
        dequantise = helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_real"], axis=0)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["x_q"]),
        helper.make_node("DequantizeLinear", ["x_q", "x_scale", "x_zero"], ["x_dq"]),
        dequantise,
        helper.make_node("Conv", ["x_dq", "w_real", "b"], ["conv"], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("QuantizeLinear", ["relu", "y_scale", "y_zero"], ["y_q"]),
        helper.make_node("DequantizeLinear", ["y_q", "y_scale", "y_zero"], ["y_dq"]),
        helper.make_node("MaxPool", ["y_dq"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Add", ["y_dq", "y_dq"], ["twice"]),
        helper.make_node("QuantizeLinear", ["pool", "p_scale", "p_zero"], ["p_q"]),
        helper.make_node("DequantizeLinear", ["p_q", "p_scale", "p_zero"], ["out"]),
    ]
    return _save(path, nodes, initializers, helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 8, 8]), ["out", "twice"], onnx)


def onnx_qoperator(path: Path) -> Path:
    """QLinearConv, max pool, reshape, QLinearMatMul on a uint8 input (1, 3, 8, 8), zero point 7."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, Any] = {
        "x_scale": np.float32(0.02), "x_zero": np.uint8(7), "w": conv_weights(), "w_scale": CHANNEL_SCALES, "w_zero": np.zeros(4, np.int8),
        "y_scale": np.float32(0.5), "y_zero": np.uint8(100), "shape": np.array([1, 36]), "m": matrix(), "m_scale": np.float32(0.1),
        "m_zero": np.uint8(131), "z_scale": np.float32(40), "z_zero": np.uint8(90),
    }  # fmt: skip
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    nodes = [
        helper.make_node("QLinearConv", ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"], ["y"]),
        helper.make_node("MaxPool", ["y"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["p", "shape"], ["flat"]),
        helper.make_node("QLinearMatMul", ["flat", "y_scale", "y_zero", "m", "m_scale", "m_zero", "z_scale", "z_zero"], ["z"]),
    ]
    nodes[0].attribute.append(helper.make_attribute("kernel_shape", [3, 3]))
    return _save(path, nodes, initializers, helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 3, 8, 8]), ["z"], onnx)


def onnx_float(path: Path) -> Path:
    """One matrix product of floats."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    return _save(
        path,
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [weights],
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
        ["y"],
        onnx,
    )


def _save(path: Path, nodes: list[Any], initializers: list[Any], given: Any, outputs: list[str], onnx: Any) -> Path:
    shown = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = onnx.helper.make_graph(nodes, "small", [given], shown, initializers)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def tflite(path: Path, *, scales: int = 3, quantised: bool = True, custom: bool = False, dynamic: bool = False) -> Path:
    """1x1 convolution with weights by channel, reshape, fully connected with 4-bit weights, on an int8 input (1, 4, 4, 2)."""
    from ai_edge_litert import schema_py_generated as s
    from flatbuffers import Builder

    model = s.ModelT()
    model.version, model.description = 3, "small"
    model.buffers = [s.BufferT()]
    graph = s.SubGraphT()
    graph.tensors = []

    def tensor(name: str, shape: list[int], kind: int, data: np.ndarray | None = None, quantise: tuple[Any, Any, int] | None = None) -> int:
        one = s.TensorT()
        one.name, one.shape, one.type, one.buffer = name, shape, kind, 0
        if dynamic and name == "input":
            one.shapeSignature = [-1, *shape[1:]]
        if data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            model.buffers.append(buffer)
            one.buffer = len(model.buffers) - 1
        if quantise is not None and quantised:
            one.quantization = s.QuantizationParametersT()
            one.quantization.scale, one.quantization.zeroPoint, one.quantization.quantizedDimension = quantise
        graph.tensors.append(one)
        return len(graph.tensors) - 1

    byte = s.TensorType.INT8 if quantised else s.TensorType.FLOAT32
    weights = tflite_weights() if quantised else tflite_weights().astype(np.float32)
    bias = np.zeros(3, np.int32 if quantised else np.float32)
    bias_type = s.TensorType.INT32 if quantised else s.TensorType.FLOAT32
    given = tensor("input", [1, 4, 4, 2], byte, None, ([0.5], [-3], 0))
    w = tensor("conv/weights;fused", [3, 1, 1, 2], byte, weights, ([0.01] * scales, [0] * scales, 0))
    b = tensor("conv/bias", [3], bias_type, bias, ([0.005] * 3, [0] * 3, 0))
    y = tensor("conv", [1, 4, 4, 3], byte, None, ([0.4], [-128], 0))
    shape = tensor("shape", [2], s.TensorType.INT32, np.array([1, 48], np.int32))
    flat = tensor("flat", [1, 48], byte, None, ([0.4], [-128], 0))
    nibbles = tflite_nibbles()
    if quantised:
        packed = (nibbles.ravel()[0::2] & 15) | (nibbles.ravel()[1::2] << 4)
        m = tensor("dense/weights", [5, 48], s.TensorType.INT4, packed.astype(np.uint8), ([0.1], [0], 0))
    else:
        m = tensor("dense/weights", [5, 48], byte, nibbles.astype(np.float32))
    z = tensor("out", [1, 5], byte, None, ([2.0], [4], 0))

    def code(number: int, version: int, name: str | None = None) -> int:
        one = s.OperatorCodeT()
        one.builtinCode, one.deprecatedBuiltinCode, one.version, one.customCode = number, min(number, 127), version, name
        model.operatorCodes.append(one)
        return len(model.operatorCodes) - 1

    def operator(opcode: int, inputs: list[int], outputs: list[int], kind: int = 0, options: Any = None) -> None:
        one = s.OperatorT()
        one.opcodeIndex, one.inputs, one.outputs, one.builtinOptionsType, one.builtinOptions = opcode, inputs, outputs, kind, options
        graph.operators.append(one)

    model.operatorCodes, graph.operators = [], []
    conv = s.Conv2DOptionsT()
    conv.strideH = conv.strideW = 1
    operation = s.BuiltinOperator
    options = s.BuiltinOptions
    if custom:
        operator(code(operation.CUSTOM, 1, "Unheard"), [given, w, b], [y])
    else:
        operator(code(operation.CONV_2D, 3), [given, w, b], [y], options.Conv2DOptions, conv)
    operator(code(operation.RESHAPE, 1), [y, shape], [flat], options.ReshapeOptions, s.ReshapeOptionsT())
    operator(
        code(operation.FULLY_CONNECTED, 10 if quantised else 1),
        [flat, m, -1],
        [z],
        options.FullyConnectedOptions,
        s.FullyConnectedOptionsT(),
    )
    graph.inputs, graph.outputs, graph.name = [given], [z], "main"
    model.subgraphs = [graph]
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def tflite_weights() -> np.ndarray:
    """int8, shape (3, 1, 1, 2)."""
    return np.array([[60, -50], [-128, 127], [3, 90]], np.int8).reshape(3, 1, 1, 2)


def tflite_nibbles() -> np.ndarray:
    """int4 as int8, shape (5, 48)."""
    return np.random.default_rng(RNG_SEED).integers(-8, 8, (5, 48)).astype(np.int8)
