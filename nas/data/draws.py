"""The random numbers behind the batches."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

# Part of the definition of the jittered validation and test images, like the split seed.
VIEW_SEED = 20190316
BALANCED = -1
"""In place of a row: tells the draw of balanced classes from those of images."""


@dataclass(frozen=True)
class Augmentation:
    """Which training augmentation is applied.

    Attributes:
        flip: Mirror left to right with probability 1/2.
        crop_padding: Black pixels on each side before the random crop; 0 means no crop.
        scale_jitter: Lowest scale, in (0, 1], or None for no jitter.
        trivial: TrivialAugment, after crop and flip.
    """

    flip: bool
    crop_padding: int
    scale_jitter: float | None
    trivial: bool = False


@dataclass(frozen=True)
class Paste:
    """Where a number of images are pasted.

    Attributes:
        scale: float32 (N,), in [scale_jitter, 1].
        place: float32 (N, 2), in [-1, 1], vertical then horizontal.
    """

    scale: Tensor
    place: Tensor

    def part(self, start: int, stop: int) -> Paste:
        """The draws of the positions from `start` up to but excluding `stop`."""
        return Paste(self.scale[start:stop], self.place[start:stop])

    def to(self, device: torch.device) -> Paste:
        """The same draws on another device."""
        return Paste(self.scale.to(device), self.place.to(device))


@dataclass(frozen=True)
class EpochDraws:
    """Everything random in one training epoch of N images; entry i is the i-th image seen.

    Attributes:
        order: int64 (N,), a permutation of the images; of balanced classes fewer, with repeats.
        flip: bool (N,).
        corners: int64 (N, 2), top and left of the crop in the padded image.
        paste: N scales and places.
    """

    order: Tensor
    flip: Tensor
    corners: Tensor
    paste: Paste

    def to(self, device: torch.device) -> EpochDraws:
        """The same draws on another device."""
        return EpochDraws(
            order=self.order.to(device),
            flip=self.flip.to(device),
            corners=self.corners.to(device),
            paste=self.paste.to(device),
        )


@dataclass(frozen=True)
class BalancedClasses:
    """A request for as many images of each class.

    Attributes:
        labels: int64 (N,), of all images.
        images: Images of an epoch, which are divided among the classes that there are.
    """

    labels: Tensor
    images: int


def seed_from(*parts: int) -> int:
    """Mix whole numbers into one seed; every part and its position matters.

    The seed has 32 bits because the random generator of a CPU ignores higher ones.
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def image_seeds(rows: list[int], seed: int, epoch: int) -> list[int]:
    """A seed for the augmentation of each image of an epoch.

    Args:
        rows: Of the images, in their order. An image that occurs again gets another seed.
        seed: Seed of the run.
        epoch: Number of the epoch.
    """
    seen: Counter[int] = Counter()
    seeds = []
    for row in rows:
        again = (seen[row],) if seen[row] else ()
        seeds.append(seed_from(seed, epoch, row, *again))
        seen[row] += 1
    return seeds


def draw_epoch(
    images: int,
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    balanced: BalancedClasses | None = None,
) -> EpochDraws:
    """Draw an epoch, on the CPU so that every device sees the same one.

    All numbers are drawn whether they are used or not, so that turning one augmentation off
    leaves the order and the other augmentations as they were.

    Args:
        images: Number of images N.
        augmentation: Ranges of the draws.
        seed: Seed of the run.
        epoch: Number of the epoch.
        balanced: Draw as many images of each class; None: each image once.
    """
    generator = torch.Generator().manual_seed(seed_from(seed, epoch))
    order = torch.randperm(images, generator=generator)
    if balanced is not None:
        order = draw_balanced(balanced, seed, epoch)
    flip = torch.rand(images, generator=generator) < 0.5
    places = 2 * augmentation.crop_padding + 1
    corners = torch.randint(places, (images, 2), generator=generator)
    lowest = 1.0 if augmentation.scale_jitter is None else augmentation.scale_jitter
    return EpochDraws(
        order=order,
        flip=flip & augmentation.flip,
        corners=corners,
        paste=_draw_paste(images, lowest, generator),
    )


def draw_balanced(balanced: BalancedClasses, seed: int, epoch: int) -> Tensor:
    """Draw an epoch with as many images of each class, on the CPU.

    The images of a class are used equally often, but for one time. Of a class with more images than its
    part of an epoch, each epoch draws others.

    Args:
        balanced: The labels, and how many images are drawn.
        seed: Seed of the run.
        epoch: Number of the epoch.

    Returns:
        Rows, int64 (balanced.images,), in random order.
    """
    generator = torch.Generator().manual_seed(seed_from(seed, epoch, BALANCED))
    labels, images = balanced.labels.cpu(), balanced.images
    classes = labels.unique()
    # The classes that get one image more are others in each epoch.
    classes = classes[torch.randperm(len(classes), generator=generator)]
    drawn = []
    for place, one in enumerate(classes.tolist()):
        rows = (labels == one).nonzero()[:, 0]
        wanted = (place + 1) * images // len(classes) - place * images // len(classes)
        rounds = -(-wanted // len(rows))
        order = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)]
        drawn += [torch.cat(order)[:wanted]] if order else []
    rows = torch.cat(drawn)
    return rows[torch.randperm(len(rows), generator=generator)]


def draw_view(images: int, lowest_scale: float) -> Paste:
    """Draw the fixed scales and places of `images` validation or test images."""
    return _draw_paste(images, lowest_scale, torch.Generator().manual_seed(VIEW_SEED))


def _draw_paste(images: int, lowest_scale: float, generator: torch.Generator) -> Paste:
    scale = lowest_scale + (1 - lowest_scale) * torch.rand(images, generator=generator)
    place = 2 * torch.rand(images, 2, generator=generator) - 1
    return Paste(scale, place)
