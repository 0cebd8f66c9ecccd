"""The front of a run that was confirmed: means, intervals, and what can be told apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blocks.wording import plural
from nas.front import Front, FrontPoint, make_front
from nas.runs import RunFolder, TrialRecord
from nas.searching.config import SearchConfig
from nas.searching.confirm.answers import read_right
from nas.searching.confirm.choice import MAYBE
from nas.searching.confirm.estimates import Estimates, Trainings
from nas.searching.confirm.stored import (
    Ended,
    Plan,
    confirmed_records,
    ended_trainings,
    folder_of,
    open_repeats,
    read_plan,
    stored_costs,
    validation_images,
)
from nas.searching.reading import read_run
from nas.training.intervals import Rate
from nas.training.recipe import METRICS, Metric, metric_text

LISTED = 10
"""Networks that a sentence names at most."""


@dataclass(frozen=True)
class Step:
    """Two neighbours on a front.

    Attributes:
        cheaper: Trial of the cheaper network.
        dearer: Trial of the other.
        difference: Error of the cheaper less that of the other, with its 95 % interval.
    """

    cheaper: int
    dearer: int
    difference: Rate

    @property
    def decided(self) -> bool:
        """Whether one of the two has the smaller expected error, at 95 %."""
        return not self.difference.overlaps(0.0)


@dataclass(frozen=True)
class ConfirmedFront:
    """A front of mean errors, with what is known of each and of its neighbours.

    Attributes:
        front: Of the mean errors.
        recipe: Name of the recipe of the trainings; None: that of the search.
        rates: Trial -> its mean error with a 95 % interval, for every network that was trained.
        trainings: Trial -> number of its trainings, by the recipe.
        membership: Trial -> probability that it is on the front of expected errors.
        steps: Neighbours on the front, cheapest first.
        epochs: Epochs that the repeats have taken.
        by_image: Whether networks are compared image by image; else intervals of differences, or all
            intervals of a metric that is no share of images, are for the seeds alone.
        images: Number of validation images, if it is known.
        metric: What the error is.
        estimates: The figures that all others are made of.
        unfinished: Trainings that were begun, or chosen, and have not ended.
        left_out: Trials of the search's front that the recipe has not trained, if it is another than the
            search's: their errors are of another kind.

    Examples:
        >>> import nas
        >>> done = nas.open_run("example").confirm(epochs=2, progress=False)
        >>> set(done.trainings) == set(done.rates)
        True
    """

    front: Front
    recipe: str | None
    rates: Mapping[int, Rate]
    trainings: Mapping[int, int]
    membership: Mapping[int, float]
    steps: tuple[Step, ...]
    epochs: int
    by_image: bool
    images: int | None
    metric: Metric
    estimates: Estimates
    unfinished: int = 0
    left_out: tuple[int, ...] = ()

    @property
    def decided(self) -> int:
        """Steps of the front in which it is known which network is better."""
        return sum(step.decided for step in self.steps)

    @property
    def candidates(self) -> tuple[int, ...]:
        """Networks behind the front that may be on it, the likeliest first."""
        on_front = {point.trial for point in self.front.points}
        maybe = [
            trial
            for trial, share in self.membership.items()
            if share > MAYBE and trial not in on_front
        ]
        return tuple(sorted(maybe, key=lambda one: (-self.membership[one], one)))

    @property
    def doubtful(self) -> tuple[int, ...]:
        """Networks of the front that may not be on it, cheapest first."""
        front = (point.trial for point in self.front.points)
        return tuple(trial for trial in front if self.membership[trial] < 1 - MAYBE)

    def alike(self, trial: int) -> tuple[int, ...]:
        """The neighbours of a network of the front that cannot be told apart from it."""
        sides = [(step.cheaper, step.dearer) for step in self.steps if not step.decided]
        return tuple(b if trial == a else a for a, b in sides if trial in (a, b))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a person should know of the front."""
        repeats = self.estimates.repeats if self.recipe is None else sum(self.trainings.values())
        how = "the search's recipe" if self.recipe is None else f"recipe {self.recipe}"
        said = [
            f"errors are means over trainings with different seeds ({how}): "
            f"{plural(repeats, 'further training')}, {plural(self.epochs, 'epoch')}; intervals of 95 % "
            f"{self._covered}"
        ]
        if self.steps:
            said.append(f"{self.decided} of {plural(len(self.steps), 'step')} decided at 95 %")
        apart = [f"{one.cheaper} and {one.dearer}" for one in self.steps if not one.decided]
        if apart:
            said.append(f"cannot be told apart: trials {', '.join(apart)}")
        if doubtful := self.doubtful:
            said.append(f"on the front, but not surely: {self._likely(doubtful)}")
        if self.candidates:
            said.append(f"perhaps on the front as well: {self._likely(self.candidates)}")
        if self.left_out:
            said.append(
                f"on the front of the search, left out here because {how} has not trained them yet: "
                f"{_listed(list(map(str, self.left_out)))}"
            )
        if self.unfinished:
            said.append(
                f"unfinished: {plural(self.unfinished, 'training')}; the same nas confirm continues"
            )
        return tuple(said)

    def _likely(self, trials: Sequence[int]) -> str:
        """The first of some trials, with their probability to be on the front."""
        first, *others = (f"{100 * self.membership[one]:.0f} %" for one in trials)
        shares = [f"probability {first}", *others]
        return _listed([f"{one} ({share})" for one, share in zip(trials, shares, strict=True)])

    def not_worse(self, best: FrontPoint, among: list[FrontPoint]) -> FrontPoint:
        """The cheapest of some points that is not worse than ``best`` at 95 %."""
        return next(
            (one for one in among if not self.estimates.better(best.trial, one.trial)), best
        )

    def worse_by(self, one: FrontPoint, best: FrontPoint) -> str:
        """What is known of the difference of two networks, in words."""
        if one.trial == best.trial:
            return f"trial {one.trial} has the least mean error; no cheaper one of the front is as good"
        most = metric_text(self.metric, self.estimates.difference(one.trial, best.trial).high)
        return (
            f"that trial {one.trial} is worse than the best, trial {best.trial}, is not shown; at 95 % "
            f"it is worse by at most {most.replace(' %', ' points')}"
        )

    def to_json(self) -> dict[str, Any]:
        """Its figures for programs, without the front."""
        return {
            "recipe": self.recipe,
            "epochs": self.epochs,
            "metric": self.metric,
            "by_image": self.by_image,
            "unfinished": self.unfinished,
            "left_out": list(self.left_out),
            "steps": [
                {
                    "cheaper": step.cheaper,
                    "dearer": step.dearer,
                    "difference": step.difference.value,
                    "interval": [step.difference.low, step.difference.high],
                    "decided": step.decided,
                }
                for step in self.steps
            ],
            "networks": [
                {
                    "trial": trial,
                    "error": rate.value,
                    "interval": [rate.low, rate.high],
                    "trainings": self.trainings[trial],
                    "on_front": self.membership[trial],
                }
                for trial, rate in self.rates.items()
            ],
        }

    @property
    def _covered(self) -> str:
        if self.by_image:
            return f"for seeds and n = {self.images:,} validation images"
        if self.metric != "error":
            return f"for seeds alone: the {METRICS[self.metric]} is not compared image by image"
        if self.images is None:
            return "for seeds alone: the number of validation images is not known"
        return (
            f"for seeds and n = {self.images:,} validation images; networks are compared by seeds "
            "alone, since it is not known which images each gets right"
        )


def _listed(trials: Sequence[str]) -> str:
    """``trial 3, 7``; the first of many."""
    return f"trial {', '.join(trials[:LISTED])}" + (", ..." if len(trials) > LISTED else "")


def read_confirmed(run: RunFolder) -> ConfirmedFront | None:
    """What ``nas confirm`` has found out about a run; None: it was never called, or has no training yet.

    Raises:
        InvalidInput: Files of the run are damaged.
    """
    plan = read_plan(run)
    if plan is None:
        return None
    config, records = read_run(run)
    ended = ended_trainings(run, plan, config, records)
    if not ended:
        return None
    estimates = estimate(run, plan, config, ended)
    costs = {one.number: stored_costs(config, one) for one in records if one.number in ended}
    front = make_front(
        confirmed_records(run, config, records), config.objectives, config.reference_point
    )
    repeats = sum(one.repeat > 0 for trainings in ended.values() for one in trainings)
    return ConfirmedFront(
        front=front,
        recipe=plan.recipe_name,
        rates={number: estimates.interval(number) for number in ended},
        trainings={number: len(trainings) for number, trainings in ended.items()},
        membership=estimates.on_front(costs),
        steps=tuple(
            Step(a.trial, b.trial, estimates.difference(a.trial, b.trial))
            for a, b in pairwise(front.points)
        ),
        epochs=repeats * plan.epochs(config),
        by_image=all(estimates.networks[point.trial].right is not None for point in front.points),
        images=estimates.images,
        metric=config.recipe.metric,
        estimates=estimates,
        unfinished=len(open_repeats(run, plan, config)),
        left_out=() if plan.recipe is None else _left_out(config, records, ended),
    )


def _left_out(
    config: SearchConfig, records: Sequence[TrialRecord], ended: Collection[int]
) -> tuple[int, ...]:
    """Trials of the search's front that another recipe has not trained."""
    front = make_front(records, config.objectives, config.reference_point)
    return tuple(point.trial for point in front.points if point.trial not in ended)


def estimate(
    run: RunFolder, plan: Plan, config: SearchConfig, ended: Mapping[int, list[Ended]]
) -> Estimates:
    """The expected errors of all networks with a training by the recipe of a plan."""
    networks = {
        number: Trainings(
            tuple(one.error for one in trainings), _answers(run, plan, number, trainings)
        )
        for number, trainings in ended.items()
    }
    return Estimates(
        networks,
        validation_images(run, ended),
        shares=config.recipe.metric == "error",
        worst=config.recipe.worst,
    )


def _answers(
    run: RunFolder, plan: Plan, number: int, trainings: list[Ended]
) -> NDArray[np.bool_] | None:
    """(S, N) of those trainings whose answers are known."""
    if plan.images is None:
        return None
    found = [read_right(folder_of(run, number, one.repeat), plan.images) for one in trainings]
    known = [one for one in found if one is not None]
    return np.stack(known) if known else None
