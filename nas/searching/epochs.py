"""Epochs that a search has spent, and those that are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from nas.runs import TrialRecord, TrialState
from nas.searching.candidates import Candidates
from nas.searching.config import SearchConfig
from nas.training.pretrained import plain_network

BEGUN = (TrialState.TRAINED, TrialState.FAILED, TrialState.STOPPED, TrialState.PAUSED)
AT_REST = (TrialState.PAUSED, TrialState.STOPPED, TrialState.TRAINED)


@dataclass
class EpochAccount:
    """Counts epochs and networks of a search.

    Args:
        config: Of the search.
        candidates: Networks within the budgets.
    """

    config: SearchConfig
    candidates: Candidates

    def spent(self, records: Sequence[TrialRecord]) -> int:
        """Epochs trained, and those that trainings now under way will have trained; parents' too."""
        begun = [one for one in records if one.target_epoch or one.rung_results]
        spent = sum(one.epochs if one.state in AT_REST else one.target_epoch for one in begun)
        if self.config.inherit is None:
            return spent
        parents = {plain_network(one.spec).key for one in begun}
        return spent + len(parents) * self.config.recipe.epochs

    def left(self, records: Sequence[TrialRecord]) -> int | None:
        """Epochs that may still be trained; None: any number."""
        total = self.config.total_epochs
        return None if total is None else total - self.spent(records)

    def of_a_new_network(self, records: Sequence[TrialRecord]) -> int:
        """Epochs that the next network may take, with those of a parent that it may need first."""
        if self.config.inherit is None:
            return self.config.epochs
        known = {plain_network(one.spec).key for one in records if one.target_epoch}
        parent = 0 if self._parents <= known else self.config.recipe.epochs
        return self.config.epochs + parent

    def unbegun(self, records: Sequence[TrialRecord]) -> int:
        """Networks still to be begun; failed trainings count as spent."""
        return self.config.trials - sum(
            bool(one.target_epoch) or one.state in BEGUN for one in records
        )

    @cached_property
    def _parents(self) -> set[str]:
        return {plain_network(spec).key for spec in self.candidates.specs.values()}
