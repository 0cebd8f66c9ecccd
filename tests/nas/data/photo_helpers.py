"""Small pictures for tests of photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from nas.data import Data, DataConfig, load_data


def picture(number: int, side: int = 12) -> Image.Image:
    """No two are alike."""
    pixels = np.random.default_rng(number).integers(0, 255, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def fill(folder: Path, count: int, first: int = 0, end: str = ".png") -> None:
    """Write pictures 000.png, 001.png, ... into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture(first + number).save(folder / f"{number:03d}{end}")


def class_folders(root: Path, count: int = 12, names: tuple[str, ...] = ("ant", "bee")) -> Path:
    """Folders of classes with pictures; no two are alike."""
    for place, name in enumerate(names):
        fill(root / name, count, first=1000 * place + 10_000 * len(root.name))
    return root


def load(root: Path | str, **options: object) -> Data:
    """The data set at a path."""
    given = {"name": f"imagefolder:{root}", "input_size": 8, "workers": 0, **options}
    return load_data(DataConfig.model_validate(given))


def counts(data: Data) -> tuple[int, int, int]:
    """Training, validation and test images."""
    return data.info.train_images, data.info.val_images, data.info.test_images


def names(data: Data) -> dict[str, str]:
    """Path -> split."""
    return {name: split for split in ("train", "val", "test") for name in data.image_names(split)}
