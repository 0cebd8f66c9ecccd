"""What can be had within a budget: the best errors at a dozen limits, and what a search loses there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

DOZEN = 12
"""Budgets of a table."""
DIGITS = 3
"""Significant digits of a budget of a table."""


class Found(NamedTuple):
    """A network that a search has trained.

    Attributes:
        cost: Exact.
        shown: The error by which it is picked.
        true: The error by which it is judged, such as that of another training.
    """

    cost: float
    shown: float
    true: float


def log_budgets(least: float, most: float, count: int = DOZEN) -> tuple[float, ...]:
    """Budgets from ``least`` to ``most``, both included, in equal steps of the logarithm.

    Costs that are not above 0 have no logarithm; their budgets are in equal steps of the cost.

    Args:
        least: The smallest budget.
        most: The largest one, not below ``least``. Of equal ends there is one budget.
        count: How many.
    """
    if least == most or count < 2:
        return (most,)
    parts = [step / (count - 1) for step in range(1, count - 1)]
    if least > 0:
        between = [least * (most / least) ** part for part in parts]
    else:
        between = [least + (most - least) * part for part in parts]
    return (least, *between, most)


def readable_budgets(least: float, most: float, count: int = DOZEN) -> tuple[float, ...]:
    """The same, rounded up to three digits; each once."""
    return tuple(dict.fromkeys(map(_rounded_up, log_budgets(least, most, count))))


def points_lost(
    found: Sequence[Found],
    there: Sequence[tuple[float, float]],
    budgets: Sequence[float],
    nothing: float = 1.0,
) -> float:
    """Mean over budgets of the error of the network that is picked there, less the least there is.

    The yardstick of searches for users, who have one budget and take the best network within it. A
    hypervolume is for the most part about the cheapest networks of a front.

    Args:
        found: What was trained; the least ``shown`` within a budget is picked.
        there: Cost and true error of all networks that could have been trained.
        budgets: One at which nothing is there does not count.
        nothing: The error where nothing was found within a budget.

    Returns:
        Percentage points; 0 at the best. nan: there is nothing within any budget.

    Examples:
        >>> points_lost([Found(2, 0.2, 0.25)], [(1, 0.4), (2, 0.2)], [1, 2], nothing=0.9)
        27.5
    """
    losses = []
    for budget in budgets:
        possible = [error for cost, error in there if cost <= budget]
        if not possible:
            continue
        within = [one for one in found if one.cost <= budget]
        # Of equal ones the cheapest, as a front has it.
        picked = min(within, key=lambda one: (one.shown, one.cost)).true if within else nothing
        losses.append(picked - min(possible))
    return 100 * math.fsum(losses) / len(losses) if losses else math.nan


def _rounded_up(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - DIGITS + 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.12g}")
