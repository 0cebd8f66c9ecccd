"""``synflow``: how much could flow through an untrained network along all of its paths."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def synflow(model: nn.Module, images: Tensor) -> float:
    """Tanaka et al. (NeurIPS 2020), as a score of networks by Abdelfattah et al. (ICLR 2021).

    With every weight replaced by its absolute value and an image of ones as input, the sum over all
    weights of the weight times the derivative of the summed outputs. BatchNorm as it is before training,
    where it passes everything on.

    Args:
        model: As it was built; its weights are changed.
        images: (N, C, H, W); only their shape counts.

    Returns:
        The natural logarithm; higher is better. -inf where nothing flows.
    """
    # In float32 the product of so many layers is beyond its range.
    model = model.double().eval()
    parameters = list(model.parameters())
    with torch.no_grad():
        for parameter in parameters:
            parameter.abs_()
    with torch.enable_grad():
        ones = torch.ones_like(images[:1], dtype=torch.float64)
        slopes = torch.autograd.grad(model(ones).sum(), parameters, allow_unused=True)
    flow = sum(
        float((parameter.detach() * slope).sum())
        for parameter, slope in zip(parameters, slopes, strict=True)
        if slope is not None
    )
    return math.log(flow) if flow > 0 else -math.inf
