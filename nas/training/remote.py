"""Trains on a machine without access to the run's folder, through a shared store."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from nas.errors import WorkFailed
from nas.runs import Store, TrialFolder, write_text
from nas.training.begin import print_into
from nas.training.job import EpochMetrics, TrainJob
from nas.training.metrics import read_metrics
from nas.training.worker import main


def push(job: TrainJob, store: Store, attempt: str) -> None:
    """Copy the files of a training to the store, for the machine that continues it.

    Args:
        job: The job to train there.
        store: The store.
        attempt: Name of this attempt; a process with an earlier attempt may no longer write.
    """
    folder = TrialFolder(job.folder)
    store.write(folder.attempt, attempt)
    if job.data.record is not None:
        store.write(folder.splits, Path(job.data.record).read_text(encoding="utf-8"))
    sync(folder, store)


def sync(folder: TrialFolder, store: Store) -> None:
    """Copy the later of the two checkpoints, local and in the store, over the earlier one."""
    here, there = len(read_metrics(folder)), len(store.read(folder.metrics).splitlines())
    # The metrics last: they record the epoch of the checkpoint.
    files = (folder.checkpoint, folder.metrics)
    for file in files if here != there else ():
        if here > there:
            store.put(file)
        else:
            store.get(file)


def pull(folder: TrialFolder, store: Store) -> None:
    """Copy the files of a training from the store into its local folder."""
    sync(folder, store)
    for file in (folder.arch, folder.error, folder.output):
        store.get(file)


def train_remotely(job: TrainJob, store: Store, attempt: str) -> int:
    """Train ``job`` in a temporary folder, from the store's checkpoint, and keep the store up to date.

    Args:
        job: The job; its folder is relative to that of the search.
        store: The store; it gets the checkpoint after every epoch.
        attempt: See ``push``.

    Returns:
        The exit code of the training.
    """
    folder = TrialFolder(job.folder)

    def check_still_ours() -> None:
        if store.read(folder.attempt) != attempt:
            raise WorkFailed(f"{folder.path}: another process has taken this training up")

    def keep(_: EpochMetrics) -> None:
        check_still_ours()
        store.put(folder.checkpoint)
        store.put(folder.metrics)

    with TemporaryDirectory(prefix="sknas-", ignore_cleanup_errors=True) as here:
        os.chdir(here)
        if job.data.record is not None and store.get(folder.splits):
            record = {"record": str(folder.splits.absolute())}
            job = job.model_copy(update={"data": job.data.model_copy(update=record)})
        write_text(folder.job, job.model_dump_json())
        print_into(folder.output)
        for file in (folder.checkpoint, folder.metrics):
            store.get(file)
        code = main(folder.job, keep)
        check_still_ours()
        for file in (folder.arch, folder.output, folder.error):
            if file.is_file():
                store.put(file)
        os.chdir(Path(here).anchor)
    return code
