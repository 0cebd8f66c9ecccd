r"""Do the statements of `nas confirm` hold?

`A is better than B` is said when the 95 % interval of the difference of their expected errors excludes
0. The expected error is the mean over seeds; where answers image by image are known, over images as
well. It is checked on tables of networks that were trained with several seeds:

    macro       NAS-Bench-Macro (Su et al., CVPR 2021): 6,561 networks, 3 seeds, 10,000 images
    curves      benchmarks/curves: 20 networks, 3 seeds, 1,500 images of Fashion-MNIST
    quickstart  benchmarks/digits: 96 networks, 3 seeds, 288 images
    digits      30 perceptrons of scikit-learn, 6 seeds, with answers image by image

A repetition is what a run would see: networks at random, one seed of each as the search's, and a second
seed of those that may be on the front. Statements are made of these two seeds, about all pairs of these
networks, and about the steps of the front. They are judged in three ways:

1. by the seed that is left (of `digits`: four other seeds on other images). It is one training, which
   disagrees with some right statements; on average the share is less than that of right statements;
2. by the interval of the difference that this seed will have: 95 % of them must contain it;
3. by simulated trainings whose expected errors are known: those of the table, with its noise. There the
   whole command is simulated as well: rounds, the default of epochs, and what is picked.

    python benchmarks/confirm.py --table nas_bench_macro.json    # minutes of one core
    python benchmarks/confirm.py --rows own=own.csv.gz           # one more, in the format of curves

Writes statements.csv, command.csv, table.md and machine.json into docs/results/confirm/.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from confirm_tables import Table, tables
from machine import write_machine
from numpy.typing import NDArray
from rows import write_rows

from nas.front.dominance import non_dominated
from nas.searching.confirm.choice import MAYBE, next_trainings
from nas.searching.confirm.estimates import Estimates, Trainings

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "confirm"
SEARCHED = 60
"""Networks of a search, where a table has more."""
MANY = 600
"""Networks of a long search."""
ROUND, PER_NETWORK = 4, 3
"""As the command has them."""


@dataclass
class Row:
    """How the statements about one kind of pairs hold; sums over repetitions."""

    table: str
    about: str
    repetitions: int = 0
    pairs: int = 0
    stated: int = 0
    agreed: int = 0
    covered: int = 0
    simulated_stated: int = 0
    simulated_right: int = 0
    simulated_agreed: int = 0


@dataclass
class Command:
    """What the whole command comes to in simulated trainings; sums over repetitions.

    Attributes:
        trainings: Further ones.
        stated: Steps of the front that are decided.
        right: Those of them whose better network is the better one.
        front: Networks on the front by means.
        true: Those of them on the front of expected errors.
        front_before: Networks on the front by one training each.
        true_before: Those of them on the front of expected errors.
        lost: Points lost by the best network of the front by means, in all.
        lost_before: The same by one training each.
        optimism: Points by which its mean error is less than its expected error.
        optimism_before: The same by one training.
        covered: Intervals of the networks on the front that hold their expected error.
    """

    table: str
    repetitions: int = 0
    trainings: int = 0
    stated: int = 0
    right: int = 0
    front: int = 0
    true: int = 0
    front_before: int = 0
    true_before: int = 0
    lost: float = 0.0
    lost_before: float = 0.0
    optimism: float = 0.0
    optimism_before: float = 0.0
    covered: int = 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, help="nas_bench_macro.json")
    parser.add_argument("--rows", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--repetitions", type=int, default=300)
    given = parser.parse_args(arguments)
    rows, commands = [], []
    for table in tables(given.table, given.rows):
        count = given.repetitions
        print(f"{table.name}: {len(table.errors)} networks, {table.errors.shape[1]} seeds")
        rows += list(statements(table, SEARCHED, count))
        if len(table.errors) > MANY:
            rows += list(statements(table, MANY, max(2, count // 20)))
        commands.append(command(table, count))
    write_rows(RESULTS / "statements.csv", rows)
    write_rows(RESULTS / "command.csv", commands)
    (RESULTS / "table.md").write_text(markdown(rows, commands), encoding="utf-8")
    write_machine(RESULTS)
    print(markdown(rows, commands))
    return 0


def statements(table: Table, size: int, repetitions: int) -> Iterator[Row]:
    """What is said from two seeds, and how it holds."""
    rng = np.random.default_rng(0)
    size = min(size, len(table.errors))
    kinds = (f"all pairs, {size} networks", f"steps of the front, {size} networks")
    rows = [Row(table.name, about) for about in kinds]
    truth, spread = table.errors.mean(1), spread_of(table)
    for _ in range(repetitions):
        some = rng.choice(len(truth), size, replace=False)
        real = _seeds(table, some, rng)
        _judge(rows, *real, table.costs[some])
        seen = _simulated(truth[some], spread[some], rng, 3)
        _judge_simulated(rows, seen, truth[some], table.costs[some], table.images)
    for row in rows:
        row.repetitions = repetitions
    yield from rows


Seen = tuple[Callable[[int, int], Trainings], Callable[[int], tuple[float, int, int]], int]
"""Trainings of a network by number of seeds; the judge's error, its seeds and images; images."""


def _seeds(table: Table, some: NDArray[np.int64], rng: np.random.Generator) -> Seen:
    """The seeds of a repetition, in an order of its own; of answers by image, half the images each."""
    seeds = table.errors.shape[1]
    orders = np.array([rng.permutation(seeds) for _ in some])
    if table.right is None:

        def seen(at: int, count: int) -> Trainings:
            return Trainings(tuple(table.errors[some[at], orders[at, :count]]))

        return seen, lambda at: (table.errors[some[at], orders[at, 2]], 1, 0), table.images
    images = rng.permutation(table.images)
    half = len(images) // 3
    answers = table.right

    def seen_by_image(at: int, count: int) -> Trainings:
        right = answers[some[at]][orders[at, :count]][:, images[:half]]
        return Trainings(tuple(1 - right.mean(1)), right)

    def judge(at: int) -> tuple[float, int, int]:
        right = answers[some[at]][orders[at, 2:]][:, images[half:]]
        return 1 - right.mean(), seeds - 2, len(images) - half

    return seen_by_image, judge, half


def _judge(
    rows: Sequence[Row],
    seen: Callable[[int, int], Trainings],
    judge: Callable[[int], tuple[float, int, int]],
    images: int,
    costs: NDArray[np.float64],
) -> None:
    count = len(costs)
    first = Estimates({at: seen(at, 1) for at in range(count)}, images)
    maybe = [at for at, share in first.on_front(_tuples(costs)).items() if share > MAYBE]
    both = Estimates({at: seen(at, 2) for at in maybe}, images)
    noise = dict(zip(maybe, both.noise, strict=True))
    steps = set(pairwise(_front(both, costs)))
    for a, b in combinations(sorted(maybe, key=lambda at: (costs[at], at)), 2):
        said = both.difference(a, b)
        (one, seeds, more), (other, _, _) = judge(a), judge(b)
        # The interval of what the judge will say: the same, wider by the noise of the judge.
        new = (noise[a] + noise[b]) / seeds
        if more:
            new += (one * (1 - one) + other * (1 - other)) / more  # of its images, at most
        half = (said.high - said.low) / 2
        width = half * math.sqrt(1 + new / both.variance(a, b))
        for row in rows[: 2 if (a, b) in steps else 1]:
            row.pairs += 1
            row.covered += abs(one - other - said.value) <= width
            if not said.overlaps(0.0):
                row.stated += 1
                row.agreed += (one - other) * said.value > 0


def _judge_simulated(
    rows: Sequence[Row],
    seen: NDArray[np.float64],
    truth: NDArray[np.float64],
    costs: NDArray[np.float64],
    images: int,
) -> None:
    first = Estimates({at: Trainings((float(one[0]),)) for at, one in enumerate(seen)}, images)
    maybe = [at for at, share in first.on_front(_tuples(costs)).items() if share > MAYBE]
    both = Estimates({at: Trainings(tuple(map(float, seen[at, :2]))) for at in maybe}, images)
    steps = set(pairwise(_front(both, costs)))
    for a, b in combinations(sorted(maybe, key=lambda at: (costs[at], at)), 2):
        said = both.difference(a, b)
        if said.overlaps(0.0):
            continue
        for row in rows[: 2 if (a, b) in steps else 1]:
            row.simulated_stated += 1
            row.simulated_right += (truth[a] - truth[b]) * said.value > 0
            row.simulated_agreed += (seen[a, 2] - seen[b, 2]) * said.value > 0


def spread_of(table: Table) -> NDArray[np.float64]:
    """(M,) standard deviations of the errors over seeds; networks differ in them."""
    return np.asarray(table.errors.std(1, ddof=1))


def _simulated(
    truth: NDArray[np.float64],
    spread: NDArray[np.float64],
    rng: np.random.Generator,
    count: int,
) -> NDArray[np.float64]:
    drawn = truth[:, None] + spread[:, None] * rng.standard_normal((len(truth), count))
    return np.asarray(np.clip(drawn, 0.0, 1.0))


def command(table: Table, repetitions: int) -> Command:
    """The whole command on simulated trainings of known expected errors."""
    rng = np.random.default_rng(1)
    found = Command(table.name, repetitions)
    everyone = table.errors.mean(1)
    for _ in range(repetitions):
        some = rng.choice(len(everyone), min(SEARCHED, len(everyone)), replace=False)
        truth, costs = everyone[some], table.costs[some]
        law = spread_of(table)[some]
        first = _simulated(truth, law, rng, 1)
        trainings = {at: Trainings((float(one[0]),)) for at, one in enumerate(first)}
        estimates = Estimates(trainings, table.images)
        before = _front(estimates, costs)
        left = PER_NETWORK * len(before)
        while left > 0:
            front = _front(estimates, costs)
            chosen = next_trainings(estimates, _tuples(costs), front, min(ROUND, left))
            if not chosen:
                break
            left -= len(chosen)
            found.trainings += len(chosen)
            for at in chosen:
                error = float(_simulated(truth[[at]], law[[at]], rng, 1)[0, 0])
                trainings[at] = replace(trainings[at], errors=(*trainings[at].errors, error))
            estimates = Estimates(trainings, table.images)
        _count(found, estimates, before, first[:, 0], truth, costs)
    return found


def _count(
    found: Command,
    estimates: Estimates,
    before: Sequence[int],
    first: NDArray[np.float64],
    truth: NDArray[np.float64],
    costs: NDArray[np.float64],
) -> None:
    after = _front(estimates, costs)
    true = {at for at, one in enumerate(non_dominated(list(zip(truth, costs, strict=True)))) if one}
    for a, b in pairwise(after):
        said = estimates.difference(a, b)
        if not said.overlaps(0.0):
            found.stated += 1
            found.right += bool((truth[a] - truth[b]) * said.value > 0)
    found.front += len(after)
    found.true += len(true & set(after))
    found.front_before += len(before)
    found.true_before += len(true & set(before))
    means = dict(zip(estimates.networks, estimates.means, strict=True))
    for at in after:
        # Of the images no simulated training knows anything: the interval of the seeds alone.
        alone = replace(estimates, shares=False)
        found.covered += alone.interval(at).overlaps(float(truth[at]))
        found.optimism += 100 * float(truth[at] - means[at]) / len(after)
    for at in before:
        found.optimism_before += 100 * float(truth[at] - first[at]) / len(before)
    found.lost += 100 * _lost(after, truth, costs)
    found.lost_before += 100 * _lost(before, truth, costs)


def _lost(front: Sequence[int], truth: NDArray[np.float64], costs: NDArray[np.float64]) -> float:
    """Mean over a dozen log-spaced budgets: expected error of the dearest network of a front that keeps
    the budget, less that of the best network that does.
    """
    cheap = costs[front[0]]
    budgets = np.geomspace(cheap, costs.max(), 12)
    taken = [
        max((at for at in front if costs[at] <= one), key=lambda at: costs[at]) for one in budgets
    ]
    best = [truth[costs <= one].min() for one in budgets]
    return float(np.mean(truth[taken] - best))


def _front(estimates: Estimates, costs: NDArray[np.float64]) -> list[int]:
    """The front by mean errors, cheapest first."""
    points = [
        (mean, costs[at]) for at, mean in zip(estimates.networks, estimates.means, strict=True)
    ]
    kept = [at for at, one in zip(estimates.networks, non_dominated(points), strict=True) if one]
    return sorted(kept, key=lambda at: (costs[at], at))


def _tuples(costs: NDArray[np.float64]) -> dict[int, tuple[float]]:
    return {at: (float(cost),) for at, cost in enumerate(costs)}


def markdown(rows: Sequence[Row], commands: Sequence[Command]) -> str:
    """Both tables."""
    lines = [
        "| table | statements about | n stated of pairs | the other seed agrees | intervals hold the "
        "other seed | simulated: n stated | right | another seed agrees |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = (
            row.table, row.about, f"{row.stated:,} of {row.pairs:,}", _share(row.agreed, row.stated),
            _share(row.covered, row.pairs), f"{row.simulated_stated:,}",
            _share(row.simulated_right, row.simulated_stated),
            _share(row.simulated_agreed, row.simulated_stated),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "| table | runs | trainings a run | steps decided, right | on the true front: before | after | "
        "errors too small by: before | after | points lost: before | after | intervals hold |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in commands:
        runs = one.repetitions
        figures = (
            one.table, str(runs), f"{one.trainings / runs:.1f}",
            f"{_share(one.right, one.stated)} (n = {one.stated:,})",
            _share(one.true_before, one.front_before), _share(one.true, one.front),
            f"{one.optimism_before / runs:.2f}", f"{one.optimism / runs:.2f}",
            f"{one.lost_before / runs:.3f}", f"{one.lost / runs:.3f}",
            f"{_share(one.covered, one.front)} (n = {one.front:,})",
        )  # fmt: skip
        lines.append(f"| {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


def _share(count: int, whole: int) -> str:
    return f"{100 * count / whole:.1f} %" if whole else "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
