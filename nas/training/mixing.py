"""mixup and CutMix: batches of images blended in pairs, with their labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms import v2

from nas.training.recipe import Recipe


def mix(images: Tensor, labels: Tensor, recipe: Recipe, num_classes: int) -> tuple[Tensor, Tensor]:
    """The batch as the recipe wants it blended.

    Args:
        images: (B, C, H, W).
        labels: int64 (B,).
        recipe: Its ``mixup`` and ``cutmix``.
        num_classes: Number of classes.

    Returns:
        Images of the same shape; labels as they are without blending, else probabilities
        (B, num_classes).
    """
    if recipe.mixup == 0 and recipe.cutmix == 0:
        return images, labels
    # Drawn from torch's global generator, whose state the checkpoint keeps.
    both = recipe.mixup > 0 and recipe.cutmix > 0
    cut = recipe.mixup == 0 or (both and bool(torch.rand(()) < 0.5))
    blend = (
        v2.CutMix(alpha=recipe.cutmix, num_classes=num_classes)
        if cut
        else v2.MixUp(alpha=recipe.mixup, num_classes=num_classes)
    )
    mixed: tuple[Tensor, Tensor] = blend(images, labels)
    return mixed
