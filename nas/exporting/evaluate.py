"""Compares a runtime's outputs with those of the PyTorch network and with the labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.data import Data
from nas.evaluation import Predictions
from nas.exporting.shipped.runtime import LOADERS, Loaded, Pixels
from nas.exporting.targets.quiet import quiet

BATCH = 200
LEAST_LOGIT = -60.0


@dataclass
class Outcome:
    """Sums over the images seen so far.

    Attributes:
        images: Number of images.
        correct: Number of correctly classified images.
        agreeing: Number of images with the same class as in PyTorch.
        difference: Largest difference of any logit from PyTorch's, both less the largest of their image:
            files that give scores say no more of a logit.
        largest: Largest logit of PyTorch, in magnitude.
    """

    images: int = 0
    correct: int = 0
    agreeing: int = 0
    difference: float = 0.0
    largest: float = 0.0

    @property
    def accuracy(self) -> float:
        """Share of correctly classified images."""
        return self.correct / self.images

    def add(
        self, logits: NDArray[np.float32], expected: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> None:
        """Add a batch: logits of both, (B, K), and labels, (B,)."""
        named = logits.argmax(1)
        self.images += len(labels)
        self.correct += int((named == labels).sum())
        self.agreeing += int((named == expected.argmax(1)).sum())
        # Python's own maximum ignores a NaN.
        change = np.abs(below_largest(logits) - below_largest(expected)).max()
        self.difference = float(np.max([self.difference, change]))
        self.largest = max(self.largest, float(np.abs(expected).max()))


def below_largest(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (B, K) less the largest of each image; below LEAST_LOGIT a score is 0 in float32."""
    less: NDArray[np.float32] = logits - logits.max(axis=1, keepdims=True)
    return np.maximum(less, np.float32(LEAST_LOGIT))


@dataclass
class Outcomes:
    """The outcomes of PyTorch and of each runtime, by name, on the same images.

    Attributes:
        pytorch: Of the network itself.
        runtimes: Of each runtime.
        logits: PyTorch's, a batch (B, K) each.
        labels: Of the images, a batch (B,) each.
    """

    pytorch: Outcome = field(default_factory=Outcome)
    runtimes: dict[str, Outcome] = field(default_factory=dict)
    logits: list[NDArray[np.float32]] = field(default_factory=list)
    labels: list[NDArray[np.int64]] = field(default_factory=list)

    def predictions(
        self, class_names: tuple[str, ...], split: Literal["val", "test"]
    ) -> Predictions:
        """What PyTorch says about the images."""
        labels = np.concatenate(self.labels)
        names = tuple(f"{split}[{row}]" for row in range(len(labels)))
        logits = np.concatenate(self.logits).astype(np.float64)
        return Predictions(class_names, names, (split,) * len(labels), labels, logits)


def evaluate(
    model: nn.Module, runs: Mapping[str, Loaded], batches: Iterator[tuple[Tensor, Tensor]]
) -> Outcomes:
    """Run the network and every runtime on every image.

    Args:
        model: The network in evaluation mode.
        runs: Loaded runtimes by name.
        batches: Images (B, C, H, W), normalised, and labels (B,).
    """
    outcomes = Outcomes(runtimes={name: Outcome() for name in runs})
    for images, labels in batches:
        with torch.inference_mode():
            expected = model(images).numpy()
        outcomes.pytorch.add(expected, expected, labels.numpy())
        outcomes.logits.append(expected)
        outcomes.labels.append(labels.numpy())
        given = images.contiguous().numpy()
        for name, run in runs.items():
            logits = np.concatenate([run(image[None]) for image in given])
            outcomes.runtimes[name].add(logits, expected, labels.numpy())
    return outcomes


def load(target: str, path: Path, pixels: Pixels | None = None) -> Loaded:
    """Load a file in its runtime, on one thread, without the runtime's output.

    Args:
        target: The runtime.
        path: The file.
        pixels: The normalisation that the file does itself.
    """
    with quiet():
        return replace(LOADERS[target](path, 1), pixels=pixels)


def held_out(data: Data, full: bool, most: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of at most ``most`` held-out images, evenly spread over their split.

    The split is the validation images; with ``full``, a network trained on these too, the test images.
    """
    device = torch.device("cpu")
    info = data.info
    total = info.test_images if full else info.val_images
    batches = data.test_batches(BATCH, device) if full else data.val_batches(BATCH, device)
    wanted = min(most or total, total)
    seen = 0
    for images, labels in batches:
        # Image k of n is taken if k * wanted / n passes a whole number there.
        place = torch.arange(seen, seen + len(labels))
        rows = ((place + 1) * wanted) // total > (place * wanted) // total
        seen += len(labels)
        if rows.any():
            yield images[rows], labels[rows]


def training_images(data: Data, seed: int, wanted: int) -> tuple[Tensor, Tensor]:
    """The first images and labels, at most ``wanted``, of the augmented training with this seed."""
    images, labels = [], []
    for some, theirs in data.train_batches(min(BATCH, wanted), seed, torch.device("cpu")):
        images.append(some)
        labels.append(theirs)
        if sum(map(len, labels)) >= wanted:
            break
    return torch.cat(images)[:wanted].contiguous(), torch.cat(labels)[:wanted]
