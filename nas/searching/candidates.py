"""The networks of a space that a search may train: whether there are any, and which are left."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blocks import ArchSpec
from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.cost import COSTS, Budgets, Cost
from nas.runs import ERROR
from search_spaces import SearchSpace

ENUMERATE_UP_TO = 20_000
SAMPLES = 5_000
GEOMETRIES = 100


@dataclass(frozen=True)
class Candidates:
    """Networks of a space that keep the budgets.

    Attributes:
        specs: By key; all of them when ``complete``, a large seeded sample otherwise.
        complete: Whether the space was small enough to look at every network.
        costs: Those that are known, by name.
    """

    specs: dict[str, ArchSpec]
    complete: bool
    costs: Mapping[str, Cost]

    def reference(self, objectives: tuple[str, ...], worst: float = 1.0) -> tuple[float, ...]:
        """The worst corner of the box the search works in, one figure per objective.

        It is fixed before the first training, so that hypervolumes of different moments compare: the
        worst error and the largest cost of any candidate.

        Args:
            objectives: Of the search.
            worst: The largest value that the error can have.
        """
        return tuple(
            worst if name == ERROR else max(self.costs[name](spec) for spec in self.specs.values())
            for name in objectives
        )


def find_candidates(
    space: SearchSpace, budgets: Budgets, seed: int, costs: Mapping[str, Cost] = COSTS
) -> Candidates:
    """Look through ``space`` (bound to its data) for networks within ``budgets``.

    Raises:
        InvalidInput: No network fits; the message names the tightest budget and the least there is.
    """
    size = space.size()
    complete = size is not None and size <= ENUMERATE_UP_TO
    if complete:
        networks = {spec.key: spec for spec in space.enumerate()}
    else:
        rng = random.Random(seed)
        networks = {spec.key: spec for spec in _sample(space, rng)}
    fitting = {key: spec for key, spec in networks.items() if budgets.fits(spec, costs)}
    if not fitting:
        raise InvalidInput(_nothing_fits(list(networks.values()), budgets, space, complete, costs))
    return Candidates(fitting, complete, costs)


def _sample(space: SearchSpace, rng: random.Random) -> Iterator[ArchSpec]:
    """Up to SAMPLES networks, of at most GEOMETRIES geometries: each new one is profiled, slowly."""
    geometries = set()
    for _ in range(SAMPLES):
        spec = space.sample(rng)
        geometries.add((spec.backbone, spec.geometry))
        yield spec
        if len(geometries) >= GEOMETRIES:
            return


def _nothing_fits(
    specs: list[ArchSpec],
    budgets: Budgets,
    space: SearchSpace,
    complete: bool,
    costs: Mapping[str, Cost],
) -> str:
    least = {name: min(costs[name](spec) for spec in specs) for name in budgets.limits}
    ratios = {name: value / budgets.limits[name] for name, value in least.items()}
    tightest = max(ratios, key=lambda name: ratios[name])
    limit = budgets.limits[tightest]
    looked = plural(len(specs), "network" if complete else "sampled network")
    why = (
        f"the smallest has {least[tightest]:.6g}"
        if ratios[tightest] > 1
        else "each budget alone can be kept, but not all at once"
    )
    return (
        f"no network of space {space.definition.name} fits the budgets ({looked} looked at); "
        f"the tightest is max_{tightest} {limit:g}: {why}"
    )
