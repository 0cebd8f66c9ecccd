"""The Pareto front of trained networks, and its hypervolume."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from blocks.wording import plural
from nas.front.budgets import readable_budgets
from nas.front.dominance import non_dominated
from nas.runs import ERROR, TrialRecord, TrialState

if TYPE_CHECKING:
    from blocks import ArchSpec


@dataclass(frozen=True)
class FrontPoint:
    """A network that no other trained network beats in every objective.

    Attributes:
        trial: Number of the trial that trained it.
        key: Canonical key of the network.
        spec: The network.
        values: One figure per objective, in the front's order.

    Examples:
        >>> import nas
        >>> point = nas.open_run("example").pick("knee")
        >>> nas.count(point.spec).mflops == point.values[1]
        True
    """

    trial: int
    key: str
    spec: ArchSpec
    values: tuple[float, ...]

    def __repr__(self) -> str:
        figures = ", ".join(f"{value:.6g}" for value in self.values)
        return f"FrontPoint(trial={self.trial}, values=({figures}), unit={self.spec.label!r})"


@dataclass(frozen=True)
class BestWithin:
    """What a budget buys.

    Attributes:
        cost: Name of the cost that is bounded.
        budget: The most that a network may cost.
        point: The point of the front of the least error within it.
        error: Of that point.
    """

    cost: str
    budget: float
    point: FrontPoint
    error: float


@dataclass(frozen=True)
class Front:
    """A Pareto front.

    Attributes:
        objectives: Names, all minimised.
        reference: The worst corner of the box; see ``Candidates.reference``.
        points: Cheapest first (by the first objective that is no error), each network once.

    Examples:
        >>> import nas
        >>> front = nas.open_run("example").front
        >>> front.objectives, front.knee in front.points
        (('error', 'mflops'), True)
    """

    objectives: tuple[str, ...]
    reference: tuple[float, ...]
    points: tuple[FrontPoint, ...]

    def __repr__(self) -> str:
        trials = ", ".join(str(point.trial) for point in self.points)
        what = f"{plural(len(self.points), 'point')} by {' and '.join(self.objectives)}"
        return f"Front({what}: trials [{trials}])"

    @cached_property
    def hypervolume(self) -> float:
        """Share of the box between the origin and the reference that the front dominates, 0 to 1."""
        return hypervolume([point.values for point in self.points], self.reference)

    @property
    def knee(self) -> FrontPoint | None:
        """The point where the front bends most; None when the front is empty.

        Every objective is scaled to [0, 1] over the front; the knee is the point of the least sum. For
        two objectives that is the point farthest below the line through the extremes. Of equals the
        cheapest.
        """
        if not self.points:
            return None
        columns = list(zip(*(point.values for point in self.points), strict=True))
        spans = [(min(column), (max(column) - min(column)) or 1.0) for column in columns]

        def height(point: FrontPoint) -> float:
            scaled = zip(point.values, spans, strict=True)
            return math.fsum((value - low) / span for value, (low, span) in scaled)

        return min(self.points, key=height)

    def best_within(self) -> tuple[BestWithin, ...]:
        """The least error within each of a dozen budgets of every cost.

        The budgets of a cost reach from the cheapest point of the front to the dearest, in equal steps
        of the logarithm, rounded up to three digits.

        Returns:
            Cost by cost, the smallest budget first; nothing where the error is no objective.

        Examples:
            >>> import nas
            >>> best = nas.open_run("example").front.best_within()
            >>> best[-1].point.values[1] <= best[-1].budget
            True
        """
        if ERROR not in self.objectives or not self.points:
            return ()
        of_error = self.objectives.index(ERROR)
        found = []
        for place, cost in enumerate(self.objectives):
            if place == of_error:
                continue
            costs = [point.values[place] for point in self.points]
            for budget in readable_budgets(min(costs), max(costs)):
                within = [one for one in self.points if one.values[place] <= budget]
                best = min(within, key=lambda one: (one.values[of_error], one.values, one.trial))
                found.append(BestWithin(cost, budget, best, best.values[of_error]))
        return tuple(found)

    def to_json(self) -> str:
        """The front as pareto.json keeps it."""
        document = {
            "objectives": list(self.objectives),
            "reference": list(self.reference),
            "hypervolume": self.hypervolume,
            "knee": self.knee and self.knee.trial,
            "front": [
                {
                    "trial": point.trial,
                    "key": point.key,
                    "values": dict(zip(self.objectives, point.values, strict=True)),
                    "arch": point.spec.model_dump(mode="json"),
                }
                for point in self.points
            ],
        }
        return json.dumps(document, indent=2) + "\n"


def make_front(
    records: Sequence[TrialRecord], objectives: tuple[str, ...], reference: tuple[float, ...]
) -> Front:
    """The front of all trained networks.

    A network with a figure that is not finite is left out. Of networks with equal figures all stay;
    each network stands once, under the trial that trained it.
    """
    trained = [
        one
        for one in records
        if one.state is TrialState.TRAINED and all(math.isfinite(value) for value in one.values)
    ]
    on_front = non_dominated([one.values for one in trained])
    points = [
        FrontPoint(one.number, one.key, one.spec, one.values)
        for one, is_best in zip(trained, on_front, strict=True)
        if is_best
    ]
    costs = [index for index, name in enumerate(objectives) if name != ERROR] or [0]
    points.sort(key=lambda point: (point.values[costs[0]], point.values, point.trial))
    return Front(objectives, reference, tuple(points))


def hypervolume(values: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """Share of the box [0, reference] that ``values`` dominate, by Optuna's exact algorithm.

    Points beyond the reference count as far as they reach into the box.
    """
    if not values:
        return 0.0
    # Here: most fronts are read without a hypervolume being computed.
    import numpy as np

    from nas.study import dominated_volume

    scaled = np.minimum(np.asarray(values, dtype=float) / np.asarray(reference, dtype=float), 1.0)
    return dominated_volume(scaled, np.ones(len(reference)))
