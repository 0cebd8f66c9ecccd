"""Which network is worth training (on) next: forecast, acquisition and the epochs it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nas.searching.acquisition import LOG, Acquisition
from nas.searching.early_stopping.snapshot import ETA, TrialSnapshot
from nas.searching.forecast.expected_improvement import ExpectedImprovement
from nas.searching.forecast.features import Network, features_of
from nas.searching.forecast.model import Forecast, forecast

WORST = 1.0
"""The error at costs where no network is known yet."""


@dataclass(frozen=True)
class ScoredCandidate:
    """What is expected of training a network to its end.

    Attributes:
        key: Of the network.
        growth: Expected growth of the hypervolume: on logarithms, by how much, in parts of itself, the
            least error falls in the mean over all budgets; else as a share of what is undominated.
        epochs: That it would still take.
        expected: Epochs that it is expected to take, given that it may be left at the next rung.
    """

    key: str
    growth: float
    epochs: int
    expected: float

    @property
    def value(self) -> float:
        """Growth an epoch."""
        return self.growth / self.expected


class CandidateRanker:
    """Ranks the networks of a search by what an epoch spent on them is expected to bring.

    Args:
        networks: Those that may be trained, by key.
        costs: Exact costs of each, one a cost objective.
        rungs: Epochs at which trainings pause; the last is their end.
        worst: The largest value that an error can have; the forecast is made of parts of it.
        acquisition: How errors and costs are weighed.
    """

    def __init__(
        self,
        networks: Mapping[str, Network],
        costs: Mapping[str, tuple[float, ...]],
        rungs: tuple[int, ...],
        worst: float = WORST,
        acquisition: Acquisition = LOG,
    ) -> None:
        self._worst = worst
        self._acquisition = acquisition
        self._keys = sorted(networks)
        self._rows = {key: row for row, key in enumerate(self._keys)}
        raw = [costs[key] for key in self._keys]
        self._features = features_of([networks[key] for key in self._keys], raw)
        table = np.asarray(raw, dtype=float).reshape(len(raw), len(raw[0]))
        if acquisition.scale == "log":
            positive = table.min(0) > 0  # others have no logarithm
            table = np.where(positive, np.log(np.where(positive, table, 1.0)), table)
        span = np.ptp(table, axis=0)
        self._costs: NDArray[np.float64] = (table - table.min(0)) / np.where(span > 0, span, 1.0)
        self._rungs = rungs
        # The rule asks, then the searcher, of the same state.
        self._last: tuple[frozenset[TrialSnapshot], list[ScoredCandidate]] | None = None

    def ranked_candidates(self, snapshots: Sequence[TrialSnapshot]) -> list[ScoredCandidate]:
        """All networks that could be trained (on) now, the most valuable first.

        Those in training are taken to come to what is predicted, so that parallel trainings spread.

        Args:
            snapshots: Those begun; in any order.
        """
        state = frozenset(snapshots)
        if self._last is None or self._last[0] != state:
            self._last = state, self._ranked(sorted(state, key=lambda one: one.key))
        return self._last[1]

    def _ranked(self, snapshots: list[TrialSnapshot]) -> list[ScoredCandidate]:
        if self._worst != WORST:
            snapshots = [
                replace(one, errors=tuple(error * WORST / self._worst for error in one.errors))
                for one in snapshots
            ]
        rungs = len(self._rungs)
        predicted = self._predicted(snapshots)
        settled = [
            self._rows[one.key]
            for one in snapshots
            if one.key in self._rows and (one.running or len(one.errors) == rungs)
        ]
        growth = self._growth(predicted, settled)
        reached = {one.key: len(one.errors) for one in snapshots}
        taken = {
            *settled,
            *(self._rows[one.key] for one in snapshots if one.stopped and one.key in self._rows),
        }
        ranked = []
        for row, key in enumerate(self._keys):
            if row not in taken:
                at = reached.get(key, 0)
                left = self._rungs[-1] - (self._rungs[at - 1] if at else 0)
                expected = self._expected_epochs(predicted, row, at)
                ranked.append(ScoredCandidate(key, float(growth[row]), left, expected))
        return sorted(ranked, key=lambda one: (-one.value, one.key))

    def _growth(self, predicted: Forecast, settled: list[int]) -> NDArray[np.float64]:
        """Expected growth of the hypervolume by each network, once ``settled`` are what is predicted."""
        if self._acquisition.scale == "linear":
            linear = ExpectedImprovement.over(self._costs, settled, predicted.mean[settled], WORST)
            return linear.improvement(self._costs, predicted) / max(linear.volume, 1e-12)
        logs = Forecast(np.log(predicted.mean), predicted.sd / predicted.mean, predicted.doubt)
        floor = np.log(self._acquisition.floor)
        return ExpectedImprovement.over(
            self._costs, settled, logs.mean[settled], np.log(WORST), floor
        ).improvement(self._costs, logs)

    def _expected_epochs(self, predicted: Forecast, row: int, at: int) -> float:
        """Epochs that a network is expected to take which has reached ``at`` rungs.

        The step to the next rung is certain. A later one is taken always when the rung before it will
        tell nothing about the end, and as seldom as by successive halving when it will tell all: what
        it tells is the share of the variance of the forecast that it is expected to resolve.
        """
        variance = (predicted.sd[row] / predicted.mean[row]) ** 2
        epochs, chance = 0.0, 1.0
        for rung in range(at, len(self._rungs)):
            epochs += chance * (self._rungs[rung] - (self._rungs[rung - 1] if rung else 0))
            resolved = variance / (variance + predicted.doubt[rung] ** 2)
            chance = 1 - float(resolved) * (1 - 1 / ETA)
        return epochs

    def _predicted(self, snapshots: list[TrialSnapshot]) -> Forecast:
        """The forecast of the true errors.

        On logarithms an error that was seen is as uncertain as a repeated training and the validation
        images make it, and the best of them was partly luck: what counts is what the forecast makes of
        it. On the linear scale it is taken as it is.
        """
        if not any(one.errors and one.key in self._rows for one in snapshots):
            count = len(self._keys)
            unknown = np.full(len(self._rungs), np.inf)
            return Forecast(np.full(count, WORST / 2), np.full(count, WORST / 4), unknown)
        images = self._acquisition.images
        predicted = forecast(self._features, self._rows, snapshots, len(self._rungs), images)
        if self._acquisition.scale == "log":
            return predicted
        for one in snapshots:
            if one.key in self._rows and len(one.errors) == len(self._rungs):
                predicted.mean[self._rows[one.key]] = min(one.errors[-1], WORST)
        return predicted
