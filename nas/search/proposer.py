"""Propose, gate, replay: the part of a trial's life before it is trained."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from blocks import InvalidInput
from nas.runs import Outcome, RungResult, TrialRecord
from nas.search.candidates import Candidates
from nas.search.config import SearchConfig
from nas.search.early_stopping import TrialSnapshot
from nas.search.history import shown_to_sampler
from nas.search.inherit import plain_parent
from nas.search.samplers import SAMPLERS, SEARCHERS, TAKE_PAUSED, derive_seed
from nas.search.searchers import Searcher
from nas.search.study import (
    DUPLICATE_OF,
    FAILURE,
    INFEASIBLE,
    PROPOSAL,
    RUNGS,
    STOPPED,
    TARGET_EPOCH,
    proposal,
    proposed_trials,
    record,
)
from search_spaces import SearchSpace

PATIENCE = 25
"""Proposals in a row that need no training, after which a new network is dealt out instead.

In a small space a sampler that has converged proposes what is known again and again."""


IN_COMPETITION = (Outcome.RUNNING, Outcome.PAUSED, Outcome.STOPPED, Outcome.TRAINED)


@dataclass
class Proposer:
    """Deals out networks to train; settles every other proposal by itself.

    Args:
        study: Written by this process alone.
        config: Of the search.
        space: Bound to the data.
        candidates: Networks within the budgets.
        searcher: Deals out new networks where no sampler of Optuna's does, or where that one has nothing
            new to propose.
    """

    study: optuna.Study
    config: SearchConfig
    space: SearchSpace
    candidates: Candidates
    searcher: Searcher
    _trials: dict[int, FrozenTrial] = field(default_factory=dict)
    _records: dict[int, TrialRecord] = field(default_factory=dict)
    _idle: int = 0

    def __post_init__(self) -> None:
        self._trials = {trial.number: trial for trial in proposed_trials(self.study)}
        self._records = {number: record(trial) for number, trial in self._trials.items()}
        for known in reversed(self._records.values()):
            if known.outcome not in (Outcome.DUPLICATE, Outcome.INFEASIBLE):
                break
            self._idle += 1

    @property
    def records(self) -> list[TrialRecord]:
        """Every proposal so far, in order."""
        return list(self._records.values())

    @property
    def epochs_spent(self) -> int:
        """Epochs trained, and those that trainings now under way will have trained; parents' too."""
        ended = (Outcome.PAUSED, Outcome.STOPPED, Outcome.TRAINED)
        begun = [one for one in self._records.values() if one.target_epoch or one.rung_results]
        spent = sum(one.epochs if one.outcome in ended else one.target_epoch for one in begun)
        if self.config.inherit is None:
            return spent
        parents = {plain_parent(one.spec).key for one in begun}
        return spent + len(parents) * self.config.recipe.epochs

    @property
    def parent_epochs(self) -> int:
        """Epochs of a parent that the next network may need first; 0 when all are trained."""
        if self.config.inherit is None:
            return 0
        known = {plain_parent(one.spec).key for one in self._records.values() if one.target_epoch}
        return 0 if self._parents <= known else self.config.recipe.epochs

    @cached_property
    def _parents(self) -> set[str]:
        return {plain_parent(spec).key for spec in self.candidates.specs.values()}

    @property
    def snapshots(self) -> list[TrialSnapshot]:
        """What rules and searchers see: every network whose training was begun and has not failed."""
        return [
            TrialSnapshot(
                one.key,
                self.config.costs_of(one.spec),
                tuple(reached.error for reached in one.rung_results),
                tuple(reached.loss for reached in one.rung_results),
                running=one.outcome is Outcome.RUNNING,
                stopped=one.outcome is Outcome.STOPPED,
            )
            for one in self._records.values()
            if one.outcome in IN_COMPETITION
            and (one.target_epoch or one.outcome is not Outcome.RUNNING)
        ]

    def recover(self) -> list[TrialRecord]:
        """Take up the trials that an ended process left open.

        Returns:
            Those that are to be trained (on), in order. All others are settled.
        """
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            if PROPOSAL in trial.user_attrs:
                self._set_state(trial.number, TrialState.RUNNING)
                self._refresh(trial.number)
        unproposed = [
            trial
            for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if PROPOSAL not in trial.user_attrs
        ]
        for trial in unproposed:
            # Cut off in the midst of being proposed: the next one gets the same seed.
            self.study.tell(trial.number, state=TrialState.FAIL)
        for one in list(self._records.values()):
            if one.outcome is Outcome.PAUSED and one.epochs == self.config.epochs:
                # Trained in full, and cut off before that was told.
                self.complete(one.number, self._last_values(one))
        return [
            one
            for one in list(self._records.values())
            if one.outcome is Outcome.RUNNING and self._judge(one)
        ]

    def release(self) -> None:
        """Have all open trials wait for another process, which ``recover`` takes them up in."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if PROPOSAL in trial.user_attrs:
                self._set_state(trial.number, TrialState.WAITING)

    def next(self) -> TrialRecord | None:
        """Propose until a network has to be trained.

        Returns:
            Its record, or None when the space holds no further network within the budgets, as far as
            can be seen.
        """
        while (proposed := self._propose()) is not None:
            if self._judge(proposed):
                self._idle = 0
                return proposed
            self._idle += 1
        return None

    def begin(self, number: int, target_epoch: int) -> None:
        """Note that a trial is now trained until so many epochs."""
        self._note(number, TARGET_EPOCH, target_epoch)
        self._refresh(number)

    def reach(self, number: int, epochs: int, error: float, loss: float) -> None:
        """Note what a trial has come to at a rung, where it waits from now on, or at its end."""
        order = sum(len(one.rung_results) for one in self._records.values())
        reached = self._records[number].rung_results
        if epochs not in [known.epochs for known in reached]:  # noted before a crash
            noted = [astuple(one) for one in (*reached, RungResult(epochs, error, loss, order))]
            self._note(number, RUNGS, noted)
            self._refresh(number)

    def stop(self, number: int) -> None:
        """Give up a trial that waits at a rung; its network is not trained again."""
        epochs = self._records[number].epochs
        self._note(number, STOPPED, f"stopped early, after {epochs} epochs")
        self.study.tell(number, state=TrialState.PRUNED)
        self._refresh(number)
        self._settle_waiting(number)

    def complete(self, number: int, values: tuple[float, ...]) -> None:
        """Tell the objectives of a trained trial, and of the trials that wait for the same network."""
        self.study.tell(number, values)
        self._refresh(number)
        self._settle_waiting(number)

    def fail(self, number: int, reason: str) -> None:
        """Tell that the training of a trial failed; its network is not trained again."""
        self._note(number, FAILURE, reason)
        self.study.tell(number, state=TrialState.FAIL)
        self._refresh(number)
        self._settle_waiting(number)

    def _propose(self) -> TrialRecord | None:
        params = None
        if self.config.sampler in SEARCHERS or self._idle >= PATIENCE:
            params = self._unseen()
            if params is None:
                return None
        # Seeded by the number of proposals, not of trials: one that was cut off does not count.
        sampler = SAMPLERS[self.config.sampler](
            derive_seed(self.config.seed, "proposal", len(self._records))
        )
        if self.config.sampler in TAKE_PAUSED:
            return self._add(self._ask(sampler) if params is None else params)
        # The genetic ones keep their generations in the study: all they are to learn from is asked for.
        if params is not None:
            self._enqueue(params)
        self.study.sampler = sampler
        trial = self.study.ask(self.space.distributions())
        trial.set_user_attr(PROPOSAL, proposal(self.space.from_params(trial.params)))
        return self._refresh(trial.number)

    def _ask(self, sampler: optuna.samplers.BaseSampler) -> dict[str, Any]:
        proposals = zip(self._trials.values(), self._records.values(), strict=True)
        shown = shown_to_sampler(proposals, len(self.config.objectives), self._last_values)
        shown.sampler = sampler
        return shown.ask(self.space.distributions()).params

    def _add(self, params: dict[str, Any]) -> TrialRecord:
        """Propose a known network: one write, where asking Optuna for it reads all open trials."""
        trial = create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions=self.space.distributions(),
            user_attrs={PROPOSAL: proposal(self.space.from_params(params))},
        )
        storage = self.study._storage
        identity = storage.create_new_trial(self.study._study_id, template_trial=trial)
        return self._refresh(storage.get_trial_number_from_id(identity))

    def _last_values(self, one: TrialRecord) -> tuple[float, ...]:
        """The objectives of a network by the last rung it has reached."""
        return self.config.values(one.spec, one.rung_results[-1].error)

    def _judge(self, proposed: TrialRecord) -> bool:
        """Refuse or replay ``proposed``; True when it has to be trained.

        A pure function of what is stored: a proposal judged again after a crash is judged alike.
        """
        violations = self.config.budgets.violations(proposed.spec, self.config.costs)
        if violations:
            trial = optuna.Trial(self.study, self._id(proposed.number))
            told = trial.constraints
            for violation in violations:
                # Judged again after a crash, a part may have been told already.
                if f"max_{violation.cost}" not in told:
                    trial.set_constraint(f"max_{violation.cost}", violation.excess)
            worst = max(violations, key=lambda violation: violation.excess)
            self._note(
                proposed.number, INFEASIBLE, f"{worst.cost} {worst.value:g} > {worst.limit:g}"
            )
            self.study.tell(trial, state=TrialState.PRUNED)
            self._refresh(proposed.number)
            return False
        known = self._first_of(proposed.key)
        if known.number == proposed.number:
            return True
        self._note(proposed.number, DUPLICATE_OF, known.number)
        # While the training of the first one has not ended this trial waits for its result.
        if known.outcome not in (Outcome.RUNNING, Outcome.PAUSED):
            self._replay(proposed.number, known)
        return False

    def _replay(self, number: int, known: TrialRecord) -> None:
        if known.outcome is Outcome.TRAINED:
            self.study.tell(number, known.values)
        elif known.outcome is Outcome.STOPPED:
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, state=TrialState.FAIL)
        self._refresh(number)

    def _settle_waiting(self, number: int) -> None:
        settled = self._records[number]
        for other in list(self._records.values()):
            waits = other.outcome is Outcome.RUNNING and other.number != number
            if waits and other.key == settled.key:
                self._replay(other.number, settled)

    def _first_of(self, key: str) -> TrialRecord:
        return next(one for one in self._records.values() if one.key == key)

    def _unseen(self) -> dict[str, Any] | None:
        """Parameters of a candidate that was never proposed; None when none is left."""
        seen = {one.key for one in self._records.values()}
        left = [key for key in self.candidates.specs if key not in seen]
        for key in self.searcher.suggest(left, self.snapshots):
            try:
                return self.space.to_params(self.candidates.specs[key])
            except InvalidInput:
                # A sample of a vast space may hold a network under values that it mended.
                continue
        return None

    def _enqueue(self, params: dict[str, Any]) -> None:
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if not waiting:  # else one is left over from a process that ended right here
            self.study.enqueue_trial(params)

    def _note(self, number: int, attribute: str, value: object) -> None:
        # Not by Optuna's Trial, which reads all of the trial first.
        self.study._storage.set_trial_user_attr(self._id(number), attribute, value)

    def _set_state(self, number: int, state: TrialState) -> None:
        self.study._storage.set_trial_state_values(self._id(number), state)

    def _id(self, number: int) -> int:
        storage = self.study._storage
        return storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)

    def _refresh(self, number: int) -> TrialRecord:
        # This one alone: asked for all, Optuna reads every open trial from the database again.
        self._trials[number] = self.study._storage.get_trial(self._id(number))
        self._records[number] = record(self._trials[number])
        return self._records[number]
