"""A network as the operators of its int8 .tflite file, in their order."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

Shape = tuple[int, ...]

CONVOLUTION, DEPTHWISE, LINEAR = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"
ADD, SUB, MUL, MEAN, CONCATENATION = "ADD", "SUB", "MUL", "MEAN", "CONCATENATION"
PAD, SLICE, RESHAPE, TRANSPOSE = "PAD", "SLICE", "RESHAPE", "TRANSPOSE"
LOGISTIC, SOFTMAX, HARD_SWISH, RELU = "LOGISTIC", "SOFTMAX", "HARD_SWISH", "RELU"
MAX_POOL, QUANTIZE = "MAX_POOL_2D", "QUANTIZE"


@dataclass(frozen=True)
class Weights:
    """The weights of an operator.

    Attributes:
        count: Number of them, one byte each.
        channels: Output channels; each has a scale, and a bias of four bytes.
        rank: Number of dimensions of the tensor.
    """

    count: int
    channels: int
    rank: int


@dataclass(frozen=True)
class Window:
    """How a convolution or a pooling moves over maps; height first.

    Attributes:
        kernel: Its sides.
        stride: Steps.
        dilation: Distance of the weights.
        same: Whether it adds zeros around the maps itself, as TensorFlow's padding "same".
    """

    kernel: Shape
    stride: Shape
    dilation: Shape = (1, 1)
    same: bool = False


@dataclass(frozen=True)
class Operator:
    """An operator.

    Attributes:
        kind: As the .tflite format names it, such as CONV_2D.
        inputs: Numbers of the tensors of activations that it reads.
        output: Number of the tensor that it writes.
        weights: Of convolutions and linear layers.
        constants: Constants that it reads, such as the size of a slice: what they are, and their values.
            Operators share equal ones.
        window: Of convolutions and poolings.
        activation: That it applies at its end: RELU or RELU6; empty: none.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    weights: Weights | None = None
    constants: tuple[tuple[Hashable, ...], ...] = ()
    window: Window | None = None
    activation: str = ""


@dataclass
class Graph:
    """A network: tensor 0 is the image, the last operator writes the scores.

    Attributes:
        shapes: Shape of every tensor of activations, one byte an element.
        operators: In the order in which they run.
    """

    shapes: list[Shape] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)

    def tensor(self, shape: Shape) -> int:
        """A new tensor."""
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def add(
        self,
        kind: str,
        inputs: tuple[int, ...],
        shape: Shape,
        weights: Weights | None = None,
        constants: tuple[tuple[Hashable, ...], ...] = (),
        window: Window | None = None,
    ) -> int:
        """A new operator; the number of the tensor that it writes."""
        output = self.tensor(shape)
        self.operators.append(Operator(kind, inputs, output, weights, constants, window))
        return output
