"""Batches of photographs, read by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from blocks.errors import InvalidInput
from nas.data.augment import paste_scaled
from nas.data.batching import EpochBatches
from nas.data.draws import (
    Augmentation,
    BalancedClasses,
    Paste,
    draw_epoch,
    draw_view,
    image_seeds,
)
from nas.data.image_files import CropRequest, Photos, crop
from nas.data.photo import PhotoError
from nas.data.statistics import Statistics
from nas.data.trivial_augment import trivial_augment

AHEAD = 2
"""Batches that are read while another is used."""


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
    """How photographs are read.

    Attributes:
        photos: Where their pixels come from.
        size: Side of the crops, in pixels.
        workers: Threads that read; 0 reads in the thread that takes the batches.
        device: Where the batches are wanted.
    """

    photos: Photos
    size: int
    workers: int
    device: torch.device

    def batches(
        self, paths: Sequence[Path], requests: Sequence[Sequence[CropRequest]]
    ) -> Iterator[Tensor]:
        """Read one batch, uint8 (B, 3, size, size), per list of requests.

        Threads read, no processes: decoding, cropping and scaling leave the interpreter to others, and
        there is nothing to start, to fork or to share memory with.

        Raises:
            InvalidInput: If a file is not an image that can be read.
        """
        try:
            if self.workers == 0:
                for request in requests:
                    batch = self._empty(len(request))
                    self._fill(batch, paths, request)
                    yield self._on_device(batch)
                return
            with ThreadPoolExecutor(self.workers) as pool:
                try:
                    yield from self._read_ahead(pool, paths, requests)
                finally:
                    pool.shutdown(wait=True, cancel_futures=True)
        except PhotoError as error:
            raise InvalidInput(
                f"the image {error.path} cannot be read ({error.reason}); replace or remove it"
            ) from None

    def _read_ahead(
        self,
        pool: ThreadPoolExecutor,
        paths: Sequence[Path],
        requests: Sequence[Sequence[CropRequest]],
    ) -> Iterator[Tensor]:
        begun: deque[tuple[Tensor, list[Future[None]]]] = deque()
        for request in requests:
            batch = self._empty(len(request))
            # Every thread reads a part of each batch, so that the first is there soon.
            begun.append(
                (
                    batch,
                    [
                        pool.submit(
                            self._fill, batch[k :: self.workers], paths, request[k :: self.workers]
                        )
                        for k in range(self.workers)
                    ],
                )
            )
            if len(begun) > AHEAD:
                yield self._finished(*begun.popleft())
        while begun:
            yield self._finished(*begun.popleft())

    def _finished(self, batch: Tensor, parts: Sequence[Future[None]]) -> Tensor:
        for part in parts:
            part.result()
        return self._on_device(batch)

    def _empty(self, images: int) -> Tensor:
        on_gpu = self.device.type == "cuda"
        return torch.empty(images, self.size, self.size, 3, dtype=torch.uint8, pin_memory=on_gpu)

    def _fill(self, batch: Tensor, paths: Sequence[Path], requests: Sequence[CropRequest]) -> None:
        places = batch.numpy()
        for place, request in zip(places, requests, strict=True):
            square = crop(self.photos.pixels(paths[request.row]), self.size, request.seed)
            square = square[:, ::-1] if request.flip else square
            if request.trivial and request.seed is not None:
                square = trivial_augment(square, request.seed)
            place[:] = square

    def _on_device(self, batch: Tensor) -> Tensor:
        return batch.permute(0, 3, 1, 2).to(self.device, non_blocking=True)


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
        balanced: Draw as many images of each class.
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
        *,
        balanced: bool = False,
    ) -> None:
        images = min(len(files), epoch_images or len(files))
        super().__init__(images, batch_size, drop_last=True)
        self._balanced = BalancedClasses(files.labels, images) if balanced else None
        self._files = files
        self._reading = reading
        self._statistics = statistics
        self._augmentation = augmentation
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches of the chosen epoch."""
        draws = draw_epoch(
            len(self._files), self._augmentation, self._seed, self.epoch, self._balanced
        )
        rows = draws.order.tolist()
        crops = [
            CropRequest(row, seed, flip, self._augmentation.trivial)
            for row, seed, flip in zip(
                rows,
                image_seeds(rows, self._seed, self.epoch),
                draws.flip.tolist()[: len(rows)],
                strict=True,
            )
        ]
        requests = [crops[start:stop] for start, stop in self.bounds]
        draws = draws.to(self._reading.device)
        labels = self._files.labels.to(self._reading.device)[draws.order]
        batches = self._reading.batches(self._files.paths, requests)
        for (start, stop), images in zip(self.bounds, batches, strict=True):
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
