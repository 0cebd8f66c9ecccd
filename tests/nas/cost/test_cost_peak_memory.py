"""The most memory that activations take at once, by hand for networks that a person can follow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks import SelectiveKernel
from blocks.deploy import fuse
from nas.cost import peak_activation_bytes

IMAGE = torch.randn(1, 2, 8, 8)
MAP = 4 * IMAGE.numel()


class TwoPaths(nn.Module):
    """The input lives until both have read it; then both outputs and their sum do."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + 1 + (x * 2)).flatten(1)


class Long(nn.Module):
    """The first map waits for the last operator."""

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for _ in range(5):
            y = y.relu() + 1
        return y + x


def test_sums_of_what_is_alive() -> None:
    assert peak_activation_bytes(TwoPaths(), IMAGE) == 3 * MAP
    assert peak_activation_bytes(Long(), IMAGE) == 3 * MAP
    assert peak_activation_bytes(nn.Conv2d(2, 8, 3, padding=1), IMAGE) == 5 * MAP
    assert peak_activation_bytes(nn.Flatten(), IMAGE) == MAP


def test_branches_cost_memory_that_multiply_adds_do_not_show() -> None:
    """Beside the input the branches, and with them first their sum, later the weighted maps."""
    image = torch.randn(1, 8, 16, 16)
    maps = []
    for dilations in ((1,), (1, 2), (1, 2, 3)):
        unit = fuse(SelectiveKernel(8, dilations), "graph")
        maps.append(peak_activation_bytes(unit, image) // (4 * image.numel()))
    assert maps == [2, 3, 5]
