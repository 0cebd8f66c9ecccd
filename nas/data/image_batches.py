"""Batches of image files, read by worker processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from blocks.errors import InvalidInput
from nas.data.augment import flip_images, paste_scaled
from nas.data.batching import EpochBatches
from nas.data.draws import Augmentation, Paste, draw_epoch, draw_view, seed_from
from nas.data.image_files import CropRequest, ImageFiles, Unreadable, gather
from nas.data.statistics import Statistics

FORK = "fork" if sys.platform == "linux" else None


@dataclass(frozen=True)
class LabelledFiles:
    """Image files and their classes.

    Attributes:
        paths: N files.
        labels: int64 (N,), from 0.
    """

    paths: tuple[Path, ...]
    labels: Tensor

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def select(self, rows: Tensor) -> LabelledFiles:
        """The files at the given positions, int64 (M,), in their order."""
        return LabelledFiles(tuple(self.paths[row] for row in rows.tolist()), self.labels[rows])

    def joined(self, other: LabelledFiles) -> LabelledFiles:
        """These files followed by others."""
        return LabelledFiles(self.paths + other.paths, torch.cat([self.labels, other.labels]))


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        size: Side of the crops, in pixels.
        workers: Processes that read; 0 reads in the main process.
        device: Where the batches are wanted.
    """

    size: int
    workers: int
    device: torch.device

    def batches(
        self, paths: Sequence[Path], requests: Sequence[Sequence[CropRequest]]
    ) -> Iterator[Tensor]:
        """Read one batch, uint8 (B, 3, size, size), per list of requests.

        Raises:
            InvalidInput: If a file is not an image that can be read.
        """
        loader: DataLoader[Tensor | Unreadable] = DataLoader(
            ImageFiles(paths, self.size),
            batch_sampler=requests,  # type: ignore[arg-type]
            collate_fn=gather,
            num_workers=self.workers,
            # They only read files. The default in a process of a fork server is another
            # server for each pass, with workers that import torch: seconds per epoch.
            multiprocessing_context=FORK if self.workers else None,
            pin_memory=self.device.type == "cuda",
            # The loader draws a seed for its workers; not from the generator of the program.
            generator=torch.Generator(),
        )
        for batch in loader:
            if isinstance(batch, Unreadable):
                raise InvalidInput(
                    f"the image {batch.path} cannot be read ({batch.reason}); replace or remove it"
                )
            yield batch.to(self.device, non_blocking=True)


class FileTrainBatches(EpochBatches):
    """Random resized crops of all files, shuffled.

    Args:
        files: The training images.
        reading: How they are read.
        statistics: For the normalisation.
        augmentation: What is applied after the crop; its crop_padding is not used.
        batch_size: Images per batch.
        seed: Seed of the run.
        epoch_images: Images per epoch, drawn for each epoch; None: all.
    """

    def __init__(
        self,
        files: LabelledFiles,
        reading: Reading,
        statistics: Statistics,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        epoch_images: int | None = None,
    ) -> None:
        images = min(len(files), epoch_images or len(files))
        super().__init__(images, batch_size, drop_last=True)
        self._files = files
        self._reading = reading
        self._statistics = statistics
        self._augmentation = augmentation
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches of the chosen epoch."""
        draws = draw_epoch(len(self._files), self._augmentation, self._seed, self.epoch)
        rows = draws.order.tolist()
        requests = [
            [CropRequest(row, seed_from(self._seed, self.epoch, row)) for row in rows[start:stop]]
            for start, stop in self.bounds
        ]
        draws = draws.to(self._reading.device)
        labels = self._files.labels.to(self._reading.device)[draws.order]
        batches = self._reading.batches(self._files.paths, requests)
        for (start, stop), images in zip(self.bounds, batches, strict=True):
            if self._augmentation.flip:
                images = flip_images(images, draws.flip[start:stop])
            if self._augmentation.scale_jitter is not None:
                images = _pasted(images, draws.paste.part(start, stop))
            yield self._statistics.normalise(images), labels[start:stop]


class FileEvalBatches(EpochBatches):
    """Centre crops of all files, in order.

    Args:
        files: The images.
        reading: How they are read.
        statistics: For the normalisation.
        scale_jitter: Lowest scale of the fixed jitter, or None for no jitter.
        batch_size: Images per batch.
    """

    def __init__(
        self,
        files: LabelledFiles,
        reading: Reading,
        statistics: Statistics,
        scale_jitter: float | None,
        batch_size: int,
    ) -> None:
        super().__init__(len(files), batch_size, drop_last=False)
        self._files = files
        self._reading = reading
        self._statistics = statistics
        self._scale_jitter = scale_jitter

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches, the same in every epoch."""
        requests = [
            [CropRequest(row, None) for row in range(start, stop)] for start, stop in self.bounds
        ]
        labels = self._files.labels.to(self._reading.device)
        lowest = 1.0 if self._scale_jitter is None else self._scale_jitter
        paste = draw_view(len(self._files), lowest).to(self._reading.device)
        batches = self._reading.batches(self._files.paths, requests)
        for (start, stop), images in zip(self.bounds, batches, strict=True):
            if self._scale_jitter is not None:
                images = _pasted(images, paste.part(start, stop))
            yield self._statistics.normalise(images), labels[start:stop]


def _pasted(images: Tensor, paste: Paste) -> Tensor:
    return paste_scaled(images.float(), paste.scale, paste.place)
