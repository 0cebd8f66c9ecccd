"""In a space that nobody can list: does evolution find the most valuable network, and how fast?

The forecast tells what each network would bring before it is trained (docs/search.md). In a space of
more than 20,000 networks the most valuable one is searched for by evolution, over some 2,000. Here its
proposal is compared with the best of many networks drawn at random, by one and the same forecast:
the share of the random ones that would bring more, and the growth that is proposed in parts of the best
that was seen at all.

Errors of the trained networks are made up: a fall with the logarithm of multiply-adds, an effect of each
stage's unit, and noise. What is measured is the search for the maximum, which knows nothing of that.

    python benchmarks/proposals.py [--spaces ...] [--drawn 20000] [--seeds 5]     # minutes of one core

Writes docs/results/proposals/: proposals.csv (a row a state), table.md, machine.json.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

# Before anything that starts threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from machine import write_machine
from over_seeds import half_width, mean
from rows import read_rows, write_rows

from blocks import ArchSpec
from nas.cost import Budgets, count
from nas.searching.acquisition import LOG, Acquisition
from nas.searching.candidates import find_candidates
from nas.searching.early_stopping.snapshot import TrialSnapshot
from nas.searching.forecast import CandidateRanker, EvolvingRanker
from nas.searching.forecast.evolving_ranker import CHILDREN
from search_spaces import SearchSpace, load_space

OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "proposals"
SPACES = ("shufflenet_v2_sk_stages", "mobilenet_v3_sk_stages", "efficientnet_lite0_sk_stages")
INPUT_SIZE = 96
TRAINED = (10, 40, 100)
NOISE = 0.05
IMAGES = 1000


@dataclass(frozen=True)
class Proposal:
    """A row of the file: one state of a search.

    Attributes:
        space: Of the search.
        networks: In it.
        trained: Networks so far.
        seed: Of the state.
        seconds: Processor time of the proposal, one thread.
        looked_at: Networks that evolution has looked at for it.
        drawn: Networks drawn at random to compare with.
        better: Of these, those that would bring more than the proposal.
        share: Growth by the proposal, in parts of the largest of all.
        drawn_share: Growth by the best of the drawn ones, likewise.
        megabytes: Most memory of the process so far.
    """

    space: str
    networks: int
    trained: int
    seed: int
    seconds: float
    looked_at: int
    drawn: int
    better: int
    share: float
    drawn_share: float
    megabytes: int


def main() -> int:
    """Measure what is missing, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spaces", default=",".join(SPACES))
    parser.add_argument("--drawn", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    rows = read_rows(OUT / "proposals.csv", Proposal)
    done = {(row.space, row.trained, row.seed) for row in rows}
    for name in options.spaces.split(","):
        space = load_space(name).bind(num_classes=10, in_channels=3, input_size=INPUT_SIZE)
        for seed in range(options.seeds):
            if all((name, trained, seed) in done for trained in TRAINED):
                continue
            rows = [row for row in rows if (row.space, row.seed) != (name, seed)]
            rows += list(states(space, name, seed, options.drawn))
            write_rows(OUT / "proposals.csv", rows)
            print(rows[-1], flush=True)
    lines = table(rows)
    (OUT / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_machine(OUT)
    print("\n".join(lines))
    return 0


def states(space: SearchSpace, name: str, seed: int, drawn: int) -> Iterator[Proposal]:
    """A search at each number of trained networks."""
    size = space.size() or 0
    sample = find_candidates(space, Budgets(), seed).specs
    others = list({spec.key: spec for spec in drawn_at_random(space, seed, drawn)}.values())
    for number in TRAINED:
        trained = trainings(list(sample.values()), number, seed)
        start = time.process_time()
        ranker = EvolvingRanker(
            sample,
            lambda spec, rng: space.neighbours(spec, rng, CHILDREN),
            costs_of,
            lambda networks, costs: CandidateRanker(networks, costs, (1,), acquisition=weighed()),
            seed,
        )
        begun = {one.key for one in trained}
        ranked = ranker.ranked_candidates(trained)
        proposed = next(one.key for one in ranked if one.key not in begun)
        seconds = time.process_time() - start
        pool = ranker.networks | {spec.key: spec for spec in others}
        costs = {key: costs_of(spec) for key, spec in pool.items()}
        judged = CandidateRanker(pool, costs, (1,), acquisition=weighed()).ranked_candidates(
            trained
        )
        growth = {one.key: one.growth for one in judged if one.key not in begun}
        best = max(growth.values())
        random = [growth[spec.key] for spec in others if spec.key in growth]
        yield Proposal(
            name, size, number, seed, round(seconds, 2), len(ranked), len(random),
            sum(one > growth[proposed] for one in random), round(growth[proposed] / best, 4),
            round(max(random) / best, 4),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        )  # fmt: skip


def drawn_at_random(space: SearchSpace, seed: int, number: int) -> Iterator[ArchSpec]:
    """Networks of the space."""
    rng = Random(10_000 + seed)
    for _ in range(number):
        yield space.sample(rng)


def trainings(specs: Sequence[ArchSpec], number: int, seed: int) -> list[TrialSnapshot]:
    """Networks with made-up errors."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(specs))[:number]
    effects = rng.normal(0, 0.1, 8)
    found = []
    for spec in (specs[i] for i in chosen):
        units = [spec.unit.at(stage) for stage, _ in spec.unit.stages]
        effect = sum(
            effects[2 * at % 8] * (unit.kind == "sk")
            + effects[(2 * at + 1) % 8] * len(unit.dilations)
            for at, unit in enumerate(units)
        )
        error = 0.5 * count(spec).mflops ** -0.3 * np.exp(effect + rng.normal(0, NOISE))
        costs, seen = costs_of(spec), (float(min(error, 0.9)),)
        found.append(TrialSnapshot(spec.key, costs, seen, spec=spec))
    return found


def costs_of(spec: ArchSpec) -> tuple[float, ...]:
    """The cost that the search lowers."""
    return (count(spec).mflops,)


def weighed() -> Acquisition:
    """The acquisition of a search with so many validation images."""
    return LOG.model_copy(update={"images": IMAGES})


def table(rows: Sequence[Proposal]) -> list[str]:
    """Means over the seeds."""
    lines = [
        "| space | networks | trained | looked at | seconds | random ones that would bring more | "
        "growth, in parts of the best seen | the same by the best random one | memory, MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for space, trained in dict.fromkeys((row.space, row.trained) for row in rows):
        some = [row for row in rows if (row.space, row.trained) == (space, trained)]
        shares, randoms = [row.share for row in some], [row.drawn_share for row in some]
        better, looked = max(row.better for row in some), mean([row.looked_at for row in some])
        lines.append(
            f"| {space} | {some[0].networks:.1e} | {trained} | {looked:,.0f} | "
            f"{mean([r.seconds for r in some]):.1f} | at most {better} of {some[0].drawn:,} | "
            f"{mean(shares):.2f} ± {half_width(shares):.2f} | "
            f"{mean(randoms):.2f} ± {half_width(randoms):.2f} | {max(r.megabytes for r in some)} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
