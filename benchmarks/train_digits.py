r"""All networks of the space `quickstart`, trained on digits to the flat of their curves, three seeds.

A table to replay searches on whose errors reach from under one to tens of per cent, as in real use;
points_lost.py reads it. A training has 24 epochs after the recipe `tiny`, 864 steps. 96 networks with
three seeds take about four core-hours on an idle x86 core.

Run it again after any interruption: what the file holds is not trained again. Seeds come in turn, so
that one is whole before the next begins.

    python benchmarks/train_digits.py [--seeds 3] [--workers 1]      # a core each

Writes benchmarks/digits/digits.csv, a row a training.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything that starts threads

from replay.digits import TABLE, DigitsRow, networks
from rows import read_rows, write_rows

from blocks import ArchSpec
from nas.cost import count
from nas.data import DataConfig
from nas.training import RECIPES, TrainJob
from nas.training.fit import fit

RUNS = Path("runs/digits")
RECIPE = RECIPES["tiny"].model_copy(update={"epochs": 24})


@dataclass(frozen=True)
class Training:
    """One of them."""

    spec: ArchSpec
    seed: int

    def job(self) -> TrainJob:
        """What is trained."""
        name = f"{self.spec.key}-{self.seed}"
        return TrainJob(
            spec=self.spec,
            data=DataConfig(name="digits"),
            recipe=RECIPE,
            seed=self.seed,
            folder=RUNS / name,
            log_name="digits",
            log_version=name,
            threads=1,
        )


def train(one: Training) -> DigitsRow:
    """Train, and remove all but the figures."""
    job = one.job()
    epochs = fit(job)
    shutil.rmtree(job.folder, ignore_errors=True)
    errors = [epoch.val_error for epoch in epochs]
    assert errors[-1] is not None
    return DigitsRow(
        key=one.spec.key,
        seed=one.seed,
        epochs=len(epochs),
        mflops=count(one.spec).mflops,
        error=round(errors[-1], 6),
        seconds=round(sum(epoch.seconds for epoch in epochs), 1),
    )


def main() -> int:
    """Train, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--workers", type=int, default=1, help="trainings at a time, one thread each"
    )
    options = parser.parse_args()
    rows = read_rows(TABLE, DigitsRow)
    done = {(row.key, row.seed) for row in rows}
    missing = [
        Training(spec, seed)
        for seed in range(options.seeds)
        for spec in networks().values()
        if (spec.key, seed) not in done
    ]
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for row in pool.imap_unordered(train, missing):
            rows.append(row)
            write_rows(TABLE, sorted(rows, key=lambda row: (row.seed, row.key)))
            print(f"{len(rows):3d} {row.key}-{row.seed} {row.error:.4f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
