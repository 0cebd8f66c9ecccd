"""Who is begun and who goes on: the dealer and the rule that a configuration asks for."""

from __future__ import annotations

from dataclasses import dataclass

from nas.search.candidates import Candidates
from nas.search.config import SearchConfig
from nas.search.dealers import (
    Dealer,
    DensityDealer,
    ForecastDealer,
    ShuffledDealer,
    WarmStartDealer,
)
from nas.search.early_stopping import Rule, SuccessiveHalving
from nas.search.early_stopping.cost_peers import CostPeerOrdering
from nas.search.early_stopping.forecast import ForecastRule
from nas.search.early_stopping.pareto import ParetoOrdering
from nas.search.forecast import Prospector
from nas.search.zero_cost.scores import ZeroCostScores


@dataclass(frozen=True)
class Strategy:
    """The two decisions of a search.

    Attributes:
        dealer: Which network is begun next, where no sampler of Optuna's says so.
        rule: Which waiting training goes on; None: trainings do not pause.
    """

    dealer: Dealer
    rule: Rule | None


def make_strategy(
    config: SearchConfig, candidates: Candidates, scores: ZeroCostScores | None = None
) -> Strategy:
    """Dealer and rule of a search; where both forecast they share one forecast.

    Args:
        config: Of the search.
        candidates: Networks within the budgets.
        scores: By which the first networks are chosen; None: they are not.
    """
    costs = {key: config.costs_of(spec) for key, spec in candidates.specs.items()}
    prospector = Prospector(candidates.specs, costs, config.rungs)
    dealer = _dealer(config, costs, prospector)
    if scores is not None:
        dealer = WarmStartDealer(scores.scores, costs, dealer)
    return Strategy(dealer, _rule(config, candidates, prospector))


def _dealer(
    config: SearchConfig, costs: dict[str, tuple[float, ...]], prospector: Prospector
) -> Dealer:
    if config.sampler == "density":
        return DensityDealer(costs, config.seed)
    if config.sampler == "forecast":
        return ForecastDealer(prospector, DensityDealer(costs, config.seed))
    return ShuffledDealer(config.seed)


def _rule(config: SearchConfig, candidates: Candidates, prospector: Prospector) -> Rule | None:
    if config.early_stopping == "pareto":
        classes = next(iter(candidates.specs.values())).num_classes
        reference = candidates.reference(config.cost_objectives)
        return SuccessiveHalving(config.rungs, ParetoOrdering(classes, reference))
    if config.early_stopping == "cost-peers":
        return SuccessiveHalving(config.rungs, CostPeerOrdering())
    if config.early_stopping == "forecast":
        return ForecastRule(prospector, config.epochs)
    return None
