"""``forecast``: the network whose training is expected to bring most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nas.search.dealers.dealer import Dealer
from nas.search.early_stopping.contender import Contender
from nas.search.early_stopping.forecast import LEAST_BEGUN
from nas.search.forecast.prospector import Prospector


class ForecastDealer:
    """Deals by expected growth of the hypervolume; see ``nas.search.forecast``.

    Args:
        prospector: Ranks the networks.
        first: Deals out the first networks, from which the first forecast is made.
    """

    def __init__(self, prospector: Prospector, first: Dealer) -> None:
        self._prospector = prospector
        self._first = first

    def deal(self, left: Sequence[str], contenders: Sequence[Contender]) -> Iterator[str]:
        """All that are left, the most valuable first."""
        if len(contenders) < LEAST_BEGUN:
            return self._first.deal(left, contenders)
        allowed = set(left)
        ranked = self._prospector.prospects(contenders)
        return iter([one.key for one in ranked if one.key in allowed])
