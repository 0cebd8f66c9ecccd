"""Networks that take pixels: the normalisation is their first layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601), as Pillow's ``convert("L")``."""
NETWORK = "network"
"""Name of the network behind its normalisation."""


def from_pixels(
    network: nn.Module, mean: Sequence[float], std: Sequence[float], channels: int
) -> nn.Sequential:
    """``network`` behind a 1x1 convolution that normalises pixels / 255.

    The convolution comes before the zeros that later layers pad with, so the function is the same to
    rounding, whatever the statistics of the channels.

    Args:
        network: Takes normalised images (B, C, H, W).
        mean: Mean per channel that it was trained with, C figures.
        std: Standard deviation per channel, likewise.
        channels: That the result takes: C, or 3 in front of a grey network.
    """
    means, stds = torch.tensor(mean), torch.tensor(std)
    grey_of_colours = channels == len(GREY) and len(mean) == 1
    groups = 1 if grey_of_colours else channels
    layer = nn.Conv2d(channels, len(mean), 1, groups=groups)
    assert layer.bias is not None
    with torch.no_grad():
        weights = (
            torch.tensor(GREY).view(1, -1, 1, 1)
            if grey_of_colours
            else torch.ones_like(layer.weight)
        )
        layer.weight.copy_(weights / stds.view(-1, 1, 1, 1))
        layer.bias.copy_(-means / stds)
    whole = nn.Sequential(OrderedDict([("pixels", layer), (NETWORK, network)]))
    return whole.eval().requires_grad_(False)


def pixels_of(images: Tensor, mean: Sequence[float], std: Sequence[float], channels: int) -> Tensor:
    """Normalised images (B, C, H, W) as pixels / 255, (B, channels, H, W)."""
    shape = (1, -1, 1, 1)
    pixels = images * torch.tensor(std).view(shape) + torch.tensor(mean).view(shape)
    return pixels.expand(-1, channels, -1, -1) if pixels.shape[1] != channels else pixels


def in_network(path: str) -> str:
    """The path of a layer in the network itself."""
    return path.removeprefix(f"{NETWORK}.")
