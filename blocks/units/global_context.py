"""Global context and simplified non-local blocks: GCNet, Cao et al., ICCVW 2019, equations 3 to 5."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks.counting import Counts
from blocks.profile import Shape
from blocks.unit_spec import Fusion, Pool, UnitSpec
from blocks.unit_words import DEFAULT_PLACEMENT
from blocks.units.base import Resolved
from blocks.units.checks import check_choice, check_positive
from blocks.units.feature import FeatureUnit, hidden_dim

POOLS = ("att", "avg")
FUSIONS = ("add", "scale")


class ContextPool(nn.Module):
    """One vector for the whole image: ``sum_j alpha_j x_j``, the context of eq. 4.

    Shapes:
        input (B, C, H, W) -> output (B, C, 1, 1).

    Args:
        channels: C.
        pool: "att": alpha is a softmax over all positions of ``W_k x_j``, W_k a 1x1 convolution from C
            channels to one, with the released code's bias (which a softmax does not see); "avg": alpha
            is the same everywhere, and there is no weight.
    """

    def __init__(self, channels: int, pool: Pool) -> None:
        super().__init__()
        self.mask: nn.Conv2d | None = None
        if pool == "att":
            self.mask = nn.Conv2d(channels, 1, 1)
            nn.init.kaiming_normal_(self.mask.weight, mode="fan_in", nonlinearity="relu")
            assert self.mask.bias is not None
            nn.init.zeros_(self.mask.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``x`` (B, C, H, W)."""
        if self.mask is None:
            return x.mean((2, 3), keepdim=True)
        weights = self.mask(x).flatten(2).softmax(-1)
        return torch.bmm(x.flatten(2), weights.transpose(1, 2)).unsqueeze(-1)


class SimplifiedNonLocal(nn.Module):
    """Add the same vector to every position: a non-local block with one attention map for all queries.

    ``z_i = x_i + W_v sum_j alpha_j x_j`` (eq. 3) with alpha the softmax of ``W_k x_j`` over the
    positions. W_k and W_v are 1x1 convolutions with biases; W_v starts at zero, so that the module
    starts as the identity.

    Shapes:
        input (B, C, H, W) -> output of the same shape.

    Args:
        channels: C.
        pool: "att" (default), or "avg": alpha is 1 / (H W).

    Raises:
        InvalidInput: No channels, or another way to pool.
    """

    def __init__(self, channels: int, pool: Pool = "att") -> None:
        super().__init__()
        check_positive(channels=channels)
        check_choice("snl", "pool", pool, POOLS)
        self.pool = ContextPool(channels, pool)
        self.out = nn.Conv2d(channels, channels, 1)
        zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to ``x`` (B, C, H, W)."""
        context: Tensor = self.out(self.pool(x))
        return x + context


class GlobalContext(nn.Module):
    """Add one vector to every position, or scale by it: a bottleneck of the image's context.

    ``z_i = x_i + W_v2 ReLU(LN(W_v1 sum_j alpha_j x_j))`` (eq. 5), with alpha the softmax of ``W_k x_j``
    over the positions, C // r hidden channels, and a LayerNorm over all of them. With "scale" the second
    term goes through a sigmoid and multiplies x_i, as in the rows "scale" of the paper's Table 4. All
    convolutions have biases and the last one starts at zero, as in the released code: the module starts
    as the identity, with "scale" as half of it.

    A LayerNorm over few values loses most of their information, and over one value all of it: C // r
    should not be small.

    Shapes:
        input (B, C, H, W) -> output of the same shape.

    Args:
        channels: C.
        reduction: r, default 16; at least one hidden channel is kept.
        pool: "att" (default), or "avg": alpha is 1 / (H W).
        fusion: "add" (default) or "scale".

    Raises:
        InvalidInput: A figure below 1, another way to pool or to fuse.
    """

    def __init__(
        self, channels: int, reduction: int = 16, pool: Pool = "att", fusion: Fusion = "add"
    ) -> None:
        super().__init__()
        check_positive(channels=channels, reduction=reduction)
        check_choice("gc", "pool", pool, POOLS)
        check_choice("gc", "fusion", fusion, FUSIONS)
        self.fusion = fusion
        hidden = hidden_dim(channels, reduction)
        self.pool = ContextPool(channels, pool)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.norm = nn.LayerNorm([hidden, 1, 1])
        self.out = nn.Conv2d(hidden, channels, 1)
        zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to ``x`` (B, C, H, W)."""
        hidden = self.norm(self.squeeze(self.pool(x))).relu()
        term: Tensor = self.out(hidden)
        return x + term if self.fusion == "add" else x * term.sigmoid()


class SimplifiedNonLocalUnit(FeatureUnit):
    """``kind: snl``. Fields: ``pool`` (default att), ``placement`` (default post)."""

    name = "snl"
    default = DEFAULT_PLACEMENT["snl"]

    def check(self, unit: UnitSpec, channels: int) -> None:  # noqa: D102
        check_choice("snl", "pool", unit.pool or "att", POOLS)

    def make(self, unit: UnitSpec, channels: int) -> SimplifiedNonLocal:  # noqa: D102
        return SimplifiedNonLocal(channels, unit.pool or "att")

    def fields(self, unit: UnitSpec, channels: int) -> Resolved:  # noqa: D102
        return (unit.pool or "att",)

    def cost(self, unit: UnitSpec, shape: Shape) -> Counts:  # noqa: D102
        channels = shape.channels
        out = Counts(channels * channels + channels, channels * channels, channels)
        return pool_cost(unit, shape) + out

    def make_plain(self, module: nn.Module) -> None:  # noqa: D102
        assert isinstance(module, SimplifiedNonLocal)
        zero(module.out)


class GlobalContextUnit(FeatureUnit):
    """``kind: gc``. Fields: ``reduction``, ``pool``, ``fusion``, ``placement``.

    Their defaults: 16, att, add, standard.
    """

    name = "gc"
    default = DEFAULT_PLACEMENT["gc"]

    def check(self, unit: UnitSpec, channels: int) -> None:  # noqa: D102
        check_choice("gc", "pool", unit.pool or "att", POOLS)
        check_choice("gc", "fusion", unit.fusion or "add", FUSIONS)

    def make(self, unit: UnitSpec, channels: int) -> GlobalContext:  # noqa: D102
        return GlobalContext(channels, unit.reduction, unit.pool or "att", unit.fusion or "add")

    def fields(self, unit: UnitSpec, channels: int) -> Resolved:  # noqa: D102
        hidden = hidden_dim(channels, unit.reduction)
        return hidden, unit.pool or "att", unit.fusion or "add"

    def cost(self, unit: UnitSpec, shape: Shape) -> Counts:  # noqa: D102
        channels, hidden = shape.channels, hidden_dim(shape.channels, unit.reduction)
        weights = 2 * channels * hidden
        # the bottleneck: two biases, and the LayerNorm's weight and bias
        bottleneck = Counts(weights + 3 * hidden + channels, weights, hidden + channels)
        return pool_cost(unit, shape) + bottleneck

    def plain_gate(self, unit: UnitSpec) -> float | None:  # noqa: D102
        return 0.5 if unit.fusion == "scale" else None

    def make_plain(self, module: nn.Module) -> None:  # noqa: D102
        assert isinstance(module, GlobalContext)
        zero(module.out)


def pool_cost(unit: UnitSpec, shape: Shape) -> Counts:
    """Counts of a ContextPool: the mask, and the product of its softmax with the map."""
    if unit.pool == "avg":
        return Counts()
    channels, pixels = shape.channels, shape.side**2
    return Counts(channels + 1, 2 * channels * pixels, pixels + channels)


def zero(conv: nn.Conv2d) -> None:
    """Make ``conv`` write zeros."""
    assert conv.bias is not None
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
