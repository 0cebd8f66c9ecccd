"""``forecast``: the network whose training is expected to bring most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nas.searching.early_stopping.forecast import LEAST_BEGUN
from nas.searching.early_stopping.snapshot import TrialSnapshot
from nas.searching.forecast.candidate_ranker import CandidateRanker
from nas.searching.searchers.searcher import Searcher


class ForecastSearcher:
    """Deals by expected growth of the hypervolume; see ``nas.searching.forecast``.

    Args:
        candidate_ranker: Ranks the networks.
        first: Deals out the first networks, from which the first forecast is made.
    """

    def __init__(self, candidate_ranker: CandidateRanker, first: Searcher) -> None:
        self._ranker = candidate_ranker
        self._first = first

    def suggest(self, left: Sequence[str], snapshots: Sequence[TrialSnapshot]) -> Iterator[str]:
        """All that are left, the most valuable first."""
        if len(snapshots) < LEAST_BEGUN:
            return self._first.suggest(left, snapshots)
        allowed = set(left)
        ranked = self._ranker.ranked_candidates(snapshots)
        return iter([one.key for one in ranked if one.key in allowed])
