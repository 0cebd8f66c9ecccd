"""A data set of drawn images: stripes across, stripes down, and none."""

from __future__ import annotations

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from nas.data import Datasets

SIDE = 24


class Stripes(Dataset[tuple[Image.Image, int]]):
    """Drawn when they are asked for.

    Args:
        count: Number of images.
        seed: Of this split.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        rng = np.random.default_rng((self.seed, row))
        label, wave = row % 3, 0.5 + 0.5 * np.sin(np.arange(SIDE) * rng.uniform(0.8, 1.6))
        clean = [wave[None, :], wave[:, None], np.full((1, 1), 0.5)][label]
        noisy = np.broadcast_to(clean, (SIDE, SIDE)) + rng.normal(0, 0.1, (SIDE, SIDE))
        return Image.fromarray((255 * noisy.clip(0, 1)).astype(np.uint8)), label


def stripes() -> Datasets:
    """Three splits of their own seeds; a mirrored image is still of its class."""
    return Datasets(Stripes(240, 0), Stripes(90, 1), Stripes(90, 2), ("down", "across", "none"))
