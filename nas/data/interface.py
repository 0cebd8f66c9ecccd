"""The interface of data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from nas.data.config import Augment


@dataclass(frozen=True)
class DataInfo:
    """Facts about a loaded data set.

    Attributes:
        name: Name the set was asked for by.
        num_classes: Number of classes; labels run from 0 to num_classes - 1.
        in_channels: Channels of an image.
        input_size: Side of the square images, in pixels.
        class_names: One name per class, in the order of the labels.
        mean: Mean of each channel over the training split, in [0, 1] pixel units.
        std: Standard deviation of each channel, in [0, 1] pixel units.
        train_images: Images in the training split, after any limit, without validation images.
        val_images: Images held out of the training set for validation.
        test_images: Images in the test set.
        resize: Shorter side in pixels to which the evaluation scales an image before it cuts the
            centre; None (the default) for images that are not scaled.
        read_side: Pixels to which the shorter side of a larger photograph is reduced when it is read,
            before anything else; None (the default) for images that are not read from files.
        fingerprint: Digest of the photographs, their classes and splits; None (the default) for sets
            that are not split by a hash of each path.
    """

    name: str
    num_classes: int
    in_channels: int
    input_size: int
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train_images: int
    val_images: int
    test_images: int
    resize: int | None = None
    read_side: int | None = None
    fingerprint: str | None = None


def numbered(info: DataInfo, split: Literal["train", "val", "test"]) -> Sequence[str]:
    """Names for the images of a split that are no files: ``test[0]``, ``test[1]``, ..."""
    count = {"train": info.train_images, "val": info.val_images, "test": info.test_images}[split]
    return [f"{split}[{place}]" for place in range(count)]


class TakesEpoch(Protocol):
    """An object that needs the number of the epoch before it starts."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields, counted from 0."""
        ...


class Batches(Protocol):
    """The batches of one pass over a split.

    An iteration yields pairs (images, labels): images are float32 of shape (B, C, H, W),
    normalised and laid out channels last; labels are int64 of shape (B,). Both are on the device
    asked for. The epoch changes only through `set_epoch`: iterating twice without it yields the
    same batches twice.
    """

    @property
    def sampler(self) -> TakesEpoch:
        """The object to tell the epoch to; training loops look for it under this name."""
        ...

    @property
    def batch_images(self) -> int:
        """Images in a full batch, of all processes together."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields, counted from 0."""
        ...

    def share(self, rank: int, processes: int) -> Batches:
        """The share of one of several processes of each of these batches.

        The shares of all processes form the batch: each image occurs once, with the same augmentation.
        The sizes of the shares differ by at most one image; a share of a small batch may be empty.

        Args:
            rank: Rank of the process, from 0.
            processes: Number of processes.
        """
        ...

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        ...

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches of the chosen epoch."""
        ...


class Data(Protocol):
    """A data set with a training, a validation and a test split that share no image."""

    @property
    def info(self) -> DataInfo:
        """Facts about the set."""
        ...

    def train_batches(
        self,
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        full: bool = False,
        balanced: bool = False,
        augment: Augment = "standard",
    ) -> Batches:
        """Shuffled and augmented training batches.

        The content of an epoch follows from the seed and the number of the epoch alone. The last
        incomplete batch is dropped, unless it is the only one.

        Args:
            batch_size: Images per batch.
            seed: Seed of the run.
            device: Where the batches are wanted.
            full: Also train on the validation images, as the final training does.
            balanced: Draw as many images of each class; those of rare classes repeat in an epoch.
            augment: ``trivial``: TrivialAugment after crop and flip; images of 1 or 3 channels.

        Raises:
            InvalidInput: If batch_size is below 1.
        """
        ...

    def class_counts(self, *, full: bool = False) -> tuple[int, ...]:
        """Number of training images of each class.

        Args:
            full: Also count the validation images.
        """
        ...

    def plain_train_batches(self, batch_size: int, device: torch.device) -> Batches:
        """All training images, without the validation images, as the test images are given.

        Their order is fixed, and there is no augmentation.

        Args:
            batch_size: Images per batch; the last batch may be smaller.
            device: Where the batches are wanted.

        Raises:
            InvalidInput: If batch_size is below 1.
        """
        ...

    def val_batches(self, batch_size: int, device: torch.device) -> Batches:
        """All validation images, in a fixed order and without training augmentation.

        Args:
            batch_size: Images per batch; the last batch may be smaller.
            device: Where the batches are wanted.

        Raises:
            InvalidInput: If batch_size is below 1.
        """
        ...

    def test_batches(self, batch_size: int, device: torch.device) -> Batches:
        """All test images, in a fixed order and without training augmentation.

        Args:
            batch_size: Images per batch; the last batch may be smaller.
            device: Where the batches are wanted.

        Raises:
            InvalidInput: If batch_size is below 1.
        """
        ...

    def image_names(self, split: Literal["train", "val", "test"]) -> Sequence[str]:
        """A name for each image of a split, in the order in which its batches give them.

        Training images are named in their fixed order, before they are shuffled.

        Args:
            split: ``train``, ``val`` or ``test``.

        Returns:
            Paths relative to the root of the data for files; such as ``test[12]`` for others.
        """
        ...
