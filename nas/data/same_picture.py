"""Whether two pictures that look alike in outline show the same: their levels and colours decide.

Objects on a plain ground have outlines that resemble each other, and outlines are most of what hashes
and edges see. So the ground that both have is left out, and what remains is compared pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Pixels a side of the small pictures that are compared."""
MOST_DIFFERENT = 12.0
"""Largest difference of two copies, of 255, as a root mean square."""
OF_CONTRAST, NOISE = 0.25, 3.0
"""Largest difference as a share of the contrast, besides what encoding adds."""
_GRID = 16
_GROUND, _GROUND_SHARE = 10, 0.5
"""Levels within which a pixel belongs to the ground, and the share of the border that a ground has."""
_GREY = 8
"""Largest difference of the channels in a picture without colours."""
_GAINS, _OFFSET = (0.7, 1.4), 40.0
"""How much brighter or darker a copy may be."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_STEPS = (0.03 * SIDE, 0.015 * SIDE)
"""By how much the sides of a cut are moved to find where it was made."""

Box = tuple[float, float, float, float]


def shows_the_same(one: NDArray[np.uint8], other: NDArray[np.uint8], box: Box) -> bool:
    """Whether a part of a picture is another picture, up to its brightness and the noise of encoding.

    Args:
        one: The first, (64, 64, 3).
        other: The second likewise, mirrored if need be.
        box: Left, top, right and bottom of the part of ``one`` that is about ``other``, in pixels.
    """
    image, wanted = Image.fromarray(one), _pixels(Image.fromarray(other), (0, 0, SIDE, SIDE))
    best = box
    least, alike = _compare(_pixels(image, best), wanted)
    if alike or least > 3 * MOST_DIFFERENT:
        return alike
    for step in _STEPS:
        for near in _moved(best, step):
            difference, alike = _compare(_pixels(image, near), wanted)
            if alike:
                return True
            if difference < least:
                least, best = difference, near
    return False


def _moved(box: Box, step: float) -> Iterator[Box]:
    """The box with one side moved, or two opposite ones."""
    for first, second in ((0, 2), (1, 3)):
        for moves in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1)):
            sides = list(box)
            sides[first] = max(0.0, sides[first] + moves[0] * step)
            sides[second] = min(float(SIDE), sides[second] + moves[1] * step)
            yield sides[0], sides[1], sides[2], sides[3]


def _pixels(image: Image.Image, box: Box) -> NDArray[np.float32]:
    return np.asarray(image.resize((_GRID, _GRID), Image.Resampling.BILINEAR, box=box), np.float32)


def _compare(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, bool]:
    """The difference of two pictures, (16, 16, 3), and whether it is that of copies."""
    objects = _objects(one, other)
    if not objects.any():
        return 0.0, False
    a, b = one[objects], other[objects]
    if min(float(np.ptp(picture, axis=2).max()) for picture in (one, other)) <= _GREY:
        a, b = a @ _LUMA, b @ _LUMA
    x, y = a - a.mean(), b - b.mean()
    gain = float(np.clip((x * y).sum() / max(float((x * x).sum()), 1.0), *_GAINS))
    offset = float(np.clip((b - gain * a).mean(), -_OFFSET, _OFFSET))
    difference = float(np.sqrt(np.square(b - gain * a - offset).mean()))
    most = min(MOST_DIFFERENT, OF_CONTRAST * float(b.std()) + NOISE)
    return difference, difference <= most


def _objects(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where either picture differs from its plain ground, (16, 16); everywhere without such grounds."""
    grounds = [_ground(one), _ground(other)]
    found = np.zeros(one.shape[:2], np.bool_)
    for picture, ground in zip((one, other), grounds, strict=True):
        if ground is None:
            return np.ones_like(found)
        found |= np.abs(picture - ground).max(2) > _GROUND
    return found


def _ground(picture: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The colour that most of the border of a picture has, or None."""
    border = np.concatenate([picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]])
    middle = np.asarray(np.median(border, axis=0), np.float32)
    is_ground = np.abs(border - middle).max(1) <= _GROUND
    return middle if is_ground.mean() >= _GROUND_SHARE else None
