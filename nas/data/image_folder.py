"""Any set of photographs laid out as train/CLASS/IMAGE and val/CLASS/IMAGE, like ImageNet."""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS

from blocks.errors import InvalidInput
from nas.data.config import DataConfig
from nas.data.draws import Augmentation
from nas.data.image_batches import FileEvalBatches, FileTrainBatches, LabelledFiles, Reading
from nas.data.image_files import centre_resize
from nas.data.interface import DataInfo
from nas.data.split import hold_out
from nas.data.statistics import Statistics

INPUT_SIZE = 224

# ImageNet's, for every folder: networks trained on ImageNet can then be used on other folders.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

# A tenth of each class, but no more than are needed to rank networks on a thousand classes.
VAL_SHARE = 0.1
MOST_VAL_PER_CLASS = 50

_LAYOUT = "the folder must hold train/CLASS/IMAGE and val/CLASS/IMAGE"


class ImageFolderData:
    """A data set read from image files as it is used.

    Args:
        info: Facts about the set.
        train: Training images after any limit, in their fixed order.
        val: Images held out of the training folder.
        test: Images of the val folder.
        augmentation: Training augmentation.
        workers: Processes that read images.
        epoch_images: Images per epoch; None: all.
    """

    def __init__(
        self,
        info: DataInfo,
        train: LabelledFiles,
        val: LabelledFiles,
        test: LabelledFiles,
        augmentation: Augmentation,
        workers: int,
        epoch_images: int | None = None,
    ) -> None:
        self.info = info
        self._epoch_images = epoch_images
        self._train = train
        self._val = val
        self._test = test
        self._augmentation = augmentation
        self._workers = workers

    def train_batches(
        self, batch_size: int, seed: int, device: torch.device, *, full: bool = False
    ) -> FileTrainBatches:
        """Shuffled and augmented training batches; see `Data.train_batches`."""
        return FileTrainBatches(
            self._train.joined(self._val) if full else self._train,
            self._reading(device),
            Statistics.of(self.info, device),
            self._augmentation,
            batch_size,
            seed,
            None if full else self._epoch_images,
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
        return Reading(self.info.input_size, self._workers, device)


def load(config: DataConfig) -> ImageFolderData:
    """Load the folder named after the colon in "imagefolder:PATH".

    The val folder is the test set, because that is what papers report on. For validation, a
    tenth of each class of the train folder is held out: at least one image, at most 50, and none
    of a class that has a single image.

    Args:
        config: The user's choices.

    Raises:
        InvalidInput: If the folder is missing or laid out differently, if no class has an image
            to spare for validation, or if crop_padding is given.
    """
    if config.crop_padding is not None:
        raise InvalidInput(
            f"crop_padding is {config.crop_padding} for {config.name}, which crops at random"
            " scales instead; leave crop_padding out"
        )
    root = Path(config.name.partition(":")[2]).expanduser()
    train, class_names = _listed(root, "train")
    test, test_names = _listed(root, "val")
    _require_same_classes(root, class_names, test_names)
    if len(class_names) < 2:
        raise InvalidInput(f"{root / 'train'} has one class folder; allowed: two or more")
    sizes = torch.bincount(train.labels)
    wanted = (sizes * VAL_SHARE).round().long().clamp(1, MOST_VAL_PER_CLASS)
    split = hold_out(train.labels, torch.where(sizes > 1, wanted, 0))
    if len(split.held_out) == 0:
        raise InvalidInput(
            f"no class in {root / 'train'} has more than one image; validation needs at least two"
        )
    used = train.select(split.kept[: config.limit])
    val = train.select(split.held_out[: config.val_limit])
    size = INPUT_SIZE if config.input_size is None else config.input_size
    info = DataInfo(
        name=config.name,
        num_classes=len(class_names),
        in_channels=3,
        input_size=size,
        class_names=class_names,
        mean=MEAN,
        std=STD,
        train_images=len(used),
        val_images=len(val),
        test_images=len(test),
        resize=centre_resize(size),
    )
    flip = True if config.flip is None else config.flip
    augmentation = Augmentation(flip=flip, crop_padding=0, scale_jitter=config.scale_jitter)
    return ImageFolderData(info, used, val, test, augmentation, config.workers, config.epoch_images)


def _listed(root: Path, part: str) -> tuple[LabelledFiles, tuple[str, ...]]:
    folder = root / part
    if not root.is_dir():
        raise InvalidInput(f"the image folder {root} does not exist; {_LAYOUT}")
    if not folder.is_dir():
        raise InvalidInput(f"{root} has no folder {part}; {_LAYOUT}")
    try:
        listed = ImageFolder(str(folder), is_valid_file=_is_image)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be used ({error}); {_LAYOUT}") from error
    paths = tuple(Path(path) for path, _ in listed.samples)
    return LabelledFiles(paths, torch.tensor(listed.targets)), tuple(listed.classes)


def _is_image(path: str) -> bool:
    """Whether it is an image by its name; hidden files (``._photo.jpg``) are not."""
    return not Path(path).name.startswith(".") and path.lower().endswith(IMG_EXTENSIONS)


def _require_same_classes(root: Path, train: tuple[str, ...], val: tuple[str, ...]) -> None:
    for here, there, missing in (
        ("train", "val", sorted(set(train) - set(val))),
        ("val", "train", sorted(set(val) - set(train))),
    ):
        if missing:
            raise InvalidInput(
                f"{root / here} has {len(missing)} class folders that {there} lacks"
                f" ({', '.join(missing[:3])}); both must have the same classes"
            )
