"""Recipes: the hyperparameters of a training."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from blocks.checked_model import CheckedModel, Integer, Number
from blocks.errors import InvalidInput
from blocks.registry import Registry
from nas.data.config import Augment
from nas.naming import option
from nas.training.cost_matrix import CostMatrix, given_costs

Metric: TypeAlias = Literal["error", "balanced_error", "1-macro_f1", "cost"]
METRICS: dict[Metric, str] = {
    "error": "error",
    "balanced_error": "balanced error",
    "1-macro_f1": "1 - macro F1",
    "cost": "mean cost",
}
"""Metric -> its name for people."""
Balance: TypeAlias = Literal["none", "weights", "logits", "sampling"]
BALANCES: tuple[Balance, ...] = ("none", "weights", "logits", "sampling")


def metric_unit(metric: Metric) -> str:
    """The unit in which people see a metric."""
    return "per image" if metric == "cost" else "%"


def metric_factor(metric: Metric) -> float:
    """What a metric is multiplied by to be in that unit."""
    return 1.0 if metric == "cost" else 100.0


def metric_text(metric: Metric, value: float, digits: int = 2) -> str:
    """Such as ``12.34 %`` or ``0.1234 per image``."""
    digits += 0 if metric_unit(metric) == "%" else 2
    return f"{metric_factor(metric) * value:.{digits}f} {metric_unit(metric)}"


class Recipe(CheckedModel):
    """How a network is optimised.

    Attributes:
        epochs: Length of the schedule.
        batch_size: Images per step.
        lr: Peak learning rate, for ``batch_size`` images.
        optimizer: ``sgd``, with Nesterov momentum, or ``adamw`` (Loshchilov and Hutter, ICLR 2019).
        momentum: Momentum of SGD; the first beta of AdamW.
        head_lr: Rate of the classifier, in multiples of ``lr``. A classifier for new classes starts from
            random weights, the layers below it from trained ones.
        first_lr: Rate of the first layer, in parts of ``lr``. The rates of the layers between it and the
            classifier increase geometrically to ``lr``: layer-wise decay.
        head_epochs: Epochs at the start in which only the classifier is trained.
        freeze_norm: BatchNorm keeps the mean and variance that it starts with; scale and shift are
            trained.
        norm_momentum: Share of a batch's statistics that goes into BatchNorm's running ones; None: the
            network's own.
        weight_decay: Weight decay of convolutions and linear layers; BatchNorm and biases have none.
        schedule: ``one_cycle``: up over the first 30 % and down to 0; ``cosine``: a linear warm-up, then
            half a cosine; ``constant``: a linear warm-up, then the peak. With ``constant`` a short
            training is the beginning of a longer one, so that it may be paused and continued.
        warmup_epochs: Warm-up of the cosine and the constant schedule.
        label_smoothing: Label smoothing of the cross entropy.
        ema_decay: Decay of the moving average of weights and BatchNorm statistics, which is evaluated
            and exported; it is smaller at the start, so that few steps are enough. 0: no average.
        mixup: Alpha of mixup (Zhang et al., ICLR 2018), one weight a batch; 0: none.
        cutmix: Alpha of CutMix (Yun et al., ICCV 2019), likewise. With both, each batch has one of them.
        augment: ``standard``: random crops and flips, as the data set has them; ``trivial``:
            TrivialAugment (Mueller and Hutter, ICCV 2021) after them, for images of 1 or 3 channels.
        metric: What ``val_error`` is, and so the objective ``error`` of a search: the share of
            misclassified images; the mean of that share over the classes; 1 less the mean F1 of the
            classes; or the mean ``cost`` of an image. A module of one's own logs what it likes.
        costs: What each kind of mistake costs, for the metric ``cost``; in a file of settings also the
            path of a CSV file.
        balance: ``none``: every image counts alike in the training loss. ``weights``: every class does,
            by weights. ``logits``: likewise, by logits that are adjusted to the classes' shares.
            ``sampling``: likewise, by as many images of each class in an epoch; rare ones repeat.
        reparametrise: Every spatial convolution trains with further branches beside it (1x1, identity),
            which its kernel holds afterwards: the network that is stored has no more layers and costs.
        precision: Lightning's name of the arithmetic; ``64-true`` is for comparisons to the last digits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Annotated[Integer, Field(ge=1, le=10_000)]
    batch_size: Annotated[Integer, Field(ge=2, le=65_536)]
    lr: Annotated[Number, Field(gt=0, le=100)]
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    head_lr: Annotated[Number, Field(gt=0, le=1000)] = 1.0
    first_lr: Annotated[Number, Field(gt=0, le=1)] = 1.0
    head_epochs: Annotated[Integer, Field(ge=0)] = 0
    freeze_norm: bool = False
    norm_momentum: Annotated[Number, Field(gt=0, le=1)] | None = None
    weight_decay: Annotated[Number, Field(ge=0, le=1)]
    schedule: Literal["one_cycle", "cosine", "constant"]
    warmup_epochs: Annotated[Integer, Field(ge=0)] = 0
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)] = 0.1
    ema_decay: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    mixup: Annotated[Number, Field(ge=0, le=10)] = 0.0
    cutmix: Annotated[Number, Field(ge=0, le=10)] = 0.0
    augment: Augment = "standard"
    metric: Metric = "error"
    costs: Annotated[CostMatrix | None, BeforeValidator(given_costs)] = None
    balance: Balance = "none"
    reparametrise: bool = False
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"] = "32-true"

    @property
    def worst(self) -> float:
        """The largest value that the metric can have."""
        return 1.0 if self.costs is None else self.costs.largest

    @model_validator(mode="after")
    def _check_costs(self) -> Recipe:
        if self.metric == "cost" and self.costs is None:
            raise InvalidInput(
                f"costs: missing with metric cost; give a CSV file: {option('costs', 'FILE')}"
            )
        if self.metric != "cost" and self.costs is not None:
            raise InvalidInput(f"costs: given with metric {self.metric}; allowed: metric cost")
        return self


RECIPES: Registry[Recipe] = Registry("recipe")
# A trial of a search on small images: short, so the order of the networks shows soon.
PROXY = RECIPES.register(
    "proxy",
    Recipe(
        epochs=3,
        batch_size=128,
        lr=0.1,
        norm_momentum=0.1,
        weight_decay=5e-4,
        schedule="one_cycle",
        ema_decay=0.998,
    ),
)
# The same for sets of some hundred images, which need small batches to give enough steps.
RECIPES.register("tiny", PROXY.model_copy(update={"epochs": 10, "batch_size": 32, "lr": 0.05}))
# For trainings that are compared before they end: no schedule to finish, weights averaged instead.
RECIPES.register(
    "rungs",
    Recipe(
        epochs=9,
        batch_size=64,
        lr=0.05,
        norm_momentum=0.1,
        weight_decay=5e-4,
        schedule="constant",
        ema_decay=0.99,
    ),
)
# The full training of a chosen network on small images.
RECIPES.register("full", PROXY.model_copy(update={"epochs": 30}))
# From pretrained weights: docs/results/fine_tuning has the comparison that it comes from.
FINE_TUNE = "fine_tune"
RECIPES.register(
    FINE_TUNE,
    Recipe(
        epochs=10,
        batch_size=32,
        lr=1e-3,
        optimizer="adamw",
        norm_momentum=0.1,
        weight_decay=0.02,
        schedule="one_cycle",
    ),
)
# The later light-model recipe of SKNet's first author (github.com/implus/PytorchInsight).
RECIPES.register(
    "imagenet_light",
    Recipe(
        epochs=300,
        batch_size=1024,
        lr=0.4,
        weight_decay=4e-5,
        schedule="cosine",
        warmup_epochs=5,
    ),
)
