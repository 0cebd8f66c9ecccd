"""Syne Tune's searchers for several objectives, on tables of trained networks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from replay.tabular import IDLE, Replay, Table, random_choices
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice
from syne_tune.optimizer.baselines import EHVI
from syne_tune.optimizer.schedulers.multiobjective import MultiObjectiveRegularizedEvolution
from syne_tune.optimizer.schedulers.single_fidelity_scheduler import SingleFidelityScheduler

METRICS = ["error", "cost"]


def by_scheduler(make: Callable[[dict[str, Any], int], SingleFidelityScheduler]) -> Replay:
    """A search by a scheduler, which is told at once what is known already."""

    def replay(table: Table, seed: int) -> Iterator[str]:
        seen, known, idle, number = table.seen(seed), set[str](), 0, 0
        rng = np.random.default_rng(seed)
        space = {
            name: choice(list(one.choices))
            for name, one in table.distributions.items()
            if isinstance(one, CategoricalDistribution)
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler = make(space, seed)
            while len(known) < len(table.keys):
                suggested = scheduler.suggest()
                config = None if suggested is None else suggested.config
                if config is None or idle >= min(IDLE, len(table.keys)):
                    config = random_choices(table, known, rng)
                key = table.key_of(config)
                idle = idle + 1 if key in known else 0
                if key not in known:
                    known.add(key)
                    yield key
                trial = Trial(trial_id=number, config=config, creation_time=datetime.now())
                result = {"error": seen[key], "cost": table.costs[key]}
                scheduler.on_trial_add(trial)
                scheduler.on_trial_complete(trial, result)
                number += 1

    return replay


def _evolution(space: dict[str, Any], seed: int) -> SingleFidelityScheduler:
    searcher = MultiObjectiveRegularizedEvolution(space, random_seed=seed)
    return SingleFidelityScheduler(space, METRICS, searcher=searcher, random_seed=seed)


SYNE_TUNE: dict[str, Replay] = {
    "syne_ehvi": by_scheduler(lambda space, seed: EHVI(space, METRICS, random_seed=seed)),
    "syne_evolution": by_scheduler(_evolution),
}
