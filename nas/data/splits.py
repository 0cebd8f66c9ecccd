"""What a data set of one's own gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset


@dataclass(frozen=True)
class Datasets:
    """A data set of one's own: what the callable that ``--data my.py:NAME`` names returns.

    The splits are map-style datasets (``__len__``, ``__getitem__`` from 0) whose items are pairs of an
    image and a label. Images are all PIL images, of any size, or all tensors (C, S, S) of one size and
    type: uint8, or floating point in [0, 1]. Labels are integers from 0.

    Attributes:
        train: Images that networks are trained on.
        val: Images that the search compares networks by.
        test: Images that only a full training looks at, once.
        class_names: One name per class, in the order of the labels.
        flip: Whether a mirrored image is still of its class; the default of ``data.flip``.
        crop_padding: The default of ``data.crop_padding``, for tensors.

    Examples:
        >>> import nas, torch
        >>> from torch.utils.data import TensorDataset
        >>> def noise(count: int) -> TensorDataset:
        ...     return TensorDataset(torch.rand(count, 1, 16, 16), torch.arange(count) % 2)
        >>> nas.Datasets(noise(100), noise(20), noise(20), class_names=["one", "other"]).class_names
        ['one', 'other']
    """

    train: Dataset[Any]
    val: Dataset[Any]
    test: Dataset[Any]
    class_names: Sequence[str]
    flip: bool = True
    crop_padding: int = 0
