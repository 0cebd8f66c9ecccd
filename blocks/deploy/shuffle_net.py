"""ShuffleNetV2 with the operators that mobile runtimes support."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torchvision.models.shufflenetv2 import InvertedResidual, ShuffleNetV2, channel_shuffle

from blocks.deploy.form import Form
from blocks.deploy.padding import pad_inner_channels


class ShuffleUnit(nn.Module):
    """torchvision's unit with the same branches, slices for the split, and a shuffle of rank 4.

    XNNPACK does not support the split, and some runtimes do not support tensors of five dimensions. Each
    unsupported operator splits the network into one more partition.

    Args:
        block: torchvision's unit; its branches become those of this module.
        form: The kind of runtime. pnnx turns torchvision's own shuffle into one operator, so the form
            ncnn keeps it.
    """

    def __init__(self, block: InvertedResidual, form: Form = "pytorch") -> None:
        super().__init__()
        self.form = form
        self.splits = block.stride == 1
        self.branch1 = block.branch1
        assert isinstance(block.branch2, nn.Sequential)
        self.branch2 = pad_inner_channels(block.branch2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W') as torchvision's unit."""
        if self.splits:
            left, right = self._halves(x)
        else:
            left, right = self.branch1(x), x
        joined = torch.cat((left, self.branch2(right)), dim=1)
        return channel_shuffle(joined, 2) if self.form == "ncnn" else shuffle_two(joined)

    def _halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.form == "ncnn":
            left, right = x.chunk(2, dim=1)
            return left, right
        half = x.shape[1] // 2
        return x[:, :half], x[:, half:]


def shuffle_two(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels of ``x`` (B, C, H, W), in four dimensions."""
    batch, channels, height, width = x.shape
    halves = x.view(batch, 2, channels // 2, height * width)
    return halves.transpose(1, 2).reshape(batch, channels, height, width)


def flat_shuffle_net(model: ShuffleNetV2) -> nn.Sequential:
    """``model`` as a sequence, with a spatial mean that keeps its dimensions, as XNNPACK needs it."""
    names = ["conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"]
    layers = [(name, model.get_submodule(name)) for name in names]
    tail = [("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten(1)), ("fc", model.fc)]
    return nn.Sequential(OrderedDict([*layers, *tail]))
