"""The search: one parent that proposes, has networks evaluated, and stores what came of it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from blocks.errors import InvalidInput
from nas.errors import WorkFailed
from nas.front import Front
from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching import changes
from nas.searching.candidates import Candidates
from nas.searching.config import SearchConfig
from nas.searching.epochs import EpochAccount
from nas.searching.evaluators import Evaluator, Finished
from nas.searching.failures import Failures
from nas.searching.jobs import training_job
from nas.searching.log import TrialLog
from nas.searching.proposer import Proposer
from nas.searching.reporting import Reporter
from nas.searching.samplers import asking
from nas.searching.schedule import Schedule
from nas.searching.strategy import make_strategy
from nas.searching.view import View
from nas.study import StudyWriter
from search_spaces import SearchSpace


@dataclass
class Search:
    """Runs a search until ``config.trials`` networks are trained or none is left.

    Args:
        config: Of the search.
        run: Its folder.
        log: Its trials.
        proposer: What is proposed.
        schedule: What runs.
        failures: What happens to failures.
        reporter: What a person sees.
        evaluator: Says how good a network is.
    """

    config: SearchConfig
    run: RunFolder
    log: TrialLog
    proposer: Proposer
    schedule: Schedule
    failures: Failures
    reporter: Reporter
    evaluator: Evaluator
    _started: dict[int, float] = field(default_factory=dict)

    def __call__(self) -> Front:
        """Search, and return the front.

        However it ends, no process is left behind. After an interrupt, when it gives up, or when nobody
        reads what it prints any more (``| head``), open trials wait in the study, with their
        checkpoints, for a later call.

        Raises:
            WorkFailed: The first trainings have all failed, or the disk takes no more.
            InvalidInput: A plug-in is at fault.
        """
        try:
            self._train_all()
        except (KeyboardInterrupt, SystemExit, InvalidInput, WorkFailed):
            # The study may lie on the disk that takes no more; what it does not learn, --resume finds.
            with suppress(SQLAlchemyError, StorageInternalError):
                self.log.release()
            raise
        for record in self.log.records:
            if record.state is TrialState.PAUSED:
                changes.stop(self.log, record.number)
        self.failures.check_hopeful(self.log.records, allowed=0)
        self.reporter.ended()
        return self.reporter.front

    def _train_all(self) -> None:
        """Train until there is nothing to start; no process is left behind."""
        try:
            for record in self.proposer.recover():
                # More may be open than there are workers, when a search is resumed with fewer.
                while not self.evaluator.free:
                    self._settle()
                self._start(record)
            while self._fill() or self.evaluator.running:
                self._settle()
        finally:
            self.evaluator.stop()

    def _fill(self) -> bool:
        """Start trainings while workers are free; False when there is nothing to start now."""
        while self.evaluator.free:
            record = self.schedule.next()
            if record is None:
                return False
            self._start(record)
        return True

    def _start(self, record: TrialRecord) -> None:
        target_epoch = record.target_epoch
        if record.state is not TrialState.RUNNING:
            if record.state is TrialState.PAUSED or not target_epoch:
                target_epoch = next(rung for rung in self.config.rungs if rung > record.epochs)
            changes.begin(self.log, record.number, target_epoch)
        self._started[record.number] = time.monotonic()
        self.evaluator.start(
            record.number, training_job(record, target_epoch, self.config, self.run)
        )
        self.reporter.show(self.evaluator.running)

    def _settle(self) -> None:
        """Wait a moment for trainings to end, and store what came of them."""
        for finished in self.evaluator.wait(seconds=1.0):
            self._tell(finished)
            self.reporter.show(self.evaluator.running)
            self.failures.check_hopeful(self.log.records)

    def _tell(self, finished: Finished) -> None:
        number, error = finished.number, finished.error
        seconds = time.monotonic() - self._started.pop(number)
        before = self.log.of(number)
        if self.failures.goes_on(finished):
            self.reporter.goes_on(finished)
            self._start(before)
            return
        self.failures.check_disk(finished)
        self.failures.check_plugin(finished, self.log.records)
        self.reporter.warned(finished.warnings)
        if error is None:
            reason = finished.reason or "the training ended without figures"
            changes.fail(self.log, number, reason)
            self.reporter.failed(number, reason)
            return
        last = finished.epochs[-1]
        changes.reach(self.log, number, last.epoch, error, last.train_loss)
        if last.epoch >= self.config.epochs:
            changes.complete(self.log, number, self.config.values(before.spec, error))
        self.reporter.reached(before, finished, seconds, self.evaluator.running)


def make_search(
    config: SearchConfig,
    run: RunFolder,
    space: SearchSpace,
    candidates: Candidates,
    study: optuna.Study,
    evaluator: Evaluator,
    view: View,
) -> Search:
    """Put a search together.

    Args:
        config: Of the search, with its reference point.
        run: Its folder.
        space: Bound to the data.
        candidates: Networks within the budgets.
        study: Written by this process alone.
        evaluator: Says how good a network is.
        view: Shows the search.
    """
    strategy = make_strategy(config, candidates, space)
    log = TrialLog(StudyWriter(study), partial(asking, config.sampler))
    epochs = EpochAccount(config, candidates)
    proposer = Proposer(log, config, space, candidates, strategy)
    return Search(
        config=config,
        run=run,
        log=log,
        proposer=proposer,
        schedule=Schedule(config, proposer, epochs, strategy.rule, view),
        failures=Failures(config, run),
        reporter=Reporter(config, run, log, epochs, view),
        evaluator=evaluator,
    )
