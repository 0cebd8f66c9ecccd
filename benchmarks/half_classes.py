r"""Small images of one's own, made of Fashion-MNIST, with pretrained networks of several widths.

EfficientNet-Lite0 has weights of ImageNet for one width only. To see what a search is worth where
narrower pretrained networks exist too, ShuffleNetV2 0.5x and 1.0x are trained on five classes of
Fashion-MNIST (trouser, dress, sandal, sneaker, boot). The five others (T-shirt, pullover, coat, shirt,
bag) are the photographs of one's own, 1,000 or 5,000 of them.

    python benchmarks/half_classes.py FOLDER                # writes FOLDER/{weights,1000,5000}: minutes
    python benchmarks/photographs.py FOLDER --set 1000      # then the comparison

Writes FOLDER/weights/shufflenet_v2_WIDTH.pt, and FOLDER/N/train/CLASS and test/CLASS as PNG files.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import nas
from nas.data.idx import read_idx

FOUND = Path("/usr/share/datasets/fashion-mnist")
NAMES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "boot",
)
BEFORE, OWN = (1, 3, 5, 7, 9), (0, 2, 4, 6, 8)
SIDE, EPOCHS = 28, 6
WIDTHS = (0.5, 1.0)
SIZES = (1000, 5000)
"""Training images of one's own."""


def main() -> int:
    """Write what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    write_images(folder / "before", BEFORE, None)
    for size in SIZES:
        write_images(folder / str(size), OWN, size)
    for width in WIDTHS:
        pretrain(folder, width)
    return 0


def write_images(folder: Path, classes: tuple[int, ...], size: int | None) -> None:
    """Training images of the classes, ``size`` in all, and all test images."""
    if folder.exists():
        return
    for part, stem, count, wanted in (
        ("train", "train", 60_000, size),
        ("test", "t10k", 10_000, None),
    ):
        images = read_idx(FOUND / f"{stem}-images-idx3-ubyte.gz", (count, SIDE, SIDE)).numpy()
        labels = read_idx(FOUND / f"{stem}-labels-idx1-ubyte.gz", (count,)).numpy()
        for label in classes:
            rows = np.flatnonzero(labels == label)
            rows = rows[: None if wanted is None else wanted // len(classes)]
            place = folder.with_name(f"{folder.name}.new") / part / NAMES[label]
            place.mkdir(parents=True, exist_ok=True)
            for row in rows.tolist():
                Image.fromarray(images[row]).save(place / f"{row:05d}.png")
    folder.with_name(f"{folder.name}.new").rename(folder)


def plain(width: float, classes: int) -> nas.ArchSpec:
    """ShuffleNetV2 as torchvision has it."""
    return nas.ArchSpec(
        backbone="shufflenet_v2", width=width, num_classes=classes, input_size=SIDE, stem_stride=2,
        unit=nas.UnitSpec(kind="none"),
    )  # fmt: skip


def pretrain(folder: Path, width: float) -> None:
    """Train the plain network on the other classes, and keep its weights."""
    file = folder / "weights" / f"shufflenet_v2_{width}.pt"
    if file.exists():
        return
    done = nas.train(
        plain(width, len(BEFORE)), data=folder / "before", input_size=SIDE, recipe="proxy",
        epochs=EPOCHS, threads=1, name=f"before-{width}", runs_dir=folder / "runs",
        logs_dir=folder / "logs", progress=True,
    )  # fmt: skip
    print(f"{width}: test error {100 * done.test_error:.2f} % of {done.test_images}", flush=True)
    file.parent.mkdir(exist_ok=True)
    shutil.copyfile(done.checkpoint, file)


if __name__ == "__main__":
    sys.exit(main())
