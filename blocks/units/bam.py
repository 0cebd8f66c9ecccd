"""Bottleneck Attention Module: Park et al., BMVC 2018, equations 1 to 4."""

from __future__ import annotations

from torch import Tensor, nn

from blocks.counting import Counts
from blocks.profile import Shape
from blocks.unit_spec import Fusion, UnitSpec
from blocks.unit_words import DEFAULT_PLACEMENT
from blocks.units.base import Resolved
from blocks.units.checks import check_choice, check_positive
from blocks.units.feature import FeatureUnit, hidden_dim

FUSIONS = ("sum", "product")
DILATION = 4
"""Dilation of the two 3x3 convolutions, as in the paper."""


class BottleneckAttention(nn.Module):
    """Scale each element of a feature map by 1 to 2, from its channel and its position.

    ``F' = F + F M(F)`` (eq. 1), ``M(F) = sigmoid(M_c(F) + M_s(F))`` (eq. 2). Of the two branches, whose
    hidden layers all have C // r channels and a ReLU, M_c is a linear map of the spatial means to hidden
    units and one back (eq. 3), M_s a 1x1 convolution, two 3x3 ones of dilation 4 and a 1x1 one to a
    single channel (eq. 4).

    The paper and the code that its authors released differ, and ``fusion`` chooses: "sum" is the paper's
    module, in which both branches end in a BatchNorm; "product" is the released one,
    ``sigmoid(M_c(F) M_s(F))``, with a BatchNorm in each hidden layer and none at the end. A bias before
    a BatchNorm has no effect and is left out.

    One of the BatchNorms has one value per image and channel as its input, so batches of a single image
    cannot be trained on.

    Shapes:
        input (B, C, H, W) -> output of the same shape.

    Args:
        channels: C.
        reduction: r, default 16; at least one hidden channel is kept.
        fusion: "sum" (default) or "product".

    Raises:
        InvalidInput: A figure below 1, or another fusion.
    """

    def __init__(self, channels: int, reduction: int = 16, fusion: Fusion = "sum") -> None:
        super().__init__()
        check_positive(channels=channels, reduction=reduction)
        check_choice("bam", "fusion", fusion, FUSIONS)
        self.fusion = fusion
        hidden = hidden_dim(channels, reduction)
        inside = fusion == "product"
        self.channel = nn.Sequential(
            *_hidden_layer(channels, hidden, 1, inside), *_last_layer(hidden, channels, inside)
        )
        self.spatial = nn.Sequential(
            *_hidden_layer(channels, hidden, 1, inside),
            *_hidden_layer(hidden, hidden, 3, inside),
            *_hidden_layer(hidden, hidden, 3, inside),
            *_last_layer(hidden, 1, inside),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the attention to ``x`` (B, C, H, W)."""
        by_channel = self.channel(x.mean((2, 3), keepdim=True))
        by_position = self.spatial(x)
        both = by_channel + by_position if self.fusion == "sum" else by_channel * by_position
        attention: Tensor = both.sigmoid()
        return x + x * attention


class BottleneckAttentionUnit(FeatureUnit):
    """``kind: bam``. Fields: ``reduction``, ``fusion`` (default sum), ``placement`` (default post).

    The paper has one at the end of each stage but the last: ``blocks: [-1]``.
    """

    name = "bam"
    default = DEFAULT_PLACEMENT["bam"]
    gate = 1.5

    def check(self, unit: UnitSpec, channels: int) -> None:  # noqa: D102
        check_choice("bam", "fusion", unit.fusion or "sum", FUSIONS)

    def make(self, unit: UnitSpec, channels: int) -> BottleneckAttention:  # noqa: D102
        return BottleneckAttention(channels, unit.reduction, unit.fusion or "sum")

    def fields(self, unit: UnitSpec, channels: int) -> Resolved:  # noqa: D102
        return hidden_dim(channels, unit.reduction), unit.fusion or "sum"

    def cost(self, unit: UnitSpec, shape: Shape) -> Counts:  # noqa: D102
        channels, hidden = shape.channels, hidden_dim(shape.channels, unit.reduction)
        pixels = shape.side**2
        by_channel = 2 * channels * hidden
        by_position = channels * hidden + 2 * 9 * hidden * hidden + hidden
        # After the weights: a bias or a BatchNorm in each hidden layer (four), the other at the ends.
        inside = unit.fusion == "product"
        offsets = 4 * hidden * (2 if inside else 1) + (channels + 1) * (1 if inside else 2)
        return Counts(
            by_channel + by_position + offsets,
            by_channel + by_position * pixels,
            hidden + channels + (3 * hidden + 1) * pixels,
        )

    def make_plain(self, module: nn.Module) -> None:  # noqa: D102
        assert isinstance(module, BottleneckAttention)
        # The attention is then sigmoid(0) = 1/2 everywhere. One zero factor makes the product zero; two
        # zero factors have no gradient.
        ends = (module.channel,) if module.fusion == "product" else (module.channel, module.spatial)
        for end in ends:
            for weight in end[-1].parameters():
                weight.zero_()


def _hidden_layer(inputs: int, outputs: int, kernel: int, norm: bool) -> list[nn.Module]:
    dilation = DILATION if kernel > 1 else 1
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=not norm)
    return [conv, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(inplace=True)]


def _last_layer(inputs: int, outputs: int, norm_inside: bool) -> list[nn.Module]:
    """A 1x1 convolution, with a BatchNorm if the hidden layers have none."""
    conv = nn.Conv2d(inputs, outputs, 1, bias=norm_inside)
    return [conv] if norm_inside else [conv, nn.BatchNorm2d(outputs)]
