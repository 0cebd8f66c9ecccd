"""What a searcher does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from nas.searching.early_stopping.snapshot import TrialSnapshot


class Searcher(Protocol):
    """Deals out networks that were never proposed. A pure function of what it is given."""

    def suggest(self, left: Sequence[str], snapshots: Sequence[TrialSnapshot]) -> Iterator[str]:
        """Keys to begin with, the first choice first; some may have been proposed before.

        Args:
            left: Candidates that were never proposed.
            snapshots: Networks begun.
        """
        ...
