"""Fashion-MNIST: 28 x 28 grey images of clothes in ten classes."""

from __future__ import annotations

from pathlib import Path

from torchvision.datasets import FashionMNIST

from blocks.errors import InvalidInput
from nas.data.config import DataConfig
from nas.data.idx import read_idx
from nas.data.in_memory import InMemoryData, SetDefaults, in_memory_data
from nas.data.labelled import LabelledImages
from nas.data.places import DOWNLOAD_ERRORS, search_roots

# Where the Debian package dataset-fashion-mnist puts the files.
SYSTEM_DIR = Path("/usr/share/datasets/fashion-mnist")

INPUT_SIZE = 28
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000

DEFAULTS = SetDefaults(
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    val_images=10_000,
    flip=True,
    crop_padding=2,
)


def load(config: DataConfig) -> InMemoryData:
    """Load Fashion-MNIST: 50,000 training, 10,000 validation and 10,000 test images.

    The idx files, compressed or not, are looked for in data_dir and ~/.cache/sknas, in
    FashionMNIST/raw below these, and in the folder of the Debian package; else they are
    downloaded.

    Args:
        config: The user's choices.

    Raises:
        InvalidInput: If the files are neither found nor downloaded, or are damaged, or if
            input_size is given.
    """
    train, test = read_fashion_mnist(config.data_dir)
    return in_memory_data(config, DEFAULTS, train, test)


def read_fashion_mnist(data_dir: str | None) -> tuple[LabelledImages, LabelledImages]:
    """The published 60,000 training and 10,000 test images.

    Args:
        data_dir: The folder that is looked at first.

    Raises:
        InvalidInput: If the files are neither found nor downloaded, or are damaged.
    """
    folder = _folder(data_dir)
    return _read(folder, "train", TRAIN_IMAGES), _read(folder, "t10k", TEST_IMAGES)


def _folder(data_dir: str | None) -> Path:
    roots = search_roots(data_dir)
    # The second form is how torchvision lays the set out.
    below_roots = [place for root in roots for place in (root, _raw(root))]
    places = [*below_roots, SYSTEM_DIR]
    for place in places:
        if _is_complete(place):
            return place
    try:
        FashionMNIST(str(roots[0]), download=True)
    except DOWNLOAD_ERRORS as error:
        raise InvalidInput(
            f"Fashion-MNIST is not in {', '.join(map(str, places))} and could not be downloaded"
            f" ({error}); put its four idx files into data_dir or run:"
            " apt-get install dataset-fashion-mnist"
        ) from error
    return _raw(roots[0])


def _raw(root: Path) -> Path:
    return root / "FashionMNIST" / "raw"


def _is_complete(folder: Path) -> bool:
    return all(
        _variants(folder, part, kind)
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    )


def _variants(folder: Path, part: str, kind: str) -> list[Path]:
    stem = f"{part}-{kind}-ubyte"
    return [path for path in (folder / stem, folder / f"{stem}.gz") if path.is_file()]


def _read(folder: Path, part: str, count: int) -> LabelledImages:
    images = read_idx(_variants(folder, part, "images-idx3")[0], (count, INPUT_SIZE, INPUT_SIZE))
    labels_path = _variants(folder, part, "labels-idx1")[0]
    labels = read_idx(labels_path, (count,)).long()
    if int(labels.max()) >= len(DEFAULTS.class_names):
        raise InvalidInput(
            f"{labels_path} holds the label {int(labels.max())}; Fashion-MNIST has the labels 0 to"
            f" {len(DEFAULTS.class_names) - 1}"
        )
    return LabelledImages(images[:, None], labels)
