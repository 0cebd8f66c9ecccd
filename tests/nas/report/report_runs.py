"""Small runs on disk, made as a search makes them, but without any training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from sqlalchemy import event

from blocks import ArchSpec
from blocks.yaml_files import dump_yaml
from nas.cost import COSTS
from nas.runs import RunFolder, write_text
from nas.searching import SearchConfig
from nas.searching.study import open_study
from nas.study.stored import DUPLICATE_OF, FAILURE, INFEASIBLE, PROPOSAL
from nas.training.job import EpochMetrics
from nas.training.metrics import write_metrics
from search_spaces import SearchSpace, load_space

REFERENCE = {"error": 1.0, "mflops": 20.0, "params": 600_000.0, "activations": 400_000.0}


@dataclass
class FakeSearch:
    """A run that grows by one trial a call.

    Args:
        folder: Where runs lie.
        name: Of the run.
        objectives: Of the search.
        shape: Classes, channels and side of the images.
        settings: Further fields of the configuration.
    """

    folder: Path
    name: str = "first"
    objectives: tuple[str, ...] = ("error", "mflops")
    shape: tuple[int, int, int] = (10, 1, 16)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        fields = {
            "name": self.name,
            "space": "quickstart",
            "data": "digits",
            "trials": 12,
            "objectives": self.objectives,
            "reference": tuple(REFERENCE[name] for name in self.objectives),
        }
        self.config = SearchConfig.model_validate({**fields, **self.settings})
        self.run = RunFolder(self.folder / self.name)
        write_text(self.run.config, dump_yaml(self.config))
        self.study = open_study(self.config, self.run, create=True)
        _write_without_waiting(self.study)
        self.study.sampler = optuna.samplers.RandomSampler(seed=1)
        classes, channels, side = self.shape
        self.space: SearchSpace = load_space("quickstart").bind(
            num_classes=classes, in_channels=channels, input_size=side
        )

    def propose(self) -> tuple[optuna.Trial, ArchSpec]:
        """A trial in training."""
        trial = self.study.ask(self.space.distributions())
        spec = self.space.from_params(trial.params)
        trial.set_user_attr(PROPOSAL, {"key": spec.key, "arch": spec.model_dump(mode="json")})
        return trial, spec

    def train(self, error: float, epochs: int = 3) -> int:
        """A trained trial of that error."""
        trial, spec = self.propose()
        self.curve(trial.number, error, epochs)
        values = [error if name == "error" else COSTS[name](spec) for name in self.objectives]
        self.study.tell(trial, values)
        return trial.number

    def train_some(self, count: int) -> None:
        """Trained trials whose error falls with the cost, and a little with the number."""
        for index in range(count):
            trial, spec = self.propose()
            mflops = COSTS["mflops"](spec)
            error = round(0.08 + 0.4 / (1 + mflops) + 0.11 * ((index * 7) % 5) / 5, 5)
            self.curve(trial.number, error, self.config.recipe.epochs)
            values = [error if name == "error" else COSTS[name](spec) for name in self.objectives]
            self.study.tell(trial, values)

    def fail(self, note: str) -> int:
        """A training that broke off."""
        trial, _ = self.propose()
        trial.set_user_attr(FAILURE, note)
        self.study.tell(trial, state=TrialState.FAIL)
        return trial.number

    def refuse(self, note: str) -> int:
        """A proposal over a budget."""
        trial, spec = self.propose()
        trial.set_user_attr(INFEASIBLE, note)
        for violation in self.config.budgets.violations(spec):
            trial.set_constraint(f"max_{violation.cost}", violation.excess)
        self.study.tell(trial, state=TrialState.PRUNED)
        return trial.number

    def replay(self, of: int) -> int:
        """A proposal of a network known already."""
        trial, _ = self.propose()
        trial.set_user_attr(DUPLICATE_OF, of)
        self.study.tell(trial, self.study.trials[of].values)
        return trial.number

    def curve(self, number: int, error: float, epochs: int) -> None:
        """A metrics.jsonl that ends at ``error``."""
        history = tuple(
            EpochMetrics(
                epoch=epoch,
                train_loss=1.0 / epoch,
                val_error=min(1.0, error + 0.3 * (1 - epoch / epochs)),
                val_loss=1.0 / epoch,
                seconds=1.0,
            )
            for epoch in range(1, epochs + 1)
        )
        write_metrics(self.run.trial(number), history)


def _write_without_waiting(study: optuna.Study) -> None:
    """Spare the tests the wait for the disk, which is most of the time a study takes."""
    engine = study._storage._backend.engine  # type: ignore[attr-defined]

    def hurry(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")

    event.listen(engine, "connect", hurry)
    engine.dispose()
