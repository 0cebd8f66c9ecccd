"""An SK unit that sums its branches without attention, as one convolution."""

from __future__ import annotations

import torch
from torch import nn

from blocks.deploy.selective_kernel import FusedSelectiveKernel
from blocks.units.depthwise import spread_kernel


def one_convolution(unit: FusedSelectiveKernel, largest: int = 0) -> nn.Conv2d | None:
    """The convolution that computes what ``unit`` computes, whose branches are linear.

    A sum of convolutions of one input is the convolution with the sum of their kernels, each padded with
    zeros to the size of the largest and spread by its dilation (RepVGG, Ding et al., CVPR
    2021; of dilated kernels UniRepLKNet, Ding et al., CVPR 2024).

    Args:
        unit: A unit with folded BatchNorms.
        largest: Up to this side the kernel may have more weights than the branches together, as the 5x5
            of dilations 1 and 2 has: 25 in place of 18. Default 0: never more.

    Returns:
        The convolution; None: the branches have a ReLU, attention, padding or groups that do not allow
        it, or there is only one.
    """
    convs = unit.convolutions
    sides = [(conv.kernel_size[0] - 1) * conv.dilation[0] + 1 for conv in convs]
    side, first = max(sides), convs[0]
    alike = all(
        conv.groups == first.groups
        and conv.padding_mode == "zeros"
        and conv.padding == (reach // 2, reach // 2)
        for conv, reach in zip(convs, sides, strict=True)
    )
    linear = all(len(list(branch.children())) == 1 for branch in unit.branches)
    if unit.attends or not linear or not alike or len(convs) == 1:
        return None
    if side > largest and side**2 > sum(conv.kernel_size[0] ** 2 for conv in convs):
        return None
    kernels = [
        nn.functional.pad(spread_kernel(conv.weight, conv.dilation[0]), ((side - reach) // 2,) * 4)
        for conv, reach in zip(convs, sides, strict=True)
    ]
    merged = nn.Conv2d(
        first.in_channels, first.out_channels, side, first.stride[0], side // 2, groups=first.groups
    )
    biases = [conv.bias for conv in convs if conv.bias is not None]
    merged.weight = nn.Parameter(torch.stack(kernels).sum(0).detach())
    merged.bias = nn.Parameter(torch.stack(biases).sum(0).detach())
    return merged
