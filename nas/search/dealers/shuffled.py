"""``grid``: every network once, in a seeded order."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from nas.search.early_stopping.contender import Contender
from nas.search.samplers import derive_seed


class ShuffledDealer:
    """Deals out the candidates in a random order.

    Args:
        seed: Of the search.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def deal(self, left: Sequence[str], contenders: Sequence[Contender]) -> Iterator[str]:
        """All that are left, shuffled anew for each deal."""
        order = list(left)
        random.Random(derive_seed(self._seed, "unseen", len(order))).shuffle(order)
        return iter(order)
