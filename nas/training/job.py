"""What a training process is asked to do, and what it answers."""

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
        val_error: Share of validation images misclassified, 0 to 1, by the averaged weights; None when
            there are no validation images (a full training).
        val_loss: Cross entropy there, without smoothing; None also when a module logs none.
        seconds: Wall-clock time of the epoch, evaluation included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    train_loss: float
    val_error: float | None = None
    val_loss: float | None = None
    seconds: float


class TestResult(BaseModel):
    """The figures of a full training, read once from the test set."""

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
        recipe: How; its ``epochs`` are the length of the schedule.
        stop_epoch: Where this job ends; None: at the end of the schedule.
        seed: Of the weights, the order of the images and their augmentation.
        folder: Where checkpoint, metrics and errors go.
        log_name: TensorBoard's folder is lightning_logs/<log_name>/<log_version>.
        log_version: See there.
        logs: Folder of the logs in place of lightning_logs/; None: ``logs_dir()``.
        full: Train on all training images, the held-out ones too, and read the test set at the end.
        start: Where the units' weights come from; see ``blocks.build``.
        pretrained: Weights of the plain network to start from.
        parent: The training of the plain network to start from, which is finished first unless it is;
            in place of ``pretrained``. Its ``threads`` are those of this job.
        devices: Processes that train the network together, each on a GPU where there are any, and each
            with its share of the batches; the recipe's batch is that of all. The result is that of one.
        module: Reference of the LightningModule that trains it; None: the program's Classifier.
        threads: CPU threads of each; None: torch's choice, and for several an even share of the cores.
        evaluator: Import path of the function that says how good the network is; None: it is trained.
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
        """The file of weights to start from: given, or left by the parent."""
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
