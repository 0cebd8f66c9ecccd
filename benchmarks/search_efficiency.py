r"""How many epochs of training a search needs to find a front: ours and others, replayed on real curves.

Claim: see docs/results/search_efficiency/README.md, which this script's figures are in.

Every searcher is run on a table of learning curves, where a training of an epoch is looked up. `real`
is benchmarks/curves (156 SK networks, each trained for nine epochs on Fashion-MNIST); `parallel` and
`crossing` are invented, one table a seed: curves of one speed, and curves of which better ones are
slower. What is compared is the hypervolume of the networks trained in full, as a share of that of the
table's true front, against the epochs spent, and against the time with W workers. A network trained a
second time, or over the limit, costs its epochs like any other.

    pip install -c constraints.txt -e '.[peers]'           # Syne Tune
    python benchmarks/search_efficiency.py [--seeds 50] [--workers 2] [--tables real,parallel,crossing]
    python benchmarks/search_efficiency.py --collect       # only the summary, of the runs there are

Run it again after any interruption: what runs.csv holds is not run again. Writes into
docs/results/search_efficiency/: runs.csv (a row a search), lost.csv (points lost at budgets, of searches
run since there is that yardstick), summary.csv, bands.csv, paired.csv, machine.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

# Before anything that starts threads: Optuna's GP and ours would each take all cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from curves.table import SPACE, CurveTable, load_table
from machine import machine
from over_seeds import half_width, mean
from replay.synthetic import crossing, parallel
from replay.trace import Searcher
from rows import read_rows, write_rows

from search_spaces import load_space

OUT = Path("docs/results/search_efficiency")
SHARES = (0.90, 0.95, 0.99)
EVERY = 9
"""Epochs between two points of a search's curve."""
WHOLE = 1404
"""Epochs that train every network once."""
BUDGETS = {
    **dict.fromkeys(("random", "tpe", "nsga2", "random_once", "tpe_once", "nsga2_once"), 2 * WHOLE),
    **dict.fromkeys(
        ("median", "moasha", "moasha_ranked", "moasha_corrected", "moasha_on_losses"), 900
    ),
}
BUDGET = 450
"""Epochs that a search may spend: the simple ones need many to get anywhere."""
SLOW = ("gp", "tpe+pareto", "tpe+cost-peers")
"""Minutes a search; run only when they are named."""
MAKE = {"parallel": parallel, "crossing": crossing}


@dataclass(frozen=True)
class Case:
    """One search."""

    table: str
    searcher: str
    workers: int
    seed: int

    def budget(self) -> int:
        """Its epochs."""
        return BUDGETS.get(self.searcher, BUDGET)


@dataclass(frozen=True)
class Run:
    """A row of runs.csv.

    Attributes:
        table: Which curves.
        searcher: Who searched.
        workers: Trainings at a time.
        seed: Of the searcher, and of an invented table.
        budget: Epochs it might spend.
        epochs: Epochs it spent.
        to_90: Epochs until it had 90 % of the true front's hypervolume; inf: not within the budget.
        to_95: Until 95 %.
        to_99: Until 99 %.
        seconds_to_95: Simulated seconds until 95 %.
        duplicates: Share of the epochs spent on networks trained before.
        infeasible: Share of the epochs spent on networks over the limit.
        shares: The hypervolume share after every ninth epoch, in thousandths, separated by spaces.
    """

    table: str
    searcher: str
    workers: int
    seed: int
    budget: int
    epochs: int
    to_90: float
    to_95: float
    to_99: float
    seconds_to_95: float
    duplicates: float
    infeasible: float
    shares: str

    @property
    def case(self) -> Case:
        """Which search it was."""
        return Case(self.table, self.searcher, self.workers, self.seed)


@dataclass(frozen=True)
class Lost:
    """A row of lost.csv: points lost at a dozen budgets after so many epochs, see `nas.front`."""

    table: str
    searcher: str
    workers: int
    seed: int
    lost_100: float
    lost_200: float
    lost_400: float


def searchers() -> dict[str, Searcher]:
    """All of them, by name; without Syne Tune's where that is not installed."""
    from replay.optuna_peers import OPTUNA
    from replay.ours import OURS

    found = {**OPTUNA, **OURS}
    with suppress(ImportError):
        from replay.syne_tune_peers import SYNE_TUNE

        found |= SYNE_TUNE
    return found


def table_of(case: Case) -> CurveTable:
    """The curves of a case. A name ending in ``-limit`` bounds the multiply-adds by their median."""
    name = case.table.removesuffix("-limit")
    table = MAKE[name](case.seed) if name in MAKE else load_table()
    if name == case.table:
        return table
    return replace(table, limit=float(np.median(list(table.mflops.values()))))


def run(case: Case) -> tuple[Run, Lost]:
    """Search once."""
    table = table_of(case)
    space = load_space(str(SPACE)).bind(num_classes=10, in_channels=1, input_size=28)
    trace = searchers()[case.searcher](table, space, case.seed, case.workers, case.budget())
    grid = range(EVERY, case.budget() + 1, EVERY)
    spent = len(trace.steps)
    row = Run(
        **asdict(case),
        budget=case.budget(),
        epochs=spent,
        to_90=trace.epochs_to(table, 0.90),
        to_95=trace.epochs_to(table, 0.95),
        to_99=trace.epochs_to(table, 0.99),
        seconds_to_95=round(trace.seconds_to(table, 0.95), 1),
        duplicates=round(trace.duplicate_epochs() / max(1, spent), 4),
        infeasible=round(trace.infeasible_epochs(table) / max(1, spent), 4),
        shares=" ".join(str(round(1000 * share)) for share in trace.curve(table, list(grid))),
    )
    lost = [round(trace.lost(table, epochs), 3) for epochs in (100, 200, 400)]
    return row, Lost(case.table, case.searcher, case.workers, case.seed, *lost)


def search(cases: Sequence[Case], workers: int) -> None:
    """Run what was not run."""
    path, of_lost = OUT / "runs.csv", OUT / "lost.csv"
    rows, lost = read_rows(path, Run), read_rows(of_lost, Lost)
    done = {row.case for row in rows}
    waiting = [case for case in cases if case not in done]
    print(f"{len(waiting)} of {len(cases)} searches to run", flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    write_rows(path, rows)  # Whole lines only, so that rows can be appended.
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [one.name for one in fields(Run)], lineterminator="\n")
        if not rows:
            writer.writeheader()
        with ProcessPoolExecutor(workers, spawn) as pool:
            for number, one in enumerate(as_completed([pool.submit(run, c) for c in waiting]), 1):
                row, points = one.result()
                # First, for a search is not run again once it is in runs.csv.
                lost.append(points)
                write_rows(of_lost, lost)
                writer.writerow(asdict(row))
                file.flush()
                if number % 50 == 0:
                    print(f"{number} of {len(waiting)}", flush=True)


@dataclass(frozen=True)
class Summary:
    """A row of summary.csv: a searcher on a table; medians over n seeds, with 95 % intervals."""

    table: str
    workers: int
    searcher: str
    n: int
    budget: int
    to_90: float
    to_95: float
    to_95_low: float
    to_95_high: float
    to_99: float
    reached_95: float
    share_100: float
    share_200: float
    share_400: float
    duplicates: float
    infeasible: float


@dataclass(frozen=True)
class Band:
    """A row of bands.csv: the mean hypervolume share after so many epochs, and its 95 % interval."""

    table: str
    workers: int
    searcher: str
    n: int
    epochs: int
    mean: float
    low: float
    high: float


def groups(rows: Sequence[Run]) -> Iterator[tuple[tuple[str, int, str], list[Run]]]:
    """The runs of each searcher on each table."""
    for name in sorted({(row.table, row.workers, row.searcher) for row in rows}):
        yield name, [row for row in rows if (row.table, row.workers, row.searcher) == name]


def shares_of(rows: Sequence[Run]) -> np.ndarray:
    """(runs, points) hypervolume shares."""
    return np.array([[int(share) / 1000 for share in row.shares.split()] for row in rows])


def summary(rows: Sequence[Run]) -> list[Summary]:
    """Medians of the epochs needed; an interval of the median by the bootstrap, 2,000 times."""
    made = []
    rng = np.random.default_rng(0)
    for (table, workers, searcher), some in groups(rows):
        needed = np.array([row.to_95 for row in some])
        again = needed[rng.integers(len(needed), size=(2000, len(needed)))]
        medians = np.sort(np.median(again, axis=1))
        points = shares_of(some)

        def at(epochs: int, points: np.ndarray = points) -> float:
            column = epochs // EVERY - 1
            return (
                round(float(points[:, column].mean()), 4) if column < points.shape[1] else math.nan
            )

        made.append(
            Summary(
                table, workers, searcher, len(some), some[0].budget,
                float(np.median([row.to_90 for row in some])),
                float(np.median(needed)), float(medians[50]), float(medians[1949]),
                float(np.median([row.to_99 for row in some])),
                round(float(np.isfinite(needed).mean()), 3),
                at(100), at(200), at(400),
                round(float(np.mean([row.duplicates for row in some])), 4),
                round(float(np.mean([row.infeasible for row in some])), 4),
            )
        )  # fmt: skip
    return made


def bands(rows: Sequence[Run]) -> list[Band]:
    """Mean shares with normal intervals."""
    made = []
    for (table, workers, searcher), some in groups(rows):
        points = shares_of(some)
        half = (
            1.96 * points.std(0, ddof=1) / math.sqrt(len(some)) if len(some) > 1 else points[0] * 0
        )
        for column, centre in enumerate(points.mean(0)):
            figures = (centre, centre - half[column], centre + half[column])
            rounded = [round(float(figure), 4) for figure in figures]
            made.append(Band(table, workers, searcher, len(some), EVERY * (column + 1), *rounded))
    return made


@dataclass(frozen=True)
class Paired:
    """A row of paired.csv: early stopping less full training by the same sampler, seed by seed.

    Attributes:
        table: Which curves.
        workers: Trainings at a time.
        searcher: With early stopping.
        against: Without.
        epochs: Spent by both.
        n: Seeds.
        difference: Mean of the differences of the hypervolume shares; above 0: early stopping is better.
        low: Of its 95 % interval, by Student's t.
        high: See there.
    """

    table: str
    workers: int
    searcher: str
    against: str
    epochs: int
    n: int
    difference: float
    low: float
    high: float


def paired(rows: Sequence[Run]) -> list[Paired]:
    """Each of ours with early stopping beside the same sampler without."""
    made = []
    by_name = dict(groups(rows))
    for (table, workers, searcher), some in by_name.items():
        sampler, _, rule = searcher.partition("+")
        others = {one.seed: one for one in by_name.get((table, workers, f"{sampler}+none"), [])}
        both = [(one, others[one.seed]) for one in some if one.seed in others]
        if rule in ("", "none") or len(both) < 2:
            continue
        gaps = shares_of([one for one, _ in both]) - shares_of([other for _, other in both])
        for epochs in (99, 198, 297, 396):
            column = gaps[:, epochs // EVERY - 1]
            centre, half = mean(column.tolist()), half_width(column.tolist())
            figures = (round(float(x), 4) for x in (centre, centre - half, centre + half))
            made.append(
                Paired(table, workers, searcher, f"{sampler}+none", epochs, len(both), *figures)
            )
    return made


def collect() -> None:
    """Write and print what the runs come to."""
    # runs.csv stays as it is: searches may be appending to it.
    rows = sorted(
        read_rows(OUT / "runs.csv", Run), key=lambda r: (r.table, r.workers, r.searcher, r.seed)
    )
    made = summary(rows)
    write_rows(OUT / "summary.csv", made)
    write_rows(OUT / "bands.csv", bands(rows))
    write_rows(OUT / "paired.csv", paired(rows))
    (OUT / "machine.json").write_text(json.dumps(asdict(machine()), indent=2) + "\n")
    lost = read_rows(OUT / "lost.csv", Lost)
    for row in sorted(made, key=lambda r: (r.table, r.workers, r.to_95, -r.share_200)):
        some = [
            one.lost_200
            for one in lost
            if (one.table, one.workers, one.searcher) == (row.table, row.workers, row.searcher)
        ]
        points = f"  lost at 200 {mean(some):.2f} +- {half_width(some):.2f}" if some else ""
        print(
            f"{row.table:14s} W={row.workers} {row.searcher:20s} n={row.n:2d}  "
            f"to 90 % {row.to_90:5.0f}  "
            f"95 % {row.to_95:5.0f} [{row.to_95_low:.0f}, {row.to_95_high:.0f}]  99 % {row.to_99:5.0f}  "
            f"at 100 {row.share_100:.3f}  200 {row.share_200:.3f}  400 {row.share_400:.3f}  "
            f"twice {row.duplicates:.2f}  over {row.infeasible:.2f}{points}"
        )


def main() -> int:
    """Run, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2, help="searches at a time")
    parser.add_argument("--tables", default="real,parallel,crossing,real-limit")
    parser.add_argument("--simulated-workers", default="1,8")
    parser.add_argument("--searchers", default=None, help="names; default: all that take seconds")
    parser.add_argument("--collect", action="store_true", help="run nothing")
    options = parser.parse_args()
    if not options.collect:
        names = (
            options.searchers.split(",")
            if options.searchers
            else [n for n in searchers() if n not in SLOW]
        )
        search(
            [
                Case(table, name, int(workers), seed)
                for seed in range(options.seeds)
                for table in options.tables.split(",")
                for workers in options.simulated_workers.split(",")
                for name in names
            ],
            options.workers,
        )
    collect()
    return 0


if __name__ == "__main__":
    sys.exit(main())
