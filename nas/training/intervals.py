"""95 % intervals of shares and of means of shares. Light commands import it, so it needs no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True)
class Rate:
    """A figure with its 95 % interval: a share from 0 to 1, or a cost.

    Attributes:
        value: The figure.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float

    def overlaps(self, value: float) -> bool:
        """Whether ``value`` lies in the interval."""
        return self.low <= value <= self.high

    def percent(self, digits: int = 1) -> str:
        """Such as ``5.0 % (1.4 to 16.5)``."""
        low, high = (f"{100 * end:.{digits}f}" for end in (self.low, self.high))
        return f"{100 * self.value:.{digits}f} % ({low} to {high})"

    def scaled(self, factor: float) -> Rate:
        """Figure and interval in another unit."""
        return Rate(factor * self.value, factor * self.low, factor * self.high)


def wilson(count: float, images: int) -> Rate:
    """The share ``count / images`` with Wilson's interval (no continuity correction).

    Args:
        count: Number of images that are counted, 0 to ``images``; for means of other figures than 0 and
            1 an effective number.
        images: Number of images, 1 or more.

    Examples:
        >>> wilson(2, 40).percent()
        '5.0 % (1.4 to 16.5)'
    """
    share, square = count / images, _Z * _Z
    middle = share + square / (2 * images)
    half = _Z * math.sqrt(share * (1 - share) / images + square / (4 * images * images))
    whole = 1 + square / images
    low = 0.0 if count == 0 else (middle - half) / whole
    high = 1.0 if count == images else (middle + half) / whole
    return Rate(share, low, high)


def mean_rate(rates: Sequence[Rate], overlap: float = 1.0) -> Rate:
    """The mean of shares of different images, with its interval.

    The distances of the ends from the figures add up as those of independent variables (MOVER, Zou and
    Donner 2008). Unlike a bootstrap, a class of three images that are all right keeps a wide interval.

    Args:
        rates: One or more.
        overlap: How many of the shares an image counts in, at most.
    """
    count = len(rates)
    value = sum(one.value for one in rates) / count

    def away(distances: Sequence[float]) -> float:
        return math.sqrt(overlap) * math.hypot(*distances) / count

    low = value - away([one.value - one.low for one in rates])
    high = value + away([one.high - one.value for one in rates])
    return Rate(value, max(0.0, low), min(1.0, high))
