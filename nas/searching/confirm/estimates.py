"""Expected errors of networks from a few trainings each: intervals, differences, the front.

The error of a training differs from the expected error of its network for two reasons: another seed
would have given other weights, and other validation images another share of mistakes. Networks are
compared on the same images, so the second part is that of the difference, image by image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from nas.training.intervals import LEVEL, Rate

PRIOR_WEIGHT = 2.0
"""Degrees of freedom of the prior of the seed noise of a run: two further trainings count as much."""
SAID, DRAWN = 1.0, 4.0
"""Degrees of freedom that the noise of all networks of a run has beside that of a network's own
trainings: in intervals and statements, and in draws of the front. Networks differ in their noise, and a
statement must hold for those that are noisier than others (docs/results/confirm)."""
LEAST_FREEDOM = 2.0
PRIOR_IMAGES = 1000
"""Validation images that the prior assumes where their number is not known."""
DRAWS = 2000
HOPELESS = 10.0
"""Standard deviations behind a cheaper network from which on a network is not drawn."""


@dataclass(frozen=True)
class Trainings:
    """The trainings of one network by one recipe, with different seeds.

    Attributes:
        errors: Validation error of each, at least one.
        right: bool (S, N): which of the N validation images S of these trainings classify correctly;
            None: not known.
    """

    errors: tuple[float, ...]
    right: NDArray[np.bool_] | None = None

    @property
    def mean(self) -> float:
        """Mean error."""
        return math.fsum(self.errors) / len(self.errors)


@dataclass(frozen=True)
class Estimates:
    """The expected errors of several networks, over seeds and images.

    The variance of an error over seeds is that of the network's own trainings, moderated by the pool of
    all networks (Smyth 2004). In the pool variances are proportional to p (worst - p), p the mean error,
    as that of a share of images is. Before any network was trained twice, the pool is that of an error
    whose mistakes another seed draws anew.

    Args:
        networks: Trial -> its trainings.
        images: Number of validation images; None: not known.
        shares: Whether errors are shares of images, whose uncertainty is known from ``images``; other
            metrics have intervals for the seeds alone.
        worst: The largest possible error.
    """

    networks: Mapping[int, Trainings]
    images: int | None = None
    shares: bool = True
    worst: float = 1.0
    _index: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {one: at for at, one in enumerate(self.networks)})

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """(M,) mean errors."""
        return np.array([one.mean for one in self.networks.values()])

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(M,) numbers of trainings."""
        return np.array([len(one.errors) for one in self.networks.values()], np.int64)

    @property
    def repeats(self) -> int:
        """Trainings beyond the first of each network."""
        return int((self.counts - 1).sum())

    @cached_property
    def noise(self) -> NDArray[np.float64]:
        """(M,) variances of the error of one training over seeds."""
        return self._moderated(SAID)[0]

    @cached_property
    def freedom(self) -> NDArray[np.float64]:
        """(M,) degrees of freedom of ``noise``."""
        return self._moderated(SAID)[1]

    @cached_property
    def compared(self) -> NDArray[np.bool_]:
        """(M,) whether it is known which images a network classifies correctly."""
        return np.array([one.right is not None for one in self.networks.values()], bool)

    def interval(self, trial: int) -> Rate:
        """The mean error of a network with its 95 % interval."""
        at = self._index[trial]
        mean, images = self.means[at], 0.0
        if self.compared[at]:
            images = self._image_part[at, at]
        elif self.images is not None and self.shares:
            images = mean * (1 - mean) / self.images
        rate = self._rate(mean, images + self._extra, [at])
        return Rate(rate.value, max(0.0, rate.low), min(self.worst, rate.high))

    def difference(self, one: int, other: int) -> Rate:
        """How much larger the error of ``one`` is than that of ``other``, with its 95 % interval."""
        a, b = self._index[one], self._index[other]
        return self._rate(self.means[a] - self.means[b], self._image_difference(a, b), [a, b])

    def better(self, one: int, other: int) -> bool:
        """Whether ``one`` has the smaller expected error, at 95 %."""
        return self.difference(one, other).high < 0

    def variance(self, one: int, other: int) -> float:
        """Of the difference of two mean errors."""
        a, b = self._index[one], self._index[other]
        return self._image_difference(a, b) + float(self._own_part[a] + self._own_part[b])

    def on_front(self, costs: Mapping[int, Sequence[float]]) -> dict[int, float]:
        """The probability of each network that no other beats it in every objective.

        Args:
            costs: Trial -> its costs, which are exact.

        Returns:
            Trial -> share of 2,000 draws of all expected errors; the same for the same trainings.
        """
        table = np.array([tuple(costs[trial]) for trial in self.networks], float)
        # rivals[i, j]: j is no costlier than i, and so beats it by a smaller error.
        rivals: NDArray[np.bool_] = np.all(table[None, :, :] <= table[:, None, :], axis=2)
        np.fill_diagonal(rivals, False)
        noise, freedom = self._moderated(DRAWN)
        seeds = self._seed_part(noise)
        kept = self._plausible(rivals, seeds)
        drawn = self._drawn(kept, seeds, freedom)
        found = np.zeros(len(table))
        for row, at in enumerate(kept):
            against = drawn[rivals[at, kept]]
            beaten = against < drawn[row] if len(against) else np.zeros((1, DRAWS), bool)
            found[at] = 1 - beaten.any(0).mean()
        return dict(zip(self.networks, map(float, found), strict=True))

    @property
    def _scale(self) -> NDArray[np.float64]:
        # An error of 0 in so many images is no proof of an error without noise.
        smallest = 0.5 * self.worst / (self.images or PRIOR_IMAGES)
        means = np.clip(self.means, smallest, self.worst - smallest)
        return np.asarray(means * (self.worst - means))

    @property
    def _extra(self) -> float:
        """Variance of one image more on which networks differ: few of them vary by chance."""
        return 0.0 if self.images is None or not self.shares else 1.0 / self.images**2

    @cached_property
    def _image_part(self) -> NDArray[np.float64]:
        """(M, M) covariances of the mean errors over images; 0 where they are not known."""
        size = len(self.networks)
        covariance = np.zeros((size, size))
        known = np.flatnonzero(self.compared)
        if len(known):
            tables = [one.right for one in self.networks.values() if one.right is not None]
            rates = np.stack([table.mean(0) for table in tables])
            centred = rates - rates.mean(1, keepdims=True)
            number = rates.shape[1]
            covariance[np.ix_(known, known)] = centred @ centred.T / (number * max(1, number - 1))
        return covariance

    @cached_property
    def _own_part(self) -> NDArray[np.float64]:
        """(M,) variances of the mean errors over seeds."""
        return self._seed_part(self.noise)

    def _seed_part(self, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """(M,) variances of the mean errors over seeds, without what the image part has of them.

        The mistakes that a seed makes on one image and not on another vary over images as well.
        """
        counted = [_within(one.right) for one in self.networks.values()]
        return np.asarray(np.maximum(noise / self.counts - counted, 0.0))

    def _moderated(self, weight: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(M,) variances over seeds, the pool having so much weight, and their degrees of freedom."""
        own = np.array(
            [math.fsum((x - one.mean) ** 2 for x in one.errors) for one in self.networks.values()]
        )
        told = PRIOR_WEIGHT + self.repeats
        prior = PRIOR_WEIGHT / (self.images or PRIOR_IMAGES)
        pool = (prior + math.fsum(own / self._scale)) / told
        weight = min(weight, told)  # the pool cannot say more than it has been told
        whole = weight + self.counts - 1
        noise = (weight * pool * self._scale + own) / whole
        return np.asarray(noise), np.asarray(np.maximum(whole, LEAST_FREEDOM))

    def _image_difference(self, a: int, b: int) -> float:
        """The image part of the variance of a difference; 0 where answers are not known."""
        if not (self.compared[a] and self.compared[b]):
            return 0.0
        table = self._image_part
        return max(0.0, float(table[a, a] + table[b, b] - 2 * table[a, b])) + self._extra

    def _rate(self, value: float, images: float, networks: Sequence[int]) -> Rate:
        """A figure with its 95 % interval, by Student's t with Satterthwaite's degrees of freedom."""
        seeds = self._own_part[networks]
        variance = images + float(seeds.sum())
        uncertain = float((seeds**2 / self.freedom[networks]).sum())
        freedom = variance**2 / uncertain if uncertain > 0 else math.inf
        half = float(stdtrit(min(freedom, 1e9), (1 + LEVEL) / 2)) * math.sqrt(variance)
        return Rate(float(value), float(value - half), float(value + half))

    def _plausible(
        self, rivals: NDArray[np.bool_], seeds: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """The networks that are not far behind a network that is no costlier."""
        kept = []
        spread = np.sqrt(seeds + np.diagonal(self._image_part))
        for at, mean in enumerate(self.means):
            others = np.flatnonzero(rivals[at])
            ahead = (mean - self.means[others]) / np.hypot(spread[at], spread[others])
            if not len(others) or ahead.max() <= HOPELESS:
                kept.append(at)
        return np.array(kept, np.int64)

    def _drawn(
        self,
        kept: NDArray[np.int64],
        seeds: NDArray[np.float64],
        freedom: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(K, DRAWS) expected errors of some networks, drawn from what the trainings leave open."""
        rng = np.random.default_rng(0)
        shape = (len(kept), DRAWS)
        values, vectors = np.linalg.eigh(self._image_part[np.ix_(kept, kept)])
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        freedom = freedom[kept][:, None]
        own = np.sqrt(seeds[kept])[:, None] * rng.standard_normal(shape)
        own *= np.sqrt(freedom / rng.chisquare(freedom, shape))
        return np.asarray(self.means[kept][:, None] + root @ rng.standard_normal(shape) + own)


def _within(right: NDArray[np.bool_] | None) -> float:
    """Variance of the mean error by what seeds do on single images; 0 where one training cannot tell."""
    if right is None or len(right) < 2:
        return 0.0
    trainings, images = right.shape
    rate = right.mean(0)
    spread = float((rate * (1 - rate)).mean()) * trainings / (trainings - 1)
    return float(spread / (trainings * images))
