"""The progress bar of a training."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nas.training.recipe import METRICS, Recipe, metric_text

LEAST_SECONDS = 0.2
"""Between two reports: reading a loss makes a GPU wait."""


class TrainingBar(Callback):
    """Shows epoch, loss, validation error, learning rate, images per second and the time left.

    Args:
        console: Where it is drawn. It disappears at the end.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("training", total=None, epoch="", figures="")
        self._images, self._since, self._shown = 0, 0.0, 0.0
        self._error = ""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        steps = int(trainer.num_training_batches)
        total = steps * (trainer.max_epochs or 1)
        self._progress.update(self._task, total=total, completed=steps * trainer.current_epoch)
        self._progress.start()

    def on_train_epoch_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        self._images, self._since = 0, time.monotonic()
        self._progress.update(self._task, epoch=f"{trainer.current_epoch + 1}/{trainer.max_epochs}")

    def on_train_batch_end(  # noqa: D102
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._images += len(batch[0])
        self._progress.advance(self._task)
        now = time.monotonic()
        if now - self._shown < LEAST_SECONDS:
            return
        self._shown = now
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        rate = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else 0.0
        speed = self._images / max(now - self._since, 1e-9)
        figures = f"loss {float(loss):.3f}{self._error}  lr {rate:.2g}  {speed:,.0f} images/s"
        self._progress.update(self._task, figures=figures)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        error = trainer.callback_metrics.get("val_error")
        if error is not None:
            recipe = getattr(pl_module, "recipe", None)
            metric = recipe.metric if isinstance(recipe, Recipe) else "error"
            self._error = f"  {METRICS[metric]} {metric_text(metric, float(error), 1)}"

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: D102
        self._progress.stop()

    def on_exception(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._progress.stop()
