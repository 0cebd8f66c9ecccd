"""The callback at the end of an epoch: it saves the state and writes the metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from blocks.errors import InvalidInput
from nas.plugins import place_of
from nas.runs import TrialFolder
from nas.training.checkpoint import CheckpointInfo, describe
from nas.training.job import EpochMetrics, TrainJob
from nas.training.metrics import write_metrics


def logged_error(trainer: pl.Trainer, module: pl.LightningModule, name: str) -> float:
    """The error that a module has logged, a share from 0 to 1.

    Raises:
        InvalidInput: It has logged none, or what is no share.
    """
    value = _logged(trainer, name)
    if value is None or not 0 <= value <= 1:
        kind = type(module)
        step = "test_step" if name == "test_error" else "validation_step"
        got = "logs none" if value is None else f"logs {value:g}"
        raise InvalidInput(
            f"module {kind.__name__}: {place_of(kind)}: {name}: {got}; expected the share of "
            f"misclassified images, 0 to 1, by self.log({name!r}, ...) in {step} or at the epoch's end"
        )
    return value


def _logged(trainer: pl.Trainer, name: str) -> float | None:
    value = trainer.callback_metrics.get(name)
    return None if value is None else float(value)


class _Mean:
    """Of the losses of an epoch's steps."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        self._sum, self._count = self._sum + value, self._count + 1

    @property
    def mean(self) -> float:
        return self._sum / max(self._count, 1)


class EpochCloser(Checkpoint):
    """At the end of an epoch writes the checkpoint, then the epoch's line of metrics.jsonl.

    The checkpoint carries the whole history, so that a process killed between the two loses nothing:
    the next one writes metrics.jsonl anew from the checkpoint. It derives from Lightning's Checkpoint
    because those run after all other callbacks.

    Args:
        job: What is trained.
        history: The epochs that an earlier process trained.
        on_epoch: Called with every epoch after it is written to disk.
        val_images: Number of validation images, for the metrics.
    """

    def __init__(
        self,
        job: TrainJob,
        history: tuple[EpochMetrics, ...],
        on_epoch: Callable[[EpochMetrics], None] | None = None,
        val_images: int | None = None,
    ) -> None:
        self._val_images = val_images
        self.job = job
        self.history = history
        self._on_epoch = on_epoch
        self._pretrained = job.pretrained_digest()
        self._started = 0.0
        self._steps = _Mean()

    def on_train_epoch_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        self._started = time.perf_counter()
        self._steps = _Mean()

    def on_train_batch_end(  # noqa: D102
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        # Ours logs its loss; to read it at every step would have a GPU wait.
        if self.job.full and self.job.module is not None and isinstance(outputs, dict):
            self._steps.add(float(outputs.get("loss", 0.0)))

    def on_train_epoch_end(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        val_error, val_loss = None, None
        if not self.job.full:
            val_error = round(logged_error(trainer, pl_module, "val_error"), 7)
            val_loss = _logged(trainer, "val_loss")
        train_loss = _logged(trainer, "train_loss")
        if train_loss is None:
            train_loss = self._steps.mean if val_error is None else val_error
        metrics = EpochMetrics(
            epoch=trainer.current_epoch + 1,
            train_loss=train_loss,
            val_error=val_error,
            val_loss=val_loss,
            val_images=None if val_error is None else self._val_images,
            seconds=round(time.perf_counter() - self._started, 3),
        )
        self.history = (*self.history, metrics)
        folder = TrialFolder(self.job.folder)
        # All processes call it, one writes.
        trainer.save_checkpoint(folder.checkpoint)
        if not trainer.is_global_zero:
            return
        write_metrics(folder, self.history)
        if self._on_epoch is not None:
            self._on_epoch(metrics)

    def on_save_checkpoint(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        job = self.job
        info = CheckpointInfo(
            spec=job.spec,
            data=job.data,
            recipe=job.recipe,
            seed=job.seed,
            full=job.full,
            start=job.start,
            pretrained=self._pretrained,
            module=job.module,
            history=self.history,
        )
        describe(checkpoint, info)
        if job.module is not None:
            # What save_hyperparameters keeps, the recipe too, are objects: no checkpoint holds those.
            for name in [
                key for key in checkpoint if "hyper_parameters" in key or "hparams" in key
            ]:
                del checkpoint[name]
        checkpoint["rng"] = torch.get_rng_state()

    def on_load_checkpoint(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._rng = checkpoint["rng"]

    def on_train_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        # Last of all restores, right before the first batch: dropout goes on where it stopped.
        if self.history:
            torch.set_rng_state(self._rng)
