"""The head of the page: the settings of the search and its progress."""

from __future__ import annotations

from dataclasses import dataclass

from nas.cost import LatencyTable
from nas.data.config import shown_name
from nas.report.material import Material
from nas.report.quantities import digits
from nas.runs import TrialState
from nas.searching import SearchConfig


@dataclass(frozen=True)
class Fact:
    """One setting of the search.

    Attributes:
        term: Its name.
        value: Its value.
    """

    term: str
    value: str


@dataclass(frozen=True)
class Budget:
    """A limit of the search.

    Attributes:
        cost: Name of the limited cost.
        limit: The largest allowed value.
        infeasible: Number of proposals over it; a proposal may be over several limits.
    """

    cost: str
    limit: float
    infeasible: int

    @property
    def text(self) -> str:
        """The limit in one line."""
        return f"{self.cost} at most {digits(self.cost, self.limit)}"


def facts(material: Material) -> tuple[Fact, ...]:
    """The settings of the search."""
    config = material.config
    images = _images(material)
    limits = "; ".join(budget.text for budget in budgets(material))
    return (
        Fact("Data", shown_name(config.data.name)),
        *([Fact("Images", images)] if images else []),
        Fact("Space", config.space.name),
        Fact("Objectives", ", ".join(config.objectives)),
        Fact("Budgets", limits or "none"),
        *([Fact("Device", _device(config.device))] if config.device else []),
        Fact("Trainings asked for", f"{config.trials:,}"),
        Fact("Epochs each", _epochs(config)),
        Fact("Sampler", config.sampler),
        Fact("Seed", str(config.seed)),
        *(
            [Fact("Seed of trainings", str(config.training_seed))]
            if config.training_seed is not None
            else []
        ),
    )


def outcomes(material: Material) -> str:
    """The number of trials with each outcome."""
    order = [
        TrialState.TRAINED,
        TrialState.INFEASIBLE,
        TrialState.DUPLICATE,
        TrialState.FAILED,
        TrialState.RUNNING,
        TrialState.QUEUED,
    ]
    if material.config.early_stopping != "none":
        order[1:1] = [TrialState.STOPPED, TrialState.PAUSED]
    return ", ".join(f"{material.count(outcome):,} {outcome.name.lower()}" for outcome in order)


def reference_point(material: Material) -> str:
    """The reference point of the hypervolume."""
    corner = zip(material.front.objectives, material.front.reference, strict=True)
    return ", ".join(f"{name} {value:,.6g}" for name, value in corner)


def budgets(material: Material) -> tuple[Budget, ...]:
    """The limits of the search, each with its number of infeasible proposals."""
    limits = material.config.budgets
    broken = [cost for one in material.records for cost in one.over]
    return tuple(
        Budget(cost, limit, broken.count(cost))
        for cost, limit in ((name.removeprefix("max_"), limit) for name, limit in limits)
        if limit is not None
    )


def _epochs(config: SearchConfig) -> str:
    """The length of a training, its early stopping, and its initial weights."""
    said = f"{config.epochs:,}"
    if config.early_stopping != "none":
        rungs = ", ".join(map(str, config.rungs[:-1]))
        said += f", paused at {rungs} (early stopping: {config.early_stopping})"
    if config.inherit is not None:
        said += f", from plain networks trained for {config.recipe.epochs:,}"
    if config.pretrained is not None:
        said += f", from pretrained weights ({config.pretrained.source})"
    if config.total_epochs is not None:
        said += f"; {config.total_epochs:,} in all"
    return said


def _device(table: LatencyTable) -> str:
    """The device whose latency is predicted, and the error of its table."""
    error = table.fit.median_error
    known = "" if error is None else f", predicted with a median error of {100 * error:.1f} %"
    return f"{table.name} ({table.device.cpu}), {table.network}, threads: {table.threads}{known}"


def _images(material: Material) -> str:
    """Facts about the images from the configuration: a page must not need the data."""
    data = material.config.data
    parts = []
    if material.records:
        spec = material.records[0].spec  # the data set determines these figures for all networks
        parts.append(f"{spec.input_size} x {spec.input_size} pixels, {spec.num_classes} classes")
    if data.limit is not None:
        parts.append(f"the first {data.limit:,} for training")
    if data.scale_jitter is not None:
        parts.append(f"pasted at scales of {data.scale_jitter:g} to 1")
    return ", ".join(parts)
