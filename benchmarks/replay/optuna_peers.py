"""Optuna's own searchers, used the way its documentation shows: ask, train, tell.

Nothing is added to them: a network that is proposed again is trained again, and one over the limit is
trained before its constraint is told.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import optuna
from curves.table import CurveTable
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState
from replay.ranked_median import RankedMedian
from replay.simulator import simulate
from replay.trace import Searcher, Trace

from search_spaces import SearchSpace


@dataclass
class OptunaSearcher:
    """A study in memory.

    Args:
        study: Of two objectives, both minimised.
        space: What its parameters mean.
        table: Tells multiply-adds, the limit and how long a full training is.
        median: Prunes; None: every training is a full one.
    """

    study: optuna.Study
    space: SearchSpace
    table: CurveTable
    median: RankedMedian | None = None
    _open: dict[int, tuple[Trial, str]] = field(default_factory=dict)

    def suggest(self, number: int) -> str:
        """Ask the sampler."""
        trial = self.study.ask(self.space.distributions())
        key = self.space.from_params(trial.params).key
        self._open[number] = trial, key
        return key

    def on_epoch(self, number: int, epoch: int, error: float) -> bool:
        """Report to the pruner; tell what has ended."""
        values = error, self.table.mflops[self._open[number][1]]
        ended = epoch == self.table.epochs
        if self.median is not None:
            self.median.report(number, epoch, values)
            # Not asked after the last epoch: a full training is worth more to the sampler as a value.
            pruned = not ended and self.median.prunes(number)
            if ended or pruned:
                self.median.end(number)
            if pruned:
                self._tell(number, None, TrialState.PRUNED)
                return False
        if ended:
            self._tell(number, values, TrialState.COMPLETE)
        return not ended

    def _tell(self, number: int, values: tuple[float, ...] | None, state: TrialState) -> None:
        trial, key = self._open.pop(number)
        if math.isfinite(self.table.limit):
            trial.set_constraint("max_mflops", self.table.mflops[key] / self.table.limit - 1)
        self.study.tell(trial, values, state=state)


def run(
    name: str,
    make_sampler: Callable[[int], BaseSampler],
    table: CurveTable,
    space: SearchSpace,
    seed: int,
    workers: int,
    budget: int,
    *,
    prunes: bool = False,
) -> Trace:
    """Replay a study of one sampler, made once with ``seed`` and otherwise its defaults."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(
                directions=["minimize", "minimize"], sampler=make_sampler(seed)
            )
            searcher = OptunaSearcher(study, space, table, RankedMedian() if prunes else None)
            return simulate(searcher, table, name=name, seed=seed, workers=workers, budget=budget)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed)


def run_once(name: str, *arguments: Any) -> Trace:
    """Run a searcher, and leave out what it trained again."""
    return OPTUNA[name](*arguments).once()


OPTUNA: dict[str, Searcher] = {
    "random": partial(run, "random", lambda seed: RandomSampler(seed=seed)),
    "tpe": partial(run, "tpe", _tpe),
    "nsga2": partial(run, "nsga2", lambda seed: NSGAIISampler(seed=seed)),
    "gp": partial(run, "gp", lambda seed: GPSampler(seed=seed)),
    "median": partial(run, "median", _tpe, prunes=True),
    **{f"{name}_once": partial(run_once, name) for name in ("random", "tpe", "nsga2")},
}
