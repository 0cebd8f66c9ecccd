"""More epochs for a finished training: another schedule, from the weights that it has reached."""

from __future__ import annotations

from blocks.errors import InvalidInput
from nas.training.best_epoch import is_exhausted
from nas.training.checkpoint import CheckpointInfo
from nas.training.job import TrainJob


def as_written(job: TrainJob, info: CheckpointInfo) -> TrainJob:
    """``job`` in the terms of the version that wrote the checkpoint, to compare the two.

    Version 0.1 trained by the same recipes without ``norm_momentum``. What it began goes on with it.
    """
    if "norm_momentum" in info.recipe.model_fields_set:
        return job
    recipe = job.recipe.model_copy(update={"norm_momentum": None})
    return job.model_copy(update={"recipe": recipe})


def gives_more(job: TrainJob, info: CheckpointInfo) -> bool:
    """Whether ``job`` differs from the training of a checkpoint in that it has more epochs."""
    before = info.recipe.epochs
    return (
        job.recipe.epochs > before
        and job.recipe.model_copy(update={"epochs": before}) == info.recipe
    )


def schedule_start(job: TrainJob, info: CheckpointInfo) -> int:
    """Epochs before the schedule that ``job`` trains by began.

    Args:
        job: What is to be trained.
        info: Of the checkpoint that it continues from.

    Returns:
        0 for a training from the start; the epochs done by a finished training that is given more.

    Raises:
        InvalidInput: The training is given more epochs, but has not finished those it had.
    """
    if not gives_more(job, info):
        return info.schedule_start
    if job.recipe.schedule == "constant":
        return 0  # a longer training begins as a shorter one
    done, before = len(info.history), info.recipe.epochs
    if done < before and not is_exhausted(info.history, info.patience):
        raise InvalidInput(
            f"epochs {job.recipe.epochs}: the training has done {done} of {before} epochs, and its "
            f"learning rates are for {before}; finish it first, then give it more"
        )
    return done
