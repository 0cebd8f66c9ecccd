"""Reads a photograph: the one way for training, calibration, evaluation and the programs of a bundle.

This file stands alone, because it is copied into every bundle; it must not import this project.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

VERSION = 1
"""Version of the pixels that this file makes of a file; another number makes caches be built anew."""

MOST_PIXELS = 200_000_000
"""Largest number of pixels of an image, by its header; telephones take up to 200 million."""

FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "PPM", "AVIF", "HEIF", "JPEG2000", "TGA",
)  # fmt: skip
"""Formats that are read, by Pillow's names, as far as Pillow has them. Others start programs (EPS)."""

MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")
"""Pillow's modes of 8 bits a channel that are read. Grey of 16 bits is read as well."""

GROUND = (255, 255, 255)
"""Colour behind transparent pixels: white, as on paper."""

TRANSPOSE: Any = getattr(Image, "Transpose", Image)
BILINEAR: Any = getattr(Image, "Resampling", Image).BILINEAR
"""Pillow before 9.1 has these names in the module itself; boards still have it."""

_ORIENTATION = 0x112
_TURNS = {
    2: TRANSPOSE.FLIP_LEFT_RIGHT,
    3: TRANSPOSE.ROTATE_180,
    4: TRANSPOSE.FLIP_TOP_BOTTOM,
    5: TRANSPOSE.TRANSPOSE,
    6: TRANSPOSE.ROTATE_270,
    7: TRANSPOSE.TRANSVERSE,
    8: TRANSPOSE.ROTATE_90,
}
_OPENING = threading.Lock()


class PhotoError(Exception):
    """An image that cannot be read.

    Attributes:
        path: Its file; None for an image that came without one.
        reason: One line that says why.
    """

    def __init__(self, path: Path | None, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path is not None else reason)
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[PhotoError], tuple[Path | None, str]]:
        """Processes send it to each other."""
        return type(self), (self.path, self.reason)


def read_photo(path: Path, least_side: int | None = None) -> Image.Image:
    """Read an image file as every viewer shows it.

    The orientation of its EXIF data is applied, and transparent pixels are composited over ``GROUND``.
    Of an animation, the first frame is read. Grey of 16 bits is scaled to 8. Colour profiles are not
    applied.

    Args:
        path: The file.
        least_side: If given, a JPEG file may be decoded at 1/2, 1/4 or 1/8 of its size, which is
            faster, as long as its shorter side keeps this many pixels. Other files are decoded in full.

    Returns:
        An image of mode RGB.

    Raises:
        PhotoError: The file is missing, damaged, truncated, of an unknown format, larger than
            ``MOST_PIXELS`` or has pixels of another kind.
    """
    try:
        # Given a path, Pillow maps some TIFF files into memory and mixes up those with an orientation.
        with path.open("rb") as file, _opened(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise PhotoError(
                    path, f"{image.width} x {image.height} pixels; allowed: {MOST_PIXELS:,} in all"
                )
            if least_side is not None:
                image.draft(None, (least_side, least_side))  # JPEG only; elsewhere it does nothing
            return upright_rgb(image)
    except PhotoError as error:
        raise PhotoError(path, error.reason) from None
    except Exception as error:  # Pillow's plugins raise anything for damaged files
        raise PhotoError(path, _reason(error)) from None


def read_reduced(path: Path, side: int | None) -> Image.Image:
    """Read an image file, and reduce it until its shorter side has ``side`` pixels.

    A smaller image, and any image if ``side`` is None, keeps its size.

    Raises:
        PhotoError: As for ``read_photo``.
    """
    image = read_photo(path, side)
    shorter = min(image.size)
    if side is None or shorter <= side:
        return image
    return image.resize(_scaled(image.size, side), BILINEAR)


def centre_crop(image: Image.Image, size: int, resize: int) -> Image.Image:
    """The centre of an image, a square of ``size`` pixels.

    Args:
        image: Of any size.
        size: Side of the square.
        resize: Pixels to which the shorter side is scaled before, at least ``size``.
    """
    scaled = _scaled(image.size, resize)
    # Only the pixels of the square are computed; they are those of the whole scaled image.
    left, top = (round((side - size) / 2) for side in scaled)
    across, down = image.width / scaled[0], image.height / scaled[1]
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return image.resize((size, size), BILINEAR, box=box)


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened image in RGB, turned as its EXIF data say, over ``GROUND``.

    Raises:
        PhotoError: Its pixels are of a kind that is not read.
    """
    image.load()  # first: some formats turn the image themselves here, and then say so
    turn = _TURNS.get(_orientation(image))
    converted = _rgb(image)
    return converted if turn is None else converted.transpose(turn)


def _opened(file: BinaryIO) -> Image.Image:
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    # Pillow's own limit is a variable of its module, warns before it refuses, and is not ours.
    with _OPENING:
        theirs, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = theirs


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
        return value if isinstance(value, int) else 1
    except Exception:  # damaged EXIF data do not damage the pixels
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return _of_16_bits(image)
    if image.mode not in MODES:
        raise PhotoError(
            None,
            f"pixels of the kind {image.mode}; allowed: grey of 16 bits, and of 8 bits a channel: "
            + ", ".join(MODES),
        )
    if image.mode in ("La", "RGBa"):  # colours multiplied by the alpha
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (*GROUND, 255))
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


def _of_16_bits(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image).astype(np.uint32)
    grey = ((pixels + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[pixels == transparent] = GROUND[0]
    return Image.fromarray(grey).convert("RGB")


def _scaled(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """The size of an image whose shorter side is scaled to ``shorter``; truncated, as in torchvision."""
    least = min(size)
    width, height = (shorter if side == least else int(shorter * side / least) for side in size)
    return width, height


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a format that is read"
    if isinstance(error, MemoryError):
        return "too little memory for it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:200] or type(error).__name__
