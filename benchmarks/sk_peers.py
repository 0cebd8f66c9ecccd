"""SK units of others, with the weights of ours, for the benchmarks to compare with."""

from __future__ import annotations

from typing import Any

import torch
from timm.layers.selective_kernel import SelectiveKernel as TimmSelectiveKernel
from torch import Tensor, nn

from blocks import SelectiveKernel


class UsualSelectiveKernel(nn.Module):
    """The unit as it is usually transcribed from the paper."""

    def __init__(self, channels: int, branches: int, groups: int, hidden: int) -> None:
        super().__init__()
        self.branches, self.channels = branches, channels
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, 1, d, d, groups, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
            for d in range(1, branches + 1)
        )
        self.fc = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        self.select = nn.Conv2d(hidden, branches * channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit to ``x`` (B, C, H, W)."""
        maps = torch.cat([conv(x) for conv in self.convs], dim=1)
        maps = maps.view(len(x), self.branches, self.channels, *maps.shape[2:])
        logits = self.select(self.fc(maps.sum(dim=1).mean((2, 3), keepdim=True)))
        weights = logits.view(len(x), self.branches, self.channels, 1, 1).softmax(dim=1)
        return torch.sum(maps * weights, dim=1)


def timm_unit(ours: SelectiveKernel) -> nn.Module:
    """Timm's unit with the structure and the weights of ``ours``, whose kernels are 3x3."""
    convs: list[Any] = [branch.get_submodule("0") for branch in ours.branches]
    theirs: nn.Module = TimmSelectiveKernel(
        convs[0].in_channels,
        kernel_size=[2 * conv.dilation[0] + 1 for conv in convs],  # stands for the dilations
        stride=convs[0].stride[0],
        groups=convs[0].groups,
        rd_channels=ours.select.in_channels,
        split_input=False,
    )
    return with_weights_of(ours, theirs)


def with_weights_of(ours: nn.Module, theirs: nn.Module) -> nn.Module:
    """``theirs`` with the state of ``ours``; all units here have theirs in one order."""
    state = zip(theirs.state_dict(), ours.state_dict().values(), strict=True)
    theirs.load_state_dict(dict(state))
    return theirs


def check_equal(name: str, theirs: Tensor, ours: Tensor, tolerance: float) -> None:
    """End the run when what should be the same function is not."""
    difference = (theirs - ours).abs().max().item()
    if not difference < tolerance:
        raise SystemExit(f"{name} differs from ours by {difference:.2g} on {tuple(ours.shape)}")
