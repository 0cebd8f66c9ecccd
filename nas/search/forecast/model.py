"""The final error of every network, foretold from the trainings so far.

Two regressions, one on the other. The first moves what a training has shown at a rung to the end of
training: by how much the logarithm of the error still falls, learnt from the trainings that have gone on
from there, and as a linear function of the network, because slow learners fall further. The second is a
Gaussian process over the networks, in which each begun training is one observation as uncertain as it
is far from its end, and networks alike in their fields and costs are alike in error.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern
from sklearn.linear_model import BayesianRidge
from threadpoolctl import threadpool_limits

from nas.search.early_stopping.contender import Contender, as_loss

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

FEW = 4
"""With fewer trainings that went on from a rung, what it shows counts for next to nothing."""
UNKNOWN_FALL = 1.0
"""Standard deviation of the fall of the log error between rungs as long as too few have shown it."""
LEAST_SD = 0.02
"""A training repeated with another seed differs by about so much of its error at the least."""


@dataclass(frozen=True)
class Forecast:
    """Final errors of N networks, each normally distributed.

    Attributes:
        mean: (N,).
        sd: (N,), above 0.
        doubt: (R,), for each rung the standard deviation of the logarithm of the final error of a
            network of which only its error there is known; infinite as long as nothing shows it.
    """

    mean: Vector
    sd: Vector
    doubt: Vector


def forecast(
    features: Matrix, rows: Mapping[str, int], contenders: Sequence[Contender], rungs: int
) -> Forecast:
    """Foretell the final error of every network.

    Args:
        features: (N, F), of all networks.
        rows: Key of a network -> its row.
        contenders: Those begun; at least one has an error. Their order does not matter.
        rungs: How many there are.
    """
    # A fixed order: sums in another one differ in their last digits.
    begun = sorted((c for c in contenders if c.errors and c.key in rows), key=lambda c: c.key)
    at = np.array([rows[one.key] for one in begun])
    level, own_doubt, doubt = _moved_to_the_end(features, at, begun, rungs)
    centre, scale = float(level.mean()), float(level.std()) or 1.0
    regression = GaussianProcessRegressor(
        _kernel(features.shape[1]), alpha=(own_doubt / scale) ** 2, n_restarts_optimizer=0
    )
    # One thread: those of a small matrix would wait actively for cores that trainings need.
    with warnings.catch_warnings(), threadpool_limits(1):
        # Few points leave a scale at a bound, which is no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(features[at], (level - centre) / scale)
        mean, sd = regression.predict(features, return_std=True)
    mean, sd = mean * scale + centre, np.maximum(sd * scale, LEAST_SD)
    error = np.exp(mean)
    return Forecast(error, error * sd, doubt)


def _kernel(width: int) -> object:
    """Linear effects, smooth ones, and what makes a network differ from all that are like it."""
    near = np.sqrt(max(width, 1))
    own = ConstantKernel(0.05, (1e-3, 1.0)) * RBF(1e-3, "fixed")
    smooth = ConstantKernel(0.5, (1e-2, 1e1)) * Matern(near, (near / 3, near * 10), nu=2.5)
    return ConstantKernel(0.1, (1e-3, 1e1)) * DotProduct(1.0, "fixed") + smooth + own


def _moved_to_the_end(
    features: Matrix, at: NDArray[np.int64], begun: Sequence[Contender], rungs: int
) -> tuple[Vector, Vector, Vector]:
    """Log error at the last rung as it is expected of each, its doubt, and the doubt at each rung."""
    logs = [[float(np.log(max(min(as_loss(e), 1.0), 1e-4))) for e in one.errors] for one in begun]
    level = np.array([one[-1] for one in logs])
    variance = np.full(len(begun), LEAST_SD**2)
    reached = np.array([len(one) for one in logs])
    steps = np.full(rungs, LEAST_SD**2)
    for rung in range(rungs - 1):
        passed = np.flatnonzero(reached > rung + 1)
        still = np.flatnonzero(reached <= rung + 1)
        falls = np.array([logs[i][rung + 1] - logs[i][rung] for i in passed])
        mean, sd = _fall(features[at[passed]], falls, features[at])
        level[still] += mean[still]
        variance[still] += sd[still] ** 2
        steps[rung] = np.inf if len(falls) < FEW else np.mean(sd**2)
    # From a rung to the end: all steps from there on.
    return level, np.sqrt(variance), np.sqrt(np.cumsum(steps[::-1])[::-1])


def _fall(seen: Matrix, falls: Vector, wanted: Matrix) -> tuple[Vector, Vector]:
    """How far the log error falls between two rungs: mean and standard deviation for ``wanted``."""
    if len(falls) < FEW or seen.shape[1] == 0:
        middle = float(falls.mean()) if len(falls) else 0.0
        return np.full(len(wanted), middle), np.full(len(wanted), UNKNOWN_FALL)
    ridge = BayesianRidge().fit(seen, falls)
    mean, sd = ridge.predict(wanted, return_std=True)
    return mean, np.maximum(sd, max(LEAST_SD, _left_out_error(ridge, seen, falls)))


def _left_out_error(ridge: BayesianRidge, seen: Matrix, falls: Vector) -> float:
    """Root mean square error of each fall foretold from the others.

    The regression's own doubt is too small where there are as many figures as trainings.
    """
    centred = seen - seen.mean(0)
    penalty = ridge.lambda_ / ridge.alpha_ * np.eye(seen.shape[1])
    hat = centred @ np.linalg.solve(centred.T @ centred + penalty, centred.T) + 1 / len(falls)
    misses = (falls - ridge.predict(seen)) / np.maximum(1 - np.diag(hat), 1e-3)
    return float(np.sqrt(np.mean(misses**2)))
