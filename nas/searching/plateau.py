"""When a search has come to a plateau."""

from __future__ import annotations

from collections.abc import Sequence

from nas.front import hypervolume
from nas.runs import RungResult, TrialRecord, TrialState

GROWTH = 1e-3
"""A hypervolume that grows by a smaller share does not count as growing."""


def trainings_without_growth(records: Sequence[TrialRecord], reference: Sequence[float]) -> int:
    """How many trainings, or parts of them, have ended since the hypervolume last grew.

    Read off what is stored, so that a search that was interrupted ends where the unbroken one would.

    Args:
        records: Of the search.
        reference: The box, which is the same from the first training to the last.

    Returns:
        0 before the first network is trained in full.
    """
    ends: list[tuple[RungResult, TrialRecord]] = [
        (reached, one) for one in records for reached in one.rung_results
    ]
    ends.sort(key=lambda end: end[0].order)
    front: list[tuple[float, ...]] = []
    best, idle = 0.0, 0
    for reached, one in ends:
        idle += 1
        if one.state is TrialState.TRAINED and reached is one.rung_results[-1]:
            front.append(one.values)
            volume = hypervolume(front, reference)
            if volume > best * (1 + GROWTH):
                best, idle = volume, 0
    return idle if front else 0
