"""The optimizer of a recipe, and its learning rates over time."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    SequentialLR,
)

from nas.training.recipe import Recipe

ADDITIONAL = 0.3
"""Rate at the start of additional epochs, in parts of the recipe's peak."""


def make_optimizer(net: nn.Module, recipe: Recipe) -> Optimizer:
    """The optimizer of ``recipe``, with a group of parameters for each learning rate.

    Biases and BatchNorm have no weight decay.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for factor, parameter in _rates(net, recipe):
        groups.setdefault((factor, parameter.ndim > 1), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": recipe.lr * factor,
            "weight_decay": recipe.weight_decay if decayed else 0.0,
        }
        for (factor, decayed), parameters in groups.items()
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(settings, lr=recipe.lr, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(
        settings, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0
    )


def classifier_of(net: nn.Module) -> nn.Linear | None:
    """The last linear layer, which computes the logits; None if the network has none."""
    linear = [one for one in net.modules() if isinstance(one, nn.Linear)]
    return linear[-1] if linear else None


def _rates(net: nn.Module, recipe: Recipe) -> list[tuple[float, nn.Parameter]]:
    """Each parameter with its rate in multiples of ``recipe.lr``."""
    head = classifier_of(net)
    layers = [one for one in net.modules() if list(one.parameters(recurse=False))]
    body = [one for one in layers if one is not head]
    steps = max(len(body) - 1, 1)
    factors = {id(one): recipe.first_lr ** (1 - i / steps) for i, one in enumerate(body)}
    # A parameter of two layers has the rate of the first.
    rates: dict[nn.Parameter, float] = {}
    for layer in layers:
        for parameter in layer.parameters(recurse=False):
            rates.setdefault(parameter, recipe.head_lr if layer is head else factors[id(layer)])
    return [(rate, parameter) for parameter, rate in rates.items()]


def make_schedule(
    optimizer: Optimizer, recipe: Recipe, steps_per_epoch: int, start: int = 0
) -> LRScheduler:
    """The whole schedule of the recipe, also if this process trains fewer epochs.

    Args:
        optimizer: Its groups keep the ratios of their rates.
        recipe: The recipe.
        steps_per_epoch: Batches an epoch.
        start: Epochs before this schedule began: of a finished training that was given more. Then the
            rate starts at a part of the recipe's peak and falls to 0 by half a cosine.
    """
    if start:
        return _additional(optimizer, (recipe.epochs - start) * steps_per_epoch)
    steps = recipe.epochs * steps_per_epoch
    if recipe.schedule == "one_cycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, max_lr=peaks, total_steps=max(steps, 2), cycle_momentum=False)
    warmup = min(recipe.warmup_epochs * steps_per_epoch, steps - 1)
    rest: LRScheduler
    if recipe.schedule == "cosine":
        rest = CosineAnnealingLR(optimizer, T_max=steps - warmup)
    else:
        # Its warm-up is as long in a short training as in a long one.
        warmup = recipe.warmup_epochs * steps_per_epoch
        rest = ConstantLR(optimizer, factor=1.0, total_iters=1)
    if warmup == 0:
        return rest
    linear = LinearLR(optimizer, start_factor=0.01, total_iters=warmup)
    return SequentialLR(optimizer, [linear, rest], milestones=[warmup])


def _additional(optimizer: Optimizer, steps: int) -> LambdaLR:
    def factor(step: int) -> float:
        return ADDITIONAL * (1 + math.cos(math.pi * min(step, steps) / steps)) / 2

    return LambdaLR(optimizer, factor)
