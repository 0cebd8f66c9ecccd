"""What rules and searchers see of the trials of a search."""

from __future__ import annotations

from collections.abc import Sequence

from nas.runs import TrialRecord, TrialState
from nas.searching.config import SearchConfig
from nas.searching.early_stopping.snapshot import TrialSnapshot

IN_COMPETITION = (
    TrialState.RUNNING,
    TrialState.PAUSED,
    TrialState.STOPPED,
    TrialState.TRAINED,
)


def snapshots_of(records: Sequence[TrialRecord], config: SearchConfig) -> list[TrialSnapshot]:
    """Every network whose training was begun and has not failed."""
    return [
        TrialSnapshot(
            one.key,
            config.costs_of(one.spec),
            tuple(reached.error for reached in one.rung_results),
            tuple(reached.loss for reached in one.rung_results),
            running=one.state is TrialState.RUNNING,
            stopped=one.state is TrialState.STOPPED,
            spec=one.spec,
        )
        for one in records
        if one.state in IN_COMPETITION
    ]
