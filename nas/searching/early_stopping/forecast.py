"""``forecast``: the network continues whose further training is expected to bring most."""

from __future__ import annotations

from collections.abc import Sequence

from nas.searching.early_stopping.snapshot import TrialSnapshot
from nas.searching.forecast import Ranker

LEAST_BEGUN = 4
"""So many networks are begun before any continues: a forecast needs something to be made of."""
LEAST_GROWTH = 5e-4
"""At the end, trainings that are expected to add less than this share are left where they are."""


class ForecastRule:
    """Continues a waiting network when that is worth more an epoch than any new one.

    Unlike successive halving it compares a network with all that may still be begun, and by the final
    errors that are predicted rather than by those seen: see ``nas.searching.forecast``.

    Args:
        candidate_ranker: Ranks the networks.
        epochs: Of a whole training.
    """

    def __init__(self, candidate_ranker: Ranker, epochs: int) -> None:
        self._ranker = candidate_ranker
        self._epochs = epochs

    def promote(
        self, snapshots: Sequence[TrialSnapshot], epochs_left: int | None, *, closing: bool
    ) -> str | None:
        """See `Rule.promote`; no training continues that could not be finished."""
        may_begin = not closing and (epochs_left is None or epochs_left >= self._epochs)
        if not snapshots or (may_begin and len(snapshots) < LEAST_BEGUN):
            return None
        begun = {one.key for one in snapshots}
        # Epochs that no new network can be finished in are there to be spent, however little they bring.
        least = LEAST_GROWTH if epochs_left is None or closing else 0.0
        for scored_candidate in self._ranker.ranked_candidates(snapshots):
            if scored_candidate.key not in begun:
                if may_begin:
                    return None
                continue
            fits = epochs_left is None or scored_candidate.epochs <= epochs_left
            if fits and (may_begin or scored_candidate.growth >= least):
                return scored_candidate.key
        return None
