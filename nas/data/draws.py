"""The random numbers behind the batches."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

# Part of the definition of the jittered validation and test images, like the split seed.
VIEW_SEED = 20190316


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
        order: int64 (N,), a permutation of the images.
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


def seed_from(*parts: int) -> int:
    """Mix whole numbers into one seed; every part and its position matters.

    The seed has 32 bits because the random generator of a CPU ignores higher ones.
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def draw_epoch(images: int, augmentation: Augmentation, seed: int, epoch: int) -> EpochDraws:
    """Draw an epoch, on the CPU so that every device sees the same one.

    All numbers are drawn whether they are used or not, so that turning one augmentation off
    leaves the order and the other augmentations as they were.

    Args:
        images: Number of images N.
        augmentation: Ranges of the draws.
        seed: Seed of the run.
        epoch: Number of the epoch.
    """
    generator = torch.Generator().manual_seed(seed_from(seed, epoch))
    order = torch.randperm(images, generator=generator)
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


def draw_view(images: int, lowest_scale: float) -> Paste:
    """Draw the fixed scales and places of `images` validation or test images."""
    return _draw_paste(images, lowest_scale, torch.Generator().manual_seed(VIEW_SEED))


def _draw_paste(images: int, lowest_scale: float, generator: torch.Generator) -> Paste:
    scale = lowest_scale + (1 - lowest_scale) * torch.rand(images, generator=generator)
    place = 2 * torch.rand(images, 2, generator=generator) - 1
    return Paste(scale, place)
