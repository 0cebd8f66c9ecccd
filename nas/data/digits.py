"""The handwritten digits that scikit-learn contains."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch.nn import functional

from nas.data.config import DataConfig
from nas.data.in_memory import InMemoryData, SetDefaults, in_memory_data
from nas.data.labelled import LabelledImages
from nas.data.split import hold_out, shares

# The published images have 8 x 8 pixels, too few for the four stages of a network.
INPUT_SIZE = 16
LEVELS = 16  # brightest pixel of the published images


def load(config: DataConfig) -> InMemoryData:
    """Load the 1,797 digits, enlarged to 16 x 16 pixels.

    There is no published split: a fixed, class-balanced fifth of all images is the test set, and
    a fifth of the others is held out for validation.

    Args:
        config: The user's choices.

    Raises:
        InvalidInput: If input_size is given.
    """
    published = load_digits()
    small = torch.from_numpy(published.images).float()[:, None] * (255 / LEVELS)
    large = functional.interpolate(small, size=INPUT_SIZE, mode="bilinear", align_corners=False)
    digits = LabelledImages(large.round().byte(), torch.from_numpy(published.target).long())
    split = hold_out(digits.labels, shares(digits.labels, round(len(digits) / 5)))
    defaults = SetDefaults(
        class_names=tuple(str(digit) for digit in range(10)),
        val_images=round(len(split.kept) / 5),
        flip=False,
        crop_padding=1,
    )
    train, test = digits.select(split.kept), digits.select(split.held_out)
    return in_memory_data(config, defaults, train, test)
