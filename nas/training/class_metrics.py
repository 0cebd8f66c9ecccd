"""What a confusion matrix comes to: the metrics that a search may minimise, with 95 % intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.training.intervals import Rate, mean_rate, wilson
from nas.training.recipe import Metric

Table = NDArray[np.int64]


def metric_rate(table: Table, metric: Metric, costs: NDArray[np.float64] | None = None) -> Rate:
    """A metric that is minimised, from images by label (rows) and prediction (columns).

    Classes without images are left out.

    Args:
        table: (K, K), with at least one image.
        metric: Which.
        costs: (K, K), of ``cost`` alone.

    Raises:
        ValueError: ``cost`` without costs.
    """
    if metric == "error":
        images = int(table.sum())
        return wilson(images - int(table.trace()), images)
    if metric == "balanced_error":
        return balanced_error(table)
    if metric == "1-macro_f1":
        return macro_f1_loss(table)
    if costs is None:
        raise ValueError("the metric cost needs the costs")
    return mean_cost(table, costs)


def balanced_error(table: Table) -> Rate:
    """The mean over the classes of the share of their images that are misclassified."""
    return mean_rate(
        [
            wilson(images - right, images)
            for right, images, _ in zip(*_counts(table), strict=True)
            if images
        ]
    )


def macro_f1_loss(table: Table) -> Rate:
    """One less the mean F1 of the classes.

    For one class that is ``m / (2 - m)``, where ``m`` is the share of mistakes among the images that
    have the label or the prediction. Each mistake counts in two classes.
    """
    parts = []
    for right, images, predicted in zip(*_counts(table), strict=True):
        if images:
            every = images + predicted - right
            share = wilson(every - right, every)
            parts.append(Rate(*(m / (2 - m) for m in (share.value, share.low, share.high))))
    return mean_rate(parts, overlap=2)


def mean_cost(table: Table, costs: NDArray[np.float64]) -> Rate:
    """The mean cost of an image.

    Wilson's interval of as many mistakes of equal cost as have the same mean and variance. Without a
    mistake each could have the largest cost.

    Args:
        table: (K, K).
        costs: (K, K), of a label (rows) and a prediction (columns).
    """
    images = int(table.sum())
    total = float((table * costs).sum())
    if not total:
        return wilson(0, images).scaled(float(costs.max()))
    unit = float((table * costs**2).sum()) / total
    return wilson(min(total / unit, images), images).scaled(unit)


def _counts(table: Any) -> tuple[list[int], list[int], list[int]]:
    """By class: images that are right, that have the label, that have the prediction."""
    table = np.asarray(table)
    return table.diagonal().tolist(), table.sum(1).tolist(), table.sum(0).tolist()
