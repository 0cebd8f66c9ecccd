"""95 % intervals of shares. Light commands import it, so it needs no library."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True)
class Rate:
    """A figure from 0 to 1 with its 95 % interval.

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


def wilson(count: int, images: int) -> Rate:
    """The share ``count / images`` with Wilson's interval (no continuity correction).

    Args:
        count: Number of images that are counted, 0 to ``images``.
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
