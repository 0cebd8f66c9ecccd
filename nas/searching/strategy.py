"""Who is begun and who continues: the searcher and the rule that a configuration asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from blocks import ArchSpec
from nas.searching.candidates import Candidates
from nas.searching.config import SearchConfig
from nas.searching.early_stopping import Rule, SuccessiveHalving
from nas.searching.early_stopping.cost_peers import CostPeerOrdering
from nas.searching.early_stopping.forecast import ForecastRule
from nas.searching.early_stopping.pareto import ParetoOrdering
from nas.searching.forecast import CandidateRanker, EvolvingRanker, Ranker
from nas.searching.forecast.evolving_ranker import CHILDREN
from nas.searching.searchers import (
    DensitySearcher,
    ForecastSearcher,
    Searcher,
    ShuffledSearcher,
)
from search_spaces import SearchSpace


@dataclass(frozen=True)
class Strategy:
    """The two decisions of a search.

    Attributes:
        searcher: Which network is begun next, where no sampler of Optuna's says so.
        rule: Which waiting training continues; None: trainings do not pause.
        networks: Those that the searcher may name, by key; it may add to them.
    """

    searcher: Searcher
    rule: Rule | None
    networks: Mapping[str, ArchSpec]


def make_strategy(config: SearchConfig, candidates: Candidates, space: SearchSpace) -> Strategy:
    """Searcher and rule of a search; where both forecast they share one forecast.

    Args:
        config: Of the search.
        candidates: Networks within the budgets.
        space: Bound to the data.
    """
    costs = {key: config.costs_of(spec) for key, spec in candidates.specs.items()}
    density = DensitySearcher(costs, config.seed)
    ranker: Ranker
    if candidates.complete:
        networks: Mapping[str, ArchSpec] = candidates.specs
        ranker = _candidate_ranker(config, networks, costs)
    else:
        ranker = _evolving_ranker(config, candidates, space)
        networks = ranker.networks
    forecast = ForecastSearcher(ranker, density)
    searchers: dict[str, Searcher] = {"density": density, "forecast": forecast}
    searcher = searchers.get(str(config.sampler)) or ShuffledSearcher(config.seed)
    return Strategy(searcher, _rule(config, candidates, ranker), networks)


def _candidate_ranker(
    config: SearchConfig,
    networks: Mapping[str, ArchSpec],
    costs: Mapping[str, tuple[float, ...]],
) -> CandidateRanker:
    return CandidateRanker(networks, costs, config.rungs, config.recipe.worst, config.acquisition)


def _evolving_ranker(
    config: SearchConfig, candidates: Candidates, space: SearchSpace
) -> EvolvingRanker:
    def neighbours(spec: ArchSpec, rng: Random) -> Iterator[ArchSpec]:
        drawn = space.neighbours(spec, rng, CHILDREN)
        return (one for one in drawn if config.budgets.fits(one, config.costs))

    return EvolvingRanker(
        candidates.specs,
        neighbours,
        config.costs_of,
        lambda networks, costs: _candidate_ranker(config, networks, costs),
        config.seed,
    )


def _rule(config: SearchConfig, candidates: Candidates, ranker: Ranker) -> Rule | None:
    if config.early_stopping == "pareto":
        classes = next(iter(candidates.specs.values())).num_classes
        reference = candidates.reference(config.cost_objectives)
        return SuccessiveHalving(config.rungs, ParetoOrdering(classes, reference))
    if config.early_stopping == "cost-peers":
        return SuccessiveHalving(config.rungs, CostPeerOrdering())
    if config.early_stopping == "forecast":
        return ForecastRule(ranker, config.epochs)
    return None
