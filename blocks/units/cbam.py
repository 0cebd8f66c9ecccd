"""Convolutional Block Attention Module: Woo et al., ECCV 2018, equations 1 to 3."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks.counting import Counts
from blocks.profile import Shape
from blocks.unit_spec import UnitSpec
from blocks.unit_words import DEFAULT_PLACEMENT
from blocks.units.base import Resolved
from blocks.units.checks import check_positive
from blocks.units.feature import FeatureUnit, hidden_dim

KERNEL = 7
"""Side of the spatial gate's kernel, the better of the two in the paper's Table 2."""


class ConvBlockAttention(nn.Module):
    """Scale each channel by a gate of its own, then each position by one.

    ``F' = M_c(F) F``, ``F'' = M_s(F') F'`` (eq. 1). Channel gate: ``sigmoid(MLP(avg) + MLP(max))``
    of the means and the maxima over the image (eq. 2), one MLP ``W_1 ReLU(W_0 s)`` for both, with
    C // r hidden units. Spatial gate: ``sigmoid(conv7x7([avg; max]))`` of the mean and the maximum over
    the channels (eq. 3).

    The MLP has biases, as in the released code and in the counts of the paper's tables. The convolution
    has none; the BatchNorm that the released code has after it is in none of the equations.

    Shapes:
        input (B, C, H, W) -> output of the same shape.

    Args:
        channels: C.
        reduction: r, default 16; at least one hidden unit is kept.

    Raises:
        InvalidInput: A figure below 1.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        check_positive(channels=channels, reduction=reduction)
        hidden = hidden_dim(channels, reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)
        self.spatial = nn.Conv2d(2, 1, KERNEL, padding=KERNEL // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply both gates to ``x`` (B, C, H, W)."""
        scaled = x * self.channel_gate(x)
        return scaled * self.spatial_gate(scaled)

    def channel_gate(self, x: Tensor) -> Tensor:
        """M_c (eq. 2) of ``x`` (B, C, H, W): (B, C, 1, 1)."""
        of_mean = self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu())
        of_max = self.excite(self.squeeze(x.amax((2, 3), keepdim=True)).relu())
        gate: Tensor = (of_mean + of_max).sigmoid()
        return gate

    def spatial_gate(self, x: Tensor) -> Tensor:
        """M_s (eq. 3) of ``x`` (B, C, H, W): (B, 1, H, W)."""
        summary = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), dim=1)
        gate: Tensor = self.spatial(summary).sigmoid()
        return gate


class ConvBlockAttentionUnit(FeatureUnit):
    """``kind: cbam``. Fields: ``reduction``, ``placement`` (default standard)."""

    name = "cbam"
    default = DEFAULT_PLACEMENT["cbam"]
    gate = 0.25

    def make(self, unit: UnitSpec, channels: int) -> ConvBlockAttention:  # noqa: D102
        return ConvBlockAttention(channels, unit.reduction)

    def fields(self, unit: UnitSpec, channels: int) -> Resolved:  # noqa: D102
        return (hidden_dim(channels, unit.reduction),)

    def cost(self, unit: UnitSpec, shape: Shape) -> Counts:
        """Counts; the MLP runs twice, for the means and for the maxima."""
        channels, hidden = shape.channels, hidden_dim(shape.channels, unit.reduction)
        weights, taps, pixels = 2 * channels * hidden, 2 * KERNEL**2, shape.side**2
        return Counts(
            weights + hidden + channels + taps,
            2 * weights + taps * pixels,
            2 * (hidden + channels) + pixels,
        )

    def make_plain(self, module: nn.Module) -> None:  # noqa: D102
        assert isinstance(module, ConvBlockAttention)
        # Both gates are then sigmoid(0) = 1/2 everywhere.
        assert module.excite.bias is not None
        for weight in (module.excite.weight, module.excite.bias, module.spatial.weight):
            weight.zero_()
