"""The job of a training process and its results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from blocks import ArchSpec, InvalidInput
from blocks.checked_model import CheckedModel, Integer, Number
from nas.data import DataConfig
from nas.runs import TrialFolder
from nas.training.pretrained import WeightsOrigin, digest_of
from nas.training.recipe import Metric, Recipe
from nas.training.timm_teacher import PREFIX, TimmName


class EpochMetrics(CheckedModel):
    """One line of metrics.jsonl.

    Attributes:
        epoch: Counted from 1.
        train_loss: Mean over the epoch, with label smoothing; if the module logs none: the val_error,
            or the mean of what its training steps return.
        val_error: Share of misclassified validation images, 0 to 1, with the averaged weights, or the
            recipe's metric; None without validation images (a full training).
        metric: What val_error is, if it is no such share.
        val_interval: 95 % interval of val_error; None for a share of images, whose interval follows from
            val_images, and where it is not known.
        val_loss: Cross entropy on the validation images, without smoothing; None also when a module
            logs none.
        val_images: Number of validation images; None without, in runs of version 0.1, and from an
            evaluator that does not say.
        seconds: Wall-clock time of the epoch, evaluation included.

    Raises:
        InvalidInput: A field is missing, unknown or of another type.

    Examples:
        >>> import nas
        >>> nas.EpochMetrics(epoch=1, train_loss=0.7, val_error=0.25, seconds=3.2).val_error
        0.25
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: Integer
    train_loss: Number
    val_error: Number | None = None
    metric: Metric | None = None
    val_interval: tuple[Number, Number] | None = None
    val_loss: Number | None = None
    val_images: Annotated[Integer, Field(ge=1)] | None = None
    seconds: Number


class TestResult(CheckedModel):
    """The test results of a full training, measured once.

    Attributes:
        test_error: Share of misclassified test images, 0 to 1.
        test_loss: Cross entropy on the test images.
        test_images: Number of test images.
        metric: The recipe's.
        test_metric: That metric on the test images, if it is another than the error.
        test_interval: Its 95 % interval.
        train_images: Number of images that the weights were trained on.
        epochs: Epochs trained.
        seed: Of the training.
        kept_epoch: The epoch whose weights were tested, when it was chosen by the validation error;
            None: the last.
    """

    __test__ = False  # not a class of tests, whatever its name looks like to pytest
    model_config = ConfigDict(frozen=True, extra="forbid")

    test_error: Number
    test_loss: Number | None = None
    test_images: Integer
    metric: Metric = "error"
    test_metric: Number | None = None
    test_interval: tuple[Number, Number] | None = None
    train_images: Integer
    epochs: Integer
    seed: Integer
    kept_epoch: Integer | None = None


class TrainJob(CheckedModel):
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
        full: Test at the end, and train on all training images, including the held-out ones unless
            ``patience`` or ``keep`` needs them.
        patience: End the training when the validation error has not improved for so many epochs; None:
            train to the end of the schedule.
        keep: Which weights are the result: of the ``last`` epoch, or of the one with the least
            validation error, ``best``.
        teacher: Checkpoint of a network whose outputs this one learns as well, or ``timm:NAME`` or
            ``timm:NAME=FILE``; see ``nas.training.distillation``.
        start: Initial weights of the units; see ``blocks.build``.
        pretrained: File of weights of the plain network to start from.
        origin: What is known of that file, kept in the checkpoint; the file must still be the same.
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
    stop_epoch: Annotated[Integer, Field(ge=1)] | None = None
    seed: Integer
    folder: Path
    log_name: str
    log_version: str
    logs: Path | None = None
    full: bool = False
    patience: Annotated[Integer, Field(ge=1)] | None = None
    keep: Literal["last", "best"] = "last"
    teacher: str | None = None
    start: Literal["fresh", "plain"] = "fresh"
    pretrained: Path | None = None
    origin: WeightsOrigin | None = None
    parent: TrainJob | None = None
    module: str | None = None
    devices: Annotated[Integer, Field(ge=1)] = 1
    threads: Annotated[Integer, Field(ge=1)] | None = None
    evaluator: str | None = None

    @property
    def validates(self) -> bool:
        """Whether the validation images are held out."""
        return not self.full or self.patience is not None or self.keep == "best"

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
        return None if self.weights is None else digest_of(self.weights)

    def teacher_digest(self) -> str | None:
        """SHA-256 of the teacher's file, after the name of a network of timm; None without a teacher.

        Raises:
            InvalidInput: The file cannot be read.
        """
        if self.teacher is None:
            return None
        timm = TimmName.parse(self.teacher)
        if timm is None:
            return digest_of(Path(self.teacher))
        return f"{PREFIX}{timm.name}" + ("" if timm.file is None else f" {digest_of(timm.file)}")
