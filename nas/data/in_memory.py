"""Data sets that fit on the device as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from blocks.errors import InvalidInput
from nas.data.augment import pad_images
from nas.data.config import Augment, DataConfig
from nas.data.draws import Augmentation
from nas.data.in_memory_batches import InMemoryEvalBatches, InMemoryTrainBatches
from nas.data.interface import DataInfo, numbered
from nas.data.labelled import LabelledImages, view
from nas.data.split import hold_out, shares
from nas.data.statistics import Statistics, pixel_statistics


@dataclass(frozen=True)
class SetDefaults:
    """What makes a data set besides its images, and how it is augmented unless asked otherwise.

    Attributes:
        class_names: One name per class, in the order of the labels.
        val_images: Images to hold out of the training set, balanced over the classes.
        flip: Default of the training augmentation.
        crop_padding: Default of the training augmentation, in pixels.
    """

    class_names: tuple[str, ...]
    val_images: int
    flip: bool
    crop_padding: int


@dataclass(frozen=True)
class Parts:
    """The images of each split.

    Attributes:
        train: Training images after any limit, in their fixed order.
        val: Validation images in the form for training.
        val_view: Validation images in the form for evaluation.
        test_view: Test images in the form for evaluation.
    """

    train: LabelledImages
    val: LabelledImages
    val_view: LabelledImages
    test_view: LabelledImages


class InMemoryData:
    """A data set of tensors, copied once to each device that uses it.

    Args:
        info: Facts about the set.
        parts: The images of each split.
        augmentation: Training augmentation.
        epoch_images: Images per epoch; None: all.
    """

    def __init__(
        self,
        info: DataInfo,
        parts: Parts,
        augmentation: Augmentation,
        epoch_images: int | None = None,
    ) -> None:
        self.info = info
        self._epoch_images = epoch_images
        self._augmentation = augmentation
        self._val = parts.val_view
        self._test = parts.test_view
        # Training images first, so that training without the validation images is training on
        # the front of the same tensor.
        images = torch.cat([parts.train.images, parts.val.images])
        labels = torch.cat([parts.train.labels, parts.val.labels])
        self._train = LabelledImages(pad_images(images, augmentation.crop_padding), labels)
        self._on_device: dict[tuple[str, torch.device], LabelledImages] = {}

    def train_batches(
        self,
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        full: bool = False,
        balanced: bool = False,
        augment: Augment = "standard",
    ) -> InMemoryTrainBatches:
        """Shuffled and augmented training batches; see `Data.train_batches`."""
        padded = self._moved("train", self._train, device)
        images = len(padded) if full else self.info.train_images
        return InMemoryTrainBatches(
            padded,
            images,
            Statistics.of(self.info, device),
            replace(self._augmentation, trivial=augment == "trivial"),
            batch_size,
            seed,
            None if full else self._epoch_images,
            balanced=balanced,
        )

    def class_counts(self, *, full: bool = False) -> tuple[int, ...]:
        """Training images of each class; see `Data.class_counts`."""
        labels = self._train.labels if full else self._train.labels[: self.info.train_images]
        return tuple(torch.bincount(labels, minlength=self.info.num_classes).tolist())

    def plain_train_batches(self, batch_size: int, device: torch.device) -> InMemoryEvalBatches:
        """All training images without augmentation; see `Data.plain_train_batches`."""
        edge, size = self._augmentation.crop_padding, self.info.input_size
        images = self._train.images[: self.info.train_images]
        whole = images[..., edge : edge + size, edge : edge + size]
        plain = LabelledImages(whole, self._train.labels[: self.info.train_images])
        source = view(plain, self._augmentation.scale_jitter).to(device)
        return InMemoryEvalBatches(source, Statistics.of(self.info, device), batch_size)

    def val_batches(self, batch_size: int, device: torch.device) -> InMemoryEvalBatches:
        """All validation images; see `Data.val_batches`."""
        source = self._moved("val", self._val, device)
        return InMemoryEvalBatches(source, Statistics.of(self.info, device), batch_size)

    def test_batches(self, batch_size: int, device: torch.device) -> InMemoryEvalBatches:
        """All test images; see `Data.test_batches`."""
        source = self._moved("test", self._test, device)
        return InMemoryEvalBatches(source, Statistics.of(self.info, device), batch_size)

    def image_names(self, split: Literal["train", "val", "test"]) -> Sequence[str]:
        """Such as ``test[12]``; see `Data.image_names`."""
        return numbered(self.info, split)

    def _moved(self, part: str, images: LabelledImages, device: torch.device) -> LabelledImages:
        key = (part, device)
        if key not in self._on_device:
            self._on_device[key] = images.to(device)
        return self._on_device[key]


def in_memory_data(
    config: DataConfig, defaults: SetDefaults, train: LabelledImages, test: LabelledImages
) -> InMemoryData:
    """Split off the validation images and apply the user's choices.

    Mean and standard deviation are those of the training split before any limit and jitter, so
    that they are the same for every trial on the set.

    Args:
        config: The user's choices.
        defaults: Defaults of the set.
        train: Published training images, validation images included.
        test: Published test images.

    Raises:
        InvalidInput: If input_size is given; the size of these images is fixed.
    """
    if config.input_size is not None:
        raise InvalidInput(
            f"input_size is {config.input_size} for the data set {config.name}, whose images have"
            f" {train.images.shape[-1]} pixels a side; it applies to photographs and fashion_scenes"
        )
    augmentation = Augmentation(
        flip=defaults.flip if config.flip is None else config.flip,
        crop_padding=defaults.crop_padding if config.crop_padding is None else config.crop_padding,
        scale_jitter=config.scale_jitter,
    )
    split = hold_out(train.labels, shares(train.labels, defaults.val_images))
    val = train.select(split.held_out[: config.val_limit])
    kept = train.select(split.kept)
    mean, std = pixel_statistics(kept.images)
    used = train.select(split.kept[: config.limit])
    info = DataInfo(
        name=config.name,
        num_classes=len(defaults.class_names),
        in_channels=train.images.shape[1],
        input_size=train.images.shape[-1],
        class_names=defaults.class_names,
        mean=mean,
        std=std,
        train_images=len(used),
        val_images=len(val),
        test_images=len(test),
    )
    jitter = config.scale_jitter
    parts = Parts(used, val, view(val, jitter), view(test, jitter))
    return InMemoryData(info, parts, augmentation, config.epoch_images)
