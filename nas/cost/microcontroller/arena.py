"""The arena that TensorFlow Lite Micro needs for a network: its rules, on a 64-bit computer.

The tail of the arena holds the interpreter's bookkeeping. The head holds the activations, placed by its
greedy planner. The planner itself works in the same memory before the first image, and for small images
it needs more than the activations.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

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
    RESHAPE,
    SOFTMAX,
    SUB,
    Graph,
)

ALIGNMENT = 16
TENSOR, NODE = 24, 64
"""sizeof(TfLiteEvalTensor), sizeof(NodeAndRegistration)."""
OPERATOR_DATA = {
    CONVOLUTION: 80,
    DEPTHWISE: 80,
    LINEAR: 72,
    PAD: 56,
    ADD: 60,
    SUB: 52,
    MUL: 36,
    CONCATENATION: 80,
    QUANTIZE: 32,
    MEAN: 44,
    LOGISTIC: 16,
    SOFTMAX: 80,
    MAX_POOL: 32,
    HARD_SWISH: 20,
}
"""What a kernel keeps for each of its operators."""
PARAMETERS = {
    CONVOLUTION: 28,
    DEPTHWISE: 28,
    LINEAR: 16,
    ADD: 8,
    SUB: 8,
    MUL: 4,
    CONCATENATION: 8,
    RESHAPE: 36,
    MEAN: 4,
    SOFTMAX: 4,
    MAX_POOL: 40,
}
"""What is read from the file for each operator, with its alignment."""
INTERPRETER = 784 + 96
"""The interpreter's own objects, and the tensors of the image and the scores; 96 bytes are a margin for
constants that operators turn out not to share."""
SCRATCH_HANDLE = 8
SCRATCH_REQUEST, FREE_REQUESTS = 16, 12
PLANNED, PLANNER_ENTRY = 32, 40
"""Bytes for each tensor, constants included, and for each buffer, while the planner works."""
ZERO_POINT = 4
PREPARED = 640
"""Bytes for each channel of a layer, and for its tensors, while it is prepared."""
AFTER_PLANNING = 192
"""Part of the bookkeeping that is written after the planner has ended."""


@dataclass(frozen=True)
class Arena:
    """Bytes of memory.

    Attributes:
        activations: Of the planned buffers.
        bookkeeping: Of the interpreter.
        planning: That the planner needs in place of the activations, while it works.
        preparing: Likewise, that the kernel of the widest layer needs while it is prepared.
    """

    activations: int
    bookkeeping: int
    planning: int
    preparing: int

    @property
    def bytes(self) -> int:
        """The least arena that the network runs in."""
        passing = max(self.planning - AFTER_PLANNING, self.preparing)
        return self.bookkeeping + max(self.activations, passing)


@dataclass(frozen=True)
class Buffer:
    """Memory for one tensor, or for a kernel's scratch.

    Attributes:
        size: In bytes, aligned.
        first: Number of the operator that writes it, from 1; 0: the image.
        last: Number of the last operator that reads it.
    """

    size: int
    first: int
    last: int


def arena_of(graph: Graph) -> Arena:
    """The arena that a network needs."""
    buffers = buffers_of(graph)
    scratch = len(buffers) - len(graph.shapes)
    tensors = len(graph.shapes) + constants_of(graph)
    handles = SCRATCH_HANDLE * scratch
    bookkeeping = INTERPRETER + TENSOR * tensors + NODE * len(graph.operators) + handles
    for one in graph.operators:
        bookkeeping += PARAMETERS.get(one.kind, 0) + _aligned(OPERATOR_DATA.get(one.kind, 0))
        if one.weights is not None:
            bookkeeping += 2 * _aligned(4 * one.weights.channels)  # multiplier and shift
    requests = SCRATCH_REQUEST * (scratch + FREE_REQUESTS)
    planning = _aligned(requests + 8 + PLANNED * (tensors + scratch))
    planning += _aligned(PLANNER_ENTRY * len(buffers))
    return Arena(planned_bytes(buffers), _aligned(bookkeeping), planning, _preparing(graph))


def _preparing(graph: Graph) -> int:
    """What passes while a layer is prepared: three copies of the zero points of its channels.

    The weights are looked at twice and the bias once (``conv_common.cc``). A wide layer on small maps
    needs more for this than for its activations.
    """
    widest = max((one.weights.channels for one in graph.operators if one.weights), default=0)
    return _aligned(3 * ZERO_POINT * widest + PREPARED)


def constants_of(graph: Graph) -> int:
    """The number of constant tensors: weights and biases of each layer, and what operators share."""
    shared = {constant for one in graph.operators for constant in one.constants}
    return len(shared) + 2 * sum(one.weights is not None for one in graph.operators)


def buffers_of(graph: Graph) -> list[Buffer]:
    """The buffers that are planned, in the order in which the planner is told of them."""
    first, last = {0: 0}, {0: 0}
    for number, one in enumerate(graph.operators, 1):
        first[one.output] = last[one.output] = number
        last.update(dict.fromkeys(one.inputs, number))
    changed = {one.output for one in graph.operators if one.kind == QUANTIZE}
    # The quantizer adds its tensors behind those of the converter.
    order = sorted(range(len(graph.shapes)), key=lambda tensor: (tensor in changed, tensor))
    found = [Buffer(_aligned(math.prod(graph.shapes[one])), first[one], last[one]) for one in order]
    for number, one in enumerate(graph.operators, 1):
        if one.kind == MEAN:
            accumulators = 4 * math.prod(graph.shapes[one.output])
            rank, axes = len(graph.shapes[one.inputs[0]]), 2
            sizes = (accumulators, 4 * rank, 4 * axes)
            found += [Buffer(_aligned(size), number, number) for size in sizes]
    return found


def planned_bytes(buffers: list[Buffer]) -> int:
    """The memory that TensorFlow Lite Micro's greedy planner needs for the buffers.

    The largest is placed first, each at the lowest offset where it meets no other that is alive at the
    same time (``greedy_memory_planner.cc``).
    """
    alive: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    total = 0
    # Of equal sizes the planner takes the later one first.
    order = sorted(range(len(buffers)), key=lambda one: (-buffers[one].size, -one))
    for placed, number in enumerate(order):
        buffer = buffers[number]
        steps = range(buffer.first, buffer.last + 1)
        offset = 0
        for start, _, end in sorted({other for step in steps for other in alive[step]}):
            if start - offset >= buffer.size:
                break
            offset = max(offset, end)
        entry = (offset, placed, offset + buffer.size)
        for step in steps:
            alive[step].append(entry)
        total = max(total, offset + buffer.size)
    return total


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
