"""The epoch of the least validation error, and when to stop waiting for a better one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from nas.runs import TrialFolder
from nas.runs.atomic import replace_file
from nas.training.job import EpochMetrics


def best_epoch(history: Sequence[EpochMetrics]) -> int | None:
    """The first epoch of the least validation error; None if no epoch has one."""
    known = [(one.val_error, one.epoch) for one in history if one.val_error is not None]
    return min(known)[1] if known else None


def is_exhausted(history: Sequence[EpochMetrics], patience: int | None) -> bool:
    """Whether the last ``patience`` epochs have not improved the validation error."""
    best = best_epoch(history)
    return patience is not None and best is not None and history[-1].epoch - best >= patience


def keep_best(folder: TrialFolder, history: Sequence[EpochMetrics]) -> None:
    """Copy the checkpoint, which is of the last epoch, if that epoch is the best.

    A process may be killed between checkpoint and copy; the next one calls this again.
    """
    if not history or best_epoch(history) != history[-1].epoch:
        return
    with folder.checkpoint.open("rb") as source, replace_file(folder.best) as copy:
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())
