"""How far the errors of a front can be trusted: 95 % intervals for the validation images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from nas.evaluation import Rate, wilson
from nas.front import Front
from nas.runs import ERROR, RunFolder
from nas.searching.reading import read_config
from nas.training import read_metrics
from nas.training.recipe import METRICS, Metric, metric_text

if TYPE_CHECKING:
    from nas.searching.confirm import ConfirmedFront


@dataclass(frozen=True)
class Uncertainty:
    """The intervals of the errors of a front.

    Attributes:
        rates: Trial -> its error with its interval: Wilson's of a share of images; for other metrics the
            one that the training has kept. Trials without are left out: those of earlier versions, and
            those of an evaluator of one's own that does not say how many images it saw.
        images: Trial -> number of validation images.
        steps: Neighbouring points of the front that both have an interval.
        unsure: Those of them in which one of the errors lies in the interval of the other.
        metric: What the error is.
        confirmed: What ``nas confirm`` has found out; intervals are then for seeds as well. None: it was
            not called.
    """

    rates: Mapping[int, Rate] = field(default_factory=dict)
    images: Mapping[int, int] = field(default_factory=dict)
    steps: int = 0
    unsure: int = 0
    metric: Metric = "error"
    confirmed: ConfirmedFront | None = None

    @property
    def sentence(self) -> str:
        """What to know of the front; empty when there is nothing."""
        if self.confirmed is not None:
            return "; ".join(self.confirmed.sentences)
        counts = sorted(set(self.images.values()))
        if not counts:
            return ""
        n = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
        if not self.rates:
            return (
                f"the {METRICS[self.metric]} is of n = {n} validation images, without an interval; nas "
                "evaluate gives one"
            )
        if not self.unsure:
            return ""
        return (
            f"{self.unsure} of {self.steps} steps of the front are smaller than the uncertainty of "
            f"n = {n} validation images"
        )


def interval_text(metric: Metric, rate: Rate) -> str:
    """The ends of an interval in the unit of the metric: ``1.4 to 16.5``."""
    low, high = (metric_text(metric, end, 1).partition(" ")[0] for end in (rate.low, rate.high))
    return f"{low} to {high}"


def front_uncertainty(run: RunFolder, front: Front) -> Uncertainty:
    """The intervals of the errors of the front of a run; only files of the run are read."""
    metric = read_config(run).recipe.metric
    if run.confirmation.is_file():
        found = _confirmed(run, front, metric)
        if found is not None:
            return found
    rates: dict[int, Rate] = {}
    images: dict[int, int] = {}
    place = front.objectives.index(ERROR) if ERROR in front.objectives else None
    for point in front.points if place is not None else ():
        epochs = read_metrics(run.trial(point.trial))
        last = epochs[-1] if epochs else None
        if last is None or not last.val_images or place is None:
            continue
        error = point.values[place]
        if metric == "error" and 0 <= error <= 1:
            rates[point.trial] = wilson(round(error * last.val_images), last.val_images)
        elif metric != "error" and last.val_interval is not None:
            rates[point.trial] = Rate(error, *last.val_interval)
        images[point.trial] = last.val_images
    known = [rates[point.trial] for point in front.points if point.trial in rates]
    pairs = list(pairwise(known))
    unsure = sum(one.overlaps(other.value) or other.overlaps(one.value) for one, other in pairs)
    return Uncertainty(rates, images, len(pairs), unsure, metric)


def _confirmed(run: RunFolder, front: Front, metric: Metric) -> Uncertainty | None:
    """The intervals of a run that was confirmed."""
    from nas.searching.confirm import read_confirmed  # numpy: most runs need none

    found = read_confirmed(run)
    if found is None:
        return None
    on_front = [point.trial for point in front.points if point.trial in found.rates]
    return Uncertainty(
        {trial: found.rates[trial] for trial in on_front},
        {} if found.images is None else dict.fromkeys(on_front, found.images),
        len(found.steps),
        len(found.steps) - found.decided,
        metric,
        found,
    )
