"""What the headers of image files say; each file is opened once until it changes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from nas.data.file_memo import FileState, found_out

_ORIENTATION = 0x112
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_ON_THEIR_SIDE = (5, 6, 7, 8)


class Header(NamedTuple):
    """What a header says.

    Attributes:
        format: By Pillow's name, such as ``JPEG``; MPO, a JPEG of several pictures, counts as JPEG.
        width: Of the upright picture.
        height: Of the upright picture.
        transparent: Whether there is an alpha channel or a transparent colour.
        turned: Whether the EXIF data say that the picture is to be turned or mirrored.
    """

    format: str
    width: int
    height: int
    transparent: bool
    turned: bool


def headers(paths: Sequence[Path]) -> list[Header | None]:
    """The headers of files that exist; None for one that cannot be read."""
    states = [FileState.of(path) for path in paths]
    known = found_out("header", states, _read, "looking at")
    return [_header(known[state.path]) for state in states]


def _header(text: str) -> Header | None:
    return Header(*json.loads(text)) if text else None


def _read(state: FileState) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            with Image.open(state.path) as image:
                return json.dumps(_of(image))
    except Exception:  # decoders of damaged files raise almost anything; the cache names those
        return ""


def _of(image: Image.Image) -> Header:
    orientation = 1
    # For PNG files Pillow decodes the pixels to find EXIF data that may lie behind them.
    if image.format != "PNG" or "exif" in image.info:
        orientation = image.getexif().get(_ORIENTATION, 1)
    width, height = image.size
    if orientation in _ON_THEIR_SIDE:
        width, height = height, width
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    transparent = image.mode in _ALPHA or "transparency" in image.info
    return Header(kind, width, height, transparent, orientation in range(2, 9))
