"""The search: one parent that proposes, has trained, and tells."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from nas.errors import WorkFailed
from nas.front import Front, make_front
from nas.runs import Outcome, RunFolder, TrialRecord
from nas.search.config import SearchConfig
from nas.search.early_stopping import Rule
from nas.search.executors import Executor, Finished
from nas.search.inherit import inheriting
from nas.search.plateau import trainings_without_growth
from nas.search.proposer import Proposer
from nas.search.samplers import derive_seed
from nas.search.view import Status, View, duration
from nas.training import TrainJob, read_metrics

HOPELESS = 3
"""Trainings that may fail in a row from the start before the search gives up."""
KILLS = 3
"""Times in a row that a training may be killed without having got an epoch further. Whoever is killed
for its memory each time has failed."""


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
        rule: Says which waiting trainings go on; None: trainings do not pause.
    """

    config: SearchConfig
    run: RunFolder
    proposer: Proposer
    executor: Executor
    view: View
    reference: tuple[float, ...]
    rule: Rule | None = None
    _started: dict[int, float] = field(default_factory=dict)
    _seconds: list[float] = field(default_factory=list)
    _kills: dict[int, list[int]] = field(default_factory=dict)
    _exhausted: bool = False
    _on_plateau: bool = False

    def __call__(self) -> Front:
        """Search, and return the front.

        However it ends, no process is left behind. After an interrupt, when it gives up, or when nobody
        reads what it prints any more (``| head``), open trials wait in the study, with their
        checkpoints, for a later call.

        Raises:
            WorkFailed: The first trainings have all failed, or the disk takes no more.
        """
        try:
            self._train_all()
        except (KeyboardInterrupt, SystemExit, WorkFailed):
            # The study may lie on the disk that takes no more; what it does not learn, --resume finds.
            with suppress(SQLAlchemyError, StorageInternalError):
                self.proposer.release()
            raise
        for record in self.proposer.records:
            if record.outcome is Outcome.PAUSED:
                self.proposer.stop(record.number)
        self._fail_if_nothing_was_trained()
        self.view.event(self._end())
        return self._front()

    def _train_all(self) -> None:
        """Train until there is nothing to start; no process is left behind."""
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

    def _fill(self) -> bool:
        """Start trainings while there are free places; False when there is nothing to start now."""
        while self.executor.free:
            record = None if self._at_an_end() else self._promoted() or self._new()
            if record is None:
                return False
            self._start(record)
        return True

    def _promoted(self) -> TrialRecord | None:
        """The waiting training that is to go on; None: a new network is to be begun."""
        if self.rule is None:
            return None
        closing = self._open() <= 0 or self._exhausted
        key = self.rule.promote(self.proposer.snapshots, self._epochs_left(), closing=closing)
        if key is None:
            return None
        return next(r for r in self.proposer.records if r.key == key and r.target_epoch)

    def _new(self) -> TrialRecord | None:
        """A network that was never trained; None when no more are wanted, or none is left."""
        left = self._epochs_left()
        needed = self.config.epochs + self.proposer.parent_epochs
        if self._open() <= 0 or self._exhausted or (left is not None and left < needed):
            return None
        record = self.proposer.next()
        if record is None:
            self._exhausted = True
            self.view.event("the space holds no further network within the budgets")
        return record

    def _end(self) -> str:
        """How far the search has come, where it may have ended before all networks were trained."""
        outcomes = [record.outcome for record in self.proposer.records]
        begun = f"{self.config.trials - self._open()} of {self.config.trials} networks begun"
        ended = f"{outcomes.count(Outcome.TRAINED)} trained in full"
        stopped = outcomes.count(Outcome.STOPPED)
        total = self.config.total_epochs
        epochs = f"{self.proposer.epochs_spent}{'' if total is None else f' of {total}'} epochs"
        return f"the search ends: {begun}, {ended}, {stopped} stopped early; {epochs}"

    def _open(self) -> int:
        """Networks still to be begun; failed trainings count as spent."""
        begun = (Outcome.TRAINED, Outcome.FAILED, Outcome.STOPPED, Outcome.PAUSED)
        records = self.proposer.records
        return self.config.trials - sum(bool(r.target_epoch) or r.outcome in begun for r in records)

    def _epochs_left(self) -> int | None:
        total = self.config.total_epochs
        return None if total is None else total - self.proposer.epochs_spent

    def _at_an_end(self) -> bool:
        """Whether the hypervolume has stopped growing."""
        patience = self.config.patience
        if patience is None or self._on_plateau:
            return self._on_plateau
        idle = trainings_without_growth(self.proposer.records, self.reference)
        if idle >= patience:
            self._on_plateau = True
            self.view.event(
                f"the hypervolume has not grown by 0.1 % over {idle} trainings or parts of them"
            )
        return self._on_plateau

    def _start(self, record: TrialRecord) -> None:
        target_epoch = record.target_epoch
        if record.outcome is not Outcome.RUNNING or not target_epoch:
            target_epoch = next(rung for rung in self.config.rungs if rung > record.epochs)
            self.proposer.begin(record.number, target_epoch)
        job = TrainJob(
            spec=record.spec,
            data=self.config.data,
            recipe=self.config.recipe,
            stop_epoch=target_epoch,
            seed=derive_seed(self.config.seed, "training"),
            folder=self.run.trial(record.number).path,
            log_name=self.config.name,
            log_version=f"trial_{record.number:04d}",
        )
        self._started[record.number] = time.monotonic()
        self.executor.start(record.number, inheriting(job, self.config, self.run))
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
        record = next(r for r in self.proposer.records if r.number == number)
        epochs = read_metrics(self.run.trial(number))
        if finished.killed and self._may_go_on(number, len(epochs)):
            at = f"after epoch {len(epochs)}, where it goes on" if epochs else "and begins again"
            self.view.event(f"trial {number:4d}  {finished.reason} {at}")
            self._start(record)
            return
        if finished.no_disk:
            raise WorkFailed(
                f"trial {number}: {finished.reason}; its checkpoint is whole: when there is room, go on "
                f"with: nas search --resume {self.config.name}"
            )
        error = epochs[-1].val_error if finished.ended_well and epochs else None
        if error is None:
            reason = finished.reason or "the training ended without figures"
            self.proposer.fail(number, reason)
            error_file = self.run.trial(number).error
            self.view.event(f"trial {number:4d}  failed: {reason} (see {error_file})")
            return
        values, done = self.config.values(record.spec, error), epochs[-1].epoch
        self._seconds.append(seconds / max(1, done - record.epochs))
        self.proposer.reach(number, done, error, epochs[-1].train_loss)
        if done < self.config.epochs:
            at = f"loss {epochs[-1].train_loss:.4g} at epoch {done} of {self.config.epochs}"
            self.view.event(
                f"trial {number:4d}  error {error:.6g}  {at}  ({duration(seconds)})  {self._summary()}"
            )
            return
        self.proposer.complete(number, values)
        figures = zip(self.config.objectives, values, strict=True)
        shown = "  ".join(f"{name} {value:.6g}" for name, value in figures)
        self.view.event(f"trial {number:4d}  {shown}  ({duration(seconds)})  {self._summary()}")

    def _may_go_on(self, number: int, epochs: int) -> bool:
        """Whether a training that was killed, so many epochs after its start, is started again."""
        kills = self._kills.setdefault(number, [])
        kills.append(epochs)
        return kills.count(epochs) < KILLS

    def _give_up_if_hopeless(self) -> None:
        failed = sum(r.outcome is Outcome.FAILED for r in self.proposer.records)
        if failed >= HOPELESS and not any(r.rung_results for r in self.proposer.records):
            self._give_up(failed)

    def _fail_if_nothing_was_trained(self) -> None:
        failed = sum(r.outcome is Outcome.FAILED for r in self.proposer.records)
        if failed and not any(r.rung_results for r in self.proposer.records):
            self._give_up(failed)

    def _give_up(self, failed: int) -> NoReturn:
        first = next(r for r in self.proposer.records if r.outcome is Outcome.FAILED)
        what = "the first training has" if failed == 1 else f"the first {failed} trainings have all"
        raise WorkFailed(
            f"{what} failed; trial {first.number}: {first.note} (see "
            f"{self.run.trial(first.number).error}); when that is mended, others are trained by: nas "
            f"search --resume {self.config.name} --trials {self.config.trials + failed}"
        )

    def _front(self) -> Front:
        return make_front(self.proposer.records, self.config.objectives, self.reference)

    def _status(self) -> Status:
        outcomes = [r.outcome for r in self.proposer.records]
        front = self._front()
        return Status(
            wanted=self.config.trials,
            trained=outcomes.count(Outcome.TRAINED),
            paused=outcomes.count(Outcome.PAUSED),
            running=self.executor.running,
            refused=outcomes.count(Outcome.INFEASIBLE),
            replayed=outcomes.count(Outcome.DUPLICATE),
            failed=outcomes.count(Outcome.FAILED),
            front_size=len(front.points),
            hypervolume=front.hypervolume,
            seconds_left=self._seconds_left(),
        )

    def _seconds_left(self) -> float | None:
        """An estimate, where the epochs that are left are known."""
        epochs = self._epochs_left()
        if self.rule is None:
            unbegun = (self._open() + len(self.executor.running)) * self.config.epochs
            epochs = unbegun if epochs is None else min(unbegun, epochs)
        if epochs is None or not self._seconds:
            return None
        return sum(self._seconds) / len(self._seconds) * max(0, epochs) / self.config.workers

    def _summary(self) -> str:
        status = self._status()
        left = "" if status.seconds_left is None else f", {duration(status.seconds_left)} left"
        paused = "" if self.rule is None else f", {status.paused} paused"
        return (
            f"[{status.trained}/{status.wanted} trained{paused}, {status.refused} refused, "
            f"{status.replayed} replayed, {status.failed} failed; front {status.front_size}, "
            f"hypervolume {status.hypervolume:.4f}{left}]"
        )

    def _show(self) -> None:
        self.view.status(self._status())
