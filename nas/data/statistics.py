"""Pixel statistics: how they are measured and applied."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.data.augment import normalise
from nas.data.interface import DataInfo


@dataclass(frozen=True)
class Statistics:
    """Pixel statistics on one device, float32 (C,) each, in [0, 1] pixel units."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, info: DataInfo, device: torch.device) -> Statistics:
        """The statistics of a data set, on a device."""
        return cls(
            mean=torch.tensor(info.mean, device=device), std=torch.tensor(info.std, device=device)
        )

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise images (B, C, H, W) with pixels from 0 to 255; see `augment.normalise`."""
        return normalise(images, self.mean, self.std)


def pixel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in [0, 1] pixel units.

    Args:
        images: uint8 (N, C, H, W).
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(1):
        # From a histogram: exact, and no floating-point copy of the whole set.
        counts = torch.bincount(channel.reshape(-1), minlength=256)
        share = counts / counts.sum(dtype=torch.float64)
        mean = float((share * levels).sum())
        means.append(mean)
        stds.append(float((share * (levels - mean) ** 2).sum()) ** 0.5)
    return tuple(means), tuple(stds)
