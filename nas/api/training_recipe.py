"""The recipe of a full training: the one that is named, that it began with, or the default."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from blocks.errors import InvalidInput
from nas.api.options import check_options
from nas.data import DataConfig, load_data
from nas.runs import TrialFolder
from nas.training import Recipe, read_info
from nas.training.default_recipe import default_recipe, said


def training_recipe(
    given: Mapping[str, Any], images: DataConfig, folder: TrialFolder, *, pretrained: bool
) -> Recipe:
    """The recipe of a training in ``folder``.

    Args:
        given: Options by name; see ``check_options``.
        images: What is trained on.
        folder: Its checkpoint, if there is one, says how the training began.
        pretrained: Whether it starts from pretrained weights.

    Raises:
        InvalidInput: An option is out of range, or the images are missing.
    """
    recipe = check_options(given)
    if given["recipe"] is not None:
        return recipe
    begun = _begun(folder)
    if begun is not None:
        return check_options(given, begun)
    info = load_data(images).info
    validates = given["patience"] is not None or given["keep"] == "best"
    number = info.train_images + (0 if validates else info.val_images)
    name, default = default_recipe(
        number, pretrained=pretrained, trial=False, batch_size=given["batch_size"]
    )
    recipe = check_options(given, default)
    asked = given["epochs"] is not None
    line = said(name, recipe.epochs, number, pretrained=pretrained, given=asked)
    logging.getLogger("nas.recipe").info(line)
    return recipe


def _begun(folder: TrialFolder) -> Recipe | None:
    if not folder.checkpoint.is_file():
        return None
    try:
        return read_info(folder.checkpoint).recipe
    except InvalidInput:  # damaged: the training starts over
        return None
