"""A network as it is exported for microcontrollers, without weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks import ArchSpec, build
from blocks.backbones.efficientnet_lite import Offset
from blocks.deploy import fuse


def deployed_on_meta(spec: ArchSpec) -> tuple[nn.Module, Tensor]:
    """The network on torch's meta device, from pixels to scores, and an image for it."""
    channels, side = spec.in_channels, spec.input_size
    with torch.device("meta"):
        network = build(spec).eval()
        for offset in network.modules():
            if isinstance(offset, Offset):
                offset.value = torch.zeros(1, device="cpu")  # fuse reads it, and removes the layer
        pixels = nn.Conv2d(channels, channels, 1, groups=channels)
        whole = nn.Sequential(pixels, fuse(network, "channels_last"), nn.Softmax(-1)).eval()
        return whole, torch.empty(1, channels, side, side)
