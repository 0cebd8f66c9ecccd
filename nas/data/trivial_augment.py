"""TrivialAugment (Mueller and Hutter, ICCV 2021): one operation of random strength for each image.

torchvision has the operations and their strengths (the paper's space "Wide"). Here they are drawn from
a seed for each image, not from torch's global generator, which threads share.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from nas.data.draws import seed_from

OPERATION = 1
"""Distinguishes the seed of the operation from that of the crop, which is the image's own."""
CHANNELS = (1, 3)
"""Of images that the operations know."""


class _Wide(v2.TrivialAugmentWide):  # type: ignore[misc]  # torchvision has no types
    """torchvision's transform with a generator."""

    def draw(self, side: int, generator: torch.Generator) -> tuple[str, float]:
        """Operation and strength, as its ``forward`` draws them."""
        names = tuple(self._AUGMENTATION_SPACE)
        name = names[int(torch.randint(len(names), (), generator=generator))]
        strengths_of, signed = self._AUGMENTATION_SPACE[name]
        strengths = strengths_of(self.num_magnitude_bins, side, side)
        if strengths is None:
            return name, 0.0
        strength = float(
            strengths[int(torch.randint(self.num_magnitude_bins, (), generator=generator))]
        )
        if signed and torch.rand((), generator=generator) <= 0.5:
            strength = -strength
        return name, strength

    def apply(self, image: Image.Image, name: str, strength: float) -> Image.Image:
        """The image after an operation."""
        done: Image.Image = self._apply_image_or_video_transform(
            image, name, strength, self.interpolation, self._fill
        )
        return done


_WIDE = _Wide()


def trivial_augment(pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """One image after the operation that its seed draws.

    Args:
        pixels: uint8 (S, S, C), of 1 or 3 channels.
        seed: Of the image in its epoch.

    Returns:
        Likewise.
    """
    generator = torch.Generator().manual_seed(seed_from(seed, OPERATION))
    name, strength = _WIDE.draw(pixels.shape[0], generator)
    grey = pixels.shape[2] == 1
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    # Pillow's operations: on images of this size several times as fast as those on tensors.
    done = np.asarray(_WIDE.apply(image, name, strength))
    return done[..., None] if grey else done


def trivial_augment_tensor(image: Tensor, seed: int) -> Tensor:
    """As ``trivial_augment``, of a tensor.

    Args:
        image: (C, S, S) on the CPU: uint8, or floating point in [0, 1].
        seed: Of the image in its epoch.

    Returns:
        Likewise.
    """
    if image.is_floating_point():
        levels = trivial_augment_tensor((image * 255).round().to(torch.uint8), seed)
        return levels.to(image.dtype) / 255
    done = trivial_augment(image.permute(1, 2, 0).contiguous().numpy(), seed)
    return torch.from_numpy(done.copy()).permute(2, 0, 1)
