"""Propose, gate, replay: the part of a trial's life before it is trained."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from blocks import InvalidInput
from nas.runs import Outcome, TrialRecord
from nas.search.candidates import Candidates
from nas.search.config import SearchConfig
from nas.search.samplers import SAMPLERS, derive_seed
from nas.search.study import (
    FAILURE,
    PROPOSAL,
    REFUSED,
    REPLAY_OF,
    read_records,
    record,
)
from search_spaces import SearchSpace

PATIENCE = 25
"""Proposals in a row that need no training, after which a new network is dealt out instead.

In a small space a sampler that has converged proposes what is known again and again."""


@dataclass
class Proposer:
    """Deals out networks to train; settles every other proposal by itself.

    Args:
        study: Written by this process alone.
        config: Of the search.
        space: Bound to the data.
        candidates: Networks within the budgets.
    """

    study: optuna.Study
    config: SearchConfig
    space: SearchSpace
    candidates: Candidates
    _records: dict[int, TrialRecord] = field(default_factory=dict)
    _idle: int = 0

    def __post_init__(self) -> None:
        self._records = {known.number: known for known in read_records(self.study)}
        for known in reversed(self._records.values()):
            if known.outcome not in (Outcome.REPLAYED, Outcome.REFUSED):
                break
            self._idle += 1

    @property
    def records(self) -> list[TrialRecord]:
        """Every proposal so far, in order."""
        return list(self._records.values())

    def recover(self) -> list[TrialRecord]:
        """Take up the trials that an ended process left open.

        Returns:
            Those that are to be trained (on), in order. All others are settled.
        """
        unproposed = [
            trial
            for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if PROPOSAL not in trial.user_attrs
        ]
        for trial in unproposed:
            # Cut off in the midst of being proposed: the next one gets the same seed.
            self.study.tell(trial.number, state=TrialState.FAIL)
        return [
            one
            for one in list(self._records.values())
            if one.outcome is Outcome.RUNNING and self._judge(self._trial(one.number), one)
        ]

    def next(self) -> TrialRecord | None:
        """Propose until a network has to be trained.

        Returns:
            Its record, or None when the space holds no further network within the budgets, as far as
            can be seen.
        """
        while True:
            if self.config.sampler == "grid" or self._idle >= PATIENCE:
                params = self._unseen()
                if params is None:
                    return None
                self._enqueue(params)
            proposed = self._propose()
            if self._judge(self._trial(proposed.number), proposed):
                self._idle = 0
                return proposed
            self._idle += 1

    def complete(self, number: int, values: tuple[float, ...]) -> None:
        """Tell the objectives of a trained trial, and of the trials that wait for the same network."""
        self.study.tell(number, values)
        self._refresh(number)
        self._settle_waiting(number)

    def fail(self, number: int, reason: str) -> None:
        """Tell that the training of a trial failed; its network is not trained again."""
        self._trial(number).set_user_attr(FAILURE, reason)
        self.study.tell(number, state=TrialState.FAIL)
        self._refresh(number)
        self._settle_waiting(number)

    def _propose(self) -> TrialRecord:
        # Seeded by the number of proposals, not of trials: one that was cut off does not count.
        seed = derive_seed(self.config.seed, "proposal", len(self._records))
        self.study.sampler = SAMPLERS[self.config.sampler](seed)
        trial = self.study.ask(self.space.distributions())
        spec = self.space.from_params(trial.params)
        trial.set_user_attr(PROPOSAL, {"key": spec.key, "arch": spec.model_dump(mode="json")})
        return self._refresh(trial.number)

    def _judge(self, trial: optuna.Trial, proposed: TrialRecord) -> bool:
        """Refuse or replay ``proposed``; True when it has to be trained.

        A pure function of what is stored: a proposal judged again after a crash is judged alike.
        """
        violations = self.config.budgets.violations(proposed.spec, self.config.costs)
        if violations:
            told = trial.constraints
            for violation in violations:
                # Judged again after a crash, a part may have been told already.
                if f"max_{violation.cost}" not in told:
                    trial.set_constraint(f"max_{violation.cost}", violation.excess)
            worst = max(violations, key=lambda violation: violation.excess)
            trial.set_user_attr(REFUSED, f"{worst.cost} {worst.value:g} > {worst.limit:g}")
            self.study.tell(trial, state=TrialState.PRUNED)
            self._refresh(proposed.number)
            return False
        known = self._first_of(proposed.key)
        if known.number == proposed.number:
            return True
        trial.set_user_attr(REPLAY_OF, known.number)
        # While the first one is in training this trial waits for its result.
        if known.outcome is not Outcome.RUNNING:
            self._replay(proposed.number, known)
        return False

    def _replay(self, number: int, known: TrialRecord) -> None:
        if known.outcome is Outcome.TRAINED:
            self.study.tell(number, known.values)
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
        left = [spec for key, spec in self.candidates.specs.items() if key not in seen]
        random.Random(derive_seed(self.config.seed, "unseen", len(left))).shuffle(left)
        for spec in left:
            try:
                return self.space.to_params(spec)
            except InvalidInput:
                # A sample of a vast space may hold a network under values that it mended.
                continue
        return None

    def _enqueue(self, params: dict[str, Any]) -> None:
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if not waiting:  # else one is left over from a process that ended right here
            self.study.enqueue_trial(params)

    def _trial(self, number: int) -> optuna.Trial:
        """The open trial ``number``, to write to."""
        storage = self.study._storage
        return optuna.Trial(
            self.study,
            storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number),
        )

    def _refresh(self, number: int) -> TrialRecord:
        frozen: FrozenTrial = self.study.get_trials(deepcopy=False)[number]
        self._records[number] = record(frozen)
        return self._records[number]
