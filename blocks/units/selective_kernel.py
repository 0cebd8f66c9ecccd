"""Selective Kernel units: SKNet, Li et al., CVPR 2019, Sec. 3.1, equations 1 to 6."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import get_args

import torch
from torch import Tensor, nn

from blocks.backbones.base import Place
from blocks.counting import Counts
from blocks.errors import InvalidInput
from blocks.survey import Site
from blocks.unit_spec import Kernel, Select, UnitSpec
from blocks.units.base import PLAIN, Resolved, Start, Unit, refuse_plain
from blocks.units.checks import check_choice, check_positive
from blocks.units.depthwise import BranchConv2d
from blocks.units.surgery import replace


class SelectiveKernel(nn.Module):
    """Split into branches of different receptive field, fuse, select between them channel by channel.

    Split: each branch is a grouped convolution, BatchNorm and (``branch_act``) ReLU.
    Fuse: ``U = sum of the branches`` (eq. 1), ``s = spatial mean of U`` (eq. 2),
    ``z = ReLU(BN(W s))`` with d outputs (eq. 3), ``d = max(C // r, L)`` (eq. 4).
    Select: per channel a softmax over the branches (eq. 5) weighs them (eq. 6).
    No layer has a bias, as in the authors' network. With one branch the softmax is 1 and neither fuse
    nor select exists.

    ``U`` is never formed: the mean of a sum is the sum of the means, exactly.

    A softmax over M numbers has M - 1 degrees of freedom. The paper notes that for two branches "B is
    redundant"; ``select="reduced"`` leaves out the matrix of the first branch, whose logits are zero:
    the same functions with fewer weights.

    Shapes:
        input (B, C, H, W) -> output (B, C, ceil(H / stride), ceil(W / stride)).

    Args:
        channels: C, input and output channels.
        dilations: One per branch [D]; default (1, 2), the paper's K3 and K5. 0 is a 1x1 kernel.
        kernel: "dilated" (default): 3x3 kernels with these dilations; "real": (2d+1)x(2d+1) kernels.
        group_width: Channels per group, one figure or one a branch; default 1, depthwise. The paper's G
            is C / group_width.
        reduction: r, default 16.
        min_dim: L, default 32.
        branch_act: The ReLU at the end of each branch, default True as in the paper.
        stride: Of the branch convolutions, default 1.
        select: "full" (default): M select matrices; "reduced": M - 1; "sum": none, the branches are
            summed up.

    Raises:
        InvalidInput: No branch, an unknown form of kernel or of selection, a figure below 1, a dilation
            of 0 that is no real kernel, or a group width that does not divide the channels.
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
    ) -> None:
        super().__init__()
        check_branches(dilations, kernel)
        check_choice("sk", "select", select, get_args(Select))
        check_positive(channels=channels, reduction=reduction, min_dim=min_dim, stride=stride)
        widths = [group_width] * len(dilations) if isinstance(group_width, int) else group_width
        if len(widths) != len(dilations):
            raise InvalidInput(
                f"group_width: {len(widths)} figures for {len(dilations)} branches; allowed: one, or "
                "one each"
            )
        for width in widths:
            check_group_width(channels, width)
        self.branches = nn.ModuleList(
            _branch(channels, dilation, kernel, width, branch_act, stride)
            for dilation, width in zip(dilations, widths, strict=True)
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
        # The authors' initialisation: the unit starts close to the mean of its branches.
        nn.init.normal_(self.select.weight, std=0.01)

    def attention(self, maps: Sequence[Tensor]) -> Tensor:
        """Weights of the branches (eqs. 1 to 5).

        Args:
            maps: M branch outputs, each (B, C, H, W).

        Returns:
            (B, M, C, 1, 1), positive, summing to 1 over M.
        """
        squeezed = maps[0].mean((2, 3), keepdim=True)
        for branch in maps[1:]:
            squeezed = squeezed + branch.mean((2, 3), keepdim=True)
        logits: Tensor = self.select(self.fuse(squeezed))
        return branch_weights(logits, len(maps), maps[0].shape[1])

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit to ``x`` (B, C, H, W)."""
        maps: list[Tensor] = [branch(x) for branch in self.branches]
        if len(maps) == 1:
            # Torchvision's activations work in place and would overwrite what the ReLU of the branch
            # has kept for its backward pass.
            return maps[0].clone() if torch.is_grad_enabled() else maps[0]
        if not self.attends:
            total = maps[0]
            for branch in maps[1:]:
                total = total + branch
            return total
        weights = self.attention(maps)
        selected = maps[0] * weights[:, 0]
        for index, branch in enumerate(maps[1:], start=1):
            selected = torch.addcmul(selected, branch, weights[:, index])
        return selected


class SelectiveKernelUnit(Unit):
    """``kind: sk``: a SelectiveKernel in place of the spatial convolution and its BatchNorm.

    In ResNeXt a branch with the convolution's own kernel and groups, alone and without ReLU, is the
    plain block. The ReLU that follows there changes nothing behind branches that end in one.
    """

    def check(self, unit: UnitSpec, channels: int) -> None:  # noqa: D102
        check_branches(unit.dilations, unit.kernel)
        for width in unit.branch_widths(channels):
            check_group_width(channels, width)

    def words(self, unit: UnitSpec) -> list[str]:  # noqa: D102
        kernels = "d" if unit.kernel == "dilated" else "real "
        words = [
            f"{kernels}{','.join(map(str, unit.dilations))}",
            f"G{','.join(map(str, unit.groups))}" if unit.groups else f"w{unit.group_width}",
        ]
        if len(unit.dilations) > 1:  # a single branch has nothing to fuse
            attention = f"r{unit.reduction} L{unit.min_dim}"
            forms = {"full": attention, "reduced": f"{attention} reduced", "sum": "sum"}
            words.append(forms[unit.select])
        words.append("act" if unit.branch_act else "no act")
        return words if unit.shortcut else [*words, "no shortcut"]

    def resolve(self, unit: UnitSpec, site: Site) -> Resolved:  # noqa: D102
        if site.on_shortcut and not unit.shortcut:
            return PLAIN
        branches = [
            (*_kernel_shape(dilation, unit.kernel), width)
            for dilation, width in _branches(unit, site.channels)
        ]
        if branches == [(site.kernel, 1, site.group_width)] and not unit.branch_act:
            return PLAIN
        several = len(branches) > 1
        select = unit.select if several else None
        attends = several and select != "sum"
        hidden = fuse_dim(site.channels, unit.reduction, unit.min_dim) if attends else None
        return ("sk", tuple(branches), hidden, unit.branch_act, select)

    def count(self, unit: UnitSpec, site: Site) -> Counts:  # noqa: D102
        if site.on_shortcut and not unit.shortcut:
            return site.plain
        # One sum in plain numbers: the search counts tens of thousands of units a second.
        channels, branches = site.channels, len(unit.dilations)
        pixels = site.side * site.side
        if unit.groups:
            taps = [_taps((d,), unit.kernel) for d in sorted(unit.dilations)]
            widths = unit.branch_widths(channels)
            weights = channels * sum(t * w for t, w in zip(taps, widths, strict=True))
        else:
            weights = channels * unit.group_width * _taps(unit.dilations, unit.kernel)
        norms = 2 * channels * branches
        maps = channels * branches * pixels
        if branches == 1 or unit.select == "sum":
            return Counts(weights + norms, weights * pixels, maps)
        hidden = fuse_dim(channels, unit.reduction, unit.min_dim)
        selected = (branches - (unit.select == "reduced")) * channels
        fuse, select = channels * hidden, hidden * selected
        return Counts(
            weights + norms + fuse + 2 * hidden + select,
            weights * pixels + fuse + select,
            maps + hidden + selected,
        )

    def install(  # noqa: D102
        self, model: nn.Module, place: Place, unit: UnitSpec, site: Site, start: Start
    ) -> None:
        if self.resolve(unit, site) == PLAIN:
            return
        branches = _branches(unit, site.channels)
        module = SelectiveKernel(
            site.channels,
            [dilation for dilation, _ in branches],
            kernel=unit.kernel,
            group_width=[width for _, width in branches],
            reduction=unit.reduction,
            min_dim=unit.min_dim,
            branch_act=unit.branch_act,
            stride=site.stride,
            select=unit.select,
        )
        conv, norm = model.get_submodule(place.conv), model.get_submodule(place.norm)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        _keep_norm_settings(module, norm)
        if start != "fresh":
            _inherit(module, conv, norm)
        if start == "plain":
            _compute_plain(module, unit, site)
        replace(model, place.conv, module)
        replace(model, place.norm, None)


def branch_weights(logits: Tensor, branches: int, channels: int) -> Tensor:
    """The softmax over the branches (eq. 5), channel by channel.

    Args:
        logits: What the select matrices give, (B, M * C, 1, 1), or (B, (M - 1) * C, 1, 1) where the
            matrix of the first branch is left out.
        branches: M.
        channels: C.

    Returns:
        (B, M, C, 1, 1), positive, summing to 1 over M.
    """
    batch, _, _, _ = logits.shape
    logits = logits.view(batch, -1, channels, 1, 1)
    if logits.shape[1] < branches:
        logits = torch.cat((torch.zeros_like(logits[:, :1]), logits), dim=1)
    return logits.softmax(dim=1)


def _branches(unit: UnitSpec, channels: int) -> list[tuple[int, int]]:
    """(dilation, channels per group) of each branch, in the one order in which they are built.

    Sorted by both, so that branches that differ in their groups alone have one order as well.
    """
    return sorted(zip(sorted(unit.dilations), unit.branch_widths(channels), strict=True))


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


def _kernel_shape(dilation: int, kernel: Kernel) -> tuple[int, int]:
    """(taps along a side, dilation) of a branch. A branch of dilation 1 is 3x3 in both forms."""
    return (3, dilation) if kernel == "dilated" else (2 * dilation + 1, 1)


@lru_cache(maxsize=4096)
def _taps(dilations: tuple[int, ...], kernel: Kernel) -> int:
    """Weights of one channel of a depthwise kernel, all branches together."""
    return sum(size * size for size, _ in (_kernel_shape(d, kernel) for d in dilations))


def _branch(
    channels: int, dilation: int, kernel: Kernel, group_width: int, act: bool, stride: int
) -> nn.Sequential:
    size, spread = _kernel_shape(dilation, kernel)
    layers: list[nn.Module] = [
        BranchConv2d(
            channels,
            channels,
            size,
            stride=stride,
            padding=spread * (size // 2),
            dilation=spread,
            groups=channels // group_width,
            bias=False,
        ),
        nn.BatchNorm2d(channels),
    ]
    if act:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _keep_norm_settings(module: SelectiveKernel, norm: nn.BatchNorm2d) -> None:
    """Give every BatchNorm the settings of the family (MobileNetV3 has eps 1e-3 and momentum 0.01)."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps, layer.momentum = norm.eps, norm.momentum


@torch.no_grad()
def _inherit(module: SelectiveKernel, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Start every branch from the convolution and the BatchNorm it replaces.

    Equal kernel sizes copy tap by tap; a larger kernel holds the plain one in its middle; a smaller one
    takes the middle taps. Where a branch sees channels that the convolution did not, it starts at zero.
    """
    outputs = torch.arange(conv.out_channels)
    plain_width = conv.weight.shape[1]
    for branch in module.branches:
        assert isinstance(branch, nn.Sequential)
        target, target_norm = branch[0], branch[1]
        assert isinstance(target, nn.Conv2d)
        assert isinstance(target_norm, nn.BatchNorm2d)
        resized = _resize_kernel(conv.weight, target.kernel_size[0])
        target.weight.zero_()
        width = target.weight.shape[1]
        for offset in range(plain_width):
            # Input channel of the network that each output reads here, and its number in the branch.
            channel = outputs // plain_width * plain_width + offset
            inside = channel - outputs // width * width
            seen = (inside >= 0) & (inside < width)
            target.weight[outputs[seen], inside[seen]] = resized[seen, offset]
        target_norm.load_state_dict(norm.state_dict())


def _resize_kernel(weight: Tensor, size: int) -> Tensor:
    """Pad with zeros or crop (C, g, k, k) around its middle to (C, g, size, size)."""
    margin = (size - weight.shape[-1]) // 2
    return nn.functional.pad(weight, (margin, margin, margin, margin))


@torch.no_grad()
def _compute_plain(module: SelectiveKernel, unit: UnitSpec, site: Site) -> None:
    """Scale an inherited unit so that it computes what the plain convolution computed.

    One branch holds the plain kernel; its BatchNorm is scaled by M, the others' by zero, and zero select
    weights make every attention 1 / M.
    """
    if unit.branch_act:
        # Even where a ReLU follows anyway, a branch that starts at zero behind its own ReLU would never
        # get a gradient: the start would be exact and the unit dead.
        raise refuse_plain(
            site, "the ReLU inside the branches changes the function; allowed: branch_act: false"
        )
    branches = [(*_kernel_shape(d, unit.kernel), w) for d, w in _branches(unit, site.channels)]
    holders = [
        i
        for i, (size, spread, width) in enumerate(branches)
        if spread == 1 and size >= site.kernel and width % site.group_width == 0
    ]
    if not holders:
        raise refuse_plain(
            site,
            f"no branch holds an undilated {site.kernel}x{site.kernel} kernel in groups of "
            f"{site.group_width} channels or more; add one to dilations",
        )
    for index, branch in enumerate(module.branches):
        assert isinstance(branch, nn.Sequential)
        norm = branch[1]
        assert isinstance(norm, nn.BatchNorm2d)
        holds = len(branches) if module.attends else 1
        scale = holds if index == holders[0] else 0
        norm.weight.mul_(scale)
        norm.bias.mul_(scale)
    if module.attends:
        module.select.weight.zero_()
