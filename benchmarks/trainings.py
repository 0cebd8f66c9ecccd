"""Trainings of a benchmark, several at a time, and what they have written."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from nas.runs import TrialFolder
from nas.training import EpochMetrics, TrainJob, read_metrics
from nas.training.fit import fit


def train_all(jobs: Sequence[TrainJob], workers: int) -> None:
    """Train those of ``jobs`` that have epochs left, ``workers`` at a time; one line for each."""
    waiting = [job for job in jobs if len(epochs_of(job)) < job.recipe.epochs]
    print(f"{len(waiting)} trainings to do", flush=True)
    # Processes that live on: starting one takes as long as an epoch here.
    os.environ["OMP_NUM_THREADS"] = "1"
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn) as pool:
        running = {pool.submit(fit, job): job for job in waiting}
        for number, one in enumerate(as_completed(running), 1):
            job, epochs = running[one], one.result()
            print(f"{number:3d} {job.log_version} {epochs[-1].val_error}", flush=True)


def epochs_of(job: TrainJob) -> list[EpochMetrics]:
    """What a training has written so far."""
    return read_metrics(TrialFolder(job.folder)) if job.folder.is_dir() else []
