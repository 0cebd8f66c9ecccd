"""Our own searches on a table of curves: all is real but the training, whose figures are looked up."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import optuna
from curves.table import CurveTable
from replay.trace import Searcher, Step, Trace

from nas.cost import Budgets
from nas.data import DataConfig
from nas.runs import RunFolder, TrialFolder
from nas.search.candidates import Candidates
from nas.search.config import SearchConfig
from nas.search.early_stopping.pareto import chance_error, chance_loss
from nas.search.executors import Finished
from nas.search.loop import Search
from nas.search.proposer import Proposer
from nas.search.strategy import make_strategy
from nas.search.view import Status
from nas.training import EpochMetrics, TrainJob
from search_spaces import SearchSpace

COSTS = ("mflops",)
MEMORY = Path("/dev/shm")
"""Where there is such a folder, metrics of a replay are written to memory and not to the disk."""


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


@dataclass
class ReplayExecutor:
    """Looks trainings up, in simulated time.

    Attributes:
        table: The curves.
        workers: Trainings at a time.
        now: Simulated seconds so far.
        ends: (second, number, key, epoch) of every epoch that was trained.
    """

    table: CurveTable
    workers: int
    now: float = 0.0
    ends: list[tuple[float, int, str, int]] = field(default_factory=list)
    _jobs: dict[int, tuple[float, TrainJob]] = field(default_factory=dict)
    _trained: dict[int, int] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Idle workers."""
        return self.workers - len(self._jobs)

    @property
    def running(self) -> tuple[int, ...]:
        """Trials in training."""
        return tuple(self._jobs)

    def start(self, number: int, job: TrainJob) -> None:
        """Train until ``job.stop_epoch``, from where the trial was left."""
        assert job.stop_epoch is not None
        key, done = job.spec.key, self._trained.get(number, 0)
        pace = self.table.seconds[key]
        for epoch in range(done + 1, job.stop_epoch + 1):
            self.ends.append((self.now + pace * (epoch - done), number, key, epoch))
        self._jobs[number] = (self.now + pace * (job.stop_epoch - done), job)

    def wait(self, seconds: float) -> list[Finished]:
        """The training that ends first."""
        number = min(self._jobs, key=lambda one: (self._jobs[one][0], one))
        self.now, job = self._jobs.pop(number)
        assert job.stop_epoch is not None
        self._trained[number] = job.stop_epoch
        curve = self.table.errors[job.spec.key][: job.stop_epoch]
        # Where a table has no losses, errors in their place, so scaled that guessing is guessing.
        classes = job.spec.num_classes
        stand_in = curve * chance_loss(classes) / chance_error(classes)
        losses = self.table.losses.get(job.spec.key, stand_in)
        lines = [
            EpochMetrics(epoch=epoch, train_loss=loss, val_error=error, val_loss=1.0, seconds=1.0)
            for epoch, (error, loss) in enumerate(
                zip(curve.tolist(), losses.tolist(), strict=False), 1
            )
        ]
        # Not synced to the disk, as a real training's would be: nothing is to survive here.
        job.folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{line.model_dump_json(exclude_none=True)}\n" for line in lines)
        TrialFolder(job.folder).metrics.write_text(text, encoding="utf-8")
        return [Finished(number, ended_well=True)]

    def stop(self) -> None:
        """Nothing runs."""
        self._jobs.clear()


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
            "early_stopping": early_stopping,
            "budgets": Budgets() if table.limit == float("inf") else {"max_mflops": table.limit},
            "seed": seed,
            "workers": workers,
        }
    )
    fitting = {key: table.specs[key] for key in sorted(table.feasible)}
    candidates = Candidates(fitting, complete=True, costs=config.costs)
    config = config.model_copy(update={"reference": candidates.reference(config.objectives)})
    strategy = make_strategy(config, candidates)
    study = optuna.create_study(directions=["minimize"] * 2)
    executor = ReplayExecutor(table, workers)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        search = Search(
            config=config,
            run=RunFolder(Path(folder)),
            proposer=Proposer(study, config, space, candidates, strategy.searcher),
            executor=executor,
            view=_Silent(),
            reference=config.reference_point,
            rule=strategy.rule,
        )
        search()
    steps = tuple(
        Step(time, epochs, key, trained, number)
        for epochs, (time, number, key, trained) in enumerate(sorted(executor.ends), 1)
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
