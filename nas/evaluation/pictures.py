"""Pictures out of batches: what the network sees of an image, for people and for the duplicates."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nas.data import Data, DataInfo
from nas.evaluation.predictions import Split, split_batches

if TYPE_CHECKING:
    from nas.evaluation.predictions import Network

THUMB = 96
"""Pixels of the longer side of a picture in the page."""
QUALITY = 80
SMALL = 16
"""Pixels a side of what the search for wrong labels sees of a picture."""


def to_pictures(images: Tensor, info: DataInfo) -> list[Image.Image]:
    """Normalised images (B, C, H, W) as pictures: grey for one channel, else the first three as RGB."""
    shape = (1, -1, 1, 1)
    mean, std = (torch.tensor(figures).view(shape) for figures in (info.mean, info.std))
    pixels = ((images.cpu() * std + mean) * 255).round().clamp(0, 255).byte()
    if pixels.shape[1] == 2:
        pixels = pixels[:, :1]
    grey = pixels.shape[1] == 1
    rows = pixels[:, 0] if grey else pixels[:, :3].permute(0, 2, 3, 1)
    return [Image.fromarray(row.contiguous().numpy()) for row in rows]


def renormalised(
    network: Network, info: DataInfo, mean: tuple[float, ...], std: tuple[float, ...]
) -> Network:
    """A network that takes images normalised with the statistics of a data set.

    Args:
        network: Takes images normalised with ``mean`` and ``std``.
        info: Of the data set.
        mean: Mean per channel in the network's training.
        std: Standard deviation per channel likewise.
    """
    if (info.mean, info.std) == (mean, std):
        return network
    shape = (1, -1, 1, 1)
    theirs = [torch.tensor(figures).view(shape) for figures in (info.mean, info.std)]
    ours = [torch.tensor(figures).view(shape) for figures in (mean, std)]
    return lambda images: network((images * theirs[1] + theirs[0] - ours[0]) / ours[1])


def small_pixels(picture: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a picture at 16 x 16, (16, 16) or (16, 16, 3)."""
    return np.asarray(picture.resize((SMALL, SMALL), Image.Resampling.BOX))


def data_url(picture: Image.Image) -> str:
    """A small picture as the page embeds it."""
    small = picture.copy()
    small.thumbnail((THUMB, THUMB))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def thumbnails(data: Data, wanted: Mapping[Split, Iterable[int]]) -> dict[tuple[Split, int], str]:
    """The small pictures of images by split and position."""
    found: dict[tuple[Split, int], str] = {}
    for split, rows in wanted.items():
        left = set(rows)
        start = 0
        for images, labels in split_batches(data, split) if left else ():
            here = [row for row in range(start, start + len(labels)) if row in left]
            places = [row - start for row in here]
            pictures = to_pictures(images[places], data.info) if places else []
            found |= {(split, row): data_url(one) for row, one in zip(here, pictures, strict=True)}
            start += len(labels)
            left -= set(here)
            if not left:
                break
    return found
