"""Our own searches on a table of curves: all is real but the training, whose figures are looked up."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import optuna
from curves.table import CurveTable
from replay.trace import Searcher, Step, Trace

from nas.cost import Budgets
from nas.data import DataConfig
from nas.runs import RunFolder
from nas.searching.candidates import Candidates
from nas.searching.config import SearchConfig
from nas.searching.early_stopping.pareto import chance_error, chance_loss
from nas.searching.evaluators import Simulation, curves_of
from nas.searching.evaluators.simulate import Curve
from nas.searching.loop import make_search
from nas.searching.view import Status
from search_spaces import SearchSpace

COSTS = ("mflops",)


class _Silent:
    """A view that shows nothing."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def status(self, status: Status) -> None:
        return None

    def event(self, text: str) -> None:
        return None


def curves(table: CurveTable) -> Curve:
    """The curves of a table. Where it has no losses: errors, so scaled that guessing is guessing."""
    classes = next(iter(table.specs.values())).num_classes
    scale = chance_loss(classes) / chance_error(classes)
    errors = {key: one.tolist() for key, one in table.errors.items()}
    losses = {key: table.losses.get(key, one * scale).tolist() for key, one in table.errors.items()}
    return curves_of(errors, losses, table.seconds)


def run(
    table: CurveTable,
    space: SearchSpace,
    seed: int,
    workers: int,
    budget: int,
    *,
    sampler: str,
    early_stopping: str,
) -> Trace:
    """One search of ``budget`` epochs."""
    config = SearchConfig.model_validate(
        {
            "name": "replay",
            "space": space.definition,
            "data": DataConfig(name="fashion_mnist"),
            "recipe": {"name": "rungs", "epochs": table.epochs},
            "trials": len(table.specs),
            "total_epochs": budget,
            "sampler": sampler,
            "acquisition": {"images": table.images},
            "early_stopping": early_stopping,
            "budgets": Budgets() if table.limit == float("inf") else {"max_mflops": table.limit},
            "seed": seed,
            "workers": workers,
        }
    )
    fitting = {key: table.specs[key] for key in sorted(table.feasible)}
    candidates = Candidates(fitting, complete=True, costs=config.costs)
    config = config.model_copy(update={"reference": candidates.reference(config.objectives)})
    study = optuna.create_study(directions=["minimize"] * 2)
    simulation = Simulation(curves(table), workers)
    run = RunFolder(Path("replay"))  # nothing is written there
    make_search(config, run, space, candidates, study, simulation, _Silent())()
    steps = tuple(
        Step(time, epochs, key, trained, number)
        for epochs, (time, number, key, trained) in enumerate(sorted(simulation.ends), 1)
    )
    return Trace(f"{sampler}, {early_stopping}", seed, workers, steps)


OURS: dict[str, Searcher] = {
    f"{sampler}+{rule}": partial(run, sampler=sampler, early_stopping=rule)
    for sampler, rule in (
        ("tpe", "none"),
        ("density", "none"),
        ("forecast", "none"),
        ("tpe", "pareto"),
        ("density", "pareto"),
        ("forecast", "pareto"),
        ("tpe", "cost-peers"),
        ("density", "cost-peers"),
        ("forecast", "cost-peers"),
        ("density", "forecast"),
        ("forecast", "forecast"),
    )
}
