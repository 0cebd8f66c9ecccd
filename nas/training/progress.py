"""The callback at the end of an epoch: it saves the state and writes the metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from blocks.wording import number
from nas.data import DataInfo
from nas.errors import WorkFailed
from nas.plugins import PluginFault, PluginRaised, place_of
from nas.runs import TrialFolder
from nas.training.best_epoch import is_exhausted, keep_best
from nas.training.checkpoint import CheckpointInfo, describe
from nas.training.job import EpochMetrics, TrainJob
from nas.training.metrics import write_metrics
from nas.training.warn import warn


def logged_error(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    name: str,
    reference: str | None,
    worst: float = 1,
) -> float:
    """The error that a module has logged, a share from 0 to 1 or another metric of the recipe.

    Args:
        trainer: Of the module.
        module: That logs.
        name: Under which it logs: ``val_error`` or ``test_error``.
        reference: Of the module; None: it is the program's.
        worst: Largest value of the recipe's metric.

    Raises:
        PluginFault: It has logged none, or one that is not from 0 to ``worst``.
    """
    value = _logged(trainer, name)
    # In 32 bits the largest cost may be a little larger.
    if value is None or not 0 <= value <= worst * (1 + 1e-6):
        step = "test_step" if name == "test_error" else "validation_step"
        got = "logs none" if value is None else f"logs {number(value)}"
        got += " in the batch that is validated before training" if trainer.sanity_checking else ""
        wrong = PluginRaised if value is not None and math.isnan(value) else PluginFault
        wanted = "the share of misclassified images" if worst == 1 else "the recipe's metric"
        raise wrong(
            f"{_named(module, reference)}: {name}: {got}; expected {wanted}, "
            f"0 to {worst:g}, by self.log({name!r}, ...) in {step} or at the epoch's end"
        )
    return value


def interval_of(logged: Mapping[str, Any], split: str) -> tuple[float, float] | None:
    """The interval of the recipe's metric; None if none was logged."""
    ends = [logged.get(f"{split}_metric_{end}") for end in ("low", "high")]
    if ends[0] is None or ends[1] is None:
        return None
    return round(float(ends[0]), 7), round(float(ends[1]), 7)


def _logged(trainer: pl.Trainer, name: str) -> float | None:
    value = trainer.callback_metrics.get(name)
    return None if value is None else float(value)


def _named(module: pl.LightningModule, reference: str | None) -> str:
    kind = type(module)
    return f"module {reference or kind.__name__}: {place_of(kind)}"


class _Mean:
    """Of the losses of an epoch's steps; read at its end, for a GPU waits whenever a value is read."""

    def __init__(self) -> None:
        self._sum, self._count = torch.zeros(()), 0

    def add(self, value: torch.Tensor) -> None:
        self._sum, self._count = self._sum.to(value.device) + value.detach().mean(), self._count + 1

    @property
    def mean(self) -> float:
        return float(self._sum) / max(self._count, 1)


def _is_finite(net: Any) -> bool:
    weights = [one.detach() for one in net.parameters()]
    return not weights or bool(torch.stack([torch.isfinite(one).all() for one in weights]).all())


class EpochCloser(Checkpoint):
    """At the end of an epoch writes the checkpoint, then the epoch's line of metrics.jsonl.

    The checkpoint carries the whole history, so that a process killed between the two loses nothing:
    the next one writes metrics.jsonl anew from the checkpoint. It derives from Lightning's Checkpoint
    because those run after all other callbacks.

    Args:
        job: What is trained.
        history: The epochs that an earlier process trained.
        schedule_start: Epochs before the present schedule began.
        on_epoch: Called with every epoch after it is written to disk.
        data: Facts about the images.
    """

    def __init__(
        self,
        job: TrainJob,
        history: tuple[EpochMetrics, ...],
        data: DataInfo,
        schedule_start: int = 0,
        on_epoch: Callable[[EpochMetrics], None] | None = None,
    ) -> None:
        self.job = job
        self._data = data
        self.history = history
        self._schedule_start = schedule_start
        self._on_epoch = on_epoch
        self._pretrained = job.pretrained_digest()
        self._teacher = job.teacher_digest()
        self._started = 0.0
        self._steps = _Mean()

    def on_sanity_check_end(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        # Of one batch, an average over classes may be NaN.
        if not math.isnan(_logged(trainer, "val_error") or 0.0):
            logged_error(trainer, pl_module, "val_error", self.job.module, self.job.recipe.worst)

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
        # Ours keeps its loss itself.
        loss = outputs.get("loss") if isinstance(outputs, dict) else None
        if self.job.module is not None and isinstance(loss, torch.Tensor):
            self._steps.add(loss)

    def on_train_epoch_end(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        self._check_finite(trainer, pl_module)
        val_error, val_loss, interval, metric = None, None, None, None
        if self.job.validates:
            if self.job.recipe.metric != "error":
                metric = self.job.recipe.metric
                interval = interval_of(trainer.callback_metrics, "val")
            val_error = round(self._val_error(trainer, pl_module), 7)
            val_loss = _logged(trainer, "val_loss")
        train_loss = _logged(trainer, "train_loss")
        if train_loss is None:
            train_loss = self._steps.mean if val_error is None else val_error
        metrics = EpochMetrics(
            epoch=trainer.current_epoch + 1,
            train_loss=train_loss,
            val_error=val_error,
            metric=metric,
            val_interval=interval,
            val_loss=val_loss,
            val_images=None if val_error is None else self._data.val_images,
            seconds=round(time.perf_counter() - self._started, 3),
        )
        self.history = (*self.history, metrics)
        folder = TrialFolder(self.job.folder)
        # All processes call it, one writes.
        trainer.save_checkpoint(folder.checkpoint)
        if is_exhausted(self.history, self.job.patience):
            trainer.should_stop = True
        if not trainer.is_global_zero:
            return
        if self.job.keep == "best":
            keep_best(folder, self.history)
        write_metrics(folder, self.history)
        if self._on_epoch is not None:
            self._on_epoch(metrics)

    def _check_finite(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Make sure that an epoch that has diverged is not kept, whatever the module logs.

        Raises:
            FloatingPointError: The weights are not finite, of the program's module.
            WorkFailed: The loss or the weights are not finite, of one's own.
        """
        losses = (self._steps.mean, _logged(trainer, "train_loss"))
        loss = next((one for one in losses if one is not None and not math.isfinite(one)), None)
        if loss is None and _is_finite(module.net):
            return
        said = (
            "the weights are not finite" if loss is None else f"the training loss is {number(loss)}"
        )
        said += f" in epoch {trainer.current_epoch + 1}"
        if self.job.module is None:
            raise FloatingPointError(said)
        raise WorkFailed(f"{_named(module, self.job.module)}: {said}")

    def _val_error(self, trainer: pl.Trainer, module: pl.LightningModule) -> float:
        try:
            return logged_error(
                trainer, module, "val_error", self.job.module, self.job.recipe.worst
            )
        except PluginRaised as error:
            if self.history:  # it was right before, so it is this training that failed
                raise WorkFailed(str(error)) from None
            raise

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
            origin=job.origin,
            patience=job.patience,
            keep=job.keep,
            teacher=self._teacher,
            schedule_start=self._schedule_start,
            module=job.module,
            history=self.history,
            class_names=self._data.class_names,
            fingerprint=self._data.fingerprint,
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
        if checkpoint["sknas"].get("schedule_start", 0) != self._schedule_start:
            checkpoint["lr_schedulers"] = []  # of the schedule that has ended

    def on_train_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        # Last of all restores, right before the first batch: dropout continues where it stopped.
        if self.history:
            torch.set_rng_state(self._rng)
        if self.job.module is not None and pl_module.automatic_optimization:
            self._warn_if_idle(trainer, pl_module)

    def _warn_if_idle(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Warn of a module whose optimizers know no weight of the network."""
        net: Any = module.net
        weights = {id(one) for one in net.parameters()}
        groups = [group for one in trainer.optimizers for group in one.param_groups]
        if not any(id(one) in weights for group in groups for one in group["params"]):
            warn(
                f"{_named(module, self.job.module)}: configure_optimizers gives no optimizer of the "
                "weights of net, so the network stays untrained"
            )
