"""Enlarges objects: crops the middle of each image and resizes it to the size of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from blocks.errors import InvalidInput

SCALES = (1.0, 1.5, 2.0)
"""The scales of the paper's figures."""


def enlarge(images: Tensor, scale: float) -> Tensor:
    """Crop the middle of the images, 1/scale of a side, and resize it to the old size.

    The paper specifies "central cropping and subsequent resizing", but not the size of the crop. The
    crop here need not be a whole number of pixels, so that every scale is exact around the exact centre.
    If it is one, a pixel at the new border also reads half a pixel around the crop. The interpolation is
    bilinear. Images are never reduced, so no smoothing is needed.

    Args:
        images: Floating point (B, C, S, S).
        scale: 1 or more; 1 gives the images themselves.

    Returns:
        (B, C, S, S) of the same type and layout.
    """
    if scale == 1:
        return images
    to_image = torch.diag(images.new_tensor([1 / scale, 1 / scale, 1.0]))[:2]
    # All images have the same grid; expanding it over the batch needs no memory.
    grid = functional.affine_grid(to_image[None], [1, *images.shape[1:]], align_corners=False)
    grid = grid.expand(len(images), -1, -1, -1)
    enlarged = functional.grid_sample(images, grid, align_corners=False)
    if images.is_contiguous(memory_format=torch.channels_last):
        return enlarged.contiguous(memory_format=torch.channels_last)
    return enlarged


def check_scales(scales: Sequence[float], side: int) -> tuple[float, ...]:
    """The scales, each once, ascending.

    Args:
        scales: The requested scales.
        side: Side of the images in pixels.

    Raises:
        InvalidInput: A scale is below 1 or leaves less than two pixels; or 1 is missing or alone.
    """
    for scale in scales:
        # This form also refuses NaN.
        if not 1 <= scale <= side / 2 or math.isinf(scale):
            raise InvalidInput(f"--scales {scale:g}: allowed: 1 to {side / 2:g} for {side} pixels")
    ordered = tuple(sorted(set(scales)))
    if len(ordered) < 2 or ordered[0] != 1:
        raise InvalidInput("--scales: allowed: 1.0, the reference, and at least one other scale")
    return ordered
