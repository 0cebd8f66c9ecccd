"""Shared memory: what processes that read images pass their batches in."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

SHM = Path("/dev/shm")
AHEAD = 2
"""Batches that each process of a DataLoader reads ahead."""


@dataclass(frozen=True)
class SharedMemory:
    """The file system of shared memory.

    Attributes:
        total: Bytes in all.
        free: Bytes that are free.
    """

    total: int
    free: int


def shared_memory(path: Path = SHM) -> SharedMemory | None:
    """That of this machine or container; None where there is no such file system."""
    try:
        found = shutil.disk_usage(path)
    except OSError:
        return None
    return SharedMemory(found.total, found.free)


def workers_that_fit(workers: int, batch_bytes: int, path: Path = SHM) -> int:
    """How many of ``workers`` processes can read batches of ``batch_bytes``; 0: none.

    A process that finds no shared memory is killed, or waits for ever. Half of what is free is left to
    others, such as trainings that begin at the same time.
    """
    found = shared_memory(path)
    if found is None:
        return workers
    # One batch more than each reads ahead: the one that the training uses.
    return min(workers, int(found.free / 2 // max(batch_bytes * (AHEAD + 1), 1)))
