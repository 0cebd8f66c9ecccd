"""The job of a training process and its results."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blocks import ArchSpec, InvalidInput
from nas.data import DataConfig
from nas.runs import TrialFolder
from nas.training.recipe import Recipe


class EpochMetrics(BaseModel):
    """One line of metrics.jsonl.

    Attributes:
        epoch: Counted from 1.
        train_loss: Mean over the epoch, with label smoothing; if the module logs none: the val_error,
            or the mean of what its training steps return.
        val_error: Share of misclassified validation images, 0 to 1, with the averaged weights; None
            without validation images (a full training).
        val_loss: Cross entropy on the validation images, without smoothing; None also when a module
            logs none.
        val_images: Number of validation images; None without, in runs of version 0.1, and from an
            evaluator that does not say.
        seconds: Wall-clock time of the epoch, evaluation included.

    Examples:
        >>> import nas
        >>> nas.EpochMetrics(epoch=1, train_loss=0.7, val_error=0.25, seconds=3.2).val_error
        0.25
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    train_loss: float
    val_error: float | None = None
    val_loss: float | None = None
    val_images: Annotated[int, Field(ge=1)] | None = None
    seconds: float


class TestResult(BaseModel):
    """The test results of a full training, measured once."""

    __test__ = False  # not a class of tests, whatever its name looks like to pytest
    model_config = ConfigDict(frozen=True, extra="forbid")

    test_error: float
    test_loss: float | None = None
    test_images: int
    train_images: int
    epochs: int
    seed: int


class TrainJob(BaseModel):
    """Train ``spec`` on ``data`` after ``recipe`` up to ``stop_epoch``, from the folder's checkpoint.

    Attributes:
        spec: The network.
        data: The images.
        recipe: The recipe; its ``epochs`` are the length of the schedule.
        stop_epoch: The last epoch of this job; None: the end of the schedule.
        seed: Seed of the weights, the order of the images and their augmentation.
        folder: The folder of checkpoint, metrics and errors.
        log_name: TensorBoard's folder is lightning_logs/<log_name>/<log_version>.
        log_version: See ``log_name``.
        logs: Folder of the logs in place of lightning_logs/; None: ``logs_dir()``.
        full: Train on all training images, including the held-out ones, and test at the end.
        start: Initial weights of the units; see ``blocks.build``.
        pretrained: Weights of the plain network to start from.
        parent: The training of the plain network to start from, instead of ``pretrained``; it is
            finished first if necessary. Its ``threads`` are those of this job.
        devices: Number of processes that train the network together, on one GPU each if there are any.
            They share the recipe's batch; the result is that of one process.
        module: Reference of the LightningModule that trains it; None: the program's Classifier.
        threads: CPU threads per process; None: torch's choice, or with several processes an even share
            of the cores.
        evaluator: Import path of the function that evaluates the network; None: it is trained.

    Examples:
        >>> import nas
        >>> def evaluate(job: nas.TrainJob, on_epoch) -> list[nas.EpochMetrics]:
        ...     error = 1 / (1 + nas.count(job.spec).mflops)  # no training: a rule of thumb
        ...     last = job.stop_epoch or job.recipe.epochs
        ...     return [
        ...         nas.EpochMetrics(epoch=epoch, train_loss=error, val_error=error, seconds=0)
        ...         for epoch in range(1, last + 1)
        ...     ]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: ArchSpec
    data: DataConfig
    recipe: Recipe
    stop_epoch: Annotated[int, Field(ge=1)] | None = None
    seed: int
    folder: Path
    log_name: str
    log_version: str
    logs: Path | None = None
    full: bool = False
    start: Literal["fresh", "plain"] = "fresh"
    pretrained: Path | None = None
    parent: TrainJob | None = None
    module: str | None = None
    devices: Annotated[int, Field(ge=1)] = 1
    threads: Annotated[int, Field(ge=1)] | None = None
    evaluator: str | None = None

    @property
    def weights(self) -> Path | None:
        """The file of weights to start from: ``pretrained``, or that of the parent."""
        return (
            self.pretrained if self.parent is None else TrialFolder(self.parent.folder).checkpoint
        )

    @model_validator(mode="after")
    def _check_parent(self) -> TrainJob:
        parent = self.parent
        if parent is None:
            return self
        if self.pretrained is not None:
            raise InvalidInput("parent and pretrained: two kinds of weights; allowed: one of them")
        if parent.stop_epoch is not None:
            raise InvalidInput("parent.stop_epoch: a network is started from a finished training")
        if parent.folder == self.folder:
            raise InvalidInput(
                f"parent.folder: {parent.folder}: it is the folder of the job itself"
            )
        return self

    def pretrained_digest(self) -> str | None:
        """SHA-256 of the file of pretrained weights; None when there is none.

        Raises:
            InvalidInput: The file cannot be read.
        """
        if self.weights is None:
            return None
        try:
            return hashlib.sha256(self.weights.read_bytes()).hexdigest()
        except OSError as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
            raise InvalidInput(f"{self.weights}: {reason}") from None
