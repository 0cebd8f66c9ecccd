"""The part of iterating over batches that all data sets share."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeVar

from torch import Tensor

from blocks.errors import InvalidInput

B = TypeVar("B", bound="EpochBatches")


class EpochBatches(ABC):
    """Batches that know their epoch and how the images divide into batches.

    Args:
        images: Number of images in the split.
        batch_size: Images per batch.
        drop_last: Drop the last incomplete batch, unless it is the only one.

    Raises:
        InvalidInput: If batch_size is below 1.
    """

    batch_sampler = None
    """Lightning reads it wherever there is a sampler."""

    def __init__(self, images: int, batch_size: int, *, drop_last: bool) -> None:
        if batch_size < 1:
            raise InvalidInput(f"batch_size is {batch_size}; it must be at least 1")
        self.epoch = 0
        stop = images - images % batch_size if drop_last and images > batch_size else images
        self.bounds = tuple(
            (start, min(start + batch_size, stop)) for start in range(0, stop, batch_size)
        )
        self.batch_images = min(batch_size, images)

    def share(self: B, rank: int, processes: int) -> B:
        """Of each batch the part of one of several processes; see `Batches.share`."""
        part = copy.copy(self)
        part.bounds = tuple(
            (
                start + (stop - start) * rank // processes,
                start + (stop - start) * (rank + 1) // processes,
            )
            for start, stop in self.bounds
        )
        return part

    @property
    def sampler(self) -> EpochBatches:
        """This object, under the name that training loops look for to set the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return len(self.bounds)

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches of the chosen epoch."""
