"""Counts of one layer in closed form, in the papers' convention.

A multiply-add counts once; only convolutions and linear layers have any. BatchNorm, activations, pooling
and element-wise work count nothing, as in the tables of SKNet, ShuffleNetV2 and torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """What a layer or a network costs for one image.

    Attributes:
        params: Learnable numbers.
        macs: Multiply-adds of convolutions and linear layers.
        activations: Numbers that convolutions and linear layers write.
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
    """A bias-free linear map of one vector, or 1x1 convolution over so many pixels."""
    weights = inputs * outputs
    return Counts(weights, weights * pixels, outputs * pixels)
