"""What a person sees of a search: its status, what came of each training, and an estimate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from blocks.wording import plural
from nas.front import Front, make_front
from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching.config import SearchConfig
from nas.searching.epochs import EpochAccount
from nas.searching.evaluators import Finished
from nas.searching.log import TrialLog
from nas.searching.view import Status, View, duration


@dataclass
class Reporter:
    """Shows a search.

    Args:
        config: Of the search.
        run: Its folder.
        log: Its trials.
        epochs: Counts what was spent.
        view: Shows what is told.
    """

    config: SearchConfig
    run: RunFolder
    log: TrialLog
    epochs: EpochAccount
    view: View
    _seconds: list[float] = field(default_factory=list)
    _warned: set[str] = field(default_factory=set)

    @property
    def front(self) -> Front:
        """The front as it stands."""
        return make_front(self.log.records, self.config.objectives, self.config.reference_point)

    def show(self, running: tuple[int, ...]) -> None:
        """Show the figures, with the numbers of the trials in training."""
        self.view.status(self._status(running))

    def goes_on(self, finished: Finished) -> None:
        """Say that a training that was killed is started again."""
        done = len(finished.epochs)
        at = f"after epoch {done}, from where it continues" if done else "and begins again"
        self.view.event(f"trial {finished.number:4d}  {finished.reason} {at}")

    def warned(self, warnings: Iterable[str]) -> None:
        """Pass on the warnings of a training, each once in a search."""
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self.view.event(warning)

    def failed(self, number: int, reason: str) -> None:
        """Say that a training failed."""
        error_file = self.run.trial(number).error
        self.view.event(f"trial {number:4d}  failed: {reason} (see {error_file})")

    def reached(
        self, before: TrialRecord, finished: Finished, seconds: float, running: tuple[int, ...]
    ) -> None:
        """Say what a training has come to.

        Args:
            before: The trial when this training of it began.
            finished: How it ended.
            seconds: That it took.
            running: Numbers of the trials in training.
        """
        last = finished.epochs[-1]
        self._seconds.append(seconds / max(1, last.epoch - before.epochs))
        one = self.log.of(before.number)
        if one.state is TrialState.TRAINED:
            figures = zip(self.config.objectives, one.values, strict=True)
            said = "  ".join(f"{name} {value:.6g}" for name, value in figures)
        else:
            at = f"loss {last.train_loss:.4g} at epoch {last.epoch} of {self.config.epochs}"
            said = f"error {last.val_error:.6g}  {at}"
        summary = self._summary(running)
        self.view.event(f"trial {one.number:4d}  {said}  ({duration(seconds)})  {summary}")

    def ended(self) -> None:
        """Say how far the search has come; it may end before all networks are trained."""
        records = self.log.records
        states = [one.state for one in records]
        wanted, total = self.config.trials, self.config.total_epochs
        begun = f"{wanted - self.epochs.unbegun(records)} of {plural(wanted, 'network')} begun"
        trained = f"{states.count(TrialState.TRAINED)} trained in full"
        stopped = states.count(TrialState.STOPPED)
        spent = self.epochs.spent(records)
        epochs = (
            plural(spent, "epoch") if total is None else f"{spent:,} of {plural(total, 'epoch')}"
        )
        self.view.event(f"the search ends: {begun}, {trained}, {stopped} stopped early; {epochs}")

    def _status(self, running: tuple[int, ...]) -> Status:
        states = [one.state for one in self.log.records]
        front = self.front
        return Status(
            wanted=self.config.trials,
            trained=states.count(TrialState.TRAINED),
            paused=states.count(TrialState.PAUSED),
            running=running,
            infeasible=states.count(TrialState.INFEASIBLE),
            duplicate=states.count(TrialState.DUPLICATE),
            failed=states.count(TrialState.FAILED),
            front_size=len(front.points),
            hypervolume=front.hypervolume,
            seconds_left=self._seconds_left(len(running)),
        )

    def _seconds_left(self, running: int) -> float | None:
        """An estimate, where the epochs that are left are known."""
        records = self.log.records
        epochs = self.epochs.left(records)
        if self.config.early_stopping == "none":
            unbegun = (self.epochs.unbegun(records) + running) * self.config.epochs
            epochs = unbegun if epochs is None else min(unbegun, epochs)
        if epochs is None or not self._seconds:
            return None
        seconds = sum(self._seconds) / len(self._seconds)
        return seconds * max(0, epochs) / self.config.execution.workers

    def _summary(self, running: tuple[int, ...]) -> str:
        status = self._status(running)
        left = "" if status.seconds_left is None else f", {duration(status.seconds_left)} left"
        pauses = self.config.early_stopping != "none"
        paused = f", {status.paused} paused" if pauses else ""
        return (
            f"[{status.trained}/{status.wanted} trained{paused}, {status.infeasible} infeasible, "
            f"{status.duplicate} duplicate, {status.failed} failed; front {status.front_size}, "
            f"hypervolume {status.hypervolume:.4f}{left}]"
        )
