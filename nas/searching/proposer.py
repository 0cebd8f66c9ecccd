"""What is proposed: the part of a trial's life before it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optuna

from blocks import InvalidInput
from nas.runs import TrialRecord, TrialState
from nas.searching import changes
from nas.searching.candidates import Candidates
from nas.searching.config import SearchConfig
from nas.searching.history import shown_to_sampler
from nas.searching.log import ENDED, TrialLog
from nas.searching.samplers import SEARCHERS, TAKE_PAUSED, derive_seed, make_sampler
from nas.searching.snapshots import snapshots_of
from nas.searching.strategy import Strategy
from nas.study import quiet
from search_spaces import SearchSpace

PATIENCE = 25
"""Proposals in a row that need no training, after which a searcher suggests a new network instead.

In a small space a sampler that has converged proposes what is known again and again."""


@dataclass
class Proposer:
    """Proposes networks to train; settles every other proposal by itself.

    Args:
        log: All trials of the search.
        config: Of the search.
        space: Bound to the data.
        candidates: Networks within the budgets.
        strategy: Suggests new networks where no sampler of Optuna's does, or where that one has nothing
            new to propose.
    """

    log: TrialLog
    config: SearchConfig
    space: SearchSpace
    candidates: Candidates
    strategy: Strategy
    _idle: int = 0

    def __post_init__(self) -> None:
        for known in reversed(self.log.records):
            if known.state not in (TrialState.DUPLICATE, TrialState.INFEASIBLE):
                break
            self._idle += 1

    def recover(self) -> list[TrialRecord]:
        """Take up the trials that an ended process left open.

        Returns:
            Those that are to be trained (on), in order. All others are settled.
        """
        self.log.reopen()
        for one in self.log.records:
            if one.state is TrialState.PAUSED and one.epochs == self.config.epochs:
                # Trained in full, and cut off before that was told.
                changes.complete(self.log, one.number, self._last_values(one))
        for one in self.log.waiting_duplicates():
            if self.log.first_of(one.key).state in ENDED:
                changes.repeat(self.log, one.number)
        return [
            one
            for one in self.log.records
            if one.state is TrialState.RUNNING
            or (one.state is TrialState.QUEUED and self._has_to_be_trained(one))
        ]

    def next(self) -> TrialRecord | None:
        """Propose until a network has to be trained.

        Returns:
            Its record, or None when the space holds no further network within the budgets, as far as
            can be seen.
        """
        while (proposed := self._propose()) is not None:
            if self._has_to_be_trained(proposed):
                self._idle = 0
                return proposed
            self._idle += 1
        return None

    def _propose(self) -> TrialRecord | None:
        params = None
        if self.config.sampler in SEARCHERS or self._idle >= PATIENCE:
            params = self._unseen()
            if params is None:
                return None
        # Seeded by the number of proposals, not of trials: one that was cut off does not count.
        seed = derive_seed(self.config.seed, "proposal", len(self.log.records))
        sampler = make_sampler(self.config.sampler, seed)
        if self.config.sampler not in TAKE_PAUSED:
            # The genetic ones keep their generations in the study.
            return self.log.ask(sampler, self.space, params)
        if params is None:
            params = self._sampled(sampler)
        return self.log.add(params, self.space.distributions(), self.space.from_params(params))

    def _sampled(self, sampler: optuna.samplers.BaseSampler) -> dict[str, Any]:
        """What a sampler proposes that learns from the trials alone."""
        # Of Optuna's own alone: one of the user's is asked in the study.
        with quiet():
            shown = shown_to_sampler(self.log.pairs, len(self.config.objectives), self._last_values)
            shown.sampler = sampler
            return shown.ask(self.space.distributions()).params

    def _last_values(self, one: TrialRecord) -> tuple[float, ...]:
        """The objectives of a network by the last rung it has reached."""
        return self.config.values(one.spec, one.rung_results[-1].error)

    def _has_to_be_trained(self, proposed: TrialRecord) -> bool:
        """Whether a proposal is new and within the budgets; it is settled otherwise.

        A pure function of what is stored: a proposal judged again after a crash is judged alike.
        """
        violations = self.config.budgets.violations(proposed.spec, self.config.costs)
        if violations:
            changes.refuse(self.log, proposed.number, violations)
            return False
        if self.log.first_of(proposed.key).number != proposed.number:
            changes.repeat(self.log, proposed.number)
            return False
        return True

    def _unseen(self) -> dict[str, Any] | None:
        """Parameters of a candidate that was never proposed; None when none is left."""
        records = self.log.records
        seen = {one.key for one in records}
        left = [key for key in self.candidates.specs if key not in seen]
        for key in self.strategy.searcher.suggest(left, snapshots_of(records, self.config)):
            if key in seen:
                continue
            try:
                return self.space.to_params(self.strategy.networks[key])
            except InvalidInput:
                # A sample of a vast space may hold a network under values that it rounded.
                continue
        return None
