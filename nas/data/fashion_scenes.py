"""Fashion-MNIST's objects at many sizes, on clutter: a task in which the scale of objects matters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from blocks.errors import InvalidInput
from nas.data.config import DataConfig
from nas.data.fashion_mnist import DEFAULTS, read_fashion_mnist
from nas.data.in_memory import InMemoryData, in_memory_data
from nas.data.labelled import LabelledImages

Part: TypeAlias = Literal["train", "test"]

INPUT_SIZE: Final = 64
SMALLEST_SIZE, LARGEST_SIZE = 48, 128
SMALLEST_OBJECT: Final = 0.2
"""Side of the smallest target, in parts of the side of the scene; the largest fills it."""
DISTRACTORS: Final = 2
"""Halves of other objects in each scene."""
PIECES: Final = 3
"""Small cuttings of other objects in each scene."""
SEEDS: Final = {"train": 20190316, "test": 20190317}
"""Part of the definition of the set: it never depends on the seed of a run."""
GROUND: Final = 70
"""The brightest ground; objects are opaque where they are brighter than ``OPAQUE``."""
OPAQUE: Final = 12
CHUNK: Final = 2000


@dataclass(frozen=True)
class Targets:
    """Where the target of each scene is.

    Attributes:
        side: int64 (N,), side of the target in pixels.
        top: int64 (N,), its first row.
        left: int64 (N,), its first column.
    """

    side: Tensor
    top: Tensor
    left: Tensor


def load(config: DataConfig) -> InMemoryData:
    """Load 60,000 training (a sixth held out for validation) and 10,000 test scenes.

    Each image of Fashion-MNIST is the target of one scene: whole, upright, its side log-uniform
    from a fifth of the scene's to all of it. Around it stand halves of other objects, at sizes of
    the same range, and small cuttings, as in cluttered MNIST (Mnih et al., NeurIPS 2014), on a
    shaded ground. Test scenes are made of test images alone. The scenes are the same on every
    machine and in every run.

    Args:
        config: The user's choices; ``input_size`` is the side of the scenes, 48 to 128 pixels, 64
            unless given.

    Raises:
        InvalidInput: As for Fashion-MNIST, or if ``input_size`` is out of range.
    """
    size = config.input_size or INPUT_SIZE
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise InvalidInput(
            f"input_size is {size} for the data set {config.name}; allowed are {SMALLEST_SIZE} to "
            f"{LARGEST_SIZE}"
        )
    train, test = _composed(config.data_dir, size)
    return in_memory_data(config.model_copy(update={"input_size": None}), DEFAULTS, train, test)


@lru_cache(maxsize=1)
def _composed(data_dir: str | None, size: int) -> tuple[LabelledImages, LabelledImages]:
    """Both parts; kept, since the trials of a search run one after the other in a process."""
    train, test = read_fashion_mnist(data_dir)
    return compose(train, "train", size), compose(test, "test", size)


def targets(part: Part, count: int, size: int = INPUT_SIZE) -> Targets:
    """Size and place of the target of each scene, in the order of the published images.

    Args:
        part: "train" or "test".
        count: Number of scenes.
        size: Side of the scenes in pixels.
    """
    generator = torch.Generator().manual_seed(SEEDS[part])
    return _placed(torch.rand(3, count, generator=generator), size, SMALLEST_OBJECT)


def compose(objects: LabelledImages, part: Part, size: int = INPUT_SIZE) -> LabelledImages:
    """A scene around each object.

    Args:
        objects: uint8 (N, 1, 28, 28) and their classes.
        part: "train" or "test"; the scenes of one part are drawn independently of the other.
        size: Side of the scenes in pixels.

    Returns:
        uint8 (N, 1, size, size) and the same classes.
    """
    count = len(objects)
    place = targets(part, count, size)
    generator = torch.Generator().manual_seed(SEEDS[part] + 2)
    scenes = _ground(count, size, generator)
    for number in range(DISTRACTORS + PIECES):
        others = objects.images[torch.randint(count, (count,), generator=generator)]
        half = number < DISTRACTORS
        cut = _halves(others, generator) if half else _cuttings(others, generator)
        drawn = torch.rand(3, count, generator=generator)
        _paste(
            scenes,
            cut,
            _placed(drawn, size, SMALLEST_OBJECT, 1.0 if half else SMALLEST_OBJECT * 1.5),
        )
    _paste(scenes, objects.images, place)
    return LabelledImages(scenes, objects.labels)


def _placed(drawn: Tensor, size: int, smallest: float, largest: float = 1.0) -> Targets:
    """Sides and places of three uniform numbers each, float (3, N)."""
    side = (size * smallest * (largest / smallest) ** drawn[0]).round().long()
    top, left = ((size + 1 - side) * drawn[1:]).long().unbind()
    return Targets(side, top, left)


def _ground(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Smooth shades of dark grey, uint8 (N, 1, size, size)."""
    coarse = GROUND * torch.rand(count, 1, 4, 4, generator=generator)
    return torch.cat(
        [
            functional.interpolate(part, size=size, mode="bilinear").byte()
            for part in coarse.split(CHUNK)
        ]
    )


def _halves(objects: Tensor, generator: torch.Generator) -> Tensor:
    """One half of each object, left, right, upper or lower: the rest is transparent."""
    which = torch.randint(4, (len(objects),), generator=generator)
    edge = objects.shape[-1]
    first = torch.arange(edge) < edge // 2
    columns, rows = first.expand(edge, edge), first[:, None].expand(edge, edge)
    masks = torch.stack([columns, ~columns, rows, ~rows])
    return objects * masks[which][:, None]


def _cuttings(objects: Tensor, generator: torch.Generator) -> Tensor:
    """A square of 8 x 8 pixels of the middle of each object, uint8 (N, 1, 8, 8)."""
    corners = 6 + torch.randint(9, (len(objects), 2), generator=generator)
    windows = objects[:, 0].unfold(1, 8, 1).unfold(2, 8, 1)
    return windows[torch.arange(len(objects)), corners[:, 0], corners[:, 1]][:, None]


def _paste(scenes: Tensor, objects: Tensor, place: Targets) -> None:
    """Draw the objects into the scenes; where an object is dark, the scene remains."""
    for side in place.side.unique().tolist():
        rows = (place.side == side).nonzero()[:, 0]
        drawn = functional.interpolate(
            objects[rows].float(), size=side, mode="bilinear", antialias=True
        ).round()
        steps = torch.arange(side)
        down = (place.top[rows, None] + steps)[:, :, None]
        across = (place.left[rows, None] + steps)[:, None, :]
        below = scenes[rows[:, None, None], 0, down, across]
        drawn = drawn[:, 0].byte()
        scenes[rows[:, None, None], 0, down, across] = torch.where(drawn > OPAQUE, drawn, below)
