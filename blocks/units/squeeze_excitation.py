"""Squeeze-and-Excitation: Hu et al., CVPR 2018, equations 2 to 4."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks.backbones.base import Pair
from blocks.counting import Counts, pointwise
from blocks.errors import InvalidInput
from blocks.survey import Site
from blocks.unit_spec import UnitSpec
from blocks.units.base import Resolved, Start, Unit, replace_children


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate computed from the means of all channels.

    Squeeze: spatial mean (eq. 2). Excitation: ``sigmoid(W2 ReLU(W1 s))`` (eq. 3), with C // r hidden
    units and no biases, as the equations have it. Scale: eq. 4.

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
        for name, value in {"channels": channels, "reduction": reduction}.items():
            if value < 1:
                raise InvalidInput(f"{name}: {value} is below 1")
        hidden = hidden_dim(channels, reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1, bias=False)
        self.excite = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the gate to ``x`` (B, C, H, W)."""
        gate: Tensor = self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return x * gate


class SqueezeExcitationUnit(Unit):
    """``kind: se``: the gate on the depthwise convolution's output, before any activation.

    Convolution and BatchNorm keep their place and name. Of the unit's fields only ``reduction`` counts.
    """

    def resolve(self, unit: UnitSpec, site: Site) -> Resolved:  # noqa: D102
        return ("se", hidden_dim(site.channels, unit.reduction))

    def count(self, unit: UnitSpec, site: Site) -> Counts:  # noqa: D102
        hidden = hidden_dim(site.channels, unit.reduction)
        return site.plain + pointwise(site.channels, hidden) + pointwise(hidden, site.channels)

    def install(  # noqa: D102
        self, parent: nn.Sequential, pair: Pair, unit: UnitSpec, site: Site, start: Start
    ) -> None:
        norm = parent.get_submodule(pair.norm)
        assert isinstance(norm, nn.BatchNorm2d)
        gate = SqueezeExcitation(site.channels, unit.reduction)
        if start == "plain":
            with torch.no_grad():
                gate.excite.weight.zero_()
                # The gate then is sigmoid(0) = 1/2 everywhere.
                norm.weight.mul_(2)
                norm.bias.mul_(2)
        replace_children(parent, {pair.norm: {pair.norm: norm, f"{pair.norm}_se": gate}})


def hidden_dim(channels: int, reduction: int) -> int:
    """Hidden units of the excitation: C // r, at least one."""
    return max(channels // reduction, 1)
