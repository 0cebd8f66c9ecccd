"""``grid``: every network once, in a seeded order."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from nas.searching.early_stopping.snapshot import TrialSnapshot
from nas.searching.samplers import derive_seed


class ShuffledSearcher:
    """Deals out the candidates in a random order.

    Args:
        seed: Of the search.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def suggest(self, left: Sequence[str], snapshots: Sequence[TrialSnapshot]) -> Iterator[str]:
        """All that are left, shuffled anew for each suggest."""
        order = list(left)
        random.Random(derive_seed(self._seed, "unseen", len(order))).shuffle(order)
        return iter(order)
