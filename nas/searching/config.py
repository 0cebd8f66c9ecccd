"""SearchConfig: everything that decides what a search does, as one value kept beside the run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from blocks import ArchSpec
from blocks.errors import InvalidInput
from nas.cost import LATENCY, Budgets, Cost, LatencyTable, OwnObjective, costs_on, load_table
from nas.data import DataConfig
from nas.plugins import Reference, is_reference
from nas.runs import ERROR, checked_name
from nas.searching.early_stopping.snapshot import ETA, rungs_of
from nas.searching.samplers import SAMPLERS, TAKE_PAUSED
from nas.training import RECIPES, Recipe
from search_spaces import SpaceDefinition, load_space

FORMAT: Final = 1
"""Of search.yaml and of what the study keeps; raised when an older program could not read them."""
PAUSING = "rungs"
"""The recipe of trainings that pause, when none is given."""


class SearchConfig(BaseModel):
    """The resolved configuration of a search, written to search.yaml.

    In a file, ``space``, ``data`` and ``recipe`` may be plain names; a recipe may also be a name with
    changes, such as ``{name: proxy, epochs: 3}``.

    Attributes:
        format: Version of this layout.
        written_by: Version of the program that began the run.
        name: Of the run; its folder is runs/<name>.
        space: What may vary.
        data: The images.
        recipe: How a trial is trained.
        trials: Networks to train, failed trainings included; refused and replayed proposals do not
            count.
        objectives: ``error`` and any costs, all minimised; ``latency_ms`` only with a device.
        budgets: Hard limits; a network over one is never trained.
        sampler: Who proposes.
        seed: Of proposals and trainings.
        workers: Trainings at a time.
        threads: CPU threads of a training; None: the machine's cores shared out among the workers.
        executor: Where trainings run.
        ray_address: Of the Ray cluster; None: RAY_ADDRESS, or one that is started on this machine.
        gpus: That a training asks a Ray cluster for; 0.25: four share one.
        checkpoints: URL of a store (``s3://bucket/folder``, a folder) through which the machines of a
            Ray cluster pass checkpoints on; None: they all see the folder that the search runs in.
        storage: URL of the study's database; None: SQLite in the run's folder.
        early_stopping: Which waiting trainings go on: ``none``: all are trained in full at once;
            ``pareto``, ``cost-peers``, ``forecast``: see ``nas.searching.early_stopping``. Trainings
            then pause at rungs, and ``recipe`` is ``rungs`` unless another is given. Unless given it is
            ``forecast`` where ``total_epochs`` is given, trainings are long enough to pause, and the
            sampler can learn from those that do; else ``none``.
        total_epochs: Epochs to train in all; None: as many as the trials take. A search ends when it has
            trained so many, or ``trials`` networks.
        patience: The search ends when the hypervolume has not grown by 0.1 % over so many trainings (or
            parts of trainings, from rung to rung); None: it goes on.
        inherit: Each network starts as the plain network of its geometry, trained once by ``recipe``,
            and trains so many epochs more; None: it starts afresh and trains ``recipe``.
        module: Import path of the LightningModule that a trial trains; None: ``Classifier``.
        evaluator: Import path of a function that says how good a network is, in place of its training;
            see ``nas.training.evaluate``. None: networks are trained.
        own_objectives: Objectives of the user's that ``objectives`` or ``budgets`` name.
        logs_dir: Folder of TensorBoard's logs; None: ``nas.folders.logs_dir()``.
        reference: The worst corner of the box that hypervolumes are measured in, one figure per
            objective; None: found when the search starts (see ``Candidates.reference``).
        device: The table of the device whose latency is bounded or minimised; in a file also its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    written_by: str = Field(default_factory=lambda: version("sknas"))
    name: str
    space: SpaceDefinition
    data: DataConfig
    recipe: Recipe = RECIPES["proxy"]
    trials: Annotated[int, Field(ge=1, le=1_000_000)]
    objectives: tuple[str, ...] = (ERROR, "mflops")
    budgets: Budgets = Budgets()
    sampler: str = "forecast"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    executor: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    gpus: Annotated[float, Field(ge=0, le=64)] = 0.0
    checkpoints: str | None = None
    early_stopping: Literal["none", "pareto", "cost-peers", "forecast"] = "none"
    total_epochs: Annotated[int, Field(ge=1)] | None = None
    patience: Annotated[int, Field(ge=1)] | None = None
    inherit: Annotated[int, Field(ge=1)] | None = None
    storage: str | None = None
    module: str | None = None
    evaluator: str | None = None
    own_objectives: tuple[OwnObjective, ...] = ()
    logs_dir: Path | None = None
    reference: tuple[FiniteFloat, ...] | None = None
    device: LatencyTable | None = None

    @property
    def reference_point(self) -> tuple[float, ...]:
        """The reference of a search that has begun."""
        if self.reference is None:
            raise RuntimeError("the reference is found when the search starts")
        return self.reference

    @property
    def costs(self) -> Mapping[str, Cost]:
        """The costs that are known in this search."""
        return costs_on(self.device, self.own_objectives)

    @property
    def cost_objectives(self) -> tuple[str, ...]:
        """Objectives that need no training."""
        return tuple(name for name in self.objectives if name != ERROR)

    @property
    def epochs(self) -> int:
        """That a trial is trained in full."""
        return self.inherit or self.recipe.epochs

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which trainings pause; the last is their end."""
        return (self.epochs,) if self.early_stopping == "none" else rungs_of(self.epochs)

    def costs_of(self, spec: ArchSpec) -> tuple[float, ...]:
        """The exact costs of a network, one a cost objective."""
        return tuple(self.costs[name](spec) for name in self.cost_objectives)

    def values(self, spec: ArchSpec, error: float) -> tuple[float, ...]:
        """The objectives of a network that errs so."""
        return tuple(error if name == ERROR else self.costs[name](spec) for name in self.objectives)

    @model_validator(mode="before")
    @classmethod
    def _readable_format(cls, fields: Any) -> Any:
        found = fields.get("format", FORMAT) if isinstance(fields, dict) else FORMAT
        if isinstance(found, int) and found > FORMAT:
            raise InvalidInput(
                f"format {found}, written by sknas {fields.get('written_by', '?')}; this is "
                f"sknas {version('sknas')}, which reads format {FORMAT}"
            )
        return fields

    @model_validator(mode="before")
    @classmethod
    def _without_zero_cost_scores(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or "warm_start" not in fields:
            return fields
        if fields["warm_start"] is not None:
            raise InvalidInput(
                f"warm_start: {fields['warm_start']}: zero-cost scores were removed: they ranked "
                "networks no better than multiply-adds (docs/results/zero_cost)"
            )
        return {name: value for name, value in fields.items() if name != "warm_start"}

    @model_validator(mode="before")
    @classmethod
    def _early_stopping_and_its_recipe(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        recipe = fields.get("recipe", PAUSING)
        if isinstance(recipe, dict) and "name" not in recipe:
            recipe = {"name": PAUSING, **recipe}
        early = {"early_stopping": "forecast", **fields, "recipe": recipe}
        if early["early_stopping"] == "none":
            return fields
        if "early_stopping" in fields or _saves_epochs(early):
            return early
        return fields

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        # Of the logs, too: search.yaml may come from anywhere.
        checked_name(value)
        return value

    @field_validator("device", mode="before")
    @classmethod
    def _device_by_name(cls, value: Any) -> Any:
        return load_table(value) if isinstance(value, str) else value

    @field_validator("space", mode="before")
    @classmethod
    def _space_by_name(cls, value: Any) -> Any:
        return load_space(value).definition if isinstance(value, str) else value

    @field_validator("data", mode="before")
    @classmethod
    def _data_by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("recipe", mode="before")
    @classmethod
    def _recipe_by_name(cls, value: Any) -> Any:
        return _recipe(value)

    @field_validator("storage")
    @classmethod
    def _lasting_database(cls, value: str | None) -> str | None:
        if value is not None:
            # Here: most searches keep their study in their folder, and are read without SQLAlchemy.
            from nas.searching.database import database_url

            database_url(value)
        return value

    @field_validator("sampler")
    @classmethod
    def _known_sampler(cls, value: str) -> str:
        if not is_reference(value) and value not in SAMPLERS:
            raise InvalidInput(f"unknown sampler {value!r}; allowed: {', '.join(SAMPLERS)}")
        return value

    @model_validator(mode="after")
    def _check_checkpoints(self) -> SearchConfig:
        if self.checkpoints is None:
            return self
        if self.executor != "ray":
            raise InvalidInput(
                "checkpoints: trainings on this machine need no store; only with executor ray"
            )
        if self.inherit is not None:
            raise InvalidInput(
                "checkpoints: networks that inherit read their parents in the folder of the run, which "
                "all machines must see; allowed: one of checkpoints and inherit"
            )
        if not _is_portable(self.data.name):
            raise InvalidInput(
                f"data.name: {self.data.name}: other machines start in other folders; with checkpoints "
                f"allowed: an absolute path"
            )
        return self

    @model_validator(mode="after")
    def _check_early_stopping(self) -> SearchConfig:
        if self.early_stopping == "none":
            return self
        if self.sampler not in TAKE_PAUSED:
            raise InvalidInput(
                f"sampler {self.sampler!r} cannot learn from trainings that pause; with early_stopping "
                f"allowed: {', '.join(TAKE_PAUSED)}"
            )
        if len(self.rungs) < 2:
            raise InvalidInput(
                f"early_stopping: a training as short as {self.epochs} has nowhere to pause; "
                f"allowed: {ETA} epochs or more"
            )
        return self

    @model_validator(mode="after")
    def _check_total_epochs(self) -> SearchConfig:
        least = self.rungs[0] + (self.recipe.epochs if self.inherit is not None else 0)
        if self.total_epochs is not None and self.total_epochs < least:
            raise InvalidInput(
                f"total_epochs: {self.total_epochs} are not enough for the first network, which takes "
                f"{least}; allowed: {least} or more"
            )
        return self

    @model_validator(mode="after")
    def _check_objectives(self) -> SearchConfig:
        self.budgets.check_known(self.costs)
        allowed = (ERROR, *self.costs)
        for objective in self.objectives:
            if objective == LATENCY and self.device is None:
                raise InvalidInput(f"objectives: {LATENCY}: only with --device, see nas latency")
            if objective not in allowed:
                raise InvalidInput(
                    f"objectives: unknown objective {objective!r}; allowed: {', '.join(allowed)}"
                )
        if len(set(self.objectives)) != len(self.objectives):
            raise InvalidInput("objectives: the same one twice")
        if ERROR not in self.objectives:
            raise InvalidInput(
                f"objectives: {ERROR!r} is missing; without it nothing is trained for"
            )
        return self


def _is_portable(data: str) -> bool:
    """Whether a name of data means the same in every folder."""
    kind, colon, folder = data.partition(":")
    if kind != "imagefolder" and is_reference(data):
        return Reference.parse(data, "data").is_portable
    return not colon or Path(folder).is_absolute()


def _recipe(value: Any) -> Any:
    """What a name, or a name with changes, stands for: a Recipe, or its fields still to be checked."""
    if isinstance(value, str):
        return RECIPES[value]
    if isinstance(value, dict):
        changes = dict(value)
        return RECIPES[changes.pop("name", "proxy")].model_dump() | changes
    return value


def _saves_epochs(fields: dict[str, Any]) -> bool:
    """Whether trainings pause unasked.

    Measured (docs/results/search_efficiency): of equally many epochs early stopping makes more. Of
    equally many trials it makes less, so it is asked for where epochs are not counted.
    """
    if fields.get("total_epochs") is None or fields.get("sampler", "forecast") not in TAKE_PAUSED:
        return False
    recipe = _recipe(fields["recipe"])
    whole = recipe.epochs if isinstance(recipe, Recipe) else dict(recipe)["epochs"]
    epochs = fields.get("inherit") or whole
    return isinstance(epochs, int) and epochs >= ETA


def check_cluster_options(config: SearchConfig, given: Collection[str]) -> None:
    """Refuse options that only a cluster answers to.

    Of a search that was on a cluster and goes on without, the fields stay, so they are no mistake there.

    Args:
        config: What the options made.
        given: Names of the fields that were asked for.

    Raises:
        InvalidInput: One of them has no effect.
    """
    for field in ("ray_address", "gpus"):
        if field in given and config.executor != "ray":
            raise InvalidInput(f"--{field.replace('_', '-')}: only with --executor ray")
