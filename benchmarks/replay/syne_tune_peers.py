"""Syne Tune's asynchronous successive halving for several objectives, as shipped and mended.

The scheduler is told what Syne Tune's Tuner tells it: ``suggest``, ``on_trial_add``, ``on_trial_result``
after every epoch, and ``on_trial_remove`` once it has answered STOP. It answers STOP itself after
``max_t`` epochs, so ``on_trial_complete`` is never called, nor is it by the Tuner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import numpy as np
from curves.table import CurveTable
from optuna.distributions import CategoricalDistribution
from replay.simulator import simulate
from replay.trace import Searcher, Trace
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import Domain, choice
from syne_tune.optimizer.scheduler import SchedulerDecision
from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA
from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import (
    MOPriority,
    NonDominatedPriority,
)
from syne_tune.optimizer.schedulers.multiobjective.non_dominated_priority import (
    compute_epsilon_net,
    nondominated_sort,
)

from search_spaces import SearchSpace

EPOCH, ERROR, MFLOPS = "epoch", "val_error", "mflops"


class RankedPriority(NonDominatedPriority):  # type: ignore[misc]
    """Gives every item its place in the sorted order.

    Syne Tune 0.16's own gives the sorted order itself (which item comes first, which second ...), and
    the bracket takes it for places: entry i is then not about item i at all.
    """

    def priority_unsafe(self, objectives: np.ndarray) -> np.ndarray:
        """Places, 0 for the first."""
        order = super().priority_unsafe(objectives)
        places = np.empty(len(order))
        places[order] = np.arange(len(order))
        return places


class CorrectedPriority(NonDominatedPriority):  # type: ignore[misc]
    """RankedPriority, with the order inside a Pareto layer mended alike.

    ``compute_epsilon_net`` gives places, and ``nondominated_sort`` takes them for an order.
    """

    def priority_unsafe(self, objectives: np.ndarray) -> np.ndarray:
        """Places, 0 for the first: layer by layer, and in a layer by the epsilon net."""
        places = np.empty(len(objectives))
        before = 0
        for layer in nondominated_sort(objectives, dim=self.dim, flatten=False):
            members = np.sort(layer)
            places[members] = before + compute_epsilon_net(objectives[members], dim=self.dim)
            before += len(members)
        return places


@dataclass
class MoashaSearcher:
    """A scheduler that proposes at random and stops trainings.

    Args:
        scheduler: Over the parameters of ``space``.
        space: What they mean.
        table: Tells multiply-adds.
        on_losses: Report training losses and not validation errors.
    """

    scheduler: MOASHA
    space: SearchSpace
    table: CurveTable
    on_losses: bool = False
    _trials: dict[int, tuple[Trial, str]] = field(default_factory=dict)

    def suggest(self, number: int) -> str:
        """A random choice of every parameter."""
        config = self.scheduler.suggest().config
        # Trials are told apart by their number; nothing reads when they began.
        trial = Trial(trial_id=number, config=config, creation_time=datetime.min)
        self.scheduler.on_trial_add(trial)
        key = self.space.from_params(config).key
        self._trials[number] = trial, key
        return key

    def on_epoch(self, number: int, epoch: int, error: float) -> bool:
        """Whether the scheduler lets the trial train on."""
        trial, key = self._trials[number]
        if self.on_losses and self.table.losses:
            error = float(self.table.losses[key][epoch - 1])
        result = {EPOCH: epoch, ERROR: error, MFLOPS: self.table.mflops[key]}
        goes_on = bool(self.scheduler.on_trial_result(trial, result) != SchedulerDecision.STOP)
        if not goes_on:
            self.scheduler.on_trial_remove(trial)
        return goes_on


def config_space(space: SearchSpace) -> dict[str, Domain]:
    """The parameters for Syne Tune: it knows no conditions, so each is drawn, in force or not.

    Raises:
        TypeError: The space has a parameter that is no choice; the tables' spaces have none.
    """
    domains = {}
    for name, distribution in space.distributions().items():
        if not isinstance(distribution, CategoricalDistribution):
            raise TypeError(f"{name}: {distribution} is no choice")
        domains[name] = choice(list(distribution.choices))
    return domains


def run(
    name: str,
    make_priority: Callable[[], MOPriority],
    table: CurveTable,
    space: SearchSpace,
    seed: int,
    workers: int,
    budget: int,
    *,
    on_losses: bool = False,
) -> Trace:
    """Replay a search by MOASHA with one bracket, whose rungs are at 1, 3, 9 ... epochs."""
    # MOASHA draws its configurations from numpy's global generator, whatever its random_seed is.
    np.random.seed(seed)
    scheduler = MOASHA(
        config_space(space),
        metrics=[ERROR, MFLOPS],
        do_minimize=True,
        time_attr=EPOCH,
        multiobjective_priority=make_priority(),
        max_t=table.epochs,
        grace_period=1,
        reduction_factor=3,
        brackets=1,
        random_seed=seed,
    )
    searcher = MoashaSearcher(scheduler, space, table, on_losses)
    return simulate(searcher, table, name=name, seed=seed, workers=workers, budget=budget)


SYNE_TUNE: dict[str, Searcher] = {
    "moasha": partial(run, "moasha", NonDominatedPriority),
    "moasha_ranked": partial(run, "moasha_ranked", RankedPriority),
    "moasha_corrected": partial(run, "moasha_corrected", CorrectedPriority),
    # Shown what our rules are shown: what is left of the difference is the rule's.
    "moasha_on_losses": partial(run, "moasha_on_losses", CorrectedPriority, on_losses=True),
}
