"""The history that a sampler learns from: the trials as the parent holds them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Iterable

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas.runs import TrialRecord
from nas.runs import TrialState as State


def shown_to_sampler(
    proposals: Iterable[tuple[FrozenTrial, TrialRecord]],
    objectives: int,
    values: Callable[[TrialRecord], tuple[float, ...]],
) -> optuna.Study:
    """A study as a sampler should see it, in which a training that waits at a rung is a known network.

    In the study itself it is open, and a sampler takes open trials for bad ones; and Optuna reads every
    open trial from the database again for each proposal.

    Args:
        proposals: All of the search, in order.
        objectives: How many, all to be made small.
        values: The objectives of a network by the last rung it has reached.
    """
    shown = []
    for trial, one in proposals:
        if one.state in (State.PAUSED, State.STOPPED):
            trial = optuna.trial.create_trial(
                params=trial.params, distributions=trial.distributions, values=list(values(one))
            )
        shown.append(trial)
    return optuna.create_study(storage=_Shown(shown), directions=["minimize"] * objectives)


class _Shown(optuna.storages.InMemoryStorage):
    """Trials to look at; what is asked for is kept apart. A storage, because copying takes seconds."""

    def __init__(self, trials: list[FrozenTrial]) -> None:
        super().__init__()
        self._trials_shown = trials

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Those to look at."""
        shown = [one for one in self._trials_shown if states is None or one.state in states]
        return copy.deepcopy(shown) if deepcopy else shown
