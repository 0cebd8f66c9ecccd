"""Means over trainings with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats


def mean(values: Sequence[float]) -> float:
    """The mean; nan of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def half_width(values: Sequence[float]) -> float:
    """Half the 95 % interval of the mean by Student's t; nan of fewer than two values."""
    if len(values) < 2:
        return math.nan
    return float(stats.sem(values) * stats.t.ppf(0.975, len(values) - 1))
