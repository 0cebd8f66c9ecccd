"""The size of a network's int8 .tflite file, which lies in the flash memory of a microcontroller.

The figures are what one more tensor, operator or buffer adds to a file without names.
"""

from __future__ import annotations

import math

from nas.cost.microcontroller.graph import (
    ADD,
    CONCATENATION,
    CONVOLUTION,
    DEPTHWISE,
    LINEAR,
    MAX_POOL,
    MEAN,
    MUL,
    PAD,
    SLICE,
    SOFTMAX,
    SUB,
    Graph,
    Weights,
)

FILE = 400
"""Of every file: header, signature, metadata and the names of the operators."""
ACTIVATION, CONSTANT, DIMENSION = 76, 48, 4
WEIGHTS, BIAS, CHANNEL = 72, 72, 12
"""Of a tensor with a scale (four bytes) and a zero point (eight) for each channel."""
BUFFER, EMPTY_BUFFER = 16, 8
OPERATOR = {
    CONVOLUTION: 72,
    DEPTHWISE: 68,
    MAX_POOL: 68,
    LINEAR: 60,
    CONCATENATION: 56,
    MEAN: 56,
    PAD: 52,
    ADD: 52,
    SUB: 52,
    MUL: 52,
    SOFTMAX: 52,
    SLICE: 44,
}
OTHER_OPERATOR = 40


def file_bytes(graph: Graph) -> int:
    """The size of the file in bytes."""
    total = FILE
    for shape in graph.shapes:
        total += ACTIVATION + DIMENSION * len(shape)
    for one in graph.operators:
        total += OPERATOR.get(one.kind, OTHER_OPERATOR)
        if one.weights is not None:
            total += _weights_bytes(one.weights)
    for values in {constant for one in graph.operators for constant in one.constants}:
        count = len(values) - 1
        total += CONSTANT + 2 * DIMENSION + BUFFER + 4 * max(count, 1)
    return total


def _weights_bytes(weights: Weights) -> int:
    """Weights and biases: their tensors and buffers."""
    tensors = WEIGHTS + DIMENSION * weights.rank + BIAS + DIMENSION + 2 * CHANNEL * weights.channels
    return tensors + 2 * BUFFER + 4 * math.ceil(weights.count / 4) + 4 * weights.channels
