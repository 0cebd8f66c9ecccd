"""What a search asks of whoever runs its trainings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nas.training import TrainJob


@dataclass(frozen=True)
class Finished:
    """A training that has ended.

    Attributes:
        number: Of the trial.
        ended_well: Whether the process said so; its figures are in the trial's folder.
        reason: Otherwise why not, in one line.
        killed: Whether it was ended from outside; it can go on from its checkpoint.
    """

    number: int
    ended_well: bool
    reason: str = ""
    killed: bool = False


class Executor(Protocol):
    """Runs jobs, each in a process of its own, and says when they end."""

    @property
    def free(self) -> int:
        """Jobs that could be started now."""
        ...

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials in training."""
        ...

    def start(self, number: int, job: TrainJob) -> None:
        """Start the job of trial ``number``; only when there is a free place."""
        ...

    def wait(self, seconds: float) -> list[Finished]:
        """Wait until a job ends, at most ``seconds``; the ended ones, possibly none."""
        ...

    def stop(self) -> None:
        """End every process that is left, and return when they are gone."""
        ...
