"""Data sets of one's own: torch Datasets that a callable returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import torch
from PIL import Image
from torch import Tensor

from blocks.errors import InvalidInput
from blocks.wording import kind_of
from nas.data.config import Augment, DataConfig
from nas.data.draws import Augmentation, seed_from
from nas.data.image_files import centre_resize
from nas.data.image_folder import INPUT_SIZE
from nas.data.interface import DataInfo, numbered
from nas.data.own_batches import VIEW_SEED, OwnEvalBatches, OwnTrainBatches
from nas.data.own_datasets import Form, Items, Part, Refused, Request, read_item
from nas.data.splits import Datasets
from nas.data.statistics import Statistics
from nas.plugins import Expected, calling, place_of, resolve

EXPECTED = Expected("a callable that returns nas.Datasets", callable)
SPLITS = ("train", "val", "test")
COUNTING_BATCH = 256
SAMPLE = 256
"""Training items that mean and standard deviation are taken of; every process reads them."""
CHECKED = 32
"""Items of the other splits that are looked at before training; the rest are when they are read."""


class OwnData:
    """A data set that reads the Datasets of a plug-in; nothing is copied to the disk.

    Args:
        info: Facts about the set.
        items: The items of parts, by the names of the splits.
        augmentation: Training augmentation.
        config: The user's choices.
    """

    def __init__(
        self,
        info: DataInfo,
        items: Callable[..., Items],
        augmentation: Augmentation,
        config: DataConfig,
    ) -> None:
        self.info = info
        self._items = items
        self._augmentation = augmentation
        self._config = config

    def train_batches(
        self,
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        full: bool = False,
        balanced: bool = False,
        augment: Augment = "standard",
    ) -> OwnTrainBatches:
        """Shuffled and augmented training batches; see `Data.train_batches`."""
        return OwnTrainBatches(
            self._items("train", "val") if full else self._items("train"),
            self._config.workers,
            device,
            Statistics.of(self.info, device),
            replace(self._augmentation, trivial=augment == "trivial"),
            batch_size,
            seed,
            None if full else self._config.epoch_images,
            labels=self._labels(full) if balanced else None,
        )

    def class_counts(self, *, full: bool = False) -> tuple[int, ...]:
        """Training images of each class; see `Data.class_counts`."""
        counts = torch.bincount(self._labels(full), minlength=self.info.num_classes)
        return tuple(counts.tolist())

    def plain_train_batches(self, batch_size: int, device: torch.device) -> OwnEvalBatches:
        """All training images without augmentation; see `Data.plain_train_batches`."""
        return self._eval_batches("train", batch_size, device)

    def val_batches(self, batch_size: int, device: torch.device) -> OwnEvalBatches:
        """All validation images; see `Data.val_batches`."""
        return self._eval_batches("val", batch_size, device)

    def test_batches(self, batch_size: int, device: torch.device) -> OwnEvalBatches:
        """All test images; see `Data.test_batches`."""
        return self._eval_batches("test", batch_size, device)

    def image_names(self, split: Literal["train", "val", "test"]) -> Sequence[str]:
        """Such as ``test[12]``; see `Data.image_names`."""
        return numbered(self.info, split)

    def _labels(self, full: bool) -> Tensor:
        """Of the training images, int64 (N,); the Datasets give labels with images only."""
        return torch.cat(
            [
                labels
                for split in (("train", "val") if full else ("train",))
                for _, labels in self._eval_batches(split, COUNTING_BATCH, torch.device("cpu"))
            ]
        )

    def _eval_batches(self, split: str, batch_size: int, device: torch.device) -> OwnEvalBatches:
        return OwnEvalBatches(
            self._items(split),
            self._config.workers,
            device,
            Statistics.of(self.info, device),
            self._augmentation.scale_jitter,
            batch_size,
        )


def load(config: DataConfig) -> OwnData:
    """Load the data set whose callable ``config.name`` names.

    The callable takes nothing, or the DataConfig. Mean and standard deviation are those of some hundred
    training images, spread evenly over the split and before any limit.

    Args:
        config: The user's choices.

    Raises:
        InvalidInput: The callable has gone, raises or returns something else, a Dataset is empty or its
            items are not what they must be, or an option does not apply.
    """
    make = cast(Callable[..., object], resolve(config.name, "data", EXPECTED))
    place = place_of(make) or config.name
    wrong = f"data {config.name}: {place}: "
    with calling("data", config.name, EXPECTED.words, make):
        takes_config = _takes_config(make)
        given = make(config) if takes_config else make()
    sets = _datasets(given, wrong)
    names = _class_names(sets, wrong)
    parts = {split: _part(getattr(sets, split), split, wrong) for split in SPLITS}
    form = _form(parts["train"], len(names), config, place, wrong)
    means, stds = _statistics(parts, form, config.name, place)
    limits = {"train": config.limit, "val": config.val_limit, "test": None}
    used = {
        split: Part(split, part.items, min(part.length, limits[split] or part.length))
        for split, part in parts.items()
    }
    info = DataInfo(
        name=config.name,
        num_classes=len(names),
        in_channels=form.channels,
        input_size=form.size,
        class_names=names,
        mean=means,
        std=stds,
        train_images=used["train"].length,
        val_images=used["val"].length,
        test_images=used["test"].length,
        resize=centre_resize(form.size) if form.pil else None,
    )
    padding = sets.crop_padding if config.crop_padding is None else config.crop_padding
    augmentation = Augmentation(
        flip=sets.flip if config.flip is None else config.flip,
        crop_padding=0 if form.pil else padding,
        scale_jitter=config.scale_jitter,
    )

    def items(*splits: str) -> Items:
        return Items(config.name, place, [used[split] for split in splits], form)

    return OwnData(info, items, augmentation, config)


def _takes_config(make: Callable[..., object]) -> bool:
    """Whether the callable must be given something; a class whose instance is the sets may be."""
    needed = [
        one
        for one in inspect.signature(make).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) > 1:
        raise TypeError(f"it needs {len(needed)} arguments; allowed: none, or one, the DataConfig")
    return bool(needed)


def _datasets(given: object, wrong: str) -> Datasets:
    if isinstance(given, Datasets):
        return given
    if isinstance(given, tuple) and len(given) == 4:
        return Datasets(*given)
    raise InvalidInput(
        f"{wrong}returns {kind_of(given)}; expected nas.Datasets, or a tuple "
        "(train, val, test, class names)"
    )


def _class_names(sets: Datasets, wrong: str) -> tuple[str, ...]:
    listed = isinstance(sets.class_names, Sequence) and not isinstance(sets.class_names, str)
    names = tuple(sets.class_names) if listed else ()
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        names = ()
    if len(names) < 2:
        raise InvalidInput(
            f"{wrong}class_names is {sets.class_names!r:.60}; expected a list of two or more different "
            "names"
        )
    for split in SPLITS:
        own = getattr(getattr(sets, split), "classes", None)  # as torchvision's sets have it
        if isinstance(own, list | tuple) and tuple(own) != names:
            raise InvalidInput(
                f"{wrong}{split} has the classes {list(own)!r:.60}, class_names is {list(names)!r:.60}; "
                "expected the same"
            )
    return names


def _part(items: Any, split: str, wrong: str) -> Part:
    if not hasattr(items, "__getitem__") or not hasattr(items, "__len__"):
        raise InvalidInput(
            f"{wrong}{split} is {kind_of(items)} without __len__ or __getitem__; expected a "
            "map-style torch.utils.data.Dataset"
        )
    if len(items) == 0:
        raise InvalidInput(f"{wrong}{split} is empty; expected at least one item")
    return Part(split, items, len(items))


def _form(train: Part, classes: int, config: DataConfig, place: str, wrong: str) -> Form:
    """What the first training item says of all."""
    image, _ = read_item(train, 0, config.name, place)
    if isinstance(image, Image.Image):
        if config.crop_padding is not None:
            raise InvalidInput(
                f"crop_padding is {config.crop_padding} for {config.name}, whose PIL images are cropped "
                "at random scales; leave crop_padding out"
            )
        channels = 1 if image.mode in ("1", "L") else 3
        return Form(True, channels, config.input_size or INPUT_SIZE, False, classes)
    if not isinstance(image, Tensor):
        raise InvalidInput(
            f"{wrong}train[0]: {kind_of(image)}; expected a PIL image or a tensor (C, S, S)"
        )
    if image.ndim != 3 or image.shape[1] != image.shape[2] or 0 in image.shape:
        raise InvalidInput(
            f"{wrong}train[0]: a tensor of shape {tuple(image.shape)}; expected (C, S, S), a square"
        )
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise InvalidInput(
            f"{wrong}train[0]: a tensor of {image.dtype}; expected torch.uint8, or floating point "
            "in [0, 1]"
        )
    size = image.shape[-1]
    if config.input_size not in (None, size):
        raise InvalidInput(
            f"input_size is {config.input_size} for {config.name}, whose tensors have {size} pixels a "
            "side; leave it out, or give PIL images"
        )
    return Form(False, image.shape[0], size, image.is_floating_point(), classes)


def _statistics(
    parts: dict[str, Part], form: Form, name: str, place: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel; a sample of all splits is checked on the way."""
    for split in ("val", "test"):
        _sample(Items(name, place, [parts[split]], form), CHECKED)
    images = _sample(Items(name, place, [parts["train"]], form), SAMPLE)
    scale = 1.0 if form.floating else 255.0
    count = len(images) * form.size**2
    means = [sum(float(one[c].double().sum()) for one in images) / count / scale for c in _c(form)]
    squares = [
        sum(float(((one[c].double() / scale) - means[c]).square().sum()) for one in images) / count
        for c in _c(form)
    ]
    # A channel that is the same everywhere says nothing, and must not become NaN.
    return tuple(means), tuple(max(square**0.5, 1 / 255) for square in squares)


def _c(form: Form) -> range:
    return range(form.channels)


def _sample(items: Items, most: int) -> list[Tensor]:
    """Up to ``most`` images, spread evenly from the first to the last."""
    count = min(most, len(items))
    rows = sorted({i * (len(items) - 1) // max(count - 1, 1) for i in range(count)})
    images = []
    for row in rows:
        item = items[Request(row, seed_from(VIEW_SEED, row), False)]
        if isinstance(item, Refused):
            raise InvalidInput(item.message)
        images.append(item[0])
    return images
