"""What a replayed search did, epoch by epoch, and how good what it had trained was by then."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from curves.table import CurveTable

from nas.front import DOZEN, Found, log_budgets, points_lost
from search_spaces import SearchSpace


@dataclass(frozen=True)
class Step:
    """The end of one epoch of one training.

    Attributes:
        time: Simulated seconds since the search began.
        epochs: Epochs that the whole search has spent by then, this one included.
        key: Of the network.
        trained: Epochs this training has now.
        number: Of the trial.
    """

    time: float
    epochs: int
    key: str
    trained: int
    number: int


class Milestone(NamedTuple):
    """The hypervolume share from one moment on."""

    epochs: int
    time: float
    share: float


@dataclass(frozen=True)
class Trace:
    """All epochs of a search, in the order in which they ended.

    Attributes:
        searcher: Name of what searched.
        seed: Of the searcher.
        workers: Trainings at a time.
        steps: One an epoch.
    """

    searcher: str
    seed: int
    workers: int
    steps: tuple[Step, ...]

    def once(self) -> Trace:
        """The same search where a network that is known costs nothing, as in ``nas search``."""
        first = self._first()
        kept = (step for step in self.steps if step.number == first[step.key])
        steps = tuple(replace(step, epochs=epochs) for epochs, step in enumerate(kept, 1))
        return replace(self, searcher=f"{self.searcher}_once", steps=steps)

    def milestones(self, table: CurveTable) -> list[Milestone]:
        """The moments at which a network within the limit was trained in full for the first time."""
        done: list[str] = []
        found = []
        for step in self.steps:
            new = step.trained >= table.epochs and step.key in table.feasible
            if new and step.key not in done:
                done.append(step.key)
                found.append(Milestone(step.epochs, step.time, table.share(done)))
        return found

    def curve(self, table: CurveTable, epochs_grid: Sequence[float]) -> np.ndarray:
        """The hypervolume share once so many epochs are spent, for each entry of the grid."""
        found = self.milestones(table)
        return _step_function([one.epochs for one in found], found, epochs_grid)

    def curve_over_time(self, table: CurveTable, seconds_grid: Sequence[float]) -> np.ndarray:
        """The hypervolume share after so many simulated seconds, for each entry of the grid."""
        found = self.milestones(table)
        return _step_function([one.time for one in found], found, seconds_grid)

    def lost(self, table: CurveTable, epochs: int) -> float:
        """Points lost at a dozen budgets by the networks trained in full within so many epochs."""
        points = {key: (table.mflops[key], float(table.errors[key][-1])) for key in table.feasible}
        costs = [table.mflops[key] for key in table.front]
        found = [
            Found(*points[step.key], points[step.key][1])
            for step in self.steps
            if step.epochs <= epochs and step.trained >= table.epochs and step.key in points
        ]
        # At the cheapest network alone there is nothing to choose from.
        budgets = log_budgets(min(costs), max(costs), DOZEN + 1)[1:]
        nothing = max(error for _, error in points.values())
        return points_lost(found, list(points.values()), budgets, nothing)

    def epochs_to(self, table: CurveTable, share: float) -> float:
        """Epochs spent until the share was reached; ``math.inf`` when it never was."""
        reached = (one.epochs for one in self.milestones(table) if one.share >= share)
        return next(reached, math.inf)

    def seconds_to(self, table: CurveTable, share: float) -> float:
        """Simulated seconds until the share was reached; ``math.inf`` when it never was."""
        reached = (one.time for one in self.milestones(table) if one.share >= share)
        return next(reached, math.inf)

    def duplicate_epochs(self) -> int:
        """Epochs spent on a network that an earlier trial had begun to train."""
        first = self._first()
        return sum(step.number != first[step.key] for step in self.steps)

    def _first(self) -> dict[str, int]:
        """The first trial of each network."""
        first: dict[str, int] = {}
        for step in self.steps:
            # The earlier trial has the lower number, even where the later one's epoch ends first.
            first[step.key] = min(step.number, first.get(step.key, step.number))
        return first

    def infeasible_epochs(self, table: CurveTable) -> int:
        """Epochs spent on networks over the table's limit."""
        return sum(step.key not in table.feasible for step in self.steps)


Searcher: TypeAlias = Callable[[CurveTable, SearchSpace, int, int, int], Trace]
"""Replays a search: called with the table, its bound space, the seed, the workers and the epochs."""


def _step_function(at: list[float], found: list[Milestone], grid: Sequence[float]) -> np.ndarray:
    shares = np.array([0.0, *(one.share for one in found)])
    return shares[np.searchsorted(np.array(at, dtype=float), np.asarray(grid), side="right")]
