"""Reading and cropping image files, in the processes of a DataLoader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as image_functional

# Light networks underfit: they get a smaller range of areas than the usual (0.08, 1).
CROP_AREAS = (0.25, 1.0)
CROP_ASPECTS = (3 / 4, 4 / 3)

# Evaluation enlarges the shorter side to this multiple of the crop before cutting the centre.
CENTRE_MARGIN = 256 / 224

# Pillow's modes with 8 bits per channel, as in predict.py; the white point of others is unknown.
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


class CropRequest(NamedTuple):
    """One image, and how it is to be cropped.

    Attributes:
        row: Position of the image in the list of files.
        seed: Seed of a random resized crop; None asks for the centre crop of evaluation.
    """

    row: int
    seed: int | None


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of an image that cannot be read.

    An exception would reach the main process with the traceback of the worker as its message.
    """

    path: Path
    reason: str


class ImageFiles(Dataset[Tensor | Unreadable]):
    """Image files as square crops.

    Args:
        paths: The files.
        size: Side of the crops, in pixels.
    """

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self._paths = paths
        self._size = size

    def __getitem__(self, request: CropRequest) -> Tensor | Unreadable:
        """The crop, uint8 (3, size, size), or why there is none."""
        path = self._paths[request.row]
        try:
            with Image.open(path) as file:
                if file.mode not in MODES:
                    allowed = f"allowed, of 8 bits a channel: {', '.join(MODES)}"
                    return Unreadable(path, f"pixels of the kind {file.mode}; {allowed}")
                image = file.convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            return Unreadable(path, str(error))
        if request.seed is None:
            return _to_tensor(centre_crop(image, self._size))
        return _to_tensor(random_crop(image, self._size, request.seed))


def gather(crops: list[Tensor | Unreadable]) -> Tensor | Unreadable:
    """Stack crops into uint8 (B, 3, S, S), or return the first that cannot be read."""
    tensors = []
    for crop in crops:
        if isinstance(crop, Unreadable):
            return crop
        tensors.append(crop)
    return torch.stack(tensors)


def random_crop(image: Image.Image, size: int, seed: int) -> Image.Image:
    """A random part of an image, scaled to a square of ``size`` pixels."""
    # torchvision draws from the global generator; the rest of the program must not notice.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        box = RandomResizedCrop.get_params(image, list(CROP_AREAS), list(CROP_ASPECTS))
    cropped: Image.Image = image_functional.resized_crop(image, *box, [size, size])
    return cropped


def centre_resize(size: int) -> int:
    """Pixels that the shorter side has before a centre of ``size`` pixels is cut out."""
    return round(size * CENTRE_MARGIN)


def centre_crop(image: Image.Image, size: int) -> Image.Image:
    """The centre of an image whose shorter side was scaled before, a square of ``size`` pixels."""
    resized = image_functional.resize(image, [centre_resize(size)])
    cropped: Image.Image = image_functional.center_crop(resized, [size, size])
    return cropped


def _to_tensor(image: Image.Image) -> Tensor:
    tensor: Tensor = image_functional.pil_to_tensor(image)
    return tensor
