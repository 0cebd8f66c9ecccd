"""The int8 .tflite file of a network before its training: right operators, drawn weights.

Compilers for accelerators read shapes, windows and the size of the compressed weights. They do not ask
whether the network can tell anything apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.cost.microcontroller.graph import (
    ADD,
    CONCATENATION,
    CONVOLUTION,
    DEPTHWISE,
    LINEAR,
    LOGISTIC,
    MAX_POOL,
    MEAN,
    MUL,
    PAD,
    SOFTMAX,
    SUB,
    Graph,
    Operator,
    Shape,
)
from nas.cost.microcontroller.lowering import SAME_SCALE

IDENTIFIER = b"TFL3"
VERSION = 3
FLOAT_STEP, STEP, WEIGHT_STEP = 1 / 256, 0.02, 0.01
"""Steps of scores, of other activations and of weights. Only which are equal matters."""
LEAST = -128
OPTIONS = {
    CONVOLUTION: "Conv2DOptions",
    DEPTHWISE: "DepthwiseConv2DOptions",
    MAX_POOL: "Pool2DOptions",
    LINEAR: "FullyConnectedOptions",
    ADD: "AddOptions",
    SUB: "SubOptions",
    MUL: "MulOptions",
    CONCATENATION: "ConcatenationOptions",
    MEAN: "ReducerOptions",
    SOFTMAX: "SoftmaxOptions",
}


def untrained_file(graph: Graph) -> bytes:
    """The file of ``graph``.

    Raises:
        ImportError: ai-edge-litert is missing.
    """
    return _Writer(graph).content()


class _Writer:
    def __init__(self, graph: Graph) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema, self.graph = schema, graph
        self.random = np.random.default_rng(0)
        self.buffers: list[Any] = [schema.BufferT()]
        self.tensors: list[Any] = []
        self.codes: dict[str, int] = {}
        self.shared: dict[tuple[object, ...], int] = {}
        self.steps = _steps(graph)

    def content(self) -> bytes:
        import flatbuffers

        schema = self.schema
        for shape, step in zip(self.graph.shapes, self.steps, strict=True):
            self._tensor(shape, schema.TensorType.INT8, [step], LEAST)
        operators = [self._operator(one) for one in self.graph.operators]
        part, model = schema.SubGraphT(), schema.ModelT()
        part.tensors, part.operators = self.tensors, operators
        part.inputs, part.outputs = [0], [self.graph.operators[-1].output]
        model.version, model.subgraphs, model.buffers = VERSION, [part], self.buffers
        model.operatorCodes = [self._code(kind) for kind in self.codes]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())

    def _code(self, kind: str) -> Any:
        code = self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self.schema.BuiltinOperator, kind)
        code.version = 1
        return code

    def _tensor(
        self,
        shape: Sequence[int],
        kind: int,
        steps: Sequence[float] | NDArray[Any] = (),
        zero: int = 0,
        values: NDArray[Any] | None = None,
        axis: int = 0,
    ) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.type = str(len(self.tensors)), list(shape), kind
        if len(steps):
            scale = self.schema.QuantizationParametersT()
            scale.scale, scale.zeroPoint = list(steps), [zero] * len(steps)
            scale.quantizedDimension = axis
            tensor.quantization = scale
        if values is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            self.buffers.append(buffer)
            tensor.buffer = len(self.buffers) - 1
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _operator(self, one: Operator) -> Any:
        made = self.schema.OperatorT()
        made.opcodeIndex = self.codes.setdefault(one.kind, len(self.codes))
        made.inputs = [*one.inputs, *self._weights(one), *self._constants(one)]
        made.outputs = [one.output]
        name = OPTIONS.get(one.kind)
        if name is not None:
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, name)
            made.builtinOptions = self._options(one, getattr(self.schema, f"{name}T")())
        return made

    def _options(self, one: Operator, options: Any) -> Any:
        schema = self.schema
        if hasattr(options, "fusedActivationFunction"):
            name = one.activation or "NONE"
            options.fusedActivationFunction = getattr(schema.ActivationFunctionType, name)
        if one.window is not None:
            options.padding = schema.Padding.SAME if one.window.same else schema.Padding.VALID
            options.strideH, options.strideW = one.window.stride
        if one.kind == MAX_POOL and one.window is not None:
            options.filterHeight, options.filterWidth = one.window.kernel
        elif one.window is not None:
            options.dilationHFactor, options.dilationWFactor = one.window.dilation
        if one.kind == DEPTHWISE and one.weights is not None:
            options.depthMultiplier = one.weights.channels // self.graph.shapes[one.inputs[0]][3]
        if one.kind == CONCATENATION:
            options.axis = len(self.graph.shapes[one.output]) - 1
        if one.kind == MEAN:
            options.keepDims = len(self.graph.shapes[one.output]) == 4
        if one.kind == SOFTMAX:
            options.beta = 1.0
        return options

    def _weights(self, one: Operator) -> list[int]:
        """Weights and biases: all numbers alike often, which compresses worst."""
        weights = one.weights
        if weights is None:
            return []
        channels, each = weights.channels, weights.count // weights.channels
        values = self.random.integers(-127, 128, (channels, each), np.int8)
        shape: Shape = (channels, each)
        axis = 0
        if one.window is not None:
            sides = one.window.kernel
            inner = each // (sides[0] * sides[1])
            shape = (channels, *sides, inner)
            if one.kind == DEPTHWISE:
                shape, axis = (1, *sides, channels), 3
                values = np.ascontiguousarray(values.T)
        # Compilers keep equal constants once: each layer has its own.
        steps = WEIGHT_STEP * self.random.uniform(0.5, 1, channels)
        biases = self.random.integers(-(2**15), 2**15, channels, np.int32)
        kinds = self.schema.TensorType
        return [
            self._tensor(shape, kinds.INT8, steps, 0, values, axis),
            self._tensor((channels,), kinds.INT32, self.steps[one.inputs[0]] * steps, 0, biases),
        ]

    def _constants(self, one: Operator) -> list[int]:
        return [self._constant(one, constant) for constant in one.constants]

    def _constant(self, one: Operator, constant: tuple[Any, ...]) -> int:
        if constant not in self.shared:
            kinds = self.schema.TensorType
            if one.kind in (ADD, SUB, MUL):
                self.shared[constant] = self._tensor(
                    (), kinds.INT8, [STEP], 0, np.array([127], np.int8)
                )
            else:
                values = np.array(constant[1:], np.int32)
                if one.kind == PAD:
                    top, left, bottom, right = constant[1:]
                    values = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
                self.shared[constant] = self._tensor(values.shape, kinds.INT32, values=values)
        return self.shared[constant]


def _steps(graph: Graph) -> list[float]:
    """The step of every tensor: one of its own, for tables of operators such as LOGISTIC depend on it.

    A concatenation has the same as what it joins.
    """
    steps = [STEP * (1 + number / 1000) for number in range(len(graph.shapes))]
    for one in graph.operators:
        if one.kind == CONCATENATION:
            for joined in one.inputs:
                steps[joined] = steps[one.output]
    for one in graph.operators:
        if one.kind in SAME_SCALE:
            steps[one.output] = steps[one.inputs[0]]
        elif one.kind in (LOGISTIC, SOFTMAX):
            steps[one.output] = FLOAT_STEP
    return steps
