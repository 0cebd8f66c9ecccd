"""The data sets there are; a new one is a new file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from blocks.errors import InvalidInput
from nas.data import cifar, digits, fashion_mnist, image_folder
from nas.data.config import DataConfig
from nas.data.interface import Data

# A name that ends in ":PATH" stands for all names that have a path there.
LOADERS: Mapping[str, Callable[[DataConfig], Data]] = MappingProxyType(
    {
        "digits": digits.load,
        "fashion_mnist": fashion_mnist.load,
        "cifar10": cifar.load_cifar10,
        "cifar100": cifar.load_cifar100,
        "imagefolder:PATH": image_folder.load,
    }
)

DATASETS = tuple(LOADERS)


def load_data(config: DataConfig) -> Data:
    """Load a data set.

    Args:
        config: Which set, and how it is augmented.

    Raises:
        InvalidInput: If there is no set of that name, if its files are missing or damaged, or if
            an option does not apply to it.
    """
    kind, colon, path = config.name.partition(":")
    key = f"{kind}:PATH" if colon and path else config.name
    if key not in LOADERS:
        raise InvalidInput(f"unknown data set {config.name!r}; allowed are {', '.join(DATASETS)}")
    return LOADERS[key](config)
