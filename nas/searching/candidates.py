"""The networks of a space that a search may train: whether there are any, and which are left."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blocks import ArchSpec
from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.cost import COSTS, Budgets, Cost
from nas.naming import option
from nas.runs import ERROR
from search_spaces import SearchSpace

ENUMERATE_UP_TO = 20_000
SAMPLES = 5_000
GEOMETRIES = 100
GENERATIONS, PARENTS, CHILDREN = 12, 25, 12
"""Of the evolution towards budgets that no network of a sample keeps."""
SIZES = (192, 160, 128, 96, 80, 72)
"""Sizes of images that a message may name; smaller ones change the stem of many spaces."""
OF_IMAGES = ("mflops", "activations", "latency_ms", "sram_kb", "npu_ms")
"""Costs that grow with the images."""


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
    space: SearchSpace,
    budgets: Budgets,
    seed: int,
    costs: Mapping[str, Cost] = COSTS,
    *,
    scaled: bool = False,
) -> Candidates:
    """Look through ``space`` (bound to its data) for networks within ``budgets``.

    Args:
        space: The space.
        budgets: Limits.
        seed: Of the sample of a large space.
        costs: Those that are known, by name.
        scaled: Whether the images may be scaled to another size; the message then names one.

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
    if not fitting and not complete:
        networks |= _towards(space, list(networks.values()), budgets, costs, rng)
        fitting = {key: spec for key, spec in networks.items() if budgets.fits(spec, costs)}
    if not fitting:
        specs = list(networks.values())
        advice = _smaller_images(specs, budgets, costs) if scaled else ""
        raise InvalidInput(_nothing_fits(specs, budgets, space, complete, costs) + advice)
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


def _towards(
    space: SearchSpace,
    specs: list[ArchSpec],
    budgets: Budgets,
    costs: Mapping[str, Cost],
    rng: random.Random,
) -> dict[str, ArchSpec]:
    """What evolution finds towards budgets that no network of the sample keeps.

    Networks within tight budgets may be one in a million, and a sample of thousands has none of them.
    """

    def excess(spec: ArchSpec) -> tuple[float, float]:
        over = [costs[name](spec) / limit for name, limit in budgets.limits.items()]
        return max(over), sum(over)

    seen = {spec.key: (excess(spec), spec) for spec in specs}
    best = sorted(seen, key=lambda key: (seen[key][0], key))[:PARENTS]
    for _ in range(GENERATIONS):
        for parent in best:
            for near in space.neighbours(seen[parent][1], rng, CHILDREN):
                if near.key not in seen:
                    seen[near.key] = excess(near), near
        last, best = best, sorted(seen, key=lambda key: (seen[key][0], key))[:PARENTS]
        if best == last or seen[best[-1]][0][0] <= 1:
            break
    return {key: spec for key, (_, spec) in seen.items()}


def _nothing_fits(
    specs: list[ArchSpec],
    budgets: Budgets,
    space: SearchSpace,
    complete: bool,
    costs: Mapping[str, Cost],
) -> str:
    tightest, network = _tightest(specs, budgets, costs)
    limit, least = budgets.limits[tightest], costs[tightest](network)
    looked = plural(len(specs), "network" if complete else "sampled network")
    why = (
        f"the smallest has {least:.6g}"
        if least > limit
        else "each budget alone can be kept, but not all at once"
    )
    return (
        f"no network of space {space.definition.name} fits the budgets ({looked} looked at); "
        f"the tightest is max_{tightest} {limit:g}: {why}"
    )


def _tightest(
    specs: list[ArchSpec], budgets: Budgets, costs: Mapping[str, Cost]
) -> tuple[str, ArchSpec]:
    """The budget that is hardest to keep, and the network that has least of it."""
    best = {name: min(specs, key=costs[name]) for name in budgets.limits}
    tightest = max(best, key=lambda name: costs[name](best[name]) / budgets.limits[name])
    return tightest, best[tightest]


def _smaller_images(specs: list[ArchSpec], budgets: Budgets, costs: Mapping[str, Cost]) -> str:
    """What smaller images would do, if they bring the smallest network within the budgets."""
    tightest, network = _tightest(specs, budgets, costs)
    side = network.input_size
    if tightest not in OF_IMAGES or costs[tightest](network) <= budgets.limits[tightest]:
        return ""
    said = f"; the images have {side} pixels a side"
    for size in (size for size in SIZES if size < side):
        if budgets.fits(network.model_copy(update={"input_size": size}), costs):
            return f"{said}; allowed: {option('input_size', size)} or less"
    return f"{said}; a smaller {option('input_size')} takes less"
