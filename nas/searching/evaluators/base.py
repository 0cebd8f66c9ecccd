"""What a search asks of whoever evaluates its networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nas.plugins import PluginFault
from nas.training import EpochMetrics, TrainJob


@dataclass(frozen=True)
class Finished:
    """An evaluation that has ended.

    Attributes:
        number: Of the trial.
        epochs: All epochs of the trial so far.
        ended_well: Whether it came to its end.
        reason: Otherwise why not, in one line.
        killed: Whether it was ended from outside; it can continue from its checkpoint.
        no_disk: Whether it could not write. That is no fault of its own: the next one could not either.
        fault: What it raised, if a plug-in is at fault.
        warnings: Lines for a person, which say nothing against its result.
    """

    number: int
    epochs: tuple[EpochMetrics, ...] = ()
    ended_well: bool = True
    reason: str = ""
    killed: bool = False
    no_disk: bool = False
    fault: type[PluginFault] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def error(self) -> float | None:
        """Validation error after the last epoch, 0 to 1; None: the evaluation gave none."""
        return self.epochs[-1].val_error if self.ended_well and self.epochs else None


class Evaluator(Protocol):
    """Evaluates jobs, several at a time, and says when they end.

    ``train`` is one: an executor (``nas.searching.executors``) runs trainings in processes of their own.
    ``simulate`` is another: it reads learning curves, in virtual time.
    """

    @property
    def free(self) -> int:
        """Jobs that could be started now."""
        ...

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials that are evaluated now."""
        ...

    def start(self, number: int, job: TrainJob) -> None:
        """Start the job of trial ``number``; only when ``free`` is not 0."""
        ...

    def wait(self, seconds: float) -> list[Finished]:
        """Wait until a job ends, at most ``seconds``; the ended ones, possibly none."""
        ...

    def stop(self) -> None:
        """End every job that is left, and return when they are gone."""
        ...
