"""``--warm-start``: the first networks are those that a zero-cost score thinks best at their cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from optuna.study._multi_objective import _fast_non_domination_rank

from nas.search.early_stopping.snapshot import TrialSnapshot
from nas.search.searchers.searcher import Searcher

FIRST = 8
"""Networks that the score chooses; from then on trainings tell more."""


class WarmStartSearcher:
    """Deals out the front of (score, costs) first, and then what another searcher says.

    Args:
        scores: Of networks by key, higher is better; of some or all candidates.
        costs: Exact costs of all candidates, by key.
        then: Deals out all further networks.
    """

    def __init__(
        self, scores: Mapping[str, float], costs: Mapping[str, tuple[float, ...]], then: Searcher
    ) -> None:
        self._then = then
        self._costs = {key: [math.log1p(cost) for cost in costs[key]] for key in scores}
        self._order = _layers(scores, costs)

    def suggest(self, left: Sequence[str], snapshots: Sequence[TrialSnapshot]) -> Iterator[str]:
        """All that are left, the best by the score first while few were begun."""
        if len(snapshots) < FIRST:
            yield from self._by_score(set(left), [one.key for one in snapshots])
        yield from self._then.suggest(left, snapshots)

    def _by_score(self, left: set[str], begun: Sequence[str]) -> Iterator[str]:
        """Layer by layer; in a layer first who is farthest in cost from all before."""
        placed = [self._costs[key] for key in begun if key in self._costs]
        for layer in self._order:
            waiting = [key for key in layer if key in left]
            while waiting:
                chosen = max(waiting, key=lambda key: self._distance(key, placed))
                waiting.remove(chosen)
                placed.append(self._costs[chosen])
                yield chosen

    def _distance(self, key: str, placed: Sequence[Sequence[float]]) -> float:
        return min((math.dist(self._costs[key], other) for other in placed), default=0.0)


def _layers(scores: Mapping[str, float], costs: Mapping[str, tuple[float, ...]]) -> list[list[str]]:
    """Pareto layers of high score and low costs, each sorted by score and then by key."""
    keys = sorted(scores, key=lambda key: (-scores[key], key))
    if not keys:
        return []
    ranks = _fast_non_domination_rank(np.array([(-scores[key], *costs[key]) for key in keys]))
    layers: list[list[str]] = [[] for _ in range(int(ranks.max()) + 1)]
    for key, rank in zip(keys, ranks, strict=True):
        layers[rank].append(key)
    return layers
