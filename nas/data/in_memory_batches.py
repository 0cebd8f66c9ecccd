"""Batches cut out of images that lie on the device as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nas.data.augment import crop_images, flip_images, paste_scaled
from nas.data.batching import EpochBatches
from nas.data.draws import Augmentation, BalancedClasses, draw_epoch, image_seeds
from nas.data.labelled import LabelledImages
from nas.data.statistics import Statistics
from nas.data.trivial_augment import trivial_augment_tensor


class InMemoryTrainBatches(EpochBatches):
    """Augmented training batches cut out of a tensor of padded images.

    Args:
        padded: uint8 (M, C, S + 2 * crop_padding, same), M >= images.
        images: Number of images, from the first, that are trained on.
        statistics: For the normalisation.
        augmentation: Augmentation to apply.
        batch_size: Images per batch.
        seed: Seed of the run.
        epoch_images: Images per epoch, drawn for each epoch; None: all.
        balanced: Draw as many images of each class.
    """

    def __init__(
        self,
        padded: LabelledImages,
        images: int,
        statistics: Statistics,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        epoch_images: int | None = None,
        *,
        balanced: bool = False,
    ) -> None:
        count = min(images, epoch_images or images)
        super().__init__(count, batch_size, drop_last=True)
        self._balanced = BalancedClasses(padded.labels[:images], count) if balanced else None
        self._padded = padded
        self._images = images
        self._statistics = statistics
        self._augmentation = augmentation
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches of the chosen epoch."""
        source, augmentation = self._padded, self._augmentation
        draws = draw_epoch(self._images, augmentation, self._seed, self.epoch, self._balanced)
        draws = draws.to(source.labels.device)
        size = source.images.shape[-1] - 2 * augmentation.crop_padding
        seeds = image_seeds(draws.order.tolist(), self._seed, self.epoch)
        for start, stop in self.bounds:
            rows = draws.order[start:stop]
            images = crop_images(source.images, rows, draws.corners[start:stop], size)
            if augmentation.flip:
                images = flip_images(images, draws.flip[start:stop])
            if augmentation.trivial:
                images = _trivial(images, seeds[start:stop])
            if augmentation.scale_jitter is not None:
                paste = draws.paste.part(start, stop)
                images = paste_scaled(images.float(), paste.scale, paste.place)
            yield self._statistics.normalise(images), source.labels[rows]


def _trivial(images: Tensor, seeds: list[int]) -> Tensor:
    done = [
        trivial_augment_tensor(image, seed) for image, seed in zip(images.cpu(), seeds, strict=True)
    ]
    # The share of one of several processes may be empty.
    return torch.stack(done).to(images.device) if done else images


class InMemoryEvalBatches(EpochBatches):
    """Batches of all images in order, normalised but not augmented.

    Args:
        source: The images.
        statistics: For the normalisation.
        batch_size: Images per batch.
    """

    def __init__(self, source: LabelledImages, statistics: Statistics, batch_size: int) -> None:
        super().__init__(len(source), batch_size, drop_last=False)
        self._source = source
        self._statistics = statistics

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches, the same in every epoch."""
        for start, stop in self.bounds:
            images = self._source.images[start:stop]
            yield self._statistics.normalise(images), self._source.labels[start:stop]
