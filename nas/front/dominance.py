"""Which points no other point dominates."""

from __future__ import annotations

from collections.abc import Sequence
from operator import le


def non_dominated(values: Sequence[Sequence[float]]) -> list[bool]:
    """Which of ``values`` no other one dominates.

    A point dominates another that is no better in any objective and worse in one; of equal points none
    does.

    Args:
        values: One point each; all objectives are minimised; none is NaN.

    Returns:
        One truth value per point, in their order.
    """
    points = [tuple(point) for point in values]
    best: list[tuple[float, ...]] = []
    # A point is dominated only by one before it in this order, and then by one of the best so far.
    # Of two objectives the last of the best has the least second value.
    for point in sorted(set(points)):
        rivals = best[-1:] if len(point) == 2 else best
        if not any(all(map(le, rival, point)) for rival in rivals):
            best.append(point)
    chosen = set(best)
    return [point in chosen for point in points]
