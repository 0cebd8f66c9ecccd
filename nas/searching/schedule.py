"""What runs: which training is begun, or continues, when a worker is free."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.wording import plural
from nas.runs import TrialRecord
from nas.searching.config import SearchConfig
from nas.searching.early_stopping import Rule
from nas.searching.epochs import EpochAccount
from nas.searching.plateau import trainings_without_growth
from nas.searching.proposer import Proposer
from nas.searching.snapshots import snapshots_of
from nas.searching.view import View


@dataclass
class Schedule:
    """Says what is trained next.

    Args:
        config: Of the search.
        proposer: Proposes new networks.
        epochs: Counts what was spent.
        rule: Says which waiting trainings continue; None: trainings do not pause.
        view: Told why no more are begun.
    """

    config: SearchConfig
    proposer: Proposer
    epochs: EpochAccount
    rule: Rule | None
    view: View
    _exhausted: bool = False
    _on_plateau: bool = False

    def next(self) -> TrialRecord | None:
        """The trial to train (on) now; None: there is none, as things stand."""
        return None if self._at_an_end() else self._promoted() or self._new()

    def _promoted(self) -> TrialRecord | None:
        """The waiting training that is to continue; None: a new network is to be begun."""
        if self.rule is None:
            return None
        records = self.proposer.log.records
        closing = self.epochs.unbegun(records) <= 0 or self._exhausted
        snapshots = snapshots_of(records, self.config)
        key = self.rule.promote(snapshots, self.epochs.left(records), closing=closing)
        if key is None:
            return None
        return next(one for one in records if one.key == key and one.target_epoch)

    def _new(self) -> TrialRecord | None:
        """A network that was never trained; None when no more are wanted, or none is left."""
        records = self.proposer.log.records
        left = self.epochs.left(records)
        too_few = left is not None and left < self.epochs.of_a_new_network(records)
        if self.epochs.unbegun(records) <= 0 or self._exhausted or too_few:
            return None
        record = self.proposer.next()
        if record is None:
            self._exhausted = True
            self.view.event("the space holds no further network within the budgets")
        return record

    def _at_an_end(self) -> bool:
        """Whether the hypervolume has stopped growing."""
        patience = self.config.patience
        if patience is None or self._on_plateau:
            return self._on_plateau
        reference = self.config.reference_point
        idle = trainings_without_growth(self.proposer.log.records, reference)
        if idle >= patience:
            self._on_plateau = True
            self.view.event(
                f"the hypervolume has not grown by 0.1 % over {plural(idle, 'training')} or parts "
                "of them"
            )
        return self._on_plateau
