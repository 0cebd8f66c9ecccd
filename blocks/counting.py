"""Counts of one layer in closed form, in the papers' convention.

A multiply-add counts once, in convolutions and linear layers only. BatchNorm, activations, pooling and
element-wise operations are not counted, as in the tables of SKNet, ShuffleNetV2 and torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """The cost of a layer or a network for one image.

    Attributes:
        params: Parameters.
        macs: Multiply-adds of convolutions and linear layers.
        activations: Output elements of convolutions and linear layers.

    Examples:
        >>> import nas
        >>> nas.count(nas.ArchSpec(backbone="shufflenet_v2", unit={"kind": "none"}))
        Counts(params=2278604, macs=144907992, activations=1951200)
    """

    params: int = 0
    macs: int = 0
    activations: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.params + other.params,
            self.macs + other.macs,
            self.activations + other.activations,
        )

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.params - other.params,
            self.macs - other.macs,
            self.activations - other.activations,
        )

    @property
    def mflops(self) -> float:
        """Multiply-adds in millions."""
        return self.macs / 1e6


def conv_bn(channels: int, group_width: int, kernel: int, side: int) -> Counts:
    """A convolution from and to ``channels`` with its BatchNorm and no bias.

    Args:
        channels: Input and output channels.
        group_width: Input channels that one output channel sees (1: depthwise).
        kernel: Taps along one side.
        side: Side of the square output, in pixels.
    """
    weights = channels * group_width * kernel * kernel
    pixels = side * side
    return Counts(weights + 2 * channels, weights * pixels, channels * pixels)


def pointwise(inputs: int, outputs: int, pixels: int = 1) -> Counts:
    """A linear layer without bias, or a 1x1 convolution over a number of pixels."""
    weights = inputs * outputs
    return Counts(weights, weights * pixels, outputs * pixels)
