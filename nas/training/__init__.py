"""Training of one network: recipes, checkpoints, and the job that a process is given.

What trains is ``nas.training.fit``, which is not imported here: Lightning takes seconds to import, and
most of the program only reads what trainings have written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.training.checkpoint import Checkpoint as Checkpoint
    from nas.training.checkpoint import CheckpointInfo as CheckpointInfo
    from nas.training.checkpoint import load_checkpoint as load_checkpoint
    from nas.training.checkpoint import read_info as read_info
    from nas.training.checks import check_fits as check_fits
    from nas.training.job import EpochMetrics as EpochMetrics
    from nas.training.job import TestResult as TestResult
    from nas.training.job import TrainJob as TrainJob
    from nas.training.metrics import read_metrics as read_metrics
    from nas.training.owner import end_owner as end_owner
    from nas.training.pretrained import PretrainedStart as PretrainedStart
    from nas.training.pretrained import find_weights as find_weights
    from nas.training.recipe import RECIPES as RECIPES
    from nas.training.recipe import Recipe as Recipe

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.training.checkpoint": ["Checkpoint", "CheckpointInfo", "load_checkpoint", "read_info"],
        "nas.training.checks": ["check_fits"],
        "nas.training.job": ["EpochMetrics", "TestResult", "TrainJob"],
        "nas.training.metrics": ["read_metrics"],
        "nas.training.owner": ["end_owner"],
        "nas.training.pretrained": ["PretrainedStart", "find_weights"],
        "nas.training.recipe": ["RECIPES", "Recipe"],
    },
)
