"""``simulate``: trainings looked up in learning curves, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from nas.searching.evaluators.base import Finished
from nas.training import EpochMetrics, TrainJob

Curve: TypeAlias = Callable[[TrainJob], Sequence[EpochMetrics]]
"""The learning curve of the network of a job, from epoch 1 at least to where the job stops."""


class Ended(NamedTuple):
    """The end of an epoch in a simulation.

    Attributes:
        time: Virtual seconds since the search began.
        number: Of the trial.
        key: Of the network.
        epoch: Counted from 1.
    """

    time: float
    number: int
    key: str
    epoch: int


@dataclass
class Simulation:
    """Evaluates networks by known learning curves; an epoch takes its ``seconds`` of virtual time.

    Args:
        curve: Tells what a network learns.
        workers: Trainings at a time.
        fate: Called with the trial's number, its job and how often it was started; ends the training in
            another way than well. None: all end well.

    Attributes:
        now: Virtual seconds so far.
        ends: All epochs that were trained.
        started: Keys of the networks, each time that a training of one was started.
    """

    curve: Curve
    workers: int = 1
    fate: Callable[[int, TrainJob, int], Finished | None] | None = None
    now: float = 0.0
    ends: list[Ended] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    _jobs: dict[int, tuple[float, TrainJob]] = field(default_factory=dict)
    _trained: dict[int, int] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Idle workers."""
        return self.workers - len(self._jobs)

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials in training."""
        return tuple(self._jobs)

    def start(self, number: int, job: TrainJob) -> None:
        """Train until where the job stops, from where the trial was left."""
        self.started.append(job.spec.key)
        time = self.now
        for one in self._epochs(job)[self._trained.get(number, 0) :]:
            time += one.seconds
            self.ends.append(Ended(time, number, job.spec.key, one.epoch))
        self._jobs[number] = time, job

    def wait(self, seconds: float) -> list[Finished]:
        """The training that ends first; of several the one of the lowest number."""
        if not self._jobs:
            return []
        number = min(self._jobs, key=lambda one: (self._jobs[one][0], one))
        self.now, job = self._jobs.pop(number)
        times = self.started.count(job.spec.key)
        other = self.fate(number, job, times) if self.fate is not None else None
        if other is not None:
            return [other]
        epochs = self._epochs(job)
        self._trained[number] = len(epochs)
        return [Finished(number, epochs)]

    def stop(self) -> None:
        """Forget what is left."""
        self._jobs.clear()

    def _epochs(self, job: TrainJob) -> tuple[EpochMetrics, ...]:
        return tuple(self.curve(job))[: job.stop_epoch or job.recipe.epochs]


def curves_of(
    errors: Mapping[str, Sequence[float]],
    losses: Mapping[str, Sequence[float]],
    seconds: Mapping[str, float],
) -> Curve:
    """Learning curves from a table.

    Args:
        errors: Key of a network -> validation error after each epoch, 0 to 1.
        losses: Key of a network -> training loss of each epoch.
        seconds: Key of a network -> duration of an epoch.
    """

    def curve(job: TrainJob) -> list[EpochMetrics]:
        key = job.spec.key
        pairs = zip(errors[key], losses[key], strict=False)
        return [
            EpochMetrics(
                epoch=epoch,
                train_loss=float(loss),
                val_error=float(error),
                val_loss=1.0,
                seconds=seconds[key],
            )
            for epoch, (error, loss) in enumerate(pairs, 1)
        ]

    return curve
