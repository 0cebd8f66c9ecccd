"""The trials of a running search: what is stored, and which changes of their states are possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, Final

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from blocks import ArchSpec
from nas.runs import TrialRecord, TrialState
from nas.study import StudyWriter, record_of
from search_spaces import SearchSpace

NEXT: Final[Mapping[TrialState, frozenset[TrialState]]] = MappingProxyType(
    {
        TrialState.QUEUED: frozenset(
            {
                TrialState.RUNNING,
                TrialState.FAILED,
                TrialState.DUPLICATE,
                TrialState.INFEASIBLE,
            }
        ),
        TrialState.RUNNING: frozenset({TrialState.PAUSED, TrialState.FAILED}),
        TrialState.PAUSED: frozenset(
            {TrialState.RUNNING, TrialState.TRAINED, TrialState.STOPPED, TrialState.FAILED}
        ),
        # It takes over what the first trial of its network comes to.
        TrialState.DUPLICATE: frozenset({TrialState.DUPLICATE}),
        TrialState.TRAINED: frozenset(),
        TrialState.STOPPED: frozenset(),
        TrialState.INFEASIBLE: frozenset(),
        TrialState.FAILED: frozenset(),
    }
)
"""State of a trial -> the states that it can come to next."""
ENDED: Final = (
    TrialState.TRAINED,
    TrialState.STOPPED,
    TrialState.INFEASIBLE,
    TrialState.FAILED,
)


class ImpossibleChange(RuntimeError):
    """A trial was to come to a state that it cannot come to: a mistake in this program."""


class TrialLog:
    """All proposals of a search, as they are stored.

    Args:
        writer: Of the study; used by this log alone.
        asking: Entered around whatever calls a sampler, which may be the user's.
    """

    def __init__(
        self,
        writer: StudyWriter,
        asking: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._writer = writer
        self._asking = asking
        self._trials: dict[int, FrozenTrial] = {}
        self._records: dict[int, TrialRecord] = {}
        for trial in writer.trials():
            self._keep(trial)

    @property
    def records(self) -> list[TrialRecord]:
        """Every proposal so far, in order."""
        return list(self._records.values())

    @property
    def pairs(self) -> list[tuple[FrozenTrial, TrialRecord]]:
        """Every proposal so far, in order, in Optuna's form too."""
        return list(zip(self._trials.values(), self._records.values(), strict=True))

    def of(self, number: int) -> TrialRecord:
        """The record of a trial."""
        return self._records[number]

    def first_of(self, key: str) -> TrialRecord:
        """The first trial of a network: the one that trains it."""
        return next(one for one in self._records.values() if one.key == key)

    def waiting_duplicates(self, key: str | None = None) -> list[TrialRecord]:
        """Duplicates that have taken over no result yet; of one network, or of all."""
        return [
            one
            for trial, one in self.pairs
            if one.state is TrialState.DUPLICATE
            and not trial.state.is_finished()
            and key in (None, one.key)
        ]

    def add(
        self, params: dict[str, Any], distributions: dict[str, BaseDistribution], spec: ArchSpec
    ) -> TrialRecord:
        """Store the proposal of a network."""
        return self._keep(self._writer.add(params, distributions, spec))

    def ask(
        self, sampler: BaseSampler, space: SearchSpace, params: dict[str, Any] | None
    ) -> TrialRecord:
        """Have a sampler propose that remembers things in the study; see `StudyWriter.ask`."""
        with self._asking():
            trial = self._writer.ask(sampler, space.distributions(), params)
        self._writer.propose(trial.number, space.from_params(trial.params))
        return self._keep(self._writer.read(trial.number))

    def move(
        self,
        number: int,
        to: TrialState,
        *,
        note: tuple[str, object] | None = None,
        excess: Mapping[str, float] = MappingProxyType({}),
        end: TrialState | None = None,
        values: Sequence[float] = (),
    ) -> TrialRecord:
        """Store a change of a trial.

        Args:
            number: Of the trial.
            to: The state that it comes to.
            note: Name and value of an attribute that is stored with it.
            excess: Limit -> by how much the network exceeds it.
            end: What the trial ends as; None: it stays open.
            values: Its objectives, when it ends as trained.

        Raises:
            ImpossibleChange: It cannot come to this state.
        """
        now = self._records[number].state
        if to not in NEXT[now]:
            raise ImpossibleChange(f"trial {number}: from {now.value} to {to.value}")
        if excess:
            self._writer.constrain(number, excess)
        if note is not None:
            self._writer.note(number, *note)
        if end is not None:
            with self._asking():  # samplers are told
                self._writer.close(number, end, values)
        return self._keep(self._writer.read(number))

    def reopen(self) -> None:
        """Take up the trials that an ended process left open."""
        self._writer.reopen()
        for trial, one in self.pairs:
            if not trial.state.is_finished():
                self._keep(self._writer.read(one.number))

    def release(self) -> None:
        """Have all open trials wait for another process."""
        self._writer.release()

    def _keep(self, trial: FrozenTrial) -> TrialRecord:
        self._trials[trial.number] = trial
        self._records[trial.number] = record_of(trial)
        return self._records[trial.number]
