"""Which network of a front to take."""

from __future__ import annotations

from collections.abc import Mapping

from blocks.errors import InvalidInput
from nas.cost import COSTS, Budgets, Cost
from nas.front.front import Front, FrontPoint
from nas.runs import ERROR


def pick_knee(front: Front) -> FrontPoint:
    """The knee, for those who need one.

    Raises:
        InvalidInput: The front is empty.
    """
    if front.knee is None:
        raise InvalidInput("the front is empty: no trial of this run has been trained yet")
    return front.knee


def pick_within(front: Front, budgets: Budgets, costs: Mapping[str, Cost] = COSTS) -> FrontPoint:
    """The point of the least error among those that keep ``budgets``.

    A cost that is an objective of the front is taken from the point, any other is computed by ``costs``.

    Raises:
        InvalidInput: No point does; the message names the limit that the nearest one breaks.
    """
    error = front.objectives.index(ERROR)
    return min(points_within(front, budgets, costs), key=lambda point: point.values[error])


def points_within(
    front: Front, budgets: Budgets, costs: Mapping[str, Cost] = COSTS
) -> list[FrontPoint]:
    """The points that keep ``budgets``, cheapest first; at least one.

    Raises:
        InvalidInput: No point does; the message names the limit that the nearest one breaks.
    """
    violations = {
        point.trial: budgets.violations(point.spec, _costs_of(point, front, costs))
        for point in front.points
    }
    fitting = [point for point in front.points if not violations[point.trial]]
    if fitting:
        return fitting
    if not front.points:
        raise InvalidInput("the front is empty: no trial of this run has been trained yet")
    nearest = min(
        (max(broken, key=lambda violation: violation.excess) for broken in violations.values()),
        key=lambda violation: violation.excess,
    )
    raise InvalidInput(
        f"no point of the front keeps max_{nearest.cost} {nearest.limit:g}; "
        f"the nearest has {nearest.value:g}"
    )


def _costs_of(point: FrontPoint, front: Front, costs: Mapping[str, Cost]) -> Mapping[str, Cost]:
    """``costs``, but what the run has stored of ``point`` is not computed again."""
    stored = dict(zip(front.objectives, point.values, strict=True))
    known = {name: _constant(stored[name]) for name in costs if name in stored}
    return {**costs, **known}


def _constant(value: float) -> Cost:
    return lambda _spec: value
