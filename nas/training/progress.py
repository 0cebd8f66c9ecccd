"""The callback at the end of an epoch: it saves the state and writes the metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from nas.runs import TrialFolder
from nas.training.checkpoint import CheckpointInfo, describe
from nas.training.job import EpochMetrics, TrainJob
from nas.training.metrics import write_metrics


class EpochCloser(Checkpoint):
    """At the end of an epoch writes the checkpoint, then the epoch's line of metrics.jsonl.

    The checkpoint carries the whole history, so that a process killed between the two loses nothing:
    the next one writes metrics.jsonl anew from the checkpoint. It derives from Lightning's Checkpoint
    because those run after all other callbacks.

    Args:
        job: What is trained.
        history: The epochs that an earlier process trained.
        on_epoch: Called with every epoch after it is written to disk.
    """

    def __init__(
        self,
        job: TrainJob,
        history: tuple[EpochMetrics, ...],
        on_epoch: Callable[[EpochMetrics], None] | None = None,
    ) -> None:
        self.job = job
        self.history = history
        self._on_epoch = on_epoch
        self._pretrained = job.pretrained_digest()
        self._started = 0.0

    def on_train_epoch_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        self._started = time.perf_counter()

    def on_train_epoch_end(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        logged = trainer.callback_metrics
        metrics = EpochMetrics(
            epoch=trainer.current_epoch + 1,
            train_loss=float(logged["train_loss"]),
            val_error=None if self.job.full else round(float(logged["val_error"]), 7),
            val_loss=None if self.job.full else float(logged["val_loss"]),
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
            history=self.history,
        )
        describe(checkpoint, info)
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
