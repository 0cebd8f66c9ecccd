"""Non-local blocks: Wang et al., CVPR 2018, equations 1 to 6."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from blocks.counting import Counts
from blocks.profile import Shape
from blocks.unit_spec import Pairwise, UnitSpec
from blocks.unit_words import DEFAULT_PLACEMENT
from blocks.units.base import Resolved
from blocks.units.checks import check_choice, check_positive
from blocks.units.feature import FeatureUnit


class NonLocal(nn.Module):
    """Add to each position a sum over all positions, weighted by a pairwise function.

    ``y_i = 1 / C(x) sum_j f(x_i, x_j) g(x_j)`` (eq. 1), ``z_i = W_z y_i + x_i`` (eq. 6). The pairwise
    function f and its C(x) are one of

    - "gaussian": ``exp(x_i^T x_j)`` (eq. 2), C(x) the sum over j, so a softmax;
    - "embedded": ``exp(theta(x_i)^T phi(x_j))`` (eq. 3), likewise;
    - "dot": ``theta(x_i)^T phi(x_j)`` (eq. 4), C(x) the number of positions;
    - "concat": ``ReLU(w_f^T [theta(x_i), phi(x_j)])`` (eq. 5), likewise.

    theta, phi, g and W_z are 1x1 convolutions with biases, as in the released code, and max(C // 2, 1)
    channels inside (Sec. 3.3). The paper's video networks have a BatchNorm after W_z; this module has
    none, and its parameters match GCNet's Table 4. A softmax ignores the bias of phi. W_z
    starts at zero, so that the module starts as the identity. The released code also scales the scores
    of "embedded", and pools before phi and g; the paper does neither.

    Shapes:
        input (B, C, H, W) -> output of the same shape. Memory grows with (H W)^2, or with a quarter of
        that where it subsamples.

    Args:
        channels: C.
        pairwise: Default "embedded".
        subsample: The keys and values, that is all x_j, are max-pooled, 2x2, after phi and g (Sec. 3.3);
            default False. The last row of an odd side is pooled by itself.

    Raises:
        InvalidInput: No channels, or another pairwise function.
    """

    def __init__(
        self, channels: int, pairwise: Pairwise = "embedded", subsample: bool = False
    ) -> None:
        super().__init__()
        check_positive(channels=channels)
        check_choice("nl", "pairwise", pairwise, get_args(Pairwise))
        self.pairwise = pairwise
        self.subsample = subsample
        inner = inner_dim(channels)
        if pairwise != "gaussian":
            self.theta = _embedding(channels, inner)
            self.phi = _embedding(channels, inner)
        self.g = nn.Conv2d(channels, inner, 1)
        self.out = nn.Conv2d(inner, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(_bias(self.out))
        if pairwise == "concat":
            # The two halves of w_f: a product with a concatenation is a sum of two products.
            self.of_query = nn.Conv2d(inner, 1, 1, bias=False)
            self.of_key = nn.Conv2d(inner, 1, 1, bias=False)
            with torch.no_grad():
                # Each f starts around 1, so that y is the mean, as with a softmax of small numbers.
                # Around 0, the ReLU of whole maps is often zero and never learns.
                half = self.of_query.weight.flatten()
                _bias(self.theta).copy_(half / half.square().sum())

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to ``x`` (B, C, H, W)."""
        batch, _, height, width = x.shape
        values = self._pooled(self.g(x)).flatten(2).transpose(1, 2)
        summed = torch.bmm(self.relations(x), values)
        maps = summed.transpose(1, 2).reshape(batch, -1, height, width)
        added: Tensor = self.out(maps)
        return x + added

    def relations(self, x: Tensor) -> Tensor:
        """f(x_i, x_j) / C(x) of all pairs.

        Args:
            x: (B, C, H, W).

        Returns:
            (B, N, M) with N = H W positions i, row by row, and M positions j: N, or fewer where the
            block subsamples.
        """
        queries = x if self.pairwise == "gaussian" else self.theta(x)
        keys = self._pooled(x if self.pairwise == "gaussian" else self.phi(x))
        scores: Tensor
        if self.pairwise == "concat":
            of_queries = self.of_query(queries).flatten(2).transpose(1, 2)
            scores = (of_queries + self.of_key(keys).flatten(2)).relu()
        else:
            scores = torch.bmm(queries.flatten(2).transpose(1, 2), keys.flatten(2))
        if self.pairwise in ("gaussian", "embedded"):
            return scores.softmax(-1)
        return scores / scores.shape[-1]

    def _pooled(self, maps: Tensor) -> Tensor:
        return nn.functional.max_pool2d(maps, 2, ceil_mode=True) if self.subsample else maps


class NonLocalUnit(FeatureUnit):
    """``kind: nl``. Fields: ``pairwise``, ``subsample``, ``placement`` (default post)."""

    name = "nl"
    default = DEFAULT_PLACEMENT["nl"]

    def make(self, unit: UnitSpec, channels: int) -> NonLocal:  # noqa: D102
        return NonLocal(channels, unit.pairwise, unit.subsample)

    def fields(self, unit: UnitSpec, channels: int) -> Resolved:  # noqa: D102
        return unit.pairwise, unit.subsample

    def cost(self, unit: UnitSpec, shape: Shape) -> Counts:
        """Counts, the two products of matrices among them: scores (N x M) and their sum (N x C/2)."""
        channels, inner, side = shape.channels, inner_dim(shape.channels), shape.side
        queries = side * side
        keys = (-(-side // 2)) ** 2 if unit.subsample else queries  # half the side, rounded up
        pairs = queries * keys
        weights = channels * inner
        # g and W_z, then the product with g's output
        params = 2 * weights + inner + channels
        macs = 2 * weights * queries + pairs * inner
        activations = (inner + channels) * queries + inner * queries
        if unit.pairwise != "gaussian":
            params += 2 * (weights + inner)
            macs += 2 * weights * queries
            activations += 2 * inner * queries
        if unit.pairwise == "concat":
            params += 2 * inner
            macs += inner * (queries + keys)
            activations += queries + keys
        else:
            macs += pairs * (channels if unit.pairwise == "gaussian" else inner)
            activations += pairs
        return Counts(params, macs, activations)

    def make_plain(self, module: nn.Module) -> None:  # noqa: D102
        assert isinstance(module, NonLocal)
        module.out.weight.zero_()
        _bias(module.out).zero_()


def inner_dim(channels: int) -> int:
    """Channels inside a block: half of C, at least one."""
    return max(channels // 2, 1)


def _embedding(channels: int, inner: int) -> nn.Conv2d:
    """Theta or phi, started as in the released code: a softmax is then close to the mean."""
    conv = nn.Conv2d(channels, inner, 1)
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.zeros_(_bias(conv))
    return conv


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias
