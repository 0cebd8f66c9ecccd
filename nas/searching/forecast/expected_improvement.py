"""What training a network further is worth: the expected growth of the hypervolume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import qmc

from nas.searching.forecast.model import Forecast

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

LEVELS = 512
"""Points of the cost box at which the front is looked at; a power of two, as Sobol's points want."""
CHUNK = 1_000
"""Networks at a time, which bounds the memory."""


@dataclass(frozen=True)
class ExpectedImprovement:
    """The least error known at each of many points of the box of costs.

    Costs are exact, so only the error of a network is uncertain, and its contribution to the hypervolume
    is the mean over the points of the box that it reaches of how far it lowers the error there. The
    expectation of each term is the expected improvement of a normal variable (Jones et al., 1998), so
    the whole is the expected hypervolume improvement, for any number of costs. Errors and costs may be
    logarithms.

    Attributes:
        points: (LEVELS, C), costs scaled to [0, 1] between the least and the largest.
        least: (LEVELS,), the least error among networks that cost no more than the point.
        floor: To fall below it is worth nothing.
    """

    points: Matrix
    least: Vector
    floor: float = -math.inf

    @classmethod
    def over(
        cls,
        costs: Matrix,
        known: Sequence[int],
        errors: Vector,
        worst: float,
        floor: float = -math.inf,
    ) -> ExpectedImprovement:
        """The expected_improvement once the networks ``known`` have come to ``errors``.

        Args:
            costs: (N, C), of all networks, scaled to [0, 1].
            known: Rows of the networks whose final errors are known or assumed.
            errors: (len(known),).
            worst: The error where no network is known.
            floor: The least error that counts.
        """
        count = costs.shape[1]
        if count == 0:
            points = np.zeros((LEVELS, 0))
        elif count == 1:
            points = ((np.arange(LEVELS) + 0.5) / LEVELS)[:, None]
        else:
            points = qmc.Sobol(count, scramble=False).random(LEVELS)
        least = np.full(LEVELS, worst)
        for row, error in zip(known, errors, strict=True):
            reaches = (costs[row] <= points).all(1)
            least[reaches] = np.minimum(least[reaches], error)
        return cls(points, np.maximum(least, floor), floor)

    def improvement(self, costs: Matrix, predicted: Forecast) -> Vector:
        """Expected growth of the hypervolume by each of the networks, (N,), in units of the error.

        Args:
            costs: (N, C), scaled to [0, 1].
            predicted: Their final errors.
        """
        # The least error is the same at many points: one expectation for each of its values.
        steps, which = np.unique(self.least, return_inverse=True)
        share = np.zeros((len(self.points), len(steps)))
        share[np.arange(len(self.points)), which] = 1 / len(self.points)
        growth = np.empty(len(costs))
        for start in range(0, len(costs), CHUNK):
            part = slice(start, start + CHUNK)
            reaches = (costs[part, None, :] <= self.points[None]).all(2)
            mean, sd = predicted.mean[part, None], predicted.sd[part, None]
            gain = _expected_gain(steps[None] - mean, sd)
            if math.isfinite(self.floor):
                gain -= _expected_gain(self.floor - mean, sd)
            growth[part] = (gain * (reaches @ share)).sum(1)
        return growth

    @property
    def volume(self) -> float:
        """Mean over the box of the least error."""
        return float(self.least.mean())


def _expected_gain(gap: Matrix, sd: Matrix) -> Matrix:
    """By how much a normal variable is expected to fall below a level that is ``gap`` above its mean."""
    density = np.exp(-0.5 * (gap / sd) ** 2) / math.sqrt(2 * math.pi)
    expected: Matrix = gap * ndtr(gap / sd) + sd * density
    return expected
