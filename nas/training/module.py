"""The LightningModule of the program: an image classifier trained with a recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from blocks.wording import number
from nas.training.balance import (
    AdjustedCrossEntropy,
    WeightedCrossEntropy,
    class_weights,
)
from nas.training.class_metrics import metric_rate
from nas.training.distillation import distilled
from nas.training.frozen import freeze
from nas.training.mixing import mix
from nas.training.optimizer import make_optimizer, make_schedule
from nas.training.rank_info import ALONE, RankInfo
from nas.training.recipe import Recipe
from nas.training.weighted_mean import WeightedMean

TOP5_CLASSES = 10
"""Classes from which on the five likeliest are of interest."""


class Classifier(pl.LightningModule):
    """Trains ``net`` with cross entropy; one's own derive from it (docs/howto/own_module.md).

    Args:
        net: From (B, C, H, W) images to (B, num_classes) logits.
        recipe: The recipe.
        num_classes: Number of classes.
        steps_per_epoch: Batches per epoch; with the recipe's epochs, the length of the schedule.
        rank_info: The rank of this process among those that train the network together.
        batch_images: Images in a training batch, of all processes.

    Attributes:
        teach: Gives a teacher's logits of a batch, which are learned as well; None: no teacher.
        costs: (K, K), what each kind of mistake costs, for the metric ``cost``.
        schedule_start: Epochs before the present schedule began; see ``nas.training.more_epochs``.
    """

    def __init__(
        self,
        net: nn.Module,
        recipe: Recipe,
        num_classes: int,
        steps_per_epoch: int,
        rank_info: RankInfo = ALONE,
        batch_images: int = 1,
    ) -> None:
        super().__init__()
        self.rank_info = rank_info
        self.batch_images = batch_images
        # Convolutions of small channel counts run faster channels last, on the CPU and on a GPU.
        self.net = net.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.num_classes = num_classes
        self.teach: Callable[[Tensor], Tensor] | None = None
        self.costs: Sequence[Sequence[float]] | None = None
        self.schedule_start = 0
        self.steps_per_epoch = steps_per_epoch
        self.loss: nn.Module = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.train_loss = WeightedMean()
        self.eval_loss = WeightedMean()
        self.eval_accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.eval_top5 = (
            MulticlassAccuracy(num_classes, average="micro", top_k=5)
            if num_classes >= TOP5_CLASSES
            else None
        )
        self.eval_confusion = (
            None if recipe.metric == "error" else MulticlassConfusionMatrix(num_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of ``images``."""
        logits: Tensor = self.net(images)
        return logits

    def on_train_epoch_start(self) -> None:  # noqa: D102
        self.net.train()
        freeze(self.net, self.recipe, self.current_epoch)

    def balance_classes(self, counts: Sequence[int]) -> None:
        """Have classes of unequal size count alike in the training loss, as the recipe says.

        Args:
            counts: Training images of each class.
        """
        smoothing = self.recipe.label_smoothing
        if self.recipe.balance == "weights":
            self.loss = WeightedCrossEntropy(class_weights(counts), smoothing)
        elif self.recipe.balance == "logits":
            self.loss = AdjustedCrossEntropy(counts, smoothing)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:  # noqa: D102
        images, labels = batch
        images, targets = mix(images, labels, self.recipe, self.num_classes)
        logits = self(images)
        loss: Tensor = self.loss(logits, targets)
        if self.teach is not None:
            loss = distilled(loss, logits, self.teach(images))
        processes = self.rank_info.processes
        share = 1.0 if processes == 1 else len(labels) / self.batch_images
        self.train_loss.update(loss.detach(), weight=share)
        # The gradients are averaged over the processes, and are to be those of the batch's mean.
        return loss * (share * processes)

    def on_train_epoch_end(self) -> None:  # noqa: D102
        loss = self.train_loss.compute()
        self.train_loss.reset()
        self.log("train_loss", loss)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the training loss is {number(loss.item())} in epoch {self.current_epoch + 1}"
            )

    def _evaluate(self, batch: tuple[Tensor, Tensor]) -> None:
        images, labels = batch
        if len(labels) == 0:  # this process's share of a small batch
            return
        logits = self(images)
        # Without smoothing, so that losses of different recipes compare.
        loss = nn.functional.cross_entropy(logits, labels)
        self.eval_loss.update(loss, weight=len(labels))
        for metric in (self.eval_accuracy, self.eval_top5, self.eval_confusion):
            if metric is not None:
                metric.update(logits, labels)

    def _log_evaluation(self, split: str) -> None:
        error = 1 - self.eval_accuracy.compute()
        if self.eval_confusion is not None:
            costs = None if self.costs is None else np.asarray(self.costs)
            rate = metric_rate(
                self.eval_confusion.compute().cpu().numpy(), self.recipe.metric, costs
            )
            self.eval_confusion.reset()
            for name, value in (("", rate.value), ("_low", rate.low), ("_high", rate.high)):
                self.log(f"{split}_metric{name}", value)
            # The test error is the share of misclassified images whatever was optimised.
            if split == "val":
                self.log("val_plain_error", error)
                error = torch.tensor(rate.value)
        self.log(f"{split}_error", error)
        self.log(f"{split}_loss", self.eval_loss.compute())
        if self.eval_top5 is not None:
            self.log(f"{split}_top5_error", 1 - self.eval_top5.compute())
            self.eval_top5.reset()
        self.eval_accuracy.reset()
        self.eval_loss.reset()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:  # noqa: D102
        self._evaluate(batch)

    def on_validation_epoch_end(self) -> None:  # noqa: D102
        self._log_evaluation("val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:  # noqa: D102
        self._evaluate(batch)

    def on_test_epoch_end(self) -> None:  # noqa: D102
        self._log_evaluation("test")

    def configure_optimizers(self) -> OptimizerLRScheduler:  # noqa: D102
        optimizer = make_optimizer(self.net, self.recipe)
        schedule = make_schedule(optimizer, self.recipe, self.steps_per_epoch, self.schedule_start)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
