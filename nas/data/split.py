"""Class-balanced, fixed hold-out of a part of a data set."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Part of the definition of every data set: another value means other splits, and results that
# cannot be compared with earlier ones. It must never depend on the seed of a run.
SPLIT_SEED = 20190315


@dataclass(frozen=True)
class Split:
    """Positions of the images on the two sides of a split.

    Attributes:
        kept: int64 (N - H,), in a fixed random order.
        held_out: int64 (H,), in a fixed random order.
    """

    kept: Tensor
    held_out: Tensor


def shares(labels: Tensor, count: int) -> Tensor:
    """Divide a number of images among the classes in proportion to their sizes.

    Args:
        labels: int64 (N,), from 0.
        count: Images to take in all, at most N.

    Returns:
        int64 (classes,) that sums to `count`; each entry is its exact share rounded up or down.
    """
    sizes = torch.bincount(labels)
    # Whole-number arithmetic, so that ties fall the same way on every machine.
    floors = sizes * count // len(labels)
    remainders = sizes * count % len(labels)
    largest_first = torch.argsort(remainders, descending=True, stable=True)
    floors[largest_first[: count - int(floors.sum())]] += 1
    return floors


def hold_out(labels: Tensor, per_class: Tensor) -> Split:
    """Hold out a given number of images of each class.

    Args:
        labels: int64 (N,), from 0.
        per_class: int64 (classes,), images to hold out of each class.

    Returns:
        The same split for the same labels, always.
    """
    generator = torch.Generator().manual_seed(SPLIT_SEED)
    order = torch.randperm(len(labels), generator=generator)
    shuffled = labels[order]
    by_class = torch.argsort(shuffled, stable=True)
    sizes = torch.bincount(labels, minlength=len(per_class))
    starts = torch.cumsum(sizes, dim=0) - sizes
    rank = torch.empty_like(order)
    rank[by_class] = torch.arange(len(labels)) - starts[shuffled[by_class]]
    held = rank < per_class[shuffled]
    return Split(kept=order[~held], held_out=order[held])
