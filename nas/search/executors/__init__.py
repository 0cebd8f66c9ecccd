"""Where trainings run. A new executor is one file and one line in ``make_executor``."""

from __future__ import annotations

from nas.search.executors.base import Executor, Finished
from nas.search.executors.local import LocalExecutor

__all__ = ["Executor", "Finished", "LocalExecutor", "make_executor"]


def make_executor(name: str, workers: int, threads: int | None) -> Executor:
    """The executor ``name`` (as SearchConfig has checked it) with ``workers`` places."""
    assert name == "local"
    return LocalExecutor(workers, threads)
