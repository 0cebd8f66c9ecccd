"""The final error of every network, predicted from the trainings so far.

Two regressions, one on the other. The first moves what a training has shown at a rung to the end of
training: by how much the logarithm of the error still falls, learnt from the trainings that have gone on
from there, and as a linear function of what was shown and of the network, because slow learners fall
further. What is shown is the validation error and the training loss: how fast a network has come to fit
its images says more about its end than its early errors do (Ru et al., NeurIPS 2021). The second is a
Gaussian process over the networks, in which each begun training is one observation as uncertain as it
is far from its end, and networks alike in their fields and costs are alike in error.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern
from sklearn.linear_model import BayesianRidge
from threadpoolctl import threadpool_limits

from nas.searching.acquisition import LEAST_ERROR
from nas.searching.early_stopping.snapshot import TrialSnapshot, as_loss

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

FEW = 4
"""With fewer trainings that went on from a rung, what it shows counts for next to nothing."""
UNKNOWN_FALL = 1.0
"""Standard deviation of the fall of the log error between rungs as long as too few have shown it."""
LEAST_SD = 0.02
"""A training repeated with another seed differs by about so much of its error at the least."""

OWN_SHARE = 0.5
"""Of the binomial variance of an error, what is not common to all networks: they see the same images.

Measured: 0.52 between seeds of the 6,561 networks of NAS-Bench-Macro."""


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
    features: Matrix,
    rows: Mapping[str, int],
    snapshots: Sequence[TrialSnapshot],
    rungs: int,
    images: int | None = None,
) -> Forecast:
    """Predict the final error of every network.

    Args:
        features: (N, F), of all networks.
        rows: Key of a network -> its row.
        snapshots: Those begun; at least one has an error. Their order does not matter.
        rungs: How many there are.
        images: By which the errors were measured; None: so many that they add no doubt.
    """
    # A fixed order: sums in another one differ in their last digits.
    begun = sorted((c for c in snapshots if c.errors and c.key in rows), key=lambda c: c.key)
    at = np.array([rows[one.key] for one in begun])
    level, own_doubt, doubt = _moved_to_the_end(features, at, begun, rungs, images)
    if images is not None:
        own_doubt = np.hypot(own_doubt, _sampling_doubt(np.exp(level), images))
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
    sd *= _overconfidence(regression, np.array([len(one.errors) == rungs for one in begun]))
    mean, sd = mean * scale + centre, np.hypot(sd * scale, LEAST_SD)
    error = np.exp(mean)
    return Forecast(error, error * sd, doubt)


def _kernel(width: int) -> object:
    """Linear effects, smooth ones, and what makes a network differ from all that are like it."""
    near = np.sqrt(max(width, 1))
    own = ConstantKernel(0.05, (1e-3, 1.0)) * RBF(1e-3, "fixed")
    smooth = ConstantKernel(0.5, (1e-2, 1e1)) * Matern(near, (near / 3, near * 10), nu=2.5)
    return ConstantKernel(0.1, (1e-3, 1e1)) * DotProduct(1.0, "fixed") + smooth + own


def _overconfidence(regression: GaussianProcessRegressor, ended: NDArray[np.bool_]) -> float:
    """How much farther than predicted from the others those that have ended are, 1 or more.

    The likeliest scales of a kernel, found with few points, make a process too sure of itself, and a
    search that believes it never looks at the network that is better than those like it. In closed form:
    Rasmussen and Williams (2006), equation 5.12.
    """
    if ended.sum() < FEW:
        return 1.0
    precision = np.diag(cho_solve((regression.L_, True), np.eye(len(ended))))
    misses = regression.alpha_ / np.sqrt(precision)
    return max(1.0, float(np.sqrt(np.mean(misses[ended] ** 2))))


def _moved_to_the_end(
    features: Matrix,
    at: NDArray[np.int64],
    begun: Sequence[TrialSnapshot],
    rungs: int,
    images: int | None,
) -> tuple[Vector, Vector, Vector]:
    """Log error at the last rung as it is expected of each, its doubt, and the doubt at each rung."""
    least = LEAST_ERROR if images is None else 0.5 / images
    shown = [_shown(one, least) for one in begun]
    reached = np.array([len(one) for one in shown])
    now = np.array([one[-1] for one in shown])
    variance = np.zeros_like(now)
    steps = np.full(rungs, LEAST_SD**2)
    for rung in range(rungs - 1):
        passed, still = reached > rung + 1, reached <= rung + 1
        here = np.array([one[min(rung, len(one) - 1)] for one in shown])
        here[still] = now[still]
        there = np.array([one[rung + 1] for one in shown if len(one) > rung + 1])
        fall = _CurveIncrement.learn(features[at], here, passed, there.reshape(-1, here.shape[1]))
        now[still] += fall.mean[still]
        # An error that is itself predicted is as much in doubt further on as its slope says.
        onward = (np.eye(here.shape[1]) + fall.slope) ** 2
        variance[still] = variance[still] @ onward.T + fall.sd[still] ** 2
        steps[rung] = np.inf if passed.sum() < FEW else np.mean(fall.sd[:, 0] ** 2)
    doubt = np.sqrt(variance[:, 0] + LEAST_SD**2)
    # From a rung to the end: all steps from there on.
    return now[:, 0], doubt, np.sqrt(np.cumsum(steps[::-1])[::-1])


def _sampling_doubt(errors: Vector, images: int) -> Vector:
    """Standard deviation of the logarithm of an error by so many images, beside those of others."""
    # As if half an image more were misclassified, and one more seen: none of them is no certainty.
    smooth = (np.minimum(errors, 1.0) * images + 0.5) / (images + 1)
    doubt: Vector = np.sqrt(OWN_SHARE * (1 - smooth) / (smooth * images))
    return doubt


def _shown(one: TrialSnapshot, least: float) -> Matrix:
    """(rungs reached, 2) logarithms of its errors and losses; losses that are not known are all 1.

    Args:
        one: The training.
        least: Smaller errors are raised to it.
    """
    losses = one.losses or (1.0,) * len(one.errors)
    errors = np.clip([min(as_loss(error), 1.0) for error in one.errors], least, 1.0)
    shown: Matrix = np.stack([errors, np.clip([as_loss(loss) for loss in losses], 1e-4, 1e2)], 1)
    return np.log(shown)


@dataclass(frozen=True)
class _CurveIncrement:
    """How far what is shown (S figures) falls from one rung to the next.

    Attributes:
        mean: (N, S).
        sd: (N, S).
        slope: (S, S), of each fall along each figure at the rung.
    """

    mean: Matrix
    sd: Matrix
    slope: Matrix

    @classmethod
    def learn(
        cls, features: Matrix, here: Matrix, passed: NDArray[np.bool_], there: Matrix
    ) -> _CurveIncrement:
        """Learnt from those that went on.

        Args:
            features: (N, F).
            here: (N, S), shown at the rung.
            passed: (N,), who went on.
            there: (those, S), shown at the next rung.
        """
        falls = there - here[passed]
        if len(falls) < FEW:
            middle = falls.mean(0) if len(falls) else np.zeros(here.shape[1])
            wide = np.full_like(here, UNKNOWN_FALL)
            return cls(np.broadcast_to(middle, here.shape), wide, np.zeros((here.shape[1],) * 2))
        scale = np.where(np.ptp(here, axis=0) > 0, here.std(0), 1.0)
        inputs = np.hstack([features, (here - here.mean(0)) / scale])
        means, sds, slopes = [], [], []
        for wanted in falls.T:
            ridge = BayesianRidge().fit(inputs[passed], wanted)
            mean, sd = ridge.predict(inputs, return_std=True)
            left_out = _left_out_error(ridge, inputs[passed], wanted)
            means.append(mean)
            sds.append(np.maximum(sd, max(LEAST_SD, left_out)))
            slopes.append(ridge.coef_[features.shape[1] :] / scale)
        return cls(np.stack(means, 1), np.stack(sds, 1), np.stack(slopes))


def _left_out_error(ridge: BayesianRidge, seen: Matrix, falls: Vector) -> float:
    """Root mean square error of each fall predicted from the others.

    The regression's own doubt is too small where there are as many figures as trainings.
    """
    centred = seen - seen.mean(0)
    penalty = ridge.lambda_ / ridge.alpha_ * np.eye(seen.shape[1])
    hat = centred @ np.linalg.solve(centred.T @ centred + penalty, centred.T) + 1 / len(falls)
    misses = (falls - ridge.predict(seen)) / np.maximum(1 - np.diag(hat), 1e-3)
    return float(np.sqrt(np.mean(misses**2)))
