"""The splits of runs that were begun before files were split by their hash.

Files are listed as then, and the held-out ones are drawn by their position, so that such a run goes on
with the same images. One file more moves others: new runs use ``nas.data.photo_sets``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS

from blocks.errors import InvalidInput
from nas.data.image_batches import LabelledFiles
from nas.data.named_files import NamedFiles
from nas.data.split import hold_out

# A tenth of each class, but no more than are needed to rank networks on a thousand classes.
VAL_SHARE = 0.1
MOST_VAL_PER_CLASS = 50

_LAYOUT = "the folder must hold train/CLASS/IMAGE and val/CLASS/IMAGE"


def drawn_files(root: Path) -> tuple[tuple[str, ...], NamedFiles, NamedFiles, NamedFiles]:
    """The classes, and the training, validation and test images.

    The val folder is the test set. For validation, a tenth of each class of the train folder is held
    out: at least one image, at most 50, and none of a class that has a single image.

    Raises:
        InvalidInput: If the folder is missing or laid out differently, or if no class has an image to
            spare for validation.
    """
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
    parts = (train.select(split.kept), train.select(split.held_out), test)
    kept, held_out, given = (_named(files, root) for files in parts)
    return class_names, kept, held_out, given


def _named(files: LabelledFiles, root: Path) -> NamedFiles:
    return NamedFiles(files, tuple(path.relative_to(root).as_posix() for path in files.paths))


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
