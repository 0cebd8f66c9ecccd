"""Larger objects: the middle of each image, enlarged to the size of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from blocks.errors import InvalidInput

SCALES = (1.0, 1.5, 2.0)
"""What the paper's figures show."""


def enlarge(images: Tensor, scale: float) -> Tensor:
    """Cut out the middle of the images, 1/scale of a side, and bring it back to the old size.

    The paper says "central cropping and subsequent resizing" and not how large the crop is. It need not
    be a whole number of pixels here, so that every scale is met exactly and around the exact centre;
    where it is one, a pixel of the new border also sees half a pixel around the crop. Pixels are
    interpolated bilinearly. Nothing is ever reduced, so there is nothing to smooth beforehand.

    Args:
        images: Floating point (B, C, S, S).
        scale: 1 or more; 1 gives the images themselves.

    Returns:
        (B, C, S, S) of the same type and layout.
    """
    if scale == 1:
        return images
    to_image = torch.diag(images.new_tensor([1 / scale, 1 / scale, 1.0]))[:2]
    # Row and column of every image take the same way; one grid is stretched over the batch for free.
    grid = functional.affine_grid(to_image[None], [1, *images.shape[1:]], align_corners=False)
    grid = grid.expand(len(images), -1, -1, -1)
    enlarged = functional.grid_sample(images, grid, align_corners=False)
    if images.is_contiguous(memory_format=torch.channels_last):
        return enlarged.contiguous(memory_format=torch.channels_last)
    return enlarged


def check_scales(scales: Sequence[float], side: int) -> tuple[float, ...]:
    """The scales, each once, ascending.

    Args:
        scales: As asked for.
        side: Of the images, in pixels.

    Raises:
        InvalidInput: A scale below 1 or one that leaves less than two pixels; 1 missing or alone.
    """
    for scale in scales:
        # Written so that "not a number" is refused as well.
        if not 1 <= scale <= side / 2 or math.isinf(scale):
            raise InvalidInput(f"--scales {scale:g}: allowed: 1 to {side / 2:g} for {side} pixels")
    ordered = tuple(sorted(set(scales)))
    if len(ordered) < 2 or ordered[0] != 1:
        raise InvalidInput("--scales: allowed: 1.0, which the others are compared with, and others")
    return ordered
