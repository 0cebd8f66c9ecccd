"""Who evaluates the network of a job: our own training, or a function of the user's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, cast

from filelock import FileLock, Timeout

from blocks.errors import InvalidInput
from blocks.plugins import reason_of
from blocks.wording import kind_of, number
from nas.errors import WorkFailed
from nas.plugins import Expected, PluginFault, PluginRaised, calling, named_at, resolve
from nas.runs import TrialFolder, write_text
from nas.training.genuine import cannot_write, is_genuine
from nas.training.job import EpochMetrics, TrainJob
from nas.training.metrics import read_metrics, write_metrics
from nas.training.owner import note_owner

LOCK: Final = ".evaluator.lock"
OnEpoch: TypeAlias = Callable[[EpochMetrics], None]
Evaluate: TypeAlias = Callable[[TrainJob, OnEpoch], Sequence[EpochMetrics]]
"""Evaluates the network of a job until ``job.stop_epoch``, going on from what it has left in
``job.folder``. It calls the function that it is given at the end of every epoch, and returns all epochs
of the trial so far; the last one has a ``val_error`` from 0 to 1, or to the largest cost."""


CONTRACT = "a function of (job, on_epoch) that returns the EpochMetrics of all epochs so far"


def load_evaluator(reference: str) -> Evaluate:
    """The function that a reference names, ``package.module:NAME`` or ``path/of/file.py:NAME``.

    Raises:
        InvalidInput: It cannot be found, or is no function.
    """
    return cast(Evaluate, resolve(reference, "evaluator", Expected(CONTRACT, callable)))


def evaluate(job: TrainJob, on_epoch: OnEpoch | None = None, *, lock_seconds: float = 0) -> None:
    """Have the network of ``job`` evaluated; metrics.jsonl has its epochs afterwards.

    Args:
        job: What to evaluate.
        on_epoch: Called at the end of every epoch; what it raises ends the evaluation.
        lock_seconds: How long to wait for another process that works in the same folder.

    Raises:
        PluginFault: The evaluator cannot be found, raises before its first epoch, or gives no figures of
            the right kind.
        InvalidInput: The job cannot be trained (see ``nas.training.fit``).
        WorkFailed: The evaluator raises later, or its training failed.
    """
    if job.evaluator is None:
        from nas.training.fit import fit  # here: the process that only names this one never trains

        fit(job, on_epoch, lock_seconds=lock_seconds)
        return
    _evaluate(load_evaluator(job.evaluator), job, on_epoch, lock_seconds)


def _evaluate(
    evaluator: Evaluate, job: TrainJob, on_epoch: OnEpoch | None, lock_seconds: float
) -> None:
    assert job.evaluator is not None
    folder = TrialFolder(job.folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        # A lock of its own: the evaluator may call fit, which takes the folder's.
        with FileLock(folder.path / LOCK, timeout=lock_seconds):
            note_owner(folder)
            write_text(folder.arch, job.spec.to_yaml())
            known = {one.epoch: one for one in read_metrics(folder)}
            where = named_at("evaluator", job.evaluator, evaluator)

            def keep(metrics: EpochMetrics) -> None:
                _check_told(metrics, where, job.recipe.worst)
                known[metrics.epoch] = metrics
                write_metrics(folder, tuple(known[epoch] for epoch in sorted(known)))
                if on_epoch is not None:
                    on_epoch(metrics)

            try:
                returned: object = evaluator(job, keep)
            except (PluginFault, WorkFailed):
                raise  # they say in one line what was wrong
            except (Exception, SystemExit) as error:
                if cannot_write(error):
                    raise
                if is_genuine(error):
                    raise WorkFailed(f"{where}: {reason_of(error)}") from error
                try:
                    with calling("evaluator", job.evaluator, CONTRACT, evaluator):
                        raise error
                except PluginRaised as raised:
                    if known:
                        raise WorkFailed(str(raised)) from error
                    raise
            write_metrics(folder, _checked(returned, job, where))
    except Timeout:
        raise InvalidInput(f"{folder.path}: another process is training here") from None


def _checked(returned: object, job: TrainJob, where: str) -> tuple[EpochMetrics, ...]:
    """All epochs until the job's end, the last with an error.

    Raises:
        PluginFault: An evaluator returned something else; ``where`` says which.
    """
    last = job.stop_epoch or job.recipe.epochs
    expected = f"expected the EpochMetrics of epochs 1 to {last}"
    if not isinstance(returned, Sequence) or isinstance(returned, str):
        raise PluginFault(f"{where}: returns {kind_of(returned)}; {expected}")
    epochs = tuple(one for one in returned if isinstance(one, EpochMetrics))
    if len(epochs) != len(returned):
        other = next(one for one in returned if not isinstance(one, EpochMetrics))
        raise PluginFault(f"{where}: returns a list with {kind_of(other)}; {expected}")
    numbers = [one.epoch for one in epochs]
    if numbers != list(range(1, last + 1)):
        raise PluginFault(f"{where}: returns epochs {numbers}; {expected}")
    error = epochs[-1].val_error
    if error is None:
        raise PluginFault(f"{where}: no val_error after epoch {last}; expected 0 to 1")
    _check_told(epochs[-1], where, job.recipe.worst)
    return epochs


def _check_told(metrics: object, where: str, worst: float) -> None:
    """Check what an evaluator tells of an epoch.

    Raises:
        PluginFault: It is no EpochMetrics, its error is not from 0 to ``worst``, or its loss is not
            finite.
    """
    if not isinstance(metrics, EpochMetrics):
        raise PluginFault(f"{where}: tells on_epoch {kind_of(metrics)}; expected EpochMetrics")
    error = metrics.val_error
    # It may have been rounded to 32 bits.
    if error is not None and not 0 <= error <= worst * (1 + 1e-6):
        kind = PluginRaised if math.isnan(error) else PluginFault
        said = f"val_error {number(error)} after epoch {metrics.epoch}"
        raise kind(f"{where}: {said}; expected 0 to {worst:g}")
    if not math.isfinite(metrics.train_loss):
        said = f"train_loss {number(metrics.train_loss)} after epoch {metrics.epoch}"
        raise PluginRaised(f"{where}: {said}; expected a finite number")
