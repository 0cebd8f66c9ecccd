"""``density``: networks of all costs alike, after LEMONADE (Elsken et al., ICLR 2019, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.searching.early_stopping.snapshot import TrialSnapshot
from nas.searching.samplers import derive_seed

BANDWIDTH = 0.08
"""Of the kernel density, as a share of the range of each cost."""


class DensitySearcher:
    """Draws where few networks were begun, so that the whole range of costs is covered early.

    Costs are exact before anything is trained. A candidate's chance is the inverse of the density of
    begun networks around its costs, and of the density of candidates there: a space may hold a hundred
    networks of one cost and three of another.

    Args:
        costs: Exact costs of all candidates, by key.
        seed: Of the search.
    """

    def __init__(self, costs: Mapping[str, tuple[float, ...]], seed: int) -> None:
        self._seed = seed
        keys = sorted(costs)
        table = np.log1p(np.asarray([costs[key] for key in keys], dtype=float))
        span = np.ptp(table, axis=0)
        scaled = (table - table.min(0)) / np.where(span > 0, span, 1.0)
        self._scaled = dict(zip(keys, scaled, strict=True))
        crowd = _density(scaled, scaled)
        self._crowd = dict(zip(keys, crowd, strict=True))

    def suggest(self, left: Sequence[str], snapshots: Sequence[TrialSnapshot]) -> Iterator[str]:
        """All that are left, drawn without putting back."""
        keys = sorted(left)
        if not keys:
            return iter(())
        begun = sorted(one.key for one in snapshots if one.key in self._scaled)
        here = np.stack([self._scaled[key] for key in keys])
        weight = 1 / np.array([self._crowd[key] for key in keys])
        if begun:
            weight /= 1e-3 + _density(np.stack([self._scaled[key] for key in begun]), here)
        rng = np.random.default_rng(derive_seed(self._seed, "density", len(keys)))
        # Exponential clocks with these rates ring in the order of such a drawing.
        order = np.argsort(rng.exponential(size=len(keys)) / weight, kind="stable")
        return iter([keys[index] for index in order])


def _density(of: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of Gaussian kernels around the points ``of``, at the points ``at``; at most 1."""
    density = np.zeros(len(at))
    for point in of:
        density += np.exp(-0.5 * (((at - point) / BANDWIDTH) ** 2).sum(1))
    return density / len(of)
