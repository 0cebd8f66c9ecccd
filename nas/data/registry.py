"""The registered data sets. A new one is a new file and a line here; your own sets need neither."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from blocks.errors import InvalidInput
from nas.naming import option
from nas.plugins import is_reference

if TYPE_CHECKING:  # the names of the sets are known without torch
    from nas.data.config import DataConfig
    from nas.data.interface import Data

# The module of each set has a function `load(config)`. It is imported when the set is asked for,
# because some sets need libraries that take seconds to import. A name that ends in ":PATH" stands
# for all names that have a path there.
MODULES: Mapping[str, str] = MappingProxyType(
    {
        "digits": "nas.data.digits",
        "fashion_mnist": "nas.data.fashion_mnist",
        "fashion_scenes": "nas.data.fashion_scenes",
        "cifar10": "nas.data.cifar",
        "cifar100": "nas.data.cifar",
        "imagefolder:PATH": "nas.data.image_folder",
    }
)

OWN = "package.module:NAME or my.py:NAME"
OWN_MODULE = "nas.data.own_data"
"""Loads the sets that a person names by import path."""
DATASETS = (*MODULES, OWN)
MIN_TRAIN_IMAGES = 2


def load_data(config: DataConfig) -> Data:
    """Load a data set.

    Args:
        config: Which set, and how it is augmented.

    Raises:
        InvalidInput: If there is no set of that name, if its files are missing or damaged, if an
            option does not apply to it, or if it holds (or is limited to) fewer than two training
            images.
    """
    kind, colon, path = config.name.partition(":")
    key = f"{kind}:PATH" if colon and path else config.name
    ours = kind in {name.partition(":")[0] for name in MODULES}
    own = OWN_MODULE if is_reference(config.name) and not ours else None
    module = MODULES.get(key, own)
    if module is None:
        raise InvalidInput(
            f"unknown data set {config.name!r}; allowed are {', '.join(DATASETS)}, and a path of "
            "photographs that exists"
        )
    for field in ("group_by", "splits"):
        if getattr(config, field) is not None and not config.is_photographs:
            raise InvalidInput(
                f"{option(field)} is {getattr(config, field)!r} for {config.name}; it applies to "
                "photographs only"
            )
    if kind != "imagefolder" and os.path.exists(config.name):
        logging.getLogger("nas.data").warning(
            "%s: the data set of this name is used; for the folder of this name write ./%s",
            *(config.name, config.name),
        )
    load: Callable[[DataConfig], Data] = import_module(module).load
    data = load(config)
    if data.info.train_images < MIN_TRAIN_IMAGES:
        # BatchNorm cannot be trained on one image.
        raise InvalidInput(
            f"{config.name}: {data.info.train_images} training image; at least {MIN_TRAIN_IMAGES} are "
            "needed"
        )
    return data
