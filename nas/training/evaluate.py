"""Who evaluates the network of a job: our own training, or a function of the user's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from filelock import FileLock, Timeout

from blocks.errors import InvalidInput
from nas.plugins import Expected, calling, resolve
from nas.runs import TrialFolder, write_text
from nas.training.job import EpochMetrics, TrainJob
from nas.training.metrics import read_metrics, write_metrics
from nas.training.owner import note_owner

OnEpoch: TypeAlias = Callable[[EpochMetrics], None]
Evaluate: TypeAlias = Callable[[TrainJob, OnEpoch], Sequence[EpochMetrics]]
"""Evaluates the network of a job until ``job.stop_epoch``, going on from what it has left in
``job.folder``. It calls the function that it is given at the end of every epoch, and returns all epochs
of the trial so far; the last one has a ``val_error`` from 0 to 1."""

EXPECTED = Expected(
    "a function (job, on_epoch) that returns the EpochMetrics of all epochs", callable
)
"""What an evaluator of the user's is."""


def load_evaluator(job: TrainJob) -> Evaluate | None:
    """The user's function that evaluates ``job``; None: the network is trained.

    Raises:
        InvalidInput: It cannot be found.
    """
    if job.evaluator is None:
        return None
    return evaluator_at(job.evaluator)


def evaluator_at(reference: str) -> Evaluate:
    """The user's function that ``reference`` names.

    Raises:
        InvalidInput: It cannot be found, or is no function.
    """
    return cast(Evaluate, resolve(reference, "evaluator", EXPECTED))


def evaluate(job: TrainJob, on_epoch: OnEpoch | None = None, *, lock_seconds: float = 0) -> None:
    """Have the network of ``job`` evaluated; metrics.jsonl has its epochs afterwards.

    Args:
        job: What to evaluate.
        on_epoch: Called at the end of every epoch; what it raises ends the evaluation.
        lock_seconds: How long to wait for another process that works in the same folder.

    Raises:
        InvalidInput: The evaluator cannot be found or gives no figures of the right kind, or the job
            cannot be trained (see ``nas.training.fit``).
    """
    evaluator = load_evaluator(job)
    if evaluator is None:
        from nas.training.fit import fit  # here: the process that only names this one never trains

        fit(job, on_epoch, lock_seconds=lock_seconds)
        return
    run_evaluator(evaluator, job, on_epoch, lock_seconds=lock_seconds)


def run_evaluator(
    evaluator: Evaluate,
    job: TrainJob,
    on_epoch: OnEpoch | None = None,
    *,
    lock_seconds: float = 0,
) -> None:
    """Call a user's evaluator as ``fit`` would be called; see ``evaluate``."""
    folder = TrialFolder(job.folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.lock, timeout=lock_seconds):
            note_owner(folder)
            write_text(folder.arch, job.spec.to_yaml())
            known = {one.epoch: one for one in read_metrics(folder)}

            def keep(metrics: EpochMetrics) -> None:
                known[metrics.epoch] = metrics
                write_metrics(folder, tuple(known[epoch] for epoch in sorted(known)))
                if on_epoch is not None:
                    on_epoch(metrics)

            with calling("evaluator", str(job.evaluator), EXPECTED.words):
                epochs = tuple(evaluator(job, keep))
            _check(epochs, job)
            write_metrics(folder, epochs)
    except Timeout:
        raise InvalidInput(f"{folder.path}: another process is training here") from None


def _check(epochs: Sequence[EpochMetrics], job: TrainJob) -> None:
    """Raise InvalidInput unless these are all epochs until the job's end, with an error."""
    last = job.stop_epoch or job.recipe.epochs
    numbers = [getattr(one, "epoch", None) for one in epochs]
    if numbers != list(range(1, last + 1)):
        raise InvalidInput(
            f"evaluator {job.evaluator}: returned epochs {numbers}; expected: EpochMetrics of epochs "
            f"1 to {last}"
        )
    error = epochs[-1].val_error
    if error is None or not math.isfinite(error) or not 0 <= error <= 1:
        raise InvalidInput(
            f"evaluator {job.evaluator}: val_error {error} after epoch {last}; expected: 0 to 1"
        )
