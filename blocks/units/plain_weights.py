"""Initialises Selective Kernel units from the convolution that they replace."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks.profile import InsertionPoint
from blocks.unit_spec import UnitSpec
from blocks.units.base import refuse_plain
from blocks.units.selective_kernel import SelectiveKernel, kernel_shape


def keep_norm_settings(module: SelectiveKernel, norm: nn.BatchNorm2d) -> None:
    """Give every BatchNorm the settings of the family (MobileNetV3 has eps 1e-3 and momentum 0.01)."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps, layer.momentum = norm.eps, norm.momentum


@torch.no_grad()
def inherit(module: SelectiveKernel, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Start every branch from the convolution and the BatchNorm it replaces.

    A kernel of equal size is copied; a larger kernel holds the plain one in its middle; a smaller one
    takes the middle taps. Weights for channels that the convolution does not read start at zero.
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
def compute_plain(module: SelectiveKernel, unit: UnitSpec, point: InsertionPoint) -> None:
    """Scale an inherited unit so that it computes what the plain convolution computed.

    One branch holds the plain kernel; its BatchNorm is scaled by M, the others' by zero, and zero select
    weights make every attention 1 / M.
    """
    if unit.branch_act:
        # Even if a ReLU follows anyway, a branch that starts at zero before its own ReLU never gets
        # a gradient: the start is exact, but the unit is dead.
        raise refuse_plain(
            point, "the ReLU inside the branches changes the function; allowed: branch_act: false"
        )
    branches = [
        (*kernel_shape(d, unit.kernel, point.kernel), w) for d, w in unit.branches(point.channels)
    ]
    holders = [
        i
        for i, (size, spread, width) in enumerate(branches)
        if spread == 1 and size >= point.kernel and width % point.group_width == 0
    ]
    if not holders:
        raise refuse_plain(
            point,
            f"no branch holds an undilated {point.kernel}x{point.kernel} kernel in groups of "
            f"{point.group_width} channels or more; add one to dilations",
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
