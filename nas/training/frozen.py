"""Layers that a recipe keeps from changing: all but the classifier at first, BatchNorm's statistics."""

from __future__ import annotations

from torch import nn

from nas.training.norms import NORMS
from nas.training.optimizer import classifier_of
from nas.training.recipe import Recipe


def freeze(net: nn.Module, recipe: Recipe, epoch: int) -> None:
    """Prepare ``net``, which is in training mode, for an epoch, counted from 0.

    A layer without gradients is not updated: optimizers skip it, weight decay included.
    """
    if recipe.head_epochs == 0 and not recipe.freeze_norm:
        return
    head_only = epoch < recipe.head_epochs
    head = classifier_of(net)
    kept = set() if head is None else set(head.parameters())
    if kept:
        for parameter in net.parameters():
            parameter.requires_grad_(not head_only or parameter in kept)
    if head_only or recipe.freeze_norm:
        for module in net.modules():
            if isinstance(module, NORMS):
                module.eval()
