"""What a dealer does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from nas.search.early_stopping.contender import Contender


class Dealer(Protocol):
    """Deals out networks that were never proposed. A pure function of what it is given."""

    def deal(self, left: Sequence[str], contenders: Sequence[Contender]) -> Iterator[str]:
        """Keys to begin with, the first choice first.

        Args:
            left: Candidates that were never proposed.
            contenders: Networks begun.
        """
        ...
