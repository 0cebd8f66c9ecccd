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
    if config.executor == "ray":
        return RayExecutor(
            config.workers, config.threads, config.gpus, config.ray_address, config.checkpoints
        )
    return LocalExecutor(config.workers, config.threads)
