"""Batches of a data set of one's own, read by worker processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from nas.data.augment import crop_images, flip_images, pad_images, paste_scaled
from nas.data.batching import EpochBatches
from nas.data.draws import (
    Augmentation,
    BalancedClasses,
    draw_epoch,
    draw_view,
    image_seeds,
    seed_from,
)
from nas.data.own_datasets import Items, Refused, Request
from nas.data.photo_progress import say_once
from nas.data.shared_memory import AHEAD, SHM, workers_that_fit
from nas.data.statistics import Statistics
from nas.errors import WorkFailed
from nas.plugins import PluginFault

FORK = "fork" if sys.platform == "linux" else None
"""How processes that read are started. The default in a process of a fork server is another server for
each pass, with workers that import torch: seconds per epoch."""

WAIT_SECONDS = 600
"""How long a training waits for a batch before it gives up."""

VIEW_SEED = 20190317
"""Of whatever is random about validation and test items; they are the same in every epoch."""


def read_batches(
    items: Items, requests: Sequence[Sequence[Request]], workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """One batch a list of requests: images (B, C, S, S) from 0 to 255, and int64 labels (B,).

    Raises:
        PluginFault: An item cannot be used.
        WorkFailed: A process that reads was killed, or gave no batch for ten minutes.
    """
    workers = _fitting(items, requests, workers)
    loader: DataLoader[tuple[Tensor, Tensor] | Refused] = DataLoader(
        items,  # type: ignore[arg-type]  # a batch is what the gathering gives
        batch_sampler=requests,  # type: ignore[arg-type]
        collate_fn=_gather,
        num_workers=workers,
        multiprocessing_context=FORK if workers else None,
        prefetch_factor=AHEAD if workers else None,
        timeout=WAIT_SECONDS if workers else 0,
        pin_memory=device.type == "cuda",
        # The loader draws a seed for its workers; not from the generator of the program.
        generator=torch.Generator(),
    )
    for batch in _until_lost(loader):
        if isinstance(batch, Refused):
            raise PluginFault(batch.message)
        images, labels = (one.to(device, non_blocking=True) for one in batch)
        yield images * 255 if images.is_floating_point() else images, labels


def _until_lost(
    loader: DataLoader[tuple[Tensor, Tensor] | Refused],
) -> Iterator[tuple[Tensor, Tensor] | Refused]:
    batches = iter(loader)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise WorkFailed(
                f"a process that reads images was lost ({reason}); fewer data.workers need less memory"
            ) from None
        yield batch


def _fitting(items: Items, requests: Sequence[Sequence[Request]], workers: int) -> int:
    """As many of ``workers`` as there is shared memory for their batches."""
    largest = max(map(len, requests), default=0)
    fitting = workers_that_fit(workers, largest * items.item_bytes)
    if fitting < workers:
        instead = (
            f"{fitting} of {workers} processes read" if fitting else "the training itself reads"
        )
        say_once(f"{SHM} has too little shared memory free: {instead} the images")
    return fitting


def _gather(items: list[tuple[Tensor, int] | Refused]) -> tuple[Tensor, Tensor] | Refused:
    images, labels = [], []
    for item in items:
        if isinstance(item, Refused):
            return item
        images.append(item[0])
        labels.append(item[1])
    # The share of one of several processes may be empty.
    return (torch.stack(images) if images else torch.empty(0)), torch.tensor(labels).long()


class OwnTrainBatches(EpochBatches):
    """All items, shuffled and augmented.

    Args:
        items: What is read.
        workers: Processes that read.
        device: Where the batches are wanted.
        statistics: For the normalisation.
        augmentation: What is applied; PIL images were cropped at random before.
        batch_size: Images per batch.
        seed: Seed of the run.
        epoch_images: Images an epoch, each epoch others; None: all.
        labels: Of all items, to draw as many of each class; None: each item once.
    """

    def __init__(
        self,
        items: Items,
        workers: int,
        device: torch.device,
        statistics: Statistics,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        epoch_images: int | None = None,
        *,
        labels: Tensor | None = None,
    ) -> None:
        images = min(len(items), epoch_images or len(items))
        super().__init__(images, batch_size, drop_last=True)
        self._balanced = None if labels is None else BalancedClasses(labels, images)
        self._items = items
        self._workers = workers
        self._device = device
        self._statistics = statistics
        self._augmentation = augmentation
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches of the chosen epoch."""
        augmentation = self._augmentation
        draws = draw_epoch(len(self._items), augmentation, self._seed, self.epoch, self._balanced)
        rows = draws.order.tolist()
        seeds = image_seeds(rows, self._seed, self.epoch)
        every = [
            Request(row, seed, True, augmentation.trivial)
            for row, seed in zip(rows, seeds, strict=True)
        ]
        requests = [every[start:stop] for start, stop in self.bounds]
        draws = draws.to(self._device)
        batches = read_batches(self._items, requests, self._workers, self._device)
        for (start, stop), (images, labels) in zip(self.bounds, batches, strict=True):
            if augmentation.crop_padding:
                size, padded = images.shape[-1], pad_images(images, augmentation.crop_padding)
                places = torch.arange(len(images), device=self._device)
                images = crop_images(padded, places, draws.corners[start:stop], size)
            if augmentation.flip:
                images = flip_images(images, draws.flip[start:stop])
            if augmentation.scale_jitter is not None:
                paste = draws.paste.part(start, stop)
                images = paste_scaled(images.float(), paste.scale, paste.place)
            yield self._statistics.normalise(images), labels


class OwnEvalBatches(EpochBatches):
    """All items, in order.

    Args:
        items: What is read.
        workers: Processes that read.
        device: Where the batches are wanted.
        statistics: For the normalisation.
        scale_jitter: Lowest scale of the fixed jitter, or None for no jitter.
        batch_size: Images per batch.
    """

    def __init__(
        self,
        items: Items,
        workers: int,
        device: torch.device,
        statistics: Statistics,
        scale_jitter: float | None,
        batch_size: int,
    ) -> None:
        super().__init__(len(items), batch_size, drop_last=False)
        self._items = items
        self._workers = workers
        self._device = device
        self._statistics = statistics
        self._scale_jitter = scale_jitter

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches, the same in every epoch."""
        requests = [
            [Request(row, seed_from(VIEW_SEED, row), False) for row in range(start, stop)]
            for start, stop in self.bounds
        ]
        lowest = 1.0 if self._scale_jitter is None else self._scale_jitter
        paste = draw_view(len(self._items), lowest).to(self._device)
        batches = read_batches(self._items, requests, self._workers, self._device)
        for (start, stop), (images, labels) in zip(self.bounds, batches, strict=True):
            if self._scale_jitter is not None:
                part = paste.part(start, stop)
                images = paste_scaled(images.float(), part.scale, part.place)
            yield self._statistics.normalise(images), labels
