"""What is worth training next in a space that is too large to list."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from blocks import ArchSpec
from nas.searching.early_stopping.snapshot import TrialSnapshot
from nas.searching.forecast.candidate_ranker import CandidateRanker, ScoredCandidate
from nas.searching.samplers import derive_seed

SAMPLED = 1_000
"""Networks of the sample that evolution starts from."""
GENERATIONS = 4
PARENTS = 25
"""Networks of a generation that are varied."""
CHILDREN = 12
"""Networks that are drawn around each of them."""

Costs: TypeAlias = tuple[float, ...]


class EvolvingRanker:
    """Ranks a sample of the space, the networks begun, and what evolution makes of the best of them.

    What the forecast expects of a network, and its costs, are known before it is trained, so the best
    network by the forecast can be searched for: the best of a sample are varied in one choice or two,
    the best of all in turn, and so on. The ranking is a function of the sample and of the trainings so
    far, so that a resumed search proposes what it would have proposed.

    Args:
        sample: Networks of the space, by key.
        neighbours: (network, generator) -> some networks like it, within the budgets.
        costs_of: Exact costs of a network, one a cost objective.
        ranker_of: (networks by key, their costs by key) -> what ranks those.
        seed: Of the search.

    Attributes:
        networks: All that were looked at so far, by key.
    """

    def __init__(
        self,
        sample: Mapping[str, ArchSpec],
        neighbours: Callable[[ArchSpec, random.Random], Iterable[ArchSpec]],
        costs_of: Callable[[ArchSpec], Costs],
        ranker_of: Callable[[Mapping[str, ArchSpec], Mapping[str, Costs]], CandidateRanker],
        seed: int,
    ) -> None:
        self.networks = dict(sample)
        self._sample = {key: sample[key] for key in sorted(sample)[:SAMPLED]}
        self._neighbours, self._costs_of, self._ranker_of = neighbours, costs_of, ranker_of
        self._seed = seed
        self._costs: dict[str, Costs] = {}
        self._last: tuple[frozenset[TrialSnapshot], list[ScoredCandidate]] | None = None

    def ranked_candidates(self, snapshots: Sequence[TrialSnapshot]) -> list[ScoredCandidate]:
        """The networks that were looked at, the most valuable first; see ``CandidateRanker``."""
        state = frozenset(snapshots)
        if self._last is None or self._last[0] != state:
            self._last = state, self._evolved(sorted(state, key=lambda one: one.key))
        return self._last[1]

    def _evolved(self, snapshots: list[TrialSnapshot]) -> list[ScoredCandidate]:
        begun = {one.key: one.spec for one in snapshots if one.spec is not None}
        pool = self._sample | begun
        rng = random.Random(derive_seed(self._seed, "evolution", len(snapshots)))
        ranked = self._ranked(pool, snapshots)
        parents = [*begun, *(one.key for one in ranked[:PARENTS])]
        for _ in range(GENERATIONS):
            for parent in parents:
                pool |= {spec.key: spec for spec in self._neighbours(pool[parent], rng)}
            ranked = self._ranked(pool, snapshots)
            parents = [one.key for one in ranked[:PARENTS]]
        self.networks |= pool
        return ranked

    def _ranked(
        self, pool: Mapping[str, ArchSpec], snapshots: list[TrialSnapshot]
    ) -> list[ScoredCandidate]:
        for key in pool.keys() - self._costs.keys():
            self._costs[key] = self._costs_of(pool[key])
        costs = {key: self._costs[key] for key in pool}
        return self._ranker_of(pool, costs).ranked_candidates(snapshots)
