"""Training of one network: recipes, checkpoints, and the job that a process is given."""

from __future__ import annotations

from nas.training.checkpoint import Checkpoint, CheckpointInfo, load_checkpoint, read_info
from nas.training.fit import check_fits, fit
from nas.training.job import EpochMetrics, TestResult, TrainJob
from nas.training.owner import end_owner
from nas.training.progress import read_metrics
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
    "fit",
    "load_checkpoint",
    "read_info",
    "read_metrics",
]
