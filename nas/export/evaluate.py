"""What a runtime's outputs are worth: against the PyTorch network's, and against the labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.data import Data
from nas.export.shipped.runtime import LOADERS, Run
from nas.export.targets.quiet import quiet

BATCH = 200


@dataclass
class Outcome:
    """Sums over the images seen so far.

    Attributes:
        images: Seen.
        correct: Named as their labels do.
        agreeing: Named as PyTorch names them.
        difference: Largest difference of any logit from PyTorch's.
        largest: Largest logit of PyTorch, in magnitude.
    """

    images: int = 0
    correct: int = 0
    agreeing: int = 0
    difference: float = 0.0
    largest: float = 0.0

    @property
    def accuracy(self) -> float:
        """Share of images named as their labels do."""
        return self.correct / self.images

    def add(
        self, logits: NDArray[np.float32], expected: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> None:
        """Count a batch, (B, K) each and (B,)."""
        named = logits.argmax(1)
        self.images += len(labels)
        self.correct += int((named == labels).sum())
        self.agreeing += int((named == expected.argmax(1)).sum())
        # Not the running maximum of Python, which a NaN would pass by.
        self.difference = float(np.max([self.difference, np.abs(logits - expected).max()]))
        self.largest = max(self.largest, float(np.abs(expected).max()))


@dataclass
class Outcomes:
    """Of PyTorch and of each runtime, by name, on the same images."""

    pytorch: Outcome = field(default_factory=Outcome)
    runtimes: dict[str, Outcome] = field(default_factory=dict)


def evaluate(
    model: nn.Module, runs: Mapping[str, Run], batches: Iterator[tuple[Tensor, Tensor]]
) -> Outcomes:
    """Give every image to the network and to every runtime.

    Args:
        model: In evaluation mode.
        runs: Runtimes with their file loaded, by name.
        batches: Images (B, C, H, W), normalised, and labels (B,).
    """
    outcomes = Outcomes(runtimes={name: Outcome() for name in runs})
    for images, labels in batches:
        with torch.inference_mode():
            expected = model(images).numpy()
        outcomes.pytorch.add(expected, expected, labels.numpy())
        given = images.contiguous().numpy()
        for name, run in runs.items():
            logits = np.concatenate([run(image[None]) for image in given])
            outcomes.runtimes[name].add(logits, expected, labels.numpy())
    return outcomes


def load(target: str, path: Path) -> Run:
    """A file in its runtime, on one thread, without what runtimes say of themselves."""
    with quiet():
        return LOADERS[target](path, 1)


def held_out(data: Data, full: bool, most: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of images that the network was not trained on, at most ``most``, evenly spread.

    The validation images, or the test images of a network that was trained on those too (``full``).
    """
    device = torch.device("cpu")
    info = data.info
    total = info.test_images if full else info.val_images
    batches = data.test_batches(BATCH, device) if full else data.val_batches(BATCH, device)
    wanted = min(most or total, total)
    seen = 0
    for images, labels in batches:
        # The k-th of n images is wanted where k * wanted / n steps over a whole number.
        place = torch.arange(seen, seen + len(labels))
        rows = ((place + 1) * wanted) // total > (place * wanted) // total
        seen += len(labels)
        if rows.any():
            yield images[rows], labels[rows]


def training_images(data: Data, seed: int, wanted: int) -> tuple[Tensor, Tensor]:
    """Up to ``wanted`` images and labels, augmented, as the training with this seed begins with."""
    images, labels = [], []
    for some, theirs in data.train_batches(min(BATCH, wanted), seed, torch.device("cpu")):
        images.append(some)
        labels.append(theirs)
        if sum(map(len, labels)) >= wanted:
            break
    return torch.cat(images)[:wanted].contiguous(), torch.cat(labels)[:wanted]
