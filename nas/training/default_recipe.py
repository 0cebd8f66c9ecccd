"""The recipe of a training for which none was named: by its start and its number of images.

Some hundred steps are needed, whatever the number of images. An epoch of a small set has few; a small
set gets more epochs. docs/howto/recipes.md has the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from blocks.wording import plural
from nas.training.recipe import FINE_TUNE, RECIPES, Recipe

SMALL = 2000
"""Images from which on large batches give enough steps to random weights."""


@dataclass(frozen=True)
class Length:
    """How long a training is.

    Attributes:
        epochs: At least.
        steps: At least, if ``most`` epochs are enough for them.
        most: Epochs at most, unless ``epochs`` are more.
    """

    epochs: int
    steps: int
    most: int

    def epochs_of(self, images: int, batch_size: int) -> int:
        """Epochs with so many images; an incomplete batch at the end of an epoch is dropped."""
        needed = math.ceil(self.steps / max(1, images // batch_size))
        return max(self.epochs, min(needed, self.most))


Default: TypeAlias = tuple[str, Length]
"""Name of a recipe, and how long it is."""
# In a trial of a search, and in a full training.
PRETRAINED: tuple[Default, Default] = (
    (FINE_TUNE, Length(3, 120, 20)),
    (FINE_TUNE, Length(10, 400, 50)),
)
FEW_IMAGES: tuple[Default, Default] = (
    ("tiny", Length(10, 150, 40)),
    ("tiny", Length(25, 600, 100)),
)
MANY_IMAGES: tuple[Default, Default] = (
    ("proxy", Length(3, 0, 0)),
    ("full", Length(30, 0, 0)),
)


def default_recipe(
    images: int, *, pretrained: bool, trial: bool, batch_size: int | None = None
) -> tuple[str, Recipe]:
    """Name and recipe of a training.

    Args:
        images: Of an epoch.
        pretrained: Whether it starts from pretrained weights.
        trial: Whether it is a trial of a search; else a full training.
        batch_size: In place of the recipe's.

    Examples:
        >>> name, recipe = default_recipe(1000, pretrained=True, trial=True)
        >>> name, recipe.epochs
        ('fine_tune', 4)
    """
    rows = PRETRAINED if pretrained else FEW_IMAGES if images < SMALL else MANY_IMAGES
    name, length = rows[0 if trial else 1]
    recipe = RECIPES[name]
    epochs = length.epochs_of(images, batch_size or recipe.batch_size)
    return name, recipe.model_copy(update={"epochs": epochs})


def said(name: str, epochs: int, images: int, *, pretrained: bool, given: bool = False) -> str:
    """One line about a recipe that was chosen.

    Args:
        name: Of the recipe.
        epochs: Its epochs.
        images: Of an epoch.
        pretrained: Whether the training starts from pretrained weights.
        given: Whether the epochs were asked for, and are not those of the default.
    """
    start = "from pretrained weights" if pretrained else "from random weights"
    if given:
        asked = f"{plural(epochs, 'epoch')} as given"
        return f"recipe {name}: the default for {images:,} images {start}; {asked}"
    return f"recipe {name}, {plural(epochs, 'epoch')}: the default for {images:,} images {start}"
