"""PyTorch's operations as the operators that litert-torch and AI Edge's quantizer make of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from blocks.errors import InvalidInput
from nas.cost.microcontroller.graph import (
    ADD,
    CONCATENATION,
    CONVOLUTION,
    DEPTHWISE,
    HARD_SWISH,
    LINEAR,
    LOGISTIC,
    MAX_POOL,
    MEAN,
    MUL,
    PAD,
    QUANTIZE,
    RELU,
    RESHAPE,
    SLICE,
    SOFTMAX,
    SUB,
    TRANSPOSE,
    Graph,
    Shape,
    Weights,
    Window,
)
from nas.cost.microcontroller.trace import Call

Order = tuple[int, ...]

CHANNELS_LAST: Order = (0, 2, 3, 1)
FUSED = (CONVOLUTION, DEPTHWISE, LINEAR, ADD, SUB, MUL, MAX_POOL)
"""Operators that apply a ReLU themselves."""
SAME_SCALE = (SLICE, RESHAPE, TRANSPOSE, PAD, MAX_POOL)
"""Operators whose output has the scale of their input; before a concatenation it may have to change."""


@dataclass(frozen=True)
class _Value:
    """A value of PyTorch: a tensor of the graph, seen in another shape and order of dimensions.

    Attributes:
        tensor: Its number.
        shape: As PyTorch sees it.
        order: The dimensions of ``shape`` as they lie in memory.
    """

    tensor: int
    shape: Shape
    order: Order

    @property
    def stored(self) -> Shape:
        """The shape in memory."""
        return tuple(self.shape[dimension] for dimension in self.order)

    def is_in(self, order: Order) -> bool:
        """Whether the elements lie in ``order``: dimensions of size 1 lie anywhere."""
        long = [one for one in self.order if self.shape[one] > 1]
        return long == [one for one in order if self.shape[one] > 1]


def lower(calls: Sequence[Call], image: Shape, *, requantize: bool) -> Graph:
    """The operators of a traced network.

    Args:
        calls: The trace.
        image: Shape of the image, (1, C, H, W).
        requantize: What a concatenation joins may need another scale, depending on the ranges of the
            activations. True: all of what can need one does; False: none.

    Raises:
        InvalidInput: There is an operation whose operators are not known here.
    """
    lowering = _Lowering(calls, image, requantize)
    for call in calls:
        lowering.lower(call)
    return lowering.graph


class _Lowering:
    def __init__(self, calls: Sequence[Call], image: Shape, requantize: bool) -> None:
        self.graph = Graph()
        order = CHANNELS_LAST
        first = _Value(0, image, order)
        self.graph.tensor(first.stored)
        self.values = {0: first}
        self.requantize = requantize
        self.readers = Counter(number for call in calls for number in call.inputs)
        self.flattened = {
            number for call in calls if len(call.shape) == 2 for number in call.inputs
        }
        self.padded: dict[tuple[int, Shape], int] = {}
        self.reshaped: dict[tuple[int, Shape], int] = {}
        self.activated: set[int] = set()

    def lower(self, call: Call) -> None:
        operation = OPERATIONS.get(call.name)
        if operation is None:
            raise InvalidInput(
                f"the operation {call.name} of this network: its memory on a microcontroller is not "
                "known before it is exported; sram_kb and flash_kb allow convolutions, means and sums"
            )
        self.values[call.output] = operation(self, call)

    # Reading and writing values.

    def input(self, call: Call, number: int = 0) -> _Value:
        return self.values[call.inputs[number]]

    def read(self, value: _Value, order: Order) -> int:
        """The tensor that has ``value`` in memory in ``order``."""
        shape = tuple(value.shape[one] for one in order)
        if value.is_in(order):
            return self.reshape(value.tensor, shape)
        tensor = self.reshape(value.tensor, value.stored)
        swap = tuple(value.order.index(one) for one in order)
        return self.graph.add(TRANSPOSE, (tensor,), shape, constants=(("order", *swap),))

    def reshape(self, tensor: int, shape: Shape) -> int:
        if self.graph.shapes[tensor] == shape:
            return tensor
        if (tensor, shape) not in self.reshaped:
            constants = (("shape", *shape),)
            self.reshaped[tensor, shape] = self.graph.add(
                RESHAPE, (tensor,), shape, constants=constants
            )
        return self.reshaped[tensor, shape]

    def written(
        self,
        kind: str,
        inputs: Sequence[int],
        call: Call,
        order: Order,
        weights: Weights | None = None,
        constants: tuple[tuple[int | str, ...], ...] = (),
        window: Window | None = None,
    ) -> _Value:
        shape = tuple(call.shape[one] for one in order)
        tensor = self.graph.add(kind, tuple(inputs), shape, weights, constants, window)
        return _Value(tensor, call.shape, order)

    def producer(self, value: _Value) -> str:
        """The kind of operator that writes the tensor of ``value``."""
        return next(
            (one.kind for one in reversed(self.graph.operators) if one.output == value.tensor), ""
        )

    def place(self, value: _Value) -> int:
        """The number of that operator."""
        return next(
            number for number, one in enumerate(self.graph.operators) if one.output == value.tensor
        )

    # Operations, by name.

    def convolution(self, call: Call) -> _Value:
        _, weight, _, stride, padding, dilation, _, _, groups = call.arguments
        outputs, _, *kernel = weight
        inputs = call.arguments[0][1]
        tensor = self.read(self.input(call), CHANNELS_LAST)
        sides = self.graph.shapes[tensor][1:3]
        totals = _same(sides, kernel, stride, dilation)
        if any(padding) and [2 * margin for margin in padding] != totals:
            tensor = self.pad(tensor, tuple(padding) * 2)
        elif not any(padding):
            tensor = self.absorbed(tensor, kernel, stride, dilation)
        kind = DEPTHWISE if groups == inputs else CONVOLUTION
        weights = Weights(math.prod(weight), outputs, 4)
        window = self.window(tensor, call, kernel, stride, dilation)
        return self.written(kind, [tensor], call, CHANNELS_LAST, weights, window=window)

    def window(
        self, tensor: int, call: Call, kernel: Shape, stride: Shape, dilation: Shape = (1, 1)
    ) -> Window:
        """A window over a tensor: it adds zeros if its output is too large for what is there."""
        needed = [
            (side - 1) * step + spread * (size - 1) + 1
            for side, step, spread, size in zip(
                call.shape[2:], stride, dilation, kernel, strict=True
            )
        ]
        there = self.graph.shapes[tensor][1:3]
        same = any(need > side for need, side in zip(needed, there, strict=True))
        return Window(tuple(kernel), tuple(stride), tuple(dilation), same)

    def absorbed(self, tensor: int, kernel: Shape, stride: Shape, dilation: Shape) -> int:
        """The tensor before the padding that a convolution does itself ("same"), if there is one."""
        last = self.graph.operators[-1] if self.graph.operators else None
        if last is None or last.kind != PAD or last.output != tensor:
            return tensor
        bare = last.inputs[0]
        totals = _same(self.graph.shapes[bare][1:3], kernel, stride, dilation)
        top, left = (total // 2 for total in totals)
        margins = (top, left, totals[0] - top, totals[1] - left)
        if last.constants != (("margins", *margins),):
            return tensor
        self.graph.operators.pop()
        self.graph.shapes.pop()
        del self.padded[bare, margins]
        return bare

    def pad(self, tensor: int, margins: tuple[int, ...]) -> int:
        """Zeros around maps, once for all who read them; ``margins``: top, left, bottom, right."""
        if (tensor, margins) in self.padded:
            return self.padded[tensor, margins]
        top, left, bottom, right = margins
        batch, height, width, channels = self.graph.shapes[tensor]
        shape = (batch, height + top + bottom, width + left + right, channels)
        padded = self.graph.add(PAD, (tensor,), shape, constants=(("margins", *margins),))
        self.padded[tensor, margins] = padded
        return padded

    def constant_pad_nd(self, call: Call) -> _Value:
        left, right, top, bottom = call.arguments[1]
        tensor = self.read(self.input(call), CHANNELS_LAST)
        padded = self.pad(tensor, (top, left, bottom, right))
        return _Value(padded, call.shape, CHANNELS_LAST)

    def addmm(self, call: Call) -> _Value:
        value = self.input(call)
        tensor = value.tensor
        if self.producer(value) == MEAN and self.readers[call.inputs[0]] == 1:
            self._drop_dimensions(value)
        tensor = self.read(value, (0, 1))
        inputs, outputs = call.arguments[2]
        return self.written(LINEAR, [tensor], call, (0, 1), Weights(inputs * outputs, outputs, 2))

    def _drop_dimensions(self, value: _Value) -> None:
        """The mean before a linear layer gives a vector itself, and has axes of its own."""
        number = self.place(value)
        axes = (("axes of a vector", 1, 2),)
        self.graph.operators[number] = replace(self.graph.operators[number], constants=axes)
        self.graph.shapes[value.tensor] = value.stored

    def relu(self, call: Call) -> _Value:
        value = self.input(call)
        alone = self.readers[call.inputs[0]] == 1 and value.tensor not in self.activated
        if alone and self.producer(value) in FUSED:
            self.activated.add(value.tensor)
            number = self.place(value)
            kind = "RELU" if call.name == "relu" else "RELU6"
            self.graph.operators[number] = replace(self.graph.operators[number], activation=kind)
            return value
        return self.unary(RELU, call)

    def hardsigmoid(self, call: Call) -> _Value:
        """relu6(x + 3) / 6: a convolution before it adds and clips, if it has no other reader."""
        value = self.relu(call)
        if self.producer(value) not in FUSED:  # pragma: no cover - no network here has it
            value = self.unary(ADD, call)
        tensor = self.read(value, value.order)
        return self.written(MUL, [tensor], call, value.order, constants=(("sixth",),))

    def unary(self, kind: str, call: Call) -> _Value:
        value = self.input(call)
        order = _usual(value)
        return self.written(kind, [self.read(value, order)], call, order)

    def softmax(self, call: Call) -> _Value:
        value = self.input(call)
        order = tuple(range(len(value.shape)))
        return self.written(SOFTMAX, [self.read(value, order)], call, order)

    def binary(self, kind: str, call: Call) -> _Value:
        values = [self.values[number] for number in call.inputs]
        order = CHANNELS_LAST if len(call.shape) == 4 else tuple(range(len(call.shape)))
        constants = () if len(values) == 2 else (("number", *map(str, call.arguments)),)
        tensors = [self.read(value, order) for value in values]
        return self.written(kind, tensors, call, order, constants=constants)

    def mean(self, call: Call) -> _Value:
        value = self.input(call)
        if value.shape == call.shape and call.output not in self.flattened:
            return value  # of a single pixel
        tensor = self.read(value, CHANNELS_LAST)
        return self.written(MEAN, [tensor], call, CHANNELS_LAST, constants=(("axes", 1, 2),))

    def max_pool(self, call: Call) -> _Value:
        tensor = self.read(self.input(call), CHANNELS_LAST)
        kernel, stride = call.arguments[1:3]
        window = self.window(tensor, call, kernel, stride or kernel)
        return self.written(MAX_POOL, [tensor], call, CHANNELS_LAST, window=window)

    def cat(self, call: Call) -> _Value:
        tensors = []
        for number in call.inputs:
            value = self.values[number]
            tensor = self.read(value, CHANNELS_LAST)
            fixed = self.producer(value) in SAME_SCALE or self.readers[number] > 1
            if fixed and self.requantize:
                tensor = self.graph.add(QUANTIZE, (tensor,), self.graph.shapes[tensor])
            tensors.append(tensor)
        return self.written(CONCATENATION, tensors, call, CHANNELS_LAST)

    def slice(self, call: Call) -> _Value:
        value = self.input(call)
        dimension, start = (*call.arguments[1:], 0, 0)[:2]
        order = _usual(value)
        tensor = self.read(value, order)
        begin = tuple(start if one == dimension else 0 for one in order)
        size = tuple(call.shape[one] for one in order)
        return self.written(
            SLICE, [tensor], call, order, constants=(("begin", *begin), ("size", *size))
        )

    def view(self, call: Call) -> _Value:
        value = self.input(call)
        plain, order = tuple(range(len(value.shape))), tuple(range(len(call.shape)))
        tensor = value.tensor if value.is_in(plain) else self.read(value, plain)
        return _Value(tensor, call.shape, order)

    def permute(self, call: Call) -> _Value:
        value = self.input(call)
        places = [one % len(value.shape) for one in call.arguments[1]]
        order = tuple(places.index(one) for one in value.order)
        return _Value(value.tensor, call.shape, order)

    def transpose(self, call: Call) -> _Value:
        value = self.input(call)
        places = list(range(len(value.shape)))
        one, other = (place % len(places) for place in call.arguments[1:3])
        places[one], places[other] = places[other], places[one]
        order = tuple(places.index(place) for place in value.order)
        return _Value(value.tensor, call.shape, order)

    def alias(self, call: Call) -> _Value:
        return self.input(call)


def _same(sides: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> list[int]:
    """The zeros that TensorFlow's padding "same" adds to height and width, on both sides together."""
    return [
        max((-(-side // step) - 1) * step + spread * (size - 1) + 1 - side, 0)
        for side, size, step, spread in zip(sides, kernel, stride, dilation, strict=True)
    ]


def _usual(value: _Value) -> Order:
    """The order that maps are computed in: channels last, and all else as PyTorch has it."""
    if len(value.shape) == 4 and value.is_in(CHANNELS_LAST):
        return CHANNELS_LAST
    return value.order


def _of(method: Callable[..., _Value], kind: str) -> Callable[[_Lowering, Call], _Value]:
    return lambda lowering, call: method(lowering, kind, call)


OPERATIONS: dict[str, Callable[[_Lowering, Call], _Value]] = {
    "convolution": _Lowering.convolution,
    "constant_pad_nd": _Lowering.constant_pad_nd,
    "addmm": _Lowering.addmm,
    "relu": _Lowering.relu,
    "hardtanh": _Lowering.relu,
    "hardsigmoid": _Lowering.hardsigmoid,
    "hardswish": _of(_Lowering.unary, HARD_SWISH),
    "sigmoid": _of(_Lowering.unary, LOGISTIC),
    "softmax": _Lowering.softmax,
    "add": _of(_Lowering.binary, ADD),
    "sub": _of(_Lowering.binary, SUB),
    "rsub": _of(_Lowering.binary, SUB),
    "mul": _of(_Lowering.binary, MUL),
    "mean": _Lowering.mean,
    "max_pool2d_with_indices": _Lowering.max_pool,
    "cat": _Lowering.cat,
    "slice": _Lowering.slice,
    "view": _Lowering.view,
    "unsafe_view": _Lowering.view,
    "unsqueeze": _Lowering.view,
    "squeeze": _Lowering.view,
    "permute": _Lowering.permute,
    "transpose": _Lowering.transpose,
    "clone": _Lowering.alias,
    "detach": _Lowering.alias,
}
