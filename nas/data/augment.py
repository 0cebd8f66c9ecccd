"""Augmentation of whole batches; every random number is an argument."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def pad_images(images: Tensor, padding: int) -> Tensor:
    """Surround images with black pixels.

    Args:
        images: (N, C, S, S).
        padding: Pixels added on each of the four sides.

    Returns:
        (N, C, S + 2 * padding, S + 2 * padding) of the same type.
    """
    return functional.pad(images, (padding, padding, padding, padding))


def crop_images(padded: Tensor, rows: Tensor, corners: Tensor, size: int) -> Tensor:
    """Select images and cut a square window out of each.

    Args:
        padded: (N, C, P, P), the images to select from.
        rows: int64 (B,), positions of the wanted images.
        corners: int64 (B, 2), top and left of each window, in [0, P - size].
        size: Side of the windows.

    Returns:
        (B, C, size, size) of the same type.
    """
    # A view of all windows of all images, so that selecting and cutting is one copy.
    windows = padded.unfold(2, size, 1).unfold(3, size, 1)
    return windows[rows, :, corners[:, 0], corners[:, 1]]


def flip_images(images: Tensor, flip: Tensor) -> Tensor:
    """Mirror some of the images left to right.

    Args:
        images: (B, C, H, W).
        flip: bool (B,), True where an image is to be mirrored.

    Returns:
        (B, C, H, W) of the same type.
    """
    return torch.where(flip[:, None, None, None], images.flip(-1), images)


def paste_scaled(images: Tensor, scale: Tensor, place: Tensor) -> Tensor:
    """Paste each image, reduced in size, onto a black canvas of the original size.

    Pixels are interpolated bilinearly without a smoothing filter, so fine texture aliases at
    scales well below 1/2.

    Args:
        images: Floating point (B, C, S, S).
        scale: Float (B,), in (0, 1], ratio of the new side to the old.
        place: Float (B, 2), vertical and horizontal place in [-1, 1]: -1 touches the top or left
            edge of the canvas, 0 is the middle, 1 touches the bottom or right edge.

    Returns:
        (B, C, S, S) of the same type.
    """
    shift = place * (1 - scale)[:, None]
    # affine_grid wants the map from canvas to image: in = (out - shift) / scale.
    to_image = images.new_zeros(len(images), 2, 3)
    to_image[:, 0, 0] = to_image[:, 1, 1] = 1 / scale
    to_image[:, 0, 2] = -shift[:, 1] / scale
    to_image[:, 1, 2] = -shift[:, 0] / scale
    grid = functional.affine_grid(to_image, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Bring pixels to mean 0 and standard deviation 1.

    Args:
        images: (B, C, H, W), uint8 or floating point, from 0 to 255.
        mean: Float (C,), in [0, 1] pixel units.
        std: Float (C,), in [0, 1] pixel units.

    Returns:
        float32 (B, C, H, W), laid out channels last.
    """
    # Written into a fresh tensor because `contiguous` leaves the strides of one-channel images
    # as they are, and convolutions choose their layout by the strides.
    result = torch.empty(
        images.shape,
        dtype=torch.float32,
        device=images.device,
        memory_format=torch.channels_last,
    )
    result.copy_(images)
    # Channels lie innermost: with a mean for each column and channel, whole rows are done at once.
    rows = result.permute(0, 2, 3, 1).flatten(2)
    width = images.shape[3]
    rows.sub_((mean * 255).repeat(width)).div_((std * 255).repeat(width))
    return result
