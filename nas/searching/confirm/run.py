"""Train the networks again that may be on the front of a run."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from blocks.errors import InvalidInput
from blocks.wording import check_type, plural
from nas.errors import WorkFailed
from nas.folders import logs_dir, make_folder, source_of_logs_dir, source_of_runs_dir
from nas.front import make_front
from nas.naming import call, option, run_call
from nas.plugins import PluginFault, named_by_a_run
from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching.checks import check_cluster_options
from nas.searching.config import SearchConfig
from nas.searching.confirm.choice import MAYBE, next_trainings, undecided
from nas.searching.confirm.images import Images
from nas.searching.confirm.outcome import ConfirmedFront, estimate, read_confirmed
from nas.searching.confirm.stored import (
    Plan,
    Repeat,
    confirmed_records,
    ended_trainings,
    folder_of,
    open_repeats,
    read_plan,
    stored_costs,
    trained,
    write_plan,
)
from nas.searching.evaluators import Evaluator, Finished
from nas.searching.failures import Failures
from nas.searching.jobs import training_job
from nas.searching.plugged import check_plugins
from nas.searching.reading import read_config, read_run
from nas.searching.run import only_parent
from nas.searching.samplers import derive_seed
from nas.searching.view import View, duration
from nas.training import RECIPES, TrainJob, end_owner
from nas.training.evaluate import load_evaluator

PER_NETWORK = 3
"""Further trainings of each network of the front that the default of epochs allows for."""
ROUND = 4
"""Trainings that are chosen at once. What is trained does not depend on how many workers there are, up
to so many."""
HOPELESS = 3
"""Trainings that may fail before any has come to its end."""
OPEN = (TrialState.QUEUED, TrialState.RUNNING, TrialState.PAUSED)


def confirm_run(
    run: RunFolder,
    view: View,
    *,
    epochs: int | None = None,
    recipe: str | None = None,
    changes: Mapping[str, Any] | None = None,
    evaluator: Evaluator | None = None,
) -> ConfirmedFront:
    """Train the networks again that may be on the front, until the front is decided.

    Called again it goes on: with what was begun, and then as long as there are epochs.

    Args:
        run: A run whose search has ended.
        view: Shows what happens.
        epochs: To train in all, with those of earlier calls. Default: three further trainings of each
            network on the front of the search.
        recipe: Name of the recipe. Default: that of the run's earlier confirmation, else of the search.
        changes: New values of fields of ``execution``, for this call alone.
        evaluator: Trains. Default: the executor of the search.

    Raises:
        InvalidInput: The search has not ended or has trained nothing, ``epochs`` are too few for one
            training, the images have changed, another process works in the run, ...
        WorkFailed: The first trainings have all failed, or the disk takes no more.
    """
    config = read_config(run, changes)
    check_cluster_options(config, changes or {})
    with named_by_a_run():
        check_plugins(config)
    if not os.access(run.path, os.W_OK):
        raise InvalidInput(f"{run.path}: cannot be written to; allowed: a run that can")
    records = _ended_records(run)
    images = Images(config)
    with only_parent(run):
        if (before := read_plan(run)) is not None:
            ended_trainings(run, before, config, records)  # damaged files are refused
        plan = _plan(run, config, recipe, before, images.check(trained(records)[0].spec))
        epochs = _allowed(epochs, plan, config, records)
        make_folder(run.confirmation.parent, source_of_runs_dir(run.path))
        logs = config.execution.logs_dir or logs_dir()
        make_folder(logs, source_of_logs_dir(logs))
        view.event(
            f"{run.name}: at most {plural(epochs, 'epoch')} in all, {plan.epochs(config)} a training; "
            "Ctrl-C stops, and the same call continues"
        )
        for folder in run.trainings():
            if end_owner(folder):
                view.event(f"{folder.path}: a training left over from before was ended")
        Confirmation(config, run, records, plan, epochs, images, view, evaluator)()
    found = read_confirmed(run)
    if found is None:
        raise WorkFailed(f"{run.path}: no network was trained again; see {run.confirmation}")
    return found


@dataclass
class Confirmation:
    """Trains round by round until the front is decided or the epochs are spent.

    Args:
        config: Of the search.
        run: Its folder.
        records: Its trials.
        plan: What was chosen so far.
        epochs: To train in all.
        images: Of the search.
        view: Shows what happens.
        evaluator: Trains; None: the executor of the search, made when there is something to train.
    """

    config: SearchConfig
    run: RunFolder
    records: list[TrialRecord]
    plan: Plan
    epochs: int
    images: Images
    view: View
    evaluator: Evaluator | None = None
    _specs: dict[int, TrialRecord] = field(init=False)
    _failures: Failures = field(init=False)
    _begun: dict[int, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._specs = {one.number: one for one in trained(self.records)}
        self._failures = Failures(self.config, self.run)

    def __call__(self) -> None:
        """Train; no process is left behind."""
        try:
            while waiting := self._waiting():
                self._train(waiting)
            self.view.event(self._said())
        finally:
            if self.evaluator is not None:
                self.evaluator.stop()

    def _waiting(self) -> list[Repeat]:
        """What is to be trained now: what was begun, else what tells most."""
        self._judge()
        waiting = open_repeats(self.run, self.plan, self.config)
        return waiting or self._choose()

    def _choose(self) -> list[Repeat]:
        """The next round, stored in the plan before it begins."""
        spent = len(self.plan.repeats) * self.plan.epochs(self.config)
        left = (self.epochs - spent) // self.plan.epochs(self.config)
        count = min(left, max(ROUND, self.config.execution.workers))
        if count <= 0:
            return []
        number = dict.fromkeys(self._specs, 0)
        for one in self.plan.repeats:
            number[one.trial] = one.repeat
        chosen = []
        for trial in self._next(count):
            number[trial] += 1
            chosen.append(Repeat(trial=trial, repeat=number[trial]))
        if chosen:
            self.plan = self.plan.model_copy(update={"repeats": (*self.plan.repeats, *chosen)})
            write_plan(self.run, self.plan)
        return chosen

    def _next(self, count: int) -> list[int]:
        """The trials to train again."""
        ended = ended_trainings(self.run, self.plan, self.config, self.records)
        costs = {trial: stored_costs(self.config, one) for trial, one in self._specs.items()}
        closed = {one.trial for one in self.plan.repeats if one.failure is not None}
        first = [trial for trial in self._likely if trial not in {*ended, *closed}]
        if first:  # by another recipe than the search's, those not yet trained by it
            return first[:count]
        if not ended:
            return []
        records = confirmed_records(self.run, self.config, self.records)
        front = make_front(records, self.config.objectives, self.config.reference_point)
        return next_trainings(
            estimate(self.run, self.plan, self.config, ended),
            {trial: costs[trial] for trial in ended},
            [point.trial for point in front.points],
            count,
            closed,
        )

    @cached_property
    def _likely(self) -> list[int]:
        """Trials that may be on the front by the trainings of the search, the likeliest first.

        By their errors alone: what is judged must not depend on what has been judged before.
        """
        own = Plan()
        ended = ended_trainings(self.run, own, self.config, self.records)
        costs = {trial: stored_costs(self.config, one) for trial, one in self._specs.items()}
        membership = estimate(self.run, own, self.config, ended).on_front(costs)
        likely = [trial for trial, share in membership.items() if share > MAYBE]
        return sorted(likely, key=lambda one: (-membership[one], one))

    def _judge(self) -> None:
        """Have the networks that may be on the front judge every validation image."""
        if self.plan.images is None:
            return
        ended = ended_trainings(self.run, self.plan, self.config, self.records)
        for trial, trainings in ended.items():
            for one in trainings:
                if one.repeat or trial in self._likely:
                    folder = folder_of(self.run, trial, one.repeat)
                    spec = self._specs[trial].spec
                    self.images.judge(folder, spec, self.plan.images, one.error)

    def _train(self, waiting: list[Repeat]) -> None:
        """Train a round to its end."""
        numbers = {(one.trial, one.repeat): at for at, one in enumerate(self.plan.repeats)}
        queue = deque((numbers[one.trial, one.repeat], one) for one in waiting)
        running: dict[int, Repeat] = {}
        evaluator = self._made()
        while queue or evaluator.running:
            while queue and evaluator.free:
                number, one = queue.popleft()
                running[number] = one
                self._start(number, one)
            for finished in evaluator.wait(seconds=1.0):
                self._tell(finished, running[finished.number])

    def _start(self, number: int, one: Repeat) -> None:
        self._begun[number] = time.monotonic()
        self._made().start(number, self._job(one))

    def _job(self, one: Repeat) -> TrainJob:
        record = self._specs[one.trial]
        epochs = self.plan.epochs(self.config)
        job = training_job(record, epochs, self.config, self.run)
        return job.model_copy(
            update={
                "seed": derive_seed(
                    self.config.seed_of_trainings, "confirm", one.trial, one.repeat
                ),
                "folder": self.run.repeat(one.trial, one.repeat).path,
                "log_version": f"confirm_{one.trial:04d}-{one.repeat}",
                "recipe": self.plan.recipe or job.recipe,
            }
        )

    def _tell(self, finished: Finished, one: Repeat) -> None:
        """Note what a training has come to."""
        name = f"trial {one.trial:4d}, repeat {one.repeat}"
        if self._failures.goes_on(finished):
            self.view.event(f"{name}  {finished.reason}; it continues")
            self._start(finished.number, one)
            return
        if finished.no_disk:
            raise WorkFailed(
                f"{name}: {finished.reason}; its checkpoint is whole: when there is room, the same "
                "command continues"
            )
        if finished.fault is PluginFault:
            raise PluginFault(finished.reason)
        for warning in finished.warnings:
            self.view.event(warning)
        seconds = duration(time.monotonic() - self._begun.pop(finished.number))
        if finished.error is None:
            reason = finished.reason or "the training ended without figures"
            self._fail(one, reason)
            self.view.event(f"{name}  failed: {reason}")
            return
        self.view.event(f"{name}  error {finished.error:.6g}  ({seconds})  [{self._spent()}]")

    def _fail(self, failed: Repeat, reason: str) -> None:
        """Store a failure; the network is not trained again.

        Raises:
            WorkFailed: The first trainings have all failed.
        """
        noted = tuple(
            one.model_copy(update={"failure": reason}) if one == failed else one
            for one in self.plan.repeats
        )
        self.plan = self.plan.model_copy(update={"repeats": noted})
        write_plan(self.run, self.plan)
        failures = [one for one in noted if one.failure is not None]
        ended = ended_trainings(self.run, self.plan, self.config, self.records)
        if len(failures) >= HOPELESS and not any(
            one.repeat for trainings in ended.values() for one in trainings
        ):
            error = self.run.repeat(failed.trial, failed.repeat).error
            raise WorkFailed(
                f"the first {len(failures)} trainings have all failed; trial {failed.trial}: {reason} "
                f"(see {error}); when that is fixed, delete {self.run.confirmation.parent} and call "
                f"{run_call('confirm', self.run.name)} again"
            )

    def _made(self) -> Evaluator:
        if self.evaluator is None:
            from nas.searching.executors import make_executor

            if self.config.evaluator is not None:
                load_evaluator(self.config.evaluator)
            self.evaluator = make_executor(self.config)
        return self.evaluator

    def _spent(self) -> str:
        waiting = len(open_repeats(self.run, self.plan, self.config))
        done = len(self.plan.repeats) - waiting
        return f"{done * self.plan.epochs(self.config)} of {plural(self.epochs, 'epoch')}"

    def _said(self) -> str:
        """Why it ends."""
        ended = ended_trainings(self.run, self.plan, self.config, self.records)
        costs = {trial: stored_costs(self.config, self._specs[trial]) for trial in ended}
        left = self.epochs - len(self.plan.repeats) * self.plan.epochs(self.config)
        unsure = undecided(estimate(self.run, self.plan, self.config, ended).on_front(costs))
        if not unsure:
            return "it is decided which networks are on the front"
        who = f"{plural(len(unsure), 'network')} may or may not be on the front"
        if left < self.plan.epochs(self.config):
            return f"{who}; {plural(self.epochs, 'epoch')} spent, {option('epochs')} allows more"
        return f"{who}; further trainings would tell little: the validation images are too few"


def _ended_records(run: RunFolder) -> list[TrialRecord]:
    """The trials of a search that has ended.

    Raises:
        InvalidInput: It has not, or has trained nothing.
    """
    _, records = read_run(run)
    unfinished = sum(one.state in OPEN for one in records)
    if unfinished:
        raise InvalidInput(
            f"{run.path}: {plural(unfinished, 'trial')} of the search not ended; finish it first: "
            f"{call('search', resume=run.name)}"
        )
    if not trained(records):
        raise InvalidInput(f"{run.path}: no trained trial, so no front to confirm")
    return records


def _plan(
    run: RunFolder,
    config: SearchConfig,
    recipe: str | None,
    plan: Plan | None,
    digest: str | None,
) -> Plan:
    """The plan of the run, or a new one.

    Raises:
        InvalidInput: The recipe is unknown or another than the plan's, or the images have changed.
    """
    if recipe is not None:
        check_type(option("recipe"), recipe, str, "a name")
        RECIPES.check(recipe)
    if plan is None:
        own = config.recipe
        names = ("metric", "costs", "balance", "augment", "reparametrise")
        kept = {name: getattr(own, name) for name in names}
        other = None if recipe is None else RECIPES[recipe].model_copy(update=kept)
        return Plan(recipe_name=recipe, recipe=other, images=digest)
    if recipe is not None and recipe != plan.recipe_name:
        before = "the search's recipe" if plan.recipe_name is None else f"recipe {plan.recipe_name}"
        raise InvalidInput(
            f"{option('recipe', recipe)}: {run.confirmation.parent} holds trainings by {before}; "
            "allowed: leave it out, or delete that folder"
        )
    if digest != plan.images:
        raise InvalidInput(
            f"{config.data.name}: the validation images have changed since {run.confirmation} was "
            f"written; allowed: the images of then, or delete {run.confirmation.parent}"
        )
    return plan


def _allowed(
    epochs: int | None, plan: Plan, config: SearchConfig, records: list[TrialRecord]
) -> int:
    """Epochs to train in all.

    Raises:
        InvalidInput: They are too few for one training.
    """
    one = plan.epochs(config)
    if epochs is None:
        front = make_front(records, config.objectives, config.reference_point)
        return PER_NETWORK * len(front.points) * one
    check_type(option("epochs"), epochs, int, "an integer above 0")
    if epochs < one:
        raise InvalidInput(
            f"{option('epochs', epochs)}: one training takes {plural(one, 'epoch')}; allowed: {one} or "
            "more"
        )
    return epochs
