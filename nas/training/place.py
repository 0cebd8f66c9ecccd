"""Which of several processes that train one network together this one is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One of ``processes`` processes.

    Attributes:
        rank: From 0; the first writes the files.
        processes: How many there are.
    """

    rank: int = 0
    processes: int = 1


ALONE = Place()
