"""Which network to take of those that a search has trained: the least error, or the least expected one?

`nas pareto --pick expected` weighs each error against those of networks like it. On the tables of
points_lost.py our default search is replayed, and at each of a dozen budgets a network is picked both
ways, of the same trainings. The mean of the table's other seeds judges.

    python benchmarks/expected_picks.py [--table nas_bench_macro.json] [--seeds 30]     # minutes

Writes docs/results/points_lost/: expected.csv (a row a search and number of trainings), expected.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

# Before anything that starts threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from over_seeds import half_width, mean
from replay.digits import digits
from replay.tabular import REPLAYS, Table, nas_bench_macro
from rows import read_rows, write_rows

from nas.searching.forecast.expected_errors import expected_errors

OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "points_lost"
AT = (12, 20, 40, 60)


@dataclass(frozen=True)
class Picked:
    """A row of the file: points lost by both ways to pick, mean over the budgets of users."""

    table: str
    seed: int
    trained: int
    by_error: float
    by_expected: float


def main() -> int:
    """Search, pick, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, help="nas_bench_macro.json; without: only digits")
    parser.add_argument("--seeds", type=int, default=30)
    options = parser.parse_args()
    tables = [nas_bench_macro(options.table)] if options.table else []
    own = digits()
    tables += [] if own is None else [own]
    rows = read_rows(OUT / "expected.csv", Picked)
    for seed in range(options.seeds):
        for table in tables:
            if (table.name, seed) not in {(row.table, row.seed) for row in rows}:
                rows += list(searched(table, seed))
                write_rows(OUT / "expected.csv", rows)
                print(rows[-1], flush=True)
    lines = summary(rows)
    (OUT / "expected.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0


def searched(table: Table, seed: int) -> Iterator[Picked]:
    """Both picks along a search."""
    judge, keys = table.judge(seed), list[str]()
    for key in REPLAYS["forecast"](table, seed):
        keys.append(key)
        if len(keys) in AT:
            expected = expected_errors(
                {one: table.networks[one] for one in keys},
                {one: (table.costs[one],) for one in keys},
                {one: judge.seen[one] for one in keys},
                table.images,
            )
            judges = (judge, replace(judge, seen=expected))
            lost = (one.lost(keys)[0] for one in judges)
            yield Picked(table.name, seed, len(keys), *(round(one, 4) for one in lost))
        if len(keys) == AT[-1]:
            return


def summary(rows: Sequence[Picked]) -> list[str]:
    """Means over the seeds."""
    lines = [
        "| table | trained | least error | least expected error | difference | n |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for table in dict.fromkeys(row.table for row in rows):
        for trained in AT:
            some = [row for row in rows if (row.table, row.trained) == (table, trained)]
            before, after = [r.by_error for r in some], [r.by_expected for r in some]
            gains = [b - a for a, b in zip(before, after, strict=True)]
            cells = (f"{mean(one):.2f} ± {half_width(one):.2f}" for one in (before, after))
            lines.append(
                f"| {table} | {trained} | {' | '.join(cells)} | "
                f"{mean(gains):+.2f} ± {half_width(gains):.2f} | {len(some)} |"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
