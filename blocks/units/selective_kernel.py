"""Selective Kernel units: SKNet, Li et al., CVPR 2019, Sec. 3.1, equations 1 to 6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor, nn

from blocks.errors import InvalidInput
from blocks.unit_spec import Kernel, Select
from blocks.units.checks import check_choice, check_positive
from blocks.units.depthwise import BranchConv2d
from blocks.units.recomputed_selection import can_recompute, select_recomputing
from blocks.units.selection import branch_weights, select, sum_of, sum_of_means


class SelectiveKernel(nn.Module):
    """Split into branches of different receptive fields, fuse them, and select between them per channel.

    Split: each branch is a grouped convolution, BatchNorm and (``branch_act``) ReLU.
    Fuse: ``U = sum of the branches`` (eq. 1), ``s = spatial mean of U`` (eq. 2),
    ``z = ReLU(BN(W s))`` with d outputs (eq. 3), ``d = max(C // r, L)`` (eq. 4).
    Select: per channel a softmax over the branches (eq. 5) weighs them (eq. 6).
    No layer has a bias, as in the authors' network. With one branch the softmax is 1 and neither fuse
    nor select exists.

    ``U`` is never formed: the mean of a sum is the sum of the means, exactly. In training the outputs of
    BatchNorm and ReLU are computed again in the backward pass instead of being kept.

    A softmax over M numbers has M - 1 degrees of freedom. The paper notes that for two branches "B is
    redundant"; ``select="reduced"`` leaves out the matrix of the first branch, whose logits are zero:
    the same functions with fewer weights.

    Shapes:
        input (B, C, H, W) -> output (B, C, ceil(H / stride), ceil(W / stride)).

    Args:
        channels: C, input and output channels.
        dilations: One per branch [D]; default (1, 2), the paper's K3 and K5. 0 is a 1x1 kernel.
        kernel: "dilated" (default): 3x3 kernels with these dilations; "real": (2d+1)x(2d+1) kernels;
            "plain": as "dilated", but a branch of dilation 1 has ``plain_kernel`` taps along a side.
        group_width: Channels per group, one value or one per branch; default 1, depthwise. The paper's G
            is C / group_width.
        reduction: r, default 16.
        min_dim: L, default 32.
        branch_act: The ReLU at the end of each branch, default True as in the paper.
        stride: Of the branch convolutions, default 1.
        select: "full" (default): M select matrices; "reduced": M - 1; "sum": none, the branches are
            summed.
        plain_kernel: Taps along a side of the convolution that the unit replaces, default 3.
        trimmed: Pixels of padding that every branch leaves out on each side, default 0. A layer before
            the unit pads instead.

    Raises:
        InvalidInput: No branch, an unknown form of kernel or selection, a value below 1, a dilation of 0
            without real kernels, or a group width that does not divide the channels.
    """

    def __init__(
        self,
        channels: int,
        dilations: Sequence[int] = (1, 2),
        *,
        kernel: Kernel = "dilated",
        group_width: int | Sequence[int] = 1,
        reduction: int = 16,
        min_dim: int = 32,
        branch_act: bool = True,
        stride: int = 1,
        select: Select = "full",
        plain_kernel: int = 3,
        trimmed: int = 0,
    ) -> None:
        super().__init__()
        check_branches(dilations, kernel)
        check_choice("sk", "select", select, get_args(Select))
        check_positive(channels=channels, reduction=reduction, min_dim=min_dim, stride=stride)
        widths = [group_width] * len(dilations) if isinstance(group_width, int) else group_width
        if len(widths) != len(dilations):
            raise InvalidInput(
                f"group_width: {len(widths)} values for {len(dilations)} branches; allowed: 1 or "
                f"{len(dilations)}"
            )
        for width in widths:
            check_group_width(channels, width)
        shapes = [kernel_shape(dilation, kernel, plain_kernel) for dilation in dilations]
        self.branches = nn.ModuleList(
            _branch(channels, *shape, width, branch_act, stride, trimmed)
            for shape, width in zip(shapes, widths, strict=True)
        )
        self.attends = len(dilations) > 1 and select != "sum"
        if not self.attends:
            return
        hidden = fuse_dim(channels, reduction, min_dim)
        self.fuse = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        matrices = len(dilations) - (select == "reduced")
        self.select = nn.Conv2d(hidden, matrices * channels, 1, bias=False)
        # As the authors initialise it: the unit starts close to the mean of its branches.
        nn.init.normal_(self.select.weight, std=0.01)

    def attend(self, squeezed: Tensor) -> tuple[Tensor, ...]:
        """Weights of the branches (eqs. 3 to 5).

        Args:
            squeezed: The spatial mean of the sum of the branches, (B, C, 1, 1).

        Returns:
            M tensors (B, C, 1, 1), positive, their sum 1.
        """
        return branch_weights(
            self.select(self.fuse(squeezed)), len(self.branches), squeezed.shape[1]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit to ``x`` (B, C, H, W)."""
        if not self.attends:
            return self._sum_of_branches(x)
        if can_recompute(self.branches, x):
            return select_recomputing(self.branches, x, self.attend)
        maps: list[Tensor] = [branch(x) for branch in self.branches]
        return select(maps, self.attend(sum_of_means(maps)))

    def _sum_of_branches(self, x: Tensor) -> Tensor:
        maps: list[Tensor] = [branch(x) for branch in self.branches]
        if len(maps) == 1:
            # Torchvision's activations work in place and would overwrite what the ReLU of the branch
            # has kept for its backward pass.
            return maps[0].clone() if torch.is_grad_enabled() else maps[0]
        return sum_of(maps)


def fuse_dim(channels: int, reduction: int, min_dim: int) -> int:
    """Width of the squeezed vector: d = max(C // r, L), eq. 4."""
    return max(channels // reduction, min_dim)


def check_branches(dilations: Sequence[int], kernel: Kernel) -> None:
    """Raise InvalidInput when there is no branch, or no such kernel."""
    if not dilations:
        raise InvalidInput("dilations: empty; a Selective Kernel unit needs at least one branch")
    check_choice("sk", "kernel", kernel, get_args(Kernel))
    lowest = 0 if kernel == "real" else 1
    if min(dilations) < lowest:
        raise InvalidInput(
            f"dilations: {min(dilations)} is below {lowest}; 0, a 1x1 kernel, needs kernel: real"
        )


def check_group_width(channels: int, group_width: int) -> None:
    """Raise InvalidInput when groups of ``group_width`` channels do not fill ``channels``."""
    if group_width < 1 or channels % group_width:
        raise InvalidInput(
            f"group_width: {group_width} does not divide {channels} channels; "
            "allowed: a divisor of the channels of every unit"
        )


def kernel_shape(dilation: int, kernel: Kernel, plain_kernel: int = 3) -> tuple[int, int]:
    """(taps along a side, dilation) of a branch in place of a convolution of ``plain_kernel`` taps."""
    if kernel == "real":
        return 2 * dilation + 1, 1
    own = kernel == "plain" and dilation == 1
    return (plain_kernel if own else 3), dilation


def _branch(
    channels: int, size: int, spread: int, group_width: int, act: bool, stride: int, trimmed: int
) -> nn.Sequential:
    layers: list[nn.Module] = [
        BranchConv2d(
            channels,
            channels,
            size,
            stride=stride,
            padding=spread * (size // 2) - trimmed,
            dilation=spread,
            groups=channels // group_width,
            bias=False,
        ),
        nn.BatchNorm2d(channels),
    ]
    if act:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
