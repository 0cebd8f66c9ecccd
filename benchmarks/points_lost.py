r"""What a user loses at a budget by trusting a search: ours and others, replayed on tables of networks.

A search sees the errors of one seed of a table; at each of a dozen budgets the best network that it has
trained is picked by them, and judged by the mean of the other seeds, less the least error there is. A
network is never trained twice, and what is known costs nothing, for all searches alike. `macro` is
NAS-Bench-Macro (6,561 networks, three seeds), a file that is no part of this project; `digits` is
benchmarks/digits (96 networks), once train_digits.py has trained it.

    python benchmarks/points_lost.py --table nas_bench_macro.json [--seeds 30] [--searchers forecast,tpe]
    python benchmarks/points_lost.py --table nas_bench_macro.json --searchers syne_ehvi,syne_evolution
    python benchmarks/points_lost.py --collect         # only the summary

Syne Tune's searchers come with the extra `peers`. Its EHVI takes minutes a search.

Run it again after any interruption: what runs.csv holds is not run again. Seeds come in turn, so that
every searcher has about as many. Writes into docs/results/points_lost/: runs.csv, summary.csv,
machine.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# Before anything that starts threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from machine import machine
from over_seeds import half_width, mean
from replay.digits import digits
from replay.tabular import REPLAYS, Replay, Table, ceiling, nas_bench_macro
from rows import read_rows, write_rows

OUT = Path("docs/results/points_lost")
AT = (12, 20, 40, 60, 100)
"""Trainings after which searches are judged."""
SLOW = ("gp",)
"""Minutes a search; run only when they are named."""


@dataclass(frozen=True)
class Run:
    """A row of runs.csv: a search after so many trainings.

    Attributes:
        table: Which networks.
        searcher: Who searched.
        seed: Of the searcher; it also chooses whose errors it sees.
        trained: Networks so far.
        lost: Percentage points, mean over the budgets of users.
        lost_whole: The same over budgets from the cheapest to the dearest point of the true front.
        share: Of the hypervolume of the true front.
    """

    table: str
    searcher: str
    seed: int
    trained: int
    lost: float
    lost_whole: float
    share: float


@dataclass(frozen=True)
class Summary:
    """A row of summary.csv: means over n seeds with the halves of their 95 % intervals."""

    table: str
    searcher: str
    trained: int
    n: int
    lost: float
    lost_half: float
    lost_whole: float
    lost_whole_half: float
    share: float
    share_half: float


def run(table: Table, searcher: str, seed: int) -> list[Run]:
    """Search once."""
    judge = table.judge(seed)
    last = max(at for at in AT if at <= len(table.keys))
    keys: list[str] = []
    rows = []
    for key in replay_of(searcher)(table, seed):
        keys.append(key)
        if len(keys) in AT:
            lost, whole = judge.lost(keys)
            figures = (round(lost, 4), round(whole, 4), round(judge.share(keys), 4))
            rows.append(Run(table.name, searcher, seed, len(keys), *figures))
        if len(keys) == last:
            break
    return rows


def search(tables: Sequence[Table], searchers: Sequence[str], seeds: int) -> None:
    """Run what was not run."""
    path = OUT / "runs.csv"
    rows = read_rows(path, Run)
    for seed in range(seeds):
        for table in tables:
            for searcher in searchers:
                if (table.name, searcher, seed) in {(r.table, r.searcher, r.seed) for r in rows}:
                    continue
                rows += run(table, searcher, seed)
                write_rows(path, rows)
                print(f"{table.name}, {searcher}, seed {seed}: {rows[-1].lost:.2f}", flush=True)


def replay_of(searcher: str) -> Replay:
    """A searcher by name."""
    if searcher in REPLAYS:
        return REPLAYS[searcher]
    from replay.syne_tune_tabular import SYNE_TUNE  # an extra, 700 MB

    return SYNE_TUNE[searcher]


def summary(rows: Sequence[Run]) -> list[Summary]:
    """Means over the seeds."""
    made = []
    for table, searcher, trained in sorted({(r.table, r.searcher, r.trained) for r in rows}):
        some = [r for r in rows if (r.table, r.searcher, r.trained) == (table, searcher, trained)]
        figures: list[float] = []
        for name in ("lost", "lost_whole", "share"):
            values = [getattr(one, name) for one in some]
            figures += [round(mean(values), 4), round(half_width(values), 4)]
        made.append(Summary(table, searcher, trained, len(some), *figures))
    return made


def collect() -> None:
    """Write and print what the runs come to."""
    made = summary(read_rows(OUT / "runs.csv", Run))
    write_rows(OUT / "summary.csv", made)
    (OUT / "machine.json").write_text(json.dumps(asdict(machine()), indent=2) + "\n")
    for row in sorted(made, key=lambda r: (r.table, r.trained, r.lost)):
        print(
            f"{row.table:8s} {row.trained:3d} {row.searcher:17s} n={row.n:2d}  "
            f"lost {row.lost:6.3f} +- {row.lost_half:.3f}  whole front {row.lost_whole:6.2f} +- "
            f"{row.lost_whole_half:.2f}  share {row.share:.3f} +- {row.share_half:.3f}"
        )


def print_ceiling(table: Table) -> None:
    """How far two trainings of the same networks agree."""
    everything = ceiling(table, lambda costs, errors: [np.arange(len(costs))])
    fifth = ceiling(table, lambda costs, errors: [np.argsort(errors)[: len(errors) // 5]])
    bands = ceiling(table, lambda costs, errors: np.array_split(np.argsort(costs), 10))
    print(
        f"{table.name}: tau of two seeds: {everything:.2f} over all, {fifth:.2f} in the best fifth, "
        f"{bands:.2f} in ten bands of equal cost"
    )
    whole = [table.judge(seed).lost(table.keys)[0] for seed in range(3)]
    print(f"{table.name}: points lost by who has trained all with one seed: {mean(whole):.2f}")


def main() -> int:
    """Search, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, help="nas_bench_macro.json; without: only digits")
    parser.add_argument("--seeds", type=int, default=30)
    names = ",".join(name for name in REPLAYS if name not in SLOW)
    parser.add_argument("--searchers", default=names, help="separated by commas; %(default)s")
    parser.add_argument("--collect", action="store_true", help="search nothing")
    options = parser.parse_args()
    searchers = options.searchers.split(",")
    tables = [nas_bench_macro(options.table)] if options.table else []
    own = digits()
    tables += [] if own is None else [own]
    if not options.collect:
        search(tables, searchers, options.seeds)
    collect()
    for table in tables:
        print_ceiling(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
