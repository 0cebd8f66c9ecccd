"""Who is begun and who continues: the searcher and the rule that a configuration asks for."""

from __future__ import annotations

from dataclasses import dataclass

from nas.searching.candidates import Candidates
from nas.searching.config import SearchConfig
from nas.searching.early_stopping import Rule, SuccessiveHalving
from nas.searching.early_stopping.cost_peers import CostPeerOrdering
from nas.searching.early_stopping.forecast import ForecastRule
from nas.searching.early_stopping.pareto import ParetoOrdering
from nas.searching.forecast import CandidateRanker
from nas.searching.searchers import (
    DensitySearcher,
    ForecastSearcher,
    Searcher,
    ShuffledSearcher,
)


@dataclass(frozen=True)
class Strategy:
    """The two decisions of a search.

    Attributes:
        searcher: Which network is begun next, where no sampler of Optuna's says so.
        rule: Which waiting training continues; None: trainings do not pause.
    """

    searcher: Searcher
    rule: Rule | None


def make_strategy(config: SearchConfig, candidates: Candidates) -> Strategy:
    """Searcher and rule of a search; where both forecast they share one forecast.

    Args:
        config: Of the search.
        candidates: Networks within the budgets.
    """
    costs = {key: config.costs_of(spec) for key, spec in candidates.specs.items()}
    candidate_ranker = CandidateRanker(
        candidates.specs, costs, config.rungs, config.recipe.worst, config.acquisition
    )
    return Strategy(
        _searcher(config, costs, candidate_ranker), _rule(config, candidates, candidate_ranker)
    )


def _searcher(
    config: SearchConfig, costs: dict[str, tuple[float, ...]], candidate_ranker: CandidateRanker
) -> Searcher:
    if config.sampler == "density":
        return DensitySearcher(costs, config.seed)
    if config.sampler == "forecast":
        return ForecastSearcher(candidate_ranker, DensitySearcher(costs, config.seed))
    return ShuffledSearcher(config.seed)


def _rule(
    config: SearchConfig, candidates: Candidates, candidate_ranker: CandidateRanker
) -> Rule | None:
    if config.early_stopping == "pareto":
        classes = next(iter(candidates.specs.values())).num_classes
        reference = candidates.reference(config.cost_objectives)
        return SuccessiveHalving(config.rungs, ParetoOrdering(classes, reference))
    if config.early_stopping == "cost-peers":
        return SuccessiveHalving(config.rungs, CostPeerOrdering())
    if config.early_stopping == "forecast":
        return ForecastRule(candidate_ranker, config.epochs)
    return None
