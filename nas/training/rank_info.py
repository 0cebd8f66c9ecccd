"""The rank of this process among those that train one network together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RankInfo:
    """The rank of one process and the number of processes.

    Attributes:
        rank: From 0; rank 0 writes the files.
        processes: The number of processes, as torch's world size.
    """

    rank: int = 0
    processes: int = 1


ALONE = RankInfo()
