"""What happens to failures: trainings that were killed, that failed, or that could not write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from nas.errors import WorkFailed
from nas.naming import call
from nas.plugins import PluginRaised
from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching.config import SearchConfig
from nas.searching.evaluators import Finished
from nas.training import read_metrics

HOPELESS = 3
"""Trainings that may fail in a row from the start before the search gives up."""
KILLS = 3
"""Times in a row that a training may be killed without having got an epoch further. One that is killed
for its memory each time has failed."""


@dataclass
class Failures:
    """Decides what goes on after a failure.

    Args:
        config: Of the search.
        run: Its folder.
    """

    config: SearchConfig
    run: RunFolder
    _kills: dict[int, list[int]] = field(default_factory=dict)

    def goes_on(self, finished: Finished) -> bool:
        """Whether a training that has ended is started again: it was killed, and had got further."""
        if not finished.killed:
            return False
        kills = self._kills.setdefault(finished.number, [])
        kills.append(len(finished.epochs))
        return kills.count(len(finished.epochs)) < KILLS

    def check_disk(self, finished: Finished) -> None:
        """Make sure that the training did not end because nothing can be written.

        Raises:
            WorkFailed: It did. The next one could not write either.
        """
        if finished.no_disk:
            raise WorkFailed(
                f"trial {finished.number}: {finished.reason}; its checkpoint is whole: when there is "
                f"room, continue with: {call('search', resume=self.config.name)}"
            )

    def check_plugin(self, finished: Finished, records: Sequence[TrialRecord]) -> None:
        """Make sure that the training did not end by a fault of a plug-in, which the next would too.

        What a plug-in raises is taken for such a fault only until a training has completed an epoch.
        Later it is a failure of one trial.

        Args:
            finished: How the training ended.
            records: Of the search.

        Raises:
            PluginFault: A plug-in is at fault. The trial stays open, and is trained when the search goes
                on.
        """
        if finished.fault is None:
            return
        if finished.fault is PluginRaised and self._another_has_trained(finished.number, records):
            return
        raise finished.fault(finished.reason)

    def _another_has_trained(self, number: int, records: Sequence[TrialRecord]) -> bool:
        """Whether another trial than ``number`` has completed an epoch, at a rung or not."""
        others = [one for one in records if one.number != number and one.target_epoch]
        return any(one.rung_results or read_metrics(self.run.trial(one.number)) for one in others)

    def check_hopeful(self, records: Sequence[TrialRecord], allowed: int = HOPELESS - 1) -> None:
        """Make sure that the search is worth going on with.

        Args:
            records: Of the search.
            allowed: Trainings that may have failed before any reached a rung.

        Raises:
            WorkFailed: More have failed, and none has reached a rung.
        """
        failed = [one for one in records if one.state is TrialState.FAILED]
        if len(failed) > allowed and not any(one.rung_results for one in records):
            self._give_up(failed)

    def _give_up(self, failed: Sequence[TrialRecord]) -> NoReturn:
        first, count = failed[0], len(failed)
        what = "the first training has" if count == 1 else f"the first {count} trainings have all"
        raise WorkFailed(
            f"{what} failed; trial {first.number}: {first.note} (see "
            f"{self.run.trial(first.number).error}); when that is fixed, others are trained by: "
            f"{call('search', resume=self.config.name, trials=self.config.trials + count)}"
        )
