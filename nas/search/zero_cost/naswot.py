"""``naswot``: how differently an untrained network sees different images."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


@torch.no_grad()
def naswot(model: nn.Module, images: Tensor) -> float:
    """Mellor et al., "Neural Architecture Search without Training" (ICML 2021), equation 2.

    Every ReLU is on or off at every place. The score is the logarithm of the determinant of the matrix
    that counts, for each pair of images, at how many places both are alike: it is large when no two
    images look the same to the network.

    Args:
        model: As it was built, in training mode: BatchNorm by the statistics of ``images``.
        images: (N, C, H, W).

    Returns:
        Higher is better; -inf when two images are not told apart, or where there is no ReLU.
    """
    count = len(images)
    alike = torch.zeros(count, count, dtype=torch.float64)

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        on = (inputs[0].reshape(count, -1) > 0).to(torch.float32)
        alike.add_((on @ on.T + (1 - on) @ (1 - on).T).to(torch.float64).cpu())

    hooks: list[Any] = [
        module.register_forward_pre_hook(look)
        for module in model.modules()
        if isinstance(module, nn.ReLU | nn.ReLU6)
    ]
    try:
        model.train()(images)
    finally:
        for hook in hooks:
            hook.remove()
    sign, logarithm = torch.linalg.slogdet(alike)
    return float(logarithm) if sign > 0 else -math.inf
