"""The job that trains a trial."""

from __future__ import annotations

from nas.runs import RunFolder, TrialRecord
from nas.searching.config import SearchConfig
from nas.searching.inherit import started
from nas.searching.input_size import data_for
from nas.searching.samplers import derive_seed
from nas.training import TrainJob


def training_job(
    record: TrialRecord, stop_epoch: int, config: SearchConfig, run: RunFolder
) -> TrainJob:
    """The job that trains a trial (on) until ``stop_epoch``."""
    job = TrainJob(
        spec=record.spec,
        data=data_for(record.spec, config),
        recipe=config.recipe,
        stop_epoch=stop_epoch,
        seed=derive_seed(config.seed_of_trainings, "training"),
        folder=run.trial(record.number).path,
        log_name=config.name,
        log_version=f"trial_{record.number:04d}",
        logs=config.execution.logs_dir,
        module=config.module,
        evaluator=config.evaluator,
    )
    return started(job, config, run)
