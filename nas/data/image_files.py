"""Square crops of photographs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from nas.data.photo import centre_crop, read_reduced

# Light networks underfit: they get a smaller range of areas than the usual (0.08, 1).
CROP_AREAS = (0.25, 1.0)
CROP_ASPECTS = (3 / 4, 4 / 3)
CROP_ATTEMPTS = 10

# Evaluation enlarges the shorter side to this multiple of the crop before cutting the centre.
CENTRE_MARGIN = 256 / 224

# Photographs are kept with a shorter side of this multiple of what evaluation needs: a random crop of
# the mean area then has more pixels than the network's input. A larger multiple costs memory.
READ_MARGIN = 1.25


class CropRequest(NamedTuple):
    """One image, and how it is to be cropped.

    Attributes:
        row: Position of the image in the list of files.
        seed: Seed of a random resized crop; None asks for the centre crop of evaluation.
        flip: Whether the crop is mirrored left to right.
        trivial: Whether TrivialAugment follows, with the same seed.
    """

    row: int
    seed: int | None
    flip: bool = False
    trivial: bool = False


class Photos(Protocol):
    """Where the pixels of photographs come from."""

    def pixels(self, path: Path) -> NDArray[np.uint8]:
        """The photograph, reduced to ``read_side``, uint8 (H, W, 3).

        Raises:
            PhotoError: It cannot be read.
        """
        ...


class PhotoFiles:
    """Photographs read from their files each time.

    Args:
        side: Pixels to which the shorter side of larger ones is reduced.
    """

    def __init__(self, side: int) -> None:
        self._side = side

    def pixels(self, path: Path) -> NDArray[np.uint8]:
        """See `Photos.pixels`."""
        return np.asarray(read_reduced(path, self._side))


def crop(pixels: NDArray[np.uint8], size: int, seed: int | None) -> NDArray[np.uint8]:
    """A square of ``size`` pixels, uint8 (size, size, C), of an image (H, W, C): see `CropRequest`."""
    if seed is not None:
        return random_crop(pixels, size, seed)
    grey = pixels.shape[2] == 1
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    square = np.asarray(centre_crop(image, size, centre_resize(size)))
    return square[..., None] if grey else square


def random_crop(pixels: NDArray[np.uint8], size: int, seed: int) -> NDArray[np.uint8]:
    """A random part of an image (H, W, C), scaled to (size, size, C)."""
    top, left, height, width = crop_box(pixels.shape[0], pixels.shape[1], seed)
    # A copy by numpy: torch would start threads of its own for it, in each thread that reads.
    part = np.array(pixels[top : top + height, left : left + width], order="C")
    scaled = functional.interpolate(
        torch.from_numpy(part).permute(2, 0, 1)[None],
        size=(size, size),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    square: NDArray[np.uint8] = scaled[0].permute(1, 2, 0).numpy()
    return square


def crop_box(height: int, width: int, seed: int) -> tuple[int, int, int, int]:
    """Top, left, height and width of a random crop, spread as in torchvision's RandomResizedCrop."""
    # A generator of its own: the rest of the program must not notice.
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(CROP_ATTEMPTS, 4, generator=generator, dtype=torch.float64).tolist()
    least, most = CROP_AREAS
    narrow, wide = (math.log(aspect) for aspect in CROP_ASPECTS)
    for share, shape, down, across in draws:
        area = height * width * (least + (most - least) * share)
        aspect = math.exp(narrow + (wide - narrow) * shape)
        high, broad = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < high <= height and 0 < broad <= width:
            top, left = int(down * (height - high + 1)), int(across * (width - broad + 1))
            return top, left, high, broad
    # Long images: the largest centre of an allowed shape.
    aspect = min(max(width / height, CROP_ASPECTS[0]), CROP_ASPECTS[1])
    high, broad = min(height, round(width / aspect)), min(width, round(height * aspect))
    high, broad = max(1, high), max(1, broad)
    return (height - high) // 2, (width - broad) // 2, high, broad


def centre_resize(size: int) -> int:
    """Pixels that the shorter side has before a centre of ``size`` pixels is cut out."""
    return round(size * CENTRE_MARGIN)


def read_side(size: int) -> int:
    """Pixels to which the shorter side of a larger photograph is reduced once, for crops of ``size``."""
    return math.ceil(centre_resize(size) * READ_MARGIN)
