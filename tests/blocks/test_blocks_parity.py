"""Units against the modules of other libraries that compute the same; the other kinds' are with them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm import layers as timm_layers
from torch import nn
from torchvision import ops

from blocks import SelectiveKernel, SqueezeExcitation
from tests.blocks import feature_unit_checks as checks


def image(channels: int) -> torch.Tensor:
    torch.manual_seed(channels)
    return torch.randn(3, channels, 9, 8, dtype=torch.float64)


@pytest.mark.parametrize("theirs_is", ["timm", "torchvision"])
@pytest.mark.parametrize(("channels", "reduction"), [(24, 4), (30, 16)])
def test_squeeze_excitation(theirs_is: str, channels: int, reduction: int) -> None:
    ours = SqueezeExcitation(channels, reduction).double()
    checks.randomise(ours, 4)
    hidden = channels // reduction
    theirs: nn.Module = (
        timm_layers.SEModule(channels, rd_channels=hidden)
        if theirs_is == "timm"
        else ops.SqueezeExcitation(channels, hidden)
    ).double()
    for name, layer in {"fc1": ours.squeeze, "fc2": ours.excite}.items():
        copy = theirs.get_submodule(name)
        assert isinstance(copy, nn.Conv2d)
        assert copy.bias is not None
        copy.load_state_dict({"weight": layer.weight, "bias": torch.zeros_like(copy.bias)})
    x = image(channels)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "group_width"), [("dilated", 1), ("dilated", 4), ("real", 2)])
def test_selective_kernel(kernel: str, group_width: int, stride: int, training: bool) -> None:
    channels = 16
    ours = SelectiveKernel(
        channels,
        (1, 2),
        kernel=kernel,  # type: ignore[arg-type]
        group_width=group_width,
        reduction=2,
        min_dim=4,
        stride=stride,
    ).double()
    checks.randomise(ours, 4)
    theirs: Any = timm_layers.SelectiveKernel(
        channels,
        groups=channels // group_width,
        stride=stride,
        rd_channels=8,
        keep_3x3=kernel == "dilated",
        split_input=False,
    ).double()
    for path, branch in zip(theirs.paths, ours.branches, strict=True):
        assert isinstance(branch, nn.Sequential)
        path.conv.load_state_dict(branch[0].state_dict())
        path.bn.load_state_dict(branch[1].state_dict())
    for copy, layer in zip(
        (theirs.attn.fc_reduce, theirs.attn.bn, theirs.attn.fc_select),
        (ours.fuse[0], ours.fuse[1], ours.select),
        strict=True,
    ):
        copy.load_state_dict(layer.state_dict())
    x = image(channels)
    torch.testing.assert_close(
        ours.train(training)(x), theirs.train(training)(x), rtol=0, atol=1e-6
    )
