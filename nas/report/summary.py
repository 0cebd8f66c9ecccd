"""The head of the page: what was searched, and what has come of it so far."""

from __future__ import annotations

from dataclasses import dataclass

from nas.cost import LatencyTable
from nas.report.material import Material
from nas.report.quantities import digits
from nas.runs import TrialState
from nas.search import SearchConfig


@dataclass(frozen=True)
class Fact:
    """One thing that was decided before the search.

    Attributes:
        term: What it is.
        value: As it was decided.
    """

    term: str
    value: str


@dataclass(frozen=True)
class Budget:
    """A limit of the search.

    Attributes:
        cost: What is limited.
        limit: How much there may be.
        refused: Proposals over it; one may be over several limits.
    """

    cost: str
    limit: float
    refused: int

    @property
    def text(self) -> str:
        """The limit in one line."""
        return f"{self.cost} at most {digits(self.cost, self.limit)}"


def facts(material: Material) -> tuple[Fact, ...]:
    """What the search was asked to do."""
    config = material.config
    images = _images(material)
    limits = "; ".join(budget.text for budget in budgets(material))
    return (
        Fact("Data", config.data.name),
        *([Fact("Images", images)] if images else []),
        Fact("Space", config.space.name),
        Fact("Objectives", ", ".join(config.objectives)),
        Fact("Budgets", limits or "none"),
        *([Fact("Device", _device(config.device))] if config.device else []),
        Fact("Trainings asked for", f"{config.trials:,}"),
        Fact("Epochs each", _epochs(config)),
        Fact("Sampler", config.sampler),
        Fact("Seed", str(config.seed)),
    )


def outcomes(material: Material) -> str:
    """How many trials have come to what."""
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
    return ", ".join(f"{material.count(outcome):,} {outcome.value}" for outcome in order)


def box(material: Material) -> str:
    """The corner of the box that the hypervolume is a share of."""
    corner = zip(material.front.objectives, material.front.reference, strict=True)
    return ", ".join(f"{name} {value:,.6g}" for name, value in corner)


def budgets(material: Material) -> tuple[Budget, ...]:
    """The limits there are, with what they have refused."""
    limits = material.config.budgets
    broken = [cost for one in material.records for cost in one.over]
    return tuple(
        Budget(cost, limit, broken.count(cost))
        for cost, limit in ((name.removeprefix("max_"), limit) for name, limit in limits)
        if limit is not None
    )


def _epochs(config: SearchConfig) -> str:
    """How long a training is, what may end it earlier, and what it starts from."""
    said = f"{config.epochs:,}"
    if config.early_stopping != "none":
        rungs = ", ".join(map(str, config.rungs[:-1]))
        said += f", paused at {rungs} (early stopping: {config.early_stopping})"
    if config.inherit is not None:
        said += f", from plain networks trained for {config.recipe.epochs:,}"
    if config.total_epochs is not None:
        said += f"; {config.total_epochs:,} in all"
    return said


def _device(table: LatencyTable) -> str:
    """The device whose latency is told from its measured pieces."""
    error = table.fit.median_error
    known = "" if error is None else f", told with a median error of {100 * error:.1f} %"
    return f"{table.name} ({table.device.cpu}), {table.network}, threads: {table.threads}{known}"


def _images(material: Material) -> str:
    """What is known of the images without looking at them: a page must not need the data."""
    data = material.config.data
    parts = []
    if material.records:
        spec = material.records[0].spec  # the data set gives all networks the same figures
        parts.append(f"{spec.input_size} x {spec.input_size} pixels, {spec.num_classes} classes")
    if data.limit is not None:
        parts.append(f"the first {data.limit:,} for training")
    if data.scale_jitter is not None:
        parts.append(f"pasted at scales of {data.scale_jitter:g} to 1")
    return ", ".join(parts)
