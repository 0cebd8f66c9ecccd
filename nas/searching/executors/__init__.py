"""``train``: where trainings run. A new executor is one file and one line in ``make_executor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.searching.evaluators import Evaluator
from nas.searching.executors.local import LocalExecutor
from nas.searching.executors.ray import RayExecutor

if TYPE_CHECKING:
    from nas.searching.config import SearchConfig

__all__ = ["LocalExecutor", "RayExecutor", "make_executor"]


def make_executor(config: SearchConfig) -> Evaluator:
    """The executor that a search asks for.

    Raises:
        InvalidInput: It is not there.
    """
    how = config.execution
    if how.executor == "ray":
        return RayExecutor(how.workers, how.threads, how.gpus, how.ray_address, how.checkpoints)
    return LocalExecutor(how.workers, how.threads)
