"""Images held as one tensor, with their classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.data.augment import paste_scaled
from nas.data.draws import draw_view


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes.

    Attributes:
        images: uint8 (N, C, S, S).
        labels: int64 (N,), from 0.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def select(self, rows: Tensor) -> LabelledImages:
        """The images at the given positions, int64 (M,), in their order."""
        return LabelledImages(self.images[rows], self.labels[rows])

    def to(self, device: torch.device) -> LabelledImages:
        """The same images on another device."""
        return LabelledImages(self.images.to(device), self.labels.to(device))


def view(source: LabelledImages, scale_jitter: float | None) -> LabelledImages:
    """Images in the form for evaluation: pasted at fixed scales and places if there is jitter."""
    if scale_jitter is None:
        return source
    draws = draw_view(len(source), scale_jitter)
    chunk = 1000  # bounds the memory of the floating-point copies
    pasted = []
    for start in range(0, len(source), chunk):
        paste = draws.part(start, start + chunk)
        images = source.images[start : start + chunk].float()
        pasted.append(paste_scaled(images, paste.scale, paste.place).round().byte())
    return LabelledImages(torch.cat(pasted), source.labels)
