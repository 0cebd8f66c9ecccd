"""ShuffleNetV2 with the operators that mobile runtimes support."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
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
        return SHUFFLES[self.form](joined)

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


def shuffle_two_channels_last(x: Tensor) -> Tensor:
    """The same, pixel by pixel: one transposition where a runtime keeps their channels together."""
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(batch, height * width, 2, channels // 2)
    return pixels.transpose(2, 3).reshape(batch, height, width, channels).permute(0, 3, 1, 2)


SHUFFLES: dict[Form, Callable[[Tensor], Tensor]] = {
    "pytorch": shuffle_two,
    "graph": shuffle_two,
    "channels_last": shuffle_two_channels_last,
    "ncnn": lambda x: channel_shuffle(x, 2),
}


class PaddedMaxPool(nn.Module):
    """Max pooling of maps that are nowhere negative, as they are behind a ReLU.

    They are padded with zeros, not with minus infinity: some clients have no operator for that.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        assert isinstance(pool.padding, int)
        self.margin = pool.padding
        self.pool = nn.MaxPool2d(pool.kernel_size, pool.stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H', W') as the pooling; ``x`` is not negative."""
        pooled: Tensor = self.pool(functional.pad(x, (self.margin,) * 4))
        return pooled


def flat_shuffle_net(model: ShuffleNetV2, form: Form = "pytorch") -> nn.Sequential:
    """``model`` as a sequence, with a spatial mean that keeps its dimensions, as XNNPACK needs it."""
    names = ["conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"]
    layers = [(name, model.get_submodule(name)) for name in names]
    pool = dict(layers)["maxpool"]
    if form == "channels_last" and isinstance(pool, nn.MaxPool2d) and pool.padding:
        layers[1] = ("maxpool", PaddedMaxPool(pool))
    tail = [("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten(1)), ("fc", model.fc)]
    return nn.Sequential(OrderedDict([*layers, *tail]))
