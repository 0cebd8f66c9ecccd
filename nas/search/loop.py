"""The search: one parent that proposes, has trained, and tells."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NoReturn

from nas.errors import WorkFailed
from nas.front import Front, make_front
from nas.runs import ERROR, Outcome, RunFolder, TrialRecord
from nas.search.config import SearchConfig
from nas.search.executors import Executor, Finished
from nas.search.proposer import Proposer
from nas.search.samplers import derive_seed
from nas.search.view import Status, View, duration
from nas.training import TrainJob, read_metrics

HOPELESS = 3
"""Trainings that may fail in a row from the start before the search gives up."""


@dataclass
class Search:
    """Runs a search until ``config.trials`` networks are trained or none is left.

    Args:
        config: Of the search.
        run: Its folder.
        proposer: Deals out the networks; writes the study.
        executor: Trains them.
        view: Shows it.
        reference: The worst corner of the box, for the hypervolume.
    """

    config: SearchConfig
    run: RunFolder
    proposer: Proposer
    executor: Executor
    view: View
    reference: tuple[float, ...]
    _started: dict[int, float] = field(default_factory=dict)
    _seconds: list[float] = field(default_factory=list)

    def __call__(self) -> Front:
        """Search, and return the front.

        However it ends (an interrupt too), no process is left behind; open trials stay open in the
        study, with their checkpoints, for a later call.

        Raises:
            WorkFailed: The first trainings have all failed.
        """
        try:
            for record in self.proposer.recover():
                # More may be open than there are places, when a search goes on with fewer workers.
                while not self.executor.free:
                    self._settle()
                self._start(record)
            while self._fill() or self.executor.running:
                self._settle()
        finally:
            self.executor.stop()
        self._fail_if_nothing_was_trained()
        return self._front()

    def _fill(self) -> bool:
        """Start trainings while there are free places; False when there is nothing left to start."""
        while self._open() > 0:
            if not self.executor.free:
                return True
            record = self.proposer.next()
            if record is None:
                self.view.event("the space holds no further network within the budgets")
                return False
            self._start(record)
        return False

    def _open(self) -> int:
        """Trainings still to be started; failed ones count as spent."""
        ended = sum(r.outcome in (Outcome.TRAINED, Outcome.FAILED) for r in self.proposer.records)
        return self.config.trials - ended - len(self.executor.running)

    def _start(self, record: TrialRecord) -> None:
        job = TrainJob(
            spec=record.spec,
            data=self.config.data,
            recipe=self.config.recipe,
            seed=derive_seed(self.config.seed, "training"),
            folder=self.run.trial(record.number).path,
            log_name=self.config.name,
            log_version=f"trial_{record.number:04d}",
        )
        self._started[record.number] = time.monotonic()
        self.executor.start(record.number, job)
        self._show()

    def _settle(self) -> None:
        """Wait a moment for trainings to end, and tell what came of them."""
        for finished in self.executor.wait(seconds=1.0):
            self._tell(finished)
            self._show()
            self._give_up_if_hopeless()

    def _tell(self, finished: Finished) -> None:
        number = finished.number
        seconds = time.monotonic() - self._started.pop(number)
        spec = next(r.spec for r in self.proposer.records if r.number == number)
        epochs = read_metrics(self.run.trial(number))
        error = epochs[-1].val_error if finished.ended_well and epochs else None
        if error is None:
            reason = finished.reason or "the training ended without figures"
            self.proposer.fail(number, reason)
            error_file = self.run.trial(number).error
            self.view.event(f"trial {number:4d}  failed: {reason} (see {error_file})")
            return
        values = tuple(
            error if name == ERROR else self.config.costs[name](spec)
            for name in self.config.objectives
        )
        self.proposer.complete(number, values)
        self._seconds.append(seconds)
        figures = zip(self.config.objectives, values, strict=True)
        shown = "  ".join(f"{name} {value:.6g}" for name, value in figures)
        self.view.event(f"trial {number:4d}  {shown}  ({duration(seconds)})  {self._summary()}")

    def _give_up_if_hopeless(self) -> None:
        outcomes = [r.outcome for r in self.proposer.records]
        failed = outcomes.count(Outcome.FAILED)
        if failed >= HOPELESS and Outcome.TRAINED not in outcomes:
            self._give_up(failed)

    def _fail_if_nothing_was_trained(self) -> None:
        outcomes = [r.outcome for r in self.proposer.records]
        if Outcome.FAILED in outcomes and Outcome.TRAINED not in outcomes:
            self._give_up(outcomes.count(Outcome.FAILED))

    def _give_up(self, failed: int) -> NoReturn:
        first = next(r for r in self.proposer.records if r.outcome is Outcome.FAILED)
        raise WorkFailed(
            f"the first {failed} trainings have all failed; trial {first.number}: {first.note} "
            f"(see {self.run.trial(first.number).error})"
        )

    def _front(self) -> Front:
        return make_front(self.proposer.records, self.config.objectives, self.reference)

    def _status(self) -> Status:
        outcomes = [r.outcome for r in self.proposer.records]
        front = self._front()
        left = None
        if self._seconds:
            mean = sum(self._seconds) / len(self._seconds)
            left = mean * (self._open() + len(self.executor.running)) / self.config.workers
        return Status(
            wanted=self.config.trials,
            trained=outcomes.count(Outcome.TRAINED),
            running=self.executor.running,
            refused=outcomes.count(Outcome.REFUSED),
            replayed=outcomes.count(Outcome.REPLAYED),
            failed=outcomes.count(Outcome.FAILED),
            front_size=len(front.points),
            hypervolume=front.hypervolume,
            seconds_left=left,
        )

    def _summary(self) -> str:
        status = self._status()
        left = "" if status.seconds_left is None else f", {duration(status.seconds_left)} left"
        return (
            f"[{status.trained}/{status.wanted} trained, {status.refused} refused, "
            f"{status.replayed} replayed, {status.failed} failed; front {status.front_size}, "
            f"hypervolume {status.hypervolume:.4f}{left}]"
        )

    def _show(self) -> None:
        self.view.status(self._status())
