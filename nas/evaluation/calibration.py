"""How far the probabilities of a network are those of being right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.evaluation.predictions import Predictions

BINS = 15
COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Bin:
    """The images whose predicted class has a probability within an interval.

    Attributes:
        low: Lower end of the interval.
        high: Upper end.
        images: Number of images.
        confidence: Their mean probability; None without images.
        accuracy: Share of them that are classified correctly; None without images.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Temperature:
    """The temperature that logits are divided by before the softmax.

    Attributes:
        value: 1 changes nothing; more makes the network less sure.
        images: Number of validation images that it was fitted on; 0: it was not fitted.
        note: Why it was not fitted; empty when it was.
    """

    value: float = 1.0
    images: int = 0
    note: str = ""


def fit_temperature(val: Predictions) -> Temperature:
    """The temperature of the least cross entropy on validation images.

    Without a mistake among the images the least cross entropy is that of probabilities 0 and 1, so
    the temperature stays 1 and a note says so.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    wrong = int((val.named != val.labels).sum())
    if wrong == 0:
        return Temperature(note=f"no mistake among {len(val):,} validation images to fit it on")
    rows = np.arange(len(val))

    def loss(log_temperature: float) -> float:
        logs = log_softmax(val.logits / np.exp(log_temperature), axis=1)
        return float(-logs[rows, val.labels].mean())

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return Temperature(round(float(np.exp(found.x)), 4), len(val))


def calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The expected calibration error (ECE) over 15 bins of equal width."""
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    error = multiclass_calibration_error(
        torch.from_numpy(probabilities),
        torch.from_numpy(labels),
        num_classes=probabilities.shape[1],
        n_bins=BINS,
    )
    return float(error)


def reliability(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[Bin, ...]:
    """Accuracy against probability, in the bins of the calibration error."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    edges = np.linspace(0, 1, BINS + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, BINS - 1)
    bins = []
    for index in range(BINS):
        here = place == index
        count = int(here.sum())
        bins.append(
            Bin(
                round(float(edges[index]), 4),
                round(float(edges[index + 1]), 4),
                count,
                float(sure[here].mean()) if count else None,
                float(right[here].mean()) if count else None,
            )
        )
    return tuple(bins)
