r"""How close does the search of README's Python block come to the front of its whole space?

All 96 networks of the space `quickstart` were trained to the flat of their curves (train_digits.py). The
search trains 12 of those within 3 million multiply-adds for 6 epochs each. At each of a dozen log-spaced
budgets the network that the search has found best is judged by the mean error of its long trainings,
less the least there is within the budget: points lost. Beside it, as a scale: the same of 12 random
networks that are picked by one long training each, which is four times as many epochs.

    python benchmarks/quickstart.py [--seeds 5]      # two minutes a search on one core; resumes

Writes docs/results/points_lost/quickstart.csv (a row a search).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything that starts threads

import numpy as np
from over_seeds import half_width, mean
from replay.digits import digits
from replay.tabular import Table
from rows import read_rows, write_rows

import nas
from nas.front import DOZEN, Found, log_budgets, non_dominated, points_lost

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "points_lost"
RUNS = Path("runs/quickstart")
TRIALS, EPOCHS, LIMIT = 12, 6, 3.0


@dataclass(frozen=True)
class Row:
    """A search.

    Attributes:
        seed: Of it.
        lost: Percentage points, mean over the budgets.
        random: The same of random networks.
        found: Networks on its front.
        true: Those of them that are on the front of the whole space within the limit.
    """

    seed: int
    lost: float
    random: float
    found: int
    true: int


def judged(table: Table, seed: int) -> Row:
    """Search as README does, and look every network up."""
    shutil.rmtree(RUNS / f"quickstart-{seed}", ignore_errors=True)  # begun before an interruption
    run = nas.search(
        "quickstart", data="digits", recipe="tiny", trials=TRIALS, epochs=EPOCHS, max_mflops=LIMIT,
        seed=seed, threads=1, name=f"quickstart-{seed}", runs_dir=RUNS, progress=False,
    )  # fmt: skip
    true = {key: float(errors.mean()) for key, errors in table.errors.items()}
    within = [key for key in table.keys if table.costs[key] <= LIMIT]
    points = [(table.costs[key], true[key]) for key in within]
    best = [key for key, one in zip(within, non_dominated(points), strict=True) if one]
    front = sorted((table.costs[key], true[key]) for key in best)
    trained = {trial.spec.key: trial.values[0] for trial in run.trials if trial.values}
    order = np.random.default_rng(seed).permutation(within)[:TRIALS]
    seen = {str(key): float(table.errors[str(key)][0]) for key in order}
    keys = {point.spec.key for point in run.front.points}
    return Row(
        seed,
        round(lost(table, trained, true, front), 4),
        round(lost(table, seen, true, front), 4),
        len(keys),
        len(keys & set(best)),
    )


def lost(
    table: Table,
    seen: dict[str, float],
    true: dict[str, float],
    front: Sequence[tuple[float, float]],
) -> float:
    """Points lost by who picks by ``seen``."""
    found = [Found(table.costs[key], error, true[key]) for key, error in seen.items()]
    budgets = log_budgets(front[0][0], LIMIT, DOZEN + 1)[1:]
    return points_lost(found, front, budgets, max(true.values()))


def main() -> int:
    """Search, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    table = digits()
    if table is None:
        raise SystemExit("benchmarks/digits holds no whole seed: run train_digits.py")
    path = RESULTS / "quickstart.csv"
    rows = read_rows(path, Row)
    for seed in range(options.seeds):
        if seed not in {row.seed for row in rows}:
            rows.append(judged(table, seed))
            write_rows(path, rows)
            print(rows[-1], flush=True)
    for name in ("lost", "random"):
        values = [getattr(row, name) for row in rows]
        print(f"{name}: {mean(values):.2f} ± {half_width(values):.2f} points, n = {len(values)}")
    print(f"on the true front: {sum(r.true for r in rows)} of {sum(r.found for r in rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
