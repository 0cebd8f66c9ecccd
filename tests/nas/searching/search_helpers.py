"""Searches as processes; and one whose trainings are simulated by a formula, so that thousands of
decisions take seconds.

In the latter everything else is real: space, samplers, the study in SQLite, proposals, the loop.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import psutil

from nas.cost import count
from nas.data import DataConfig
from nas.front import Front
from nas.runs import RunFolder, TrialRecord
from nas.searching import SearchConfig
from nas.searching.candidates import find_candidates
from nas.searching.evaluators import Evaluator, Finished, Simulation
from nas.searching.loop import make_search
from nas.searching.study import open_study
from nas.searching.view import Status
from nas.training import EpochMetrics, TrainJob
from search_spaces import SearchSpace, load_space

DATA = DataConfig(name="digits")
Keep: TypeAlias = Callable[[str, dict[str, object]], None]
"""Keeps a line of figures in the CSV of that name."""


def search_command(name: str, *more: str) -> list[str]:
    """A small search on digits, as a command."""
    return [
        sys.executable, "-m", "nas", "search", "--space", "quickstart", "--data", "digits",
        "--recipe", "tiny", "--seed", "5", "--name", name, *more,
    ]  # fmt: skip


def resume(name: str) -> list[str]:
    """What goes on with it."""
    return [sys.executable, "-m", "nas", "search", "--resume", name]


def trainings(parent: int) -> list[psutil.Process]:
    """The training processes of ``parent``: each leads a session of its own."""
    children = psutil.Process(parent).children(recursive=True)
    return [child for child in children if os.getsid(child.pid) == child.pid]


class Crash(Exception):
    """Stands for the end of the parent process."""


class FormulaEvaluator(Simulation):
    """Trainings that end at once with an error made from the network's cost and key."""

    def __init__(
        self,
        workers: int = 1,
        *,
        crash_after: int | None = None,
        crash: type[BaseException] = Crash,
        fails: Callable[[TrainJob], bool] = lambda job: False,
        kills: Callable[[TrainJob, int], bool] = lambda job, start: False,
    ) -> None:
        super().__init__(formula_curve, workers, self._fate)
        self.crash_after = crash_after
        self.crash = crash
        self.fails = fails
        self.kills = kills

    @property
    def epochs(self) -> int:
        """Epochs trained so far."""
        return len(self.ends)

    def start(self, number: int, job: TrainJob) -> None:
        if self.crash_after is not None and len(self.started) == self.crash_after:
            raise self.crash
        super().start(number, job)

    def _fate(self, number: int, job: TrainJob, times: int) -> Finished | None:
        if self.fails(job):
            return Finished(number, ended_well=False, reason="it did not work")
        if self.kills(job, times):
            return Finished(number, ended_well=False, reason="killed by signal 9", killed=True)
        return None


def formula_curve(job: TrainJob) -> list[EpochMetrics]:
    return [
        EpochMetrics(
            epoch=epoch,
            train_loss=2 * formula_error(job, epoch),
            val_error=formula_error(job, epoch),
            val_loss=1.0,
            seconds=0.0,
        )
        for epoch in range(1, job.recipe.epochs + 1)
    ]


def formula_error(job: TrainJob, epoch: int) -> float:
    luck = int(job.spec.key, 16) % 1000 / 1000
    end = 0.5 * math.exp(-count(job.spec).mflops / 3) + 0.1 * luck
    return end + 0.3 * (1 - epoch / job.recipe.epochs)


class SilentView:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.statuses: list[Status] = []

    def __enter__(self) -> SilentView:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def status(self, status: Status) -> None:
        self.statuses.append(status)

    def event(self, text: str) -> None:
        self.events.append(text)


def digits_space(name: str) -> SearchSpace:
    return load_space(name).bind(num_classes=10, in_channels=1, input_size=16)


def make_config(**fields: object) -> SearchConfig:
    defaults: dict[str, object] = {
        "name": "test",
        "space": "quickstart",
        "data": DATA,
        "recipe": {"name": "tiny", "epochs": 1},
        "trials": 10,
        "sampler": "random",
    }
    return SearchConfig.model_validate(defaults | fields)


def formula_search(
    folder: Path,
    config: SearchConfig,
    evaluator: Evaluator | None = None,
    view: SilentView | None = None,
) -> tuple[Front, list[TrialRecord]]:
    """Begin the search in ``folder``, or go on with the one that is there."""
    run = RunFolder(folder)
    folder.mkdir(exist_ok=True)
    study = open_study(config, run, create=not run.study.exists())
    space = SearchSpace(config.space).bind(num_classes=10, in_channels=1, input_size=16)
    candidates = find_candidates(space, config.budgets, config.seed)
    config = config.model_copy(update={"reference": candidates.reference(config.objectives)})
    search = make_search(
        config,
        run,
        space,
        candidates,
        study,
        evaluator or FormulaEvaluator(config.execution.workers),
        view or SilentView(),
    )
    front = search()
    return front, search.log.records
