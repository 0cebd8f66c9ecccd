"""Photographs of one's own, read from their files as they are used."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from blocks.errors import InvalidInput
from nas.data.config import Augment, DataConfig
from nas.data.drawn_files import drawn_files
from nas.data.draws import Augmentation
from nas.data.image_batches import FileEvalBatches, FileTrainBatches, LabelledFiles, Reading
from nas.data.image_files import Photos, centre_resize, read_side
from nas.data.interface import DataInfo
from nas.data.layouts.kinds import register_heif
from nas.data.layouts.listing import Photo
from nas.data.named_files import NamedFiles
from nas.data.photo_cache import PhotoCache, open_cache
from nas.data.photo_sets import PhotoSets, photo_sets
from nas.data.places import expanded
from nas.data.statistics import Statistics

INPUT_SIZE = 224

# ImageNet's, for every folder: networks trained on ImageNet can then be used on other folders.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

_SAID: set[str] = set()
"""Lines about photographs that this process has said."""
_quiet: ContextVar[bool] = ContextVar("photographs_quiet", default=False)


@contextmanager
def nothing_said() -> Iterator[None]:
    """No line about photographs inside: a person gets them otherwise."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


class ImageFolderData:
    """A data set read from image files as it is used.

    Args:
        info: Facts about the set.
        train: Training images after any limit, in their fixed order.
        val: Images held out of the training folder.
        test: Images of the val folder.
        augmentation: Training augmentation.
        photos: Where the pixels of the images come from.
        workers: Threads that read images.
        epoch_images: Images per epoch; None: all.
        splits: Content of splits.csv; None: the photographs are held out by the rule of old runs.
    """

    def __init__(
        self,
        info: DataInfo,
        train: NamedFiles,
        val: NamedFiles,
        test: NamedFiles,
        augmentation: Augmentation,
        photos: Photos,
        workers: int,
        epoch_images: int | None = None,
        splits: str | None = None,
    ) -> None:
        self.info = info
        self.splits = splits
        self._epoch_images = epoch_images
        self._train = train.files
        self._val = val.files
        self._test = test.files
        self._names = {"train": train.names, "val": val.names, "test": test.names}
        self._augmentation = augmentation
        self._photos = photos
        self._workers = workers

    def train_batches(
        self,
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        full: bool = False,
        balanced: bool = False,
        augment: Augment = "standard",
    ) -> FileTrainBatches:
        """Shuffled and augmented training batches; see `Data.train_batches`."""
        return FileTrainBatches(
            self._train.joined(self._val) if full else self._train,
            self._reading(device),
            Statistics.of(self.info, device),
            replace(self._augmentation, trivial=augment == "trivial"),
            batch_size,
            seed,
            None if full else self._epoch_images,
            balanced=balanced,
        )

    def class_counts(self, *, full: bool = False) -> tuple[int, ...]:
        """Training images of each class; see `Data.class_counts`."""
        labels = (self._train.joined(self._val) if full else self._train).labels
        return tuple(torch.bincount(labels, minlength=self.info.num_classes).tolist())

    def plain_train_batches(self, batch_size: int, device: torch.device) -> FileEvalBatches:
        """All training images without augmentation; see `Data.plain_train_batches`."""
        return self._eval_batches(self._train, batch_size, device)

    def val_batches(self, batch_size: int, device: torch.device) -> FileEvalBatches:
        """All validation images; see `Data.val_batches`."""
        return self._eval_batches(self._val, batch_size, device)

    def test_batches(self, batch_size: int, device: torch.device) -> FileEvalBatches:
        """All test images; see `Data.test_batches`."""
        return self._eval_batches(self._test, batch_size, device)

    def image_names(self, split: Literal["train", "val", "test"]) -> Sequence[str]:
        """Paths relative to the root of the data; see `Data.image_names`."""
        return self._names[split]

    def _eval_batches(
        self, files: LabelledFiles, batch_size: int, device: torch.device
    ) -> FileEvalBatches:
        return FileEvalBatches(
            files,
            self._reading(device),
            Statistics.of(self.info, device),
            self._augmentation.scale_jitter,
            batch_size,
        )

    def _reading(self, device: torch.device) -> Reading:
        return Reading(self._photos, self.info.input_size, self._workers, device)


@dataclass(frozen=True)
class _Splits:
    classes: tuple[str, ...]
    train: NamedFiles
    val: NamedFiles
    test: NamedFiles
    photos: PhotoCache
    text: str | None
    fingerprint: str | None


def load(config: DataConfig) -> ImageFolderData:
    """Load the photographs at the path after the colon in "imagefolder:PATH".

    What the layout says of splits is kept; the rest is split by a hash of each path. Without test images
    the validation images are the test set, because papers on ImageNet report on those.

    Args:
        config: The user's choices.

    Raises:
        InvalidInput: If the photographs are missing or laid out in another way, if one of them cannot be
            decoded, if they are not those of the run any more, if no class has an image to spare for
            validation, or if crop_padding is given.
    """
    if config.crop_padding is not None:
        raise InvalidInput(
            f"crop_padding is {config.crop_padding} for {config.name}, which crops at random"
            " scales instead; leave crop_padding out"
        )
    root = expanded(config.name.partition(":")[2])
    register_heif()
    size = INPUT_SIZE if config.input_size is None else config.input_size
    splits = (_drawn if config.split_rule == "drawn" else _by_hash)(root, config, read_side(size))
    used = splits.train.first(config.limit)
    val = splits.val.first(config.val_limit)
    info = DataInfo(
        name=config.name,
        num_classes=len(splits.classes),
        in_channels=3,
        input_size=size,
        class_names=splits.classes,
        mean=MEAN,
        std=STD,
        train_images=len(used),
        val_images=len(val),
        test_images=len(splits.test),
        resize=centre_resize(size),
        read_side=read_side(size),
        fingerprint=splits.fingerprint,
    )
    flip = True if config.flip is None else config.flip
    augmentation = Augmentation(flip=flip, crop_padding=0, scale_jitter=config.scale_jitter)
    return ImageFolderData(
        info,
        used,
        val,
        splits.test,
        augmentation,
        splits.photos,
        config.workers,
        config.epoch_images,
        splits.text,
    )


def _drawn(root: Path, config: DataConfig, side: int) -> _Splits:
    classes, train, val, test = drawn_files(root)
    paths = [path for one in (train, val, test) for path in one.files.paths]
    photos = open_cache(root, paths, side, config.cache_gb)
    photos.require_whole(root)
    return _Splits(classes, train, val, test, photos, None, None)


def _by_hash(root: Path, config: DataConfig, side: int) -> _Splits:
    sets = photo_sets(root, config, side)
    if len(sets.classes) < 2:
        raise InvalidInput(f"{root} has one class folder; allowed: two or more")
    for split, kind, least in (("val", "validation", "two"), ("test", "a test", "three")):
        if not sets.of(split):
            one = "images" if config.group_by is None else "groups of images"
            raise InvalidInput(
                f"no class in {root} has {one} to spare for {kind}, which needs at least {least} of a "
                "class"
            )
    _say(root, sets)
    named = {split: _named(sets, split) for split in ("train", "val", "test")}
    return _Splits(
        sets.classes, **named, photos=sets.photos, text=sets.text, fingerprint=sets.fingerprint
    )


def _named(sets: PhotoSets, split: str) -> NamedFiles:
    photos: Sequence[Photo] = sets.of(split)
    number = {name: place for place, name in enumerate(sets.classes)}
    labels = torch.tensor([number[photo.label] for photo in photos], dtype=torch.int64)
    files = LabelledFiles(tuple(photo.path for photo in photos), labels)
    return NamedFiles(files, tuple(photo.name for photo in photos))


def _say(root: Path, sets: PhotoSets) -> None:
    """Tell what was found; once a process."""
    if _quiet.get():
        return
    log = logging.getLogger("nas.data")
    understood = [] if sets.understood is None else [(logging.INFO, sets.understood)]
    for level, text in (*understood, *((logging.WARNING, one) for one in sets.warnings)):
        line = f"{root}: {text}"
        if line not in _SAID:
            _SAID.add(line)
            log.log(level, "%s", line)
