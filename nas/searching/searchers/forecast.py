"""``forecast``: the network whose training is expected to bring most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nas.searching.early_stopping.forecast import LEAST_BEGUN
from nas.searching.early_stopping.snapshot import TrialSnapshot
from nas.searching.forecast import Ranker
from nas.searching.searchers.searcher import Searcher


class ForecastSearcher:
    """Deals by expected growth of the hypervolume; see ``nas.searching.forecast``.

    Args:
        candidate_ranker: Ranks the networks.
        first: Deals out the first networks, from which the first forecast is made.
    """

    def __init__(self, candidate_ranker: Ranker, first: Searcher) -> None:
        self._ranker = candidate_ranker
        self._first = first

    def suggest(self, left: Sequence[str], snapshots: Sequence[TrialSnapshot]) -> Iterator[str]:
        """Networks that are not begun, the most valuable first; also some that evolution has found."""
        if len(snapshots) < LEAST_BEGUN:
            return self._first.suggest(left, snapshots)
        begun = {one.key for one in snapshots}
        ranked = self._ranker.ranked_candidates(snapshots)
        return iter([one.key for one in ranked if one.key not in begun])
