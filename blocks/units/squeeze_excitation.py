"""Squeeze-and-Excitation: Hu et al., CVPR 2018 and TPAMI 2019, equations 2 to 4."""

from __future__ import annotations

from torch import Tensor, nn

from blocks.counting import Counts, pointwise
from blocks.profile import Shape
from blocks.unit_spec import Pool, UnitSpec
from blocks.unit_words import DEFAULT_PLACEMENT
from blocks.units.base import Resolved
from blocks.units.checks import check_choice, check_positive
from blocks.units.feature import FeatureUnit, hidden_dim

POOLS = ("avg", "max", "none")


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate computed from a summary of all channels.

    Squeeze: spatial mean (eq. 2). Excitation: ``sigmoid(W2 ReLU(W1 s))`` (eq. 3), with C // r hidden
    units and no biases, as the equations have it. Scale: eq. 4.

    Shapes:
        input (B, C, H, W) -> output of the same shape.

    Args:
        channels: C.
        reduction: r, default 16; at least one hidden unit is kept.
        pool: "avg" (default), "max" (the paper's Sec. 6.2), or "none": every pixel has a gate of its own
            from its own channels (NoSqueeze, Sec. 7.1).

    Raises:
        InvalidInput: A figure below 1, or another way to pool.
    """

    def __init__(self, channels: int, reduction: int = 16, pool: Pool = "avg") -> None:
        super().__init__()
        check_positive(channels=channels, reduction=reduction)
        check_choice("se", "pool", pool, POOLS)
        self.pool = pool
        hidden = hidden_dim(channels, reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1, bias=False)
        self.excite = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the gate to ``x`` (B, C, H, W)."""
        squeezed = x
        if self.pool == "avg":
            squeezed = x.mean((2, 3), keepdim=True)
        elif self.pool == "max":
            squeezed = x.amax((2, 3), keepdim=True)
        gate: Tensor = self.excite(self.squeeze(squeezed).relu()).sigmoid()
        return x * gate


class SqueezeExcitationUnit(FeatureUnit):
    """``kind: se``. Fields: ``reduction``, ``pool`` (default avg), ``placement`` (default standard)."""

    name = "se"
    default = DEFAULT_PLACEMENT["se"]
    gate = 0.5

    def check(self, unit: UnitSpec, channels: int) -> None:  # noqa: D102
        check_choice("se", "pool", unit.pool or "avg", POOLS)

    def make(self, unit: UnitSpec, channels: int) -> SqueezeExcitation:  # noqa: D102
        return SqueezeExcitation(channels, unit.reduction, unit.pool or "avg")

    def fields(self, unit: UnitSpec, channels: int) -> Resolved:  # noqa: D102
        return hidden_dim(channels, unit.reduction), unit.pool or "avg"

    def cost(self, unit: UnitSpec, shape: Shape) -> Counts:  # noqa: D102
        channels, hidden = shape.channels, hidden_dim(shape.channels, unit.reduction)
        pixels = shape.side**2 if unit.pool == "none" else 1
        return pointwise(channels, hidden, pixels) + pointwise(hidden, channels, pixels)

    def make_plain(self, module: nn.Module) -> None:  # noqa: D102
        assert isinstance(module, SqueezeExcitation)
        module.excite.weight.zero_()  # the gate is then sigmoid(0) = 1/2 everywhere
