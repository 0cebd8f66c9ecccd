"""What a rule of early stopping sees of each network in training, and where trainings pause."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from blocks.spec import ArchSpec

ETA = 3
"""Of the trainings at a rung one in so many continues; a rung is so many times the one before."""


@dataclass(frozen=True)
class TrialSnapshot:
    """A network whose training has begun.

    Attributes:
        key: Of the network. Ties are broken by it, so that no decision depends on who came first.
        costs: Its exact costs, one a cost objective, lower is better.
        errors: Validation errors at the rungs it has reached, the first rung's first.
        losses: Training losses there, each the mean over the epoch that ended there; empty: not known.
        running: Whether it is in training now; else it waits, or has reached the last rung, or was given
            up.
        stopped: Whether it was given up, when a search that is resumed now ended. Others are still
            compared with it.
        spec: The network; None: not known, as in tables of others.
    """

    key: str
    costs: tuple[float, ...]
    errors: tuple[float, ...]
    losses: tuple[float, ...] = ()
    running: bool = False
    stopped: bool = False
    spec: ArchSpec | None = field(default=None, compare=False)

    def rung_metric(self, rung: int) -> float:
        """What it is compared by at a rung, lower is better: its training loss there.

        How fast a network comes to fit its images tells its end better than its validation error in the
        midst of training (Ru et al., NeurIPS 2021; measured: docs/results/search_efficiency). Where
        losses are not known it is the error. What is not a number is worse than anything.
        """
        return as_loss(self.losses[rung] if self.losses else self.errors[rung])


def rungs_of(epochs: int) -> tuple[int, ...]:
    """The epochs at which a training of ``epochs`` pauses; the last is its end.

    Each is a third of the next, rounded down: 9 gives 1, 3, 9.
    """
    rungs = [epochs]
    while rungs[0] >= ETA:
        rungs.insert(0, rungs[0] // ETA)
    return tuple(rungs)


def at_rung(snapshots: Sequence[TrialSnapshot], rung: int) -> list[TrialSnapshot]:
    """Those that have reached the rung, whether or not they went on from there."""
    return [one for one in snapshots if len(one.errors) > rung]


def waiting_at(snapshots: Sequence[TrialSnapshot], rung: int) -> list[TrialSnapshot]:
    """Those that wait there."""
    here = [one for one in snapshots if len(one.errors) == rung + 1]
    return [one for one in here if not one.running and not one.stopped]


def as_loss(figure: float) -> float:
    """A figure that can be compared: what is not a number is worse than anything."""
    return math.inf if math.isnan(figure) else figure
