"""CIFAR-10 and CIFAR-100: 32 x 32 colour photographs in 10 or 100 classes."""

from __future__ import annotations

import torch
from torchvision.datasets import CIFAR10, CIFAR100

from blocks.errors import InvalidInput
from nas.data.config import DataConfig
from nas.data.in_memory import InMemoryData, SetDefaults, in_memory_data
from nas.data.labelled import LabelledImages
from nas.data.places import DOWNLOAD_ERRORS, search_roots

_ARCHIVES = {"cifar10": CIFAR10, "cifar100": CIFAR100}


def load(config: DataConfig) -> InMemoryData:
    """Load CIFAR: 45,000 training, 5,000 validation and 10,000 test images.

    The set is looked for in data_dir and ~/.cache/sknas, unpacked or as the published archive,
    and is else downloaded.

    Args:
        config: The user's choices; the name is cifar10 or cifar100.

    Raises:
        InvalidInput: If the set is neither found nor downloaded, or if input_size is given.
    """
    train = _published(config, train=True)
    test = _published(config, train=False)
    defaults = SetDefaults(
        class_names=tuple(train.classes), val_images=5_000, flip=True, crop_padding=4
    )
    return in_memory_data(config, defaults, _images(train), _images(test))


def _published(config: DataConfig, *, train: bool) -> CIFAR10:
    archive = _ARCHIVES[config.name]
    roots = search_roots(config.data_dir)
    present = [root for root in roots if (root / archive.base_folder).is_dir()]
    root = present[0] if present else roots[0]
    try:
        return archive(str(root), train=train, download=True)
    except DOWNLOAD_ERRORS as error:
        looked_in = ", ".join(str(place / archive.base_folder) for place in roots)
        raise InvalidInput(
            f"{config.name} is {'damaged' if present else 'missing'} (looked in {looked_in}) and"
            f" could not be downloaded to {root} ({error}); put {archive.filename} from"
            f" {archive.url} into data_dir"
        ) from error


def _images(published: CIFAR10) -> LabelledImages:
    images = torch.from_numpy(published.data).permute(0, 3, 1, 2).contiguous()
    return LabelledImages(images, torch.tensor(published.targets))
