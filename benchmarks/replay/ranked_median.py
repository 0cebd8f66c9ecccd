"""The median rule for several objectives, as OptunaHub's multi-metric pruner has it.

Written after its description and behaviour with ``joint=True`` around Optuna's MedianPruner
(optunahub-registry, package/pruners/multi_metric_pruner).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from nas.study import best_subset, pareto_layers

STARTUP = 5
"""Trials that end before any is pruned: the default of Optuna's MedianPruner."""


class RankedMedian:
    """Prunes a trial whose best rank is worse than the median of ended trials at its last step.

    The rank at a step is that of the Pareto layers of all trials with a value there, running ones too.
    All values are minimised.
    """

    def __init__(self) -> None:
        self._values: dict[int, dict[int, tuple[float, ...]]] = defaultdict(dict)
        self._ended: set[int] = set()

    def report(self, number: int, step: int, values: tuple[float, ...]) -> None:
        """Note the objectives of a trial at a step."""
        self._values[step][number] = values

    def end(self, number: int) -> None:
        """Note that a trial runs no more, for whatever reason."""
        self._ended.add(number)

    def prunes(self, number: int) -> bool:
        """Whether a trial is to be pruned at the last step it has reported."""
        if len(self._ended) < STARTUP:
            return False
        steps = [step for step, values in self._values.items() if number in values]
        ranks = {step: self._ranks(step, number) for step in steps}
        last = ranks[max(steps)]
        ended = [rank for other, rank in last.items() if other in self._ended]
        # The best rank it ever had, for MedianPruner looks at the best value of a trial; but at every
        # step by all that is known now.
        best = min(one[number] for one in ranks.values())
        return bool(ended) and best > float(np.median(ended))

    def _ranks(self, step: int, number: int) -> dict[int, float]:
        """Trial -> rank at a step, as seen when ``number`` is judged."""
        values = self._values[step]
        others = sorted(other for other in values if other != number)
        numbers = [*others, number]
        points = np.array([values[other] for other in numbers])
        layers = pareto_layers(points)
        ranks = layers.astype(float)
        if layers[-1] == 0:
            ranks[-1] -= 1  # so that one on the front is never pruned
        else:
            same = np.flatnonzero(layers == layers[-1])
            order = same[_by_contribution(points[same])]
            if len(order) > 1:
                ranks[order] -= np.linspace(0.5, 0.1, len(order))
        return dict(zip(numbers, ranks.tolist(), strict=True))


def _by_contribution(points: np.ndarray) -> np.ndarray:
    """Indices of points of one layer, in the order in which greedy choice by hypervolume takes them."""
    worst = points.max(axis=0)
    reference = np.maximum(1.1 * worst, 0.9 * worst)
    unique, which = np.unique(points, axis=0, return_inverse=True)
    indices = np.arange(len(unique))
    if len(unique) > 1:
        # Asked for all of them, Optuna's function would give them unordered.
        first = best_subset(unique, len(unique) - 1, reference)
        indices = np.concatenate([first, np.setdiff1d(indices, first)])
    return np.concatenate([np.flatnonzero(which.reshape(-1) == index) for index in indices])
