"""Optuna's samplers on the flat parameters of every shipped space."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import optuna
import pytest

from search_spaces import SPACES, load_space
from tests.search_spaces.space_helpers import MIXED, SMALL, space_of

SPACES_UNDER_TEST = {name: load_space(name).bind(**SMALL) for name in SPACES} | {
    "mixed": space_of(MIXED)
}
# Few random trials first, so that each sampler's own method is met within the budget.
SAMPLERS: dict[str, tuple[Callable[[], optuna.samplers.BaseSampler], int]] = {
    "random": (lambda: optuna.samplers.RandomSampler(seed=0), 10),
    "tpe": (lambda: optuna.samplers.TPESampler(seed=0, n_startup_trials=4), 12),
    "nsga2": (lambda: optuna.samplers.NSGAIISampler(seed=0, population_size=4), 12),
    "gp": (lambda: optuna.samplers.GPSampler(seed=0, n_startup_trials=3), 4),
}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", SPACES_UNDER_TEST)
def test_every_sampler_draws_valid_networks(name: str, sampler: str) -> None:
    space = SPACES_UNDER_TEST[name]
    make, trials = SAMPLERS[sampler]
    with warnings.catch_warnings():
        # A distribution that Optuna has to adjust, or a choice it cannot store, is a warning.
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        distributions = space.distributions()
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=make())
    for _ in range(trials):
        trial = study.ask(fixed_distributions=distributions)
        assert set(trial.params) == set(distributions)
        spec = space.from_params(trial.params)
        study.tell(trial, [len(spec.unit.dilations), spec.width + spec.unit.group_width])
    assert len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) == trials


def test_a_network_can_be_enqueued() -> None:
    space = SPACES_UNDER_TEST["shufflenet_v2_sk"]
    wanted = list(space.enumerate())[77]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(space.to_params(wanted))
    trial = study.ask(fixed_distributions=space.distributions())
    assert space.from_params(trial.params).key == wanted.key
