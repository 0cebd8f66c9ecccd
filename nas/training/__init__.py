"""Training of one network: recipes, checkpoints, and the job that a process is given.

What trains is ``nas.training.fit``, which is not imported here: Lightning takes seconds to import, and
most of the program only reads what trainings have written.
"""

from __future__ import annotations

from nas.training.checkpoint import Checkpoint, CheckpointInfo, load_checkpoint, read_info
from nas.training.checks import check_fits
from nas.training.job import EpochMetrics, TestResult, TrainJob
from nas.training.metrics import read_metrics
from nas.training.owner import end_owner
from nas.training.recipe import RECIPES, Recipe

__all__ = [
    "RECIPES",
    "Checkpoint",
    "CheckpointInfo",
    "EpochMetrics",
    "Recipe",
    "TestResult",
    "TrainJob",
    "check_fits",
    "end_owner",
    "load_checkpoint",
    "read_info",
    "read_metrics",
]
