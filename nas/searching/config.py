"""SearchConfig: what a search searches, and how it is executed, as one value kept beside the run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from blocks import ArchSpec
from blocks.checked_model import CheckedModel, Integer
from nas.cost import Budgets, Cost, DeviceClass, OwnObjective, costs_on
from nas.cost.microcontroller.vela import TFLM
from nas.runs import ERROR
from nas.searching.acquisition import LOG, Acquisition
from nas.searching.checks import check_config
from nas.searching.defaults import (
    RecipeChoice,
    with_early_stopping,
    with_open_recipe,
    with_pretrained,
)
from nas.searching.early_stopping.snapshot import rungs_of
from nas.searching.execution import Execution
from nas.searching.layout import FORMAT, current_layout
from nas.searching.names import (
    NamedData,
    NamedDevice,
    NamedRecipe,
    NamedSpace,
    RunName,
    SamplerName,
)
from nas.training import RECIPES, PretrainedStart


class SearchConfig(CheckedModel):
    """The resolved configuration of a search, written to search.yaml.

    In a file, ``space``, ``data`` and ``recipe`` may be plain names; a recipe may also be a name with
    changes, such as ``{name: proxy, epochs: 3}``. The fields of ``execution`` may stand beside the
    others.

    Attributes:
        format: Version of this layout.
        written_by: Version of the program that began the run.
        name: Name of the run; its folder is runs/<name>.
        space: What may vary.
        data: The images.
        recipe: How a trial is trained.
        recipe_choice: How the recipe was chosen by the number of images, when none was named; else None.
        trials: Number of networks to train, failed trainings included; infeasible and duplicate
            proposals do not count.
        objectives: ``error`` and any costs, all minimised; ``latency_ms`` only with a device,
            ``npu_ms`` only with an Ethos-U as ``device_class``.
        budgets: Hard limits; a network over one is never trained.
        sampler: Who proposes.
        acquisition: How a forecast weighs errors and costs.
        seed: Seed of proposals, and of trainings unless ``training_seed`` is given.
        training_seed: Seed of weights, order and augmentation, the same in all trials; None: ``seed``.
        early_stopping: Which waiting trainings continue: ``none``: all are trained in full at once;
            ``pareto``, ``cost-peers``, ``forecast``: see ``nas.searching.early_stopping``. Trainings
            then pause at rungs, and ``recipe`` is ``rungs`` unless another is given. Unless given it is
            ``forecast`` where ``total_epochs`` is given, trainings are long enough to pause, and the
            sampler can learn from those that do; else ``none``.
        total_epochs: Epochs to train in all; None: as many as the trials take. A search ends when it has
            trained so many, or ``trials`` networks.
        patience: The search ends when the hypervolume has not grown by 0.1 % over so many trainings (or
            parts of trainings, from rung to rung); None: it continues.
        inherit: Each network starts as the plain network of its geometry, trained once by ``recipe``,
            and trains so many epochs more; None: it starts afresh and trains ``recipe``. In a file,
            ``pretrained: parent`` stands for it.
        pretrained: Weights that the networks start from; in a file, the source alone will do. The search
            adds what it has found. None: random weights, or those of ``inherit``.
        module: Import path of the LightningModule that a trial trains; None: ``Classifier``.
        evaluator: Import path of a function that says how good a network is, in place of its training;
            see ``nas.training.evaluate``. None: networks are trained.
        own_objectives: Objectives of the user's that ``objectives`` or ``budgets`` name.
        execution: How and where trainings run; most of it may change when a search is resumed.
        reference: The worst corner of the box that hypervolumes are measured in, one figure per
            objective; None: found when the search starts (see ``Candidates.reference``).
        device: The table of the device whose latency is bounded or minimised; in a file also its name.
        device_class: Whose memory ``sram_kb`` and ``flash_kb`` are: ``tflm``, microcontrollers that
            run TensorFlow Lite Micro, or an Ethos-U such as ``ethos-u55-128``, by Vela's estimate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1, 2] = FORMAT
    written_by: str = Field(default_factory=lambda: version("sknas"))
    name: RunName
    space: NamedSpace
    data: NamedData
    recipe: NamedRecipe = RECIPES["proxy"]
    recipe_choice: RecipeChoice | None = None
    trials: Annotated[Integer, Field(ge=1, le=1_000_000)]
    objectives: tuple[str, ...] = (ERROR, "mflops")
    budgets: Budgets = Budgets()
    sampler: SamplerName = "forecast"
    seed: Annotated[Integer, Field(ge=0, lt=2**32)] = 0
    training_seed: Annotated[Integer, Field(ge=0, lt=2**32)] | None = None
    acquisition: Acquisition = LOG
    early_stopping: Literal["none", "pareto", "cost-peers", "forecast"] = "none"
    total_epochs: Annotated[Integer, Field(ge=1)] | None = None
    patience: Annotated[Integer, Field(ge=1)] | None = None
    inherit: Annotated[Integer, Field(ge=1)] | None = None
    pretrained: PretrainedStart | None = None
    module: str | None = None
    evaluator: str | None = None
    own_objectives: tuple[OwnObjective, ...] = ()
    execution: Execution = Execution()
    reference: tuple[FiniteFloat, ...] | None = None
    device: NamedDevice | None = None
    device_class: DeviceClass = "tflm"

    @property
    def reference_point(self) -> tuple[float, ...]:
        """The reference of a search that has begun."""
        if self.reference is None:
            raise RuntimeError("the reference is found when the search starts")
        return self.reference

    @property
    def costs(self) -> Mapping[str, Cost]:
        """The costs that are known in this search."""
        return costs_on(self.device, self.own_objectives, self.device_class)

    @property
    def cost_objectives(self) -> tuple[str, ...]:
        """Objectives that need no training."""
        return tuple(name for name in self.objectives if name != ERROR)

    @property
    def seed_of_trainings(self) -> int:
        """The seed that those of all trainings are derived from."""
        return self.seed if self.training_seed is None else self.training_seed

    @property
    def epochs(self) -> int:
        """Number of epochs of a full training of a trial."""
        return self.inherit or self.recipe.epochs

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which trainings pause; the last is their end."""
        return (self.epochs,) if self.early_stopping == "none" else rungs_of(self.epochs)

    @property
    def export_target(self) -> str:
        """The target of ``nas export`` that the networks are for: a chip's if its memory counts."""
        if self.device_class != TFLM:
            return "ethos_u"
        named = {*self.objectives, *self.budgets.limits}
        return "tflm" if named & {"sram_kb", "flash_kb"} else "onnx"

    def costs_of(self, spec: ArchSpec) -> tuple[float, ...]:
        """The exact costs of a network, one per cost objective."""
        return tuple(self.costs[name](spec) for name in self.cost_objectives)

    def values(self, spec: ArchSpec, error: float) -> tuple[float, ...]:
        """The objectives of a network with this error."""
        return tuple(error if name == ERROR else self.costs[name](spec) for name in self.objectives)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return with_open_recipe(with_early_stopping(with_pretrained(current_layout(fields))))

    @model_validator(mode="after")
    def _consistent(self) -> SearchConfig:
        check_config(self)
        return self
