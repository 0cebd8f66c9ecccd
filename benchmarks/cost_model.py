"""How many networks a second the closed-form cost model counts, against fvcore.

Claim: on one core, the closed form (`nas.cost.count`: parameters, multiply-adds and activations at once)
counts more than 20,000 distinct networks a second, thousands of times as many as fvcore (parameters,
multiply-adds and activations of the built network), and gives the same three integers.

Measured in one run, in one process with one thread, on distinct networks (by key) drawn from the shipped
search spaces:

* closed form: all `--specs` networks in turn, `--repeats` times; no count is remembered between repeats.
* fvcore: the first `--fvcore-specs` of the same networks, once each; building the module is part of it,
  starting a process is not, though the program counts with fvcore in a process of its own.

Seconds are the processor's, not the clock's: other programs on the machine do not count.

Left out of the closed form's rate: drawing and validating the specs, which a search does anyway, and
the first use of each geometry (backbone, width, image, classes), when the plain network is profiled
once. The latter's time is reported as a figure of its own.

Of the page: n = 5,000 networks, 30 by fvcore; one core of an AMD EPYC.

    python benchmarks/cost_model.py [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from machine import Machine, machine

from blocks import ArchSpec
from blocks.profile import profile
from nas.cost import count
from nas.cost.fvcore_trace import trace_count
from search_spaces import SPACES, load_space

IMAGE_SIZES = (32, 64, 224)


@dataclass(frozen=True)
class Rate:
    """Networks a second over repeats: median, and the least and the most."""

    networks: int
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, networks: int, seconds: Sequence[float]) -> Rate:
        """The rate of ``networks`` counted in each of ``seconds``."""
        return cls(
            networks,
            networks / statistics.median(seconds),
            networks / max(seconds),
            networks / min(seconds),
        )


@dataclass(frozen=True)
class Result:
    """The figures of one run.

    Attributes:
        closed_form: Over the repeats.
        fvcore: Over the networks: one network is one repeat.
        ratio: Of the two medians.
        disagreements: Networks for which the two did not give the same three numbers.
        geometries: Geometries among the networks.
        first_use_ms: Median time of a geometry's first use, in milliseconds.
        machine: Hardware, versions and commit.
    """

    closed_form: Rate
    fvcore: Rate
    ratio: float
    disagreements: int
    geometries: int
    first_use_ms: float
    machine: Machine


def draw(number: int, seed: int) -> list[ArchSpec]:
    """Distinct networks from the shipped spaces in turn, until there are ``number``."""
    rng = random.Random(seed)
    spaces = [
        load_space(name).bind(num_classes=10, in_channels=3, input_size=size)
        for name in SPACES
        for size in IMAGE_SIZES
    ]
    specs: dict[str, ArchSpec] = {}
    while len(specs) < number:
        for space in spaces:
            spec = space.sample(rng)
            specs.setdefault(spec.key, spec)
    return list(specs.values())[:number]


def seconds_of(work: Callable[[], object]) -> float:
    """Processor seconds that ``work`` takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(specs: list[ArchSpec], fvcore_specs: int, repeats: int) -> Result:
    """Count all of ``specs`` in closed form and some with fvcore."""
    geometries = {(spec.backbone, spec.geometry): spec for spec in specs}
    profile.cache_clear()
    first_uses = [seconds_of(partial(getattr, spec, "profile")) for spec in geometries.values()]
    closed = [seconds_of(lambda: [count(spec) for spec in specs]) for _ in range(repeats)]

    trace_count(specs[0])  # loads fvcore
    traced, disagreements = [], 0
    for spec in specs[:fvcore_specs]:
        start = time.process_time()
        theirs = trace_count(spec)
        traced.append(time.process_time() - start)
        ours = count(spec)
        same = (theirs.params, theirs.macs, theirs.activations) == (
            ours.params,
            ours.macs,
            ours.activations,
        )
        disagreements += not same
    closed_rate, fvcore_rate = Rate.of(len(specs), closed), Rate.of(1, traced)
    return Result(
        closed_form=closed_rate,
        fvcore=Rate(fvcore_specs, fvcore_rate.median, fvcore_rate.least, fvcore_rate.most),
        ratio=closed_rate.median / fvcore_rate.median,
        disagreements=disagreements,
        geometries=len(geometries),
        first_use_ms=statistics.median(first_uses) * 1e3,
        machine=machine(),
    )


def table(result: Result) -> str:
    """The result for a reader."""
    lines = [
        f"{'networks a second':<18} {'n':>6} {'median':>10} {'least':>10} {'most':>10}",
        *(
            f"{name:<18} {rate.networks:>6} {rate.median:>10,.1f} {rate.least:>10,.1f} "
            f"{rate.most:>10,.1f}"
            for name, rate in (("closed form", result.closed_form), ("fvcore", result.fvcore))
        ),
        f"ratio of medians   {result.ratio:,.0f}",
        f"disagreements      {result.disagreements} of {result.fvcore.networks}",
        f"first use          {result.first_use_ms:.0f} ms (median of {result.geometries} geometries)",
        "machine            "
        + ", ".join(f"{name} {value}" for name, value in asdict(result.machine).items()),
    ]
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark; 1 when the closed form and fvcore disagree anywhere."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--specs", type=int, default=5000, help="networks for the closed form")
    parser.add_argument("--fvcore-specs", type=int, default=30, help="networks for fvcore")
    parser.add_argument("--repeats", type=int, default=9, help="repeats of the closed form")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    torch.set_num_threads(1)
    specs = draw(options.specs, options.seed)
    result = measure(specs, min(options.fvcore_specs, len(specs)), options.repeats)
    print(json.dumps(asdict(result)) if options.json else table(result))
    return 1 if result.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
