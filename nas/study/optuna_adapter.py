"""The only file with private names of Optuna."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna._hypervolume import compute_hypervolume
from optuna._hypervolume.hssp import _solve_hssp_on_unique_loss_vals
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study._multi_objective import _fast_non_domination_rank
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from blocks import ArchSpec
from nas.runs import TrialRecord, TrialState
from nas.study.stored import PROPOSAL, proposal, records_of

_ENDS: Final = {
    TrialState.STOPPED: OptunaState.PRUNED,
    TrialState.INFEASIBLE: OptunaState.PRUNED,
    TrialState.FAILED: OptunaState.FAIL,
}
_TALKATIVE: Final = (
    "optuna.study.study",
    "optuna.storages._in_memory",
    "optuna.storages._rdb.storage",
)
"""Optuna's loggers that report every study that is opened."""
_is_quiet: ContextVar[bool] = ContextVar("nas_optuna_is_quiet", default=False)
_filters_lock = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Calls of Optuna inside print no progress and warn of no experimental function.

    Optuna's verbosity and the warning filters of the caller stay as they are: log records of other
    threads pass, and the warning filters are restored at the end.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_passes)  # a second time it is not added
    token = _is_quiet.set(True)
    try:
        # The filters belong to the process: one thread at a time changes and restores them.
        with _filters_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        _is_quiet.reset(token)


def _passes(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or not _is_quiet.get()


def pareto_layers(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The Pareto layer of each row of ``values`` (points, objectives; all minimised), 0 the front."""
    return np.asarray(_fast_non_domination_rank(values))


def dominated_volume(values: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """The hypervolume between ``values`` (points, objectives) and ``reference`` (objectives)."""
    return float(compute_hypervolume(values, reference))


def best_subset(
    values: NDArray[np.float64], size: int, reference: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Indices of ``size`` rows, chosen greedily by hypervolume, of distinct rows ``values``."""
    indices = np.arange(len(values))
    return np.asarray(_solve_hssp_on_unique_loss_vals(values, indices, size, reference))


def read_records(study: optuna.Study) -> list[TrialRecord]:
    """All proposals of the study, in order. A trial cut off before it was a proposal is left out."""
    return records_of(study.get_trials(deepcopy=False))


def proposed_trials(study: optuna.Study) -> list[FrozenTrial]:
    """As ``read_records``, in Optuna's form."""
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if PROPOSAL in trial.user_attrs]


class StudyWriter:
    """The study of a running search, as its parent writes it.

    Args:
        study: Written by this process alone.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._storage = study._storage

    def trials(self) -> list[FrozenTrial]:
        """All proposals, in order."""
        return proposed_trials(self._study)

    def read(self, number: int) -> FrozenTrial:
        """One trial. Asked for all, Optuna reads every open trial from the database again."""
        return self._storage.get_trial(self._id(number))

    def add(
        self, params: dict[str, Any], distributions: dict[str, BaseDistribution], spec: ArchSpec
    ) -> FrozenTrial:
        """Store a proposal in one write, where asking Optuna for it reads all open trials."""
        trial = create_trial(
            state=OptunaState.RUNNING,
            params=params,
            distributions=distributions,
            user_attrs={PROPOSAL: proposal(spec)},
        )
        identity = self._storage.create_new_trial(self._study._study_id, template_trial=trial)
        return self.read(self._storage.get_trial_number_from_id(identity))

    def ask(
        self,
        sampler: BaseSampler,
        distributions: dict[str, BaseDistribution],
        params: dict[str, Any] | None,
    ) -> FrozenTrial:
        """Have a sampler propose inside the study; of no use until ``propose`` has named the network.

        Args:
            sampler: Keeps what it has to remember in the study.
            distributions: Of the parameters.
            params: Proposed in place of the sampler's own.
        """
        waiting = self._study.get_trials(deepcopy=False, states=(OptunaState.WAITING,))
        if params is not None and not waiting:  # else one is left of a process that ended here
            self._study.enqueue_trial(params)
        self._study.sampler = sampler
        with quiet():
            return self.read(self._study.ask(distributions).number)

    def propose(self, number: int, spec: ArchSpec) -> None:
        """Name the network that an asked trial proposes."""
        self.note(number, PROPOSAL, proposal(spec))

    def note(self, number: int, name: str, value: object) -> None:
        """Store an attribute. Optuna's own Trial would read all of the trial first."""
        self._storage.set_trial_user_attr(self._id(number), name, value)

    def constrain(self, number: int, excess: Mapping[str, float]) -> None:
        """Tell samplers by how much a proposal exceeds each limit, by the limit's name."""
        trial = optuna.Trial(self._study, self._id(number))
        told = trial.constraints
        for name, value in excess.items():
            if name not in told:  # a part may have been told before a crash
                trial.set_constraint(name, value)

    def close(self, number: int, state: TrialState, values: Sequence[float] = ()) -> None:
        """End a trial as trained (with ``values``), stopped, infeasible or failed."""
        with quiet():
            if state is TrialState.TRAINED:
                self._study.tell(number, values)
            else:
                self._study.tell(number, state=_ENDS[state])

    def reopen(self) -> None:
        """Take up the trials that ``release`` has left; drop those that never named a network."""
        for trial in self._study.get_trials(deepcopy=False, states=(OptunaState.WAITING,)):
            if PROPOSAL in trial.user_attrs:
                self._storage.set_trial_state_values(self._id(trial.number), OptunaState.RUNNING)
        for trial in self._study.get_trials(deepcopy=False, states=(OptunaState.RUNNING,)):
            if PROPOSAL not in trial.user_attrs:
                # The next proposal gets the same seed.
                self.close(trial.number, TrialState.FAILED)

    def release(self) -> None:
        """Have all open trials wait for another process, which calls ``reopen``."""
        for trial in self._study.get_trials(deepcopy=False, states=(OptunaState.RUNNING,)):
            if PROPOSAL in trial.user_attrs:
                self._storage.set_trial_state_values(self._id(trial.number), OptunaState.WAITING)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
