"""What a network says about every image of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from blocks.errors import InvalidInput
from nas.data import Batches, Data
from nas.data.config import shown_name

BATCH = 200
CPU = torch.device("cpu")
Split: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Network: TypeAlias = Callable[[Tensor], Tensor]
"""Images (B, C, H, W), normalised as the data set does it -> logits (B, K)."""


@dataclass(frozen=True)
class Predictions:
    """The outputs of a network on labelled images.

    Attributes:
        class_names: One per class, in the order of the logits.
        names: One per image: a path below the data's root, or ``test[12]``.
        splits: The split of each image.
        labels: int64 (N,).
        logits: float64 (N, K).
    """

    class_names: tuple[str, ...]
    names: tuple[str, ...]
    splits: tuple[Split, ...]
    labels: NDArray[np.int64]
    logits: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    @property
    def named(self) -> NDArray[np.int64]:
        """The predicted class of each image, (N,)."""
        return np.asarray(self.logits.argmax(1), np.int64)

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Softmax of the logits divided by ``temperature``, (N, K)."""
        from scipy.special import softmax

        return np.asarray(softmax(self.logits / temperature, axis=1))

    def of(self, split: Split) -> Predictions:
        """Those of one split."""
        return self.select(np.array([one == split for one in self.splits], bool).nonzero()[0])

    def select(self, rows: NDArray[np.int64]) -> Predictions:
        """Those of the images at the given positions, (M,), in their order."""
        return Predictions(
            self.class_names,
            tuple(self.names[row] for row in rows),
            tuple(self.splits[row] for row in rows),
            self.labels[rows],
            self.logits[rows],
        )

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Predictions of several splits, one after the other."""
        return cls(
            parts[0].class_names,
            tuple(name for part in parts for name in part.names),
            tuple(split for part in parts for split in part.splits),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.logits for part in parts]),
        )


def split_batches(data: Data, split: Split, batch_size: int = BATCH) -> Batches:
    """All images of a split in their fixed order, without augmentation."""
    if split == "train":
        return data.plain_train_batches(batch_size, CPU)
    make = data.val_batches if split == "val" else data.test_batches
    return make(batch_size, CPU)


def predict(
    network: Network,
    data: Data,
    split: Split,
    class_names: tuple[str, ...],
    see: Callable[[Tensor, Tensor], None] | None = None,
) -> Predictions:
    """Run a network on every image of a split.

    Args:
        network: From images, normalised as the data set does it, to logits.
        data: The data set; each of its classes has a name in ``class_names``.
        split: Which of its images.
        class_names: Classes of the network.
        see: Called with the images (B, C, H, W) and labels (B,) of every batch, in order.

    Raises:
        InvalidInput: The split is empty, or an image cannot be read.
    """
    place = {name: index for index, name in enumerate(class_names)}
    to_network = torch.tensor([place[name] for name in data.info.class_names])
    logits, labels = [], []
    for images, theirs in split_batches(data, split):
        if see is not None:
            see(images, theirs)
        with torch.inference_mode():
            logits.append(network(images).double().numpy())
        labels.append(to_network[theirs].numpy())
    if not logits:
        raise InvalidInput(
            f"{shown_name(data.info.name)}: no {split} images; allowed: a split with images"
        )
    count = sum(map(len, labels))
    return Predictions(
        class_names,
        tuple(data.image_names(split)),
        (split,) * count,
        np.concatenate(labels),
        np.concatenate(logits),
    )


def last_linear(model: nn.Module) -> nn.Linear | None:
    """The layer that makes the logits; None for a network without one."""
    layers = [one for one in model.modules() if isinstance(one, nn.Linear)]
    return layers[-1] if layers else None


@contextmanager
def recorded_features(model: nn.Module) -> Iterator[list[NDArray[np.float32]]]:
    """Collect what the last linear layer is given, (B, F) a batch: the features of the images.

    The list stays empty for a network without such a layer.
    """
    kept: list[NDArray[np.float32]] = []
    layer = last_linear(model)
    if layer is None:
        yield kept
        return

    def keep(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        kept.append(given[0].detach().flatten(1).float().numpy())

    handle = layer.register_forward_pre_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()
