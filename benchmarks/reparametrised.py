"""What `--reparametrise` brings: networks of `quickstart` on digits, with the branches and without.

The trainings without are those of benchmarks/digits (train_digits.py): 24 epochs, to the flat of their
curves. The same trainings, seed by seed, have the further branches beside every spatial convolution.
Differences are paired by network and seed; the interval is over networks, each the mean of its seeds.

    python benchmarks/reparametrised.py [--networks 12] [--seeds 2] [--workers 1]

Run it again after any interruption: what the file holds is not trained again. A training takes
1.3 times as long as without. Writes docs/results/reparametrised/: reparametrised.csv (a row a training),
table.md, machine.json.
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

from machine import write_machine
from over_seeds import half_width, mean
from replay.digits import TABLE, VAL_IMAGES, DigitsRow, networks
from rows import read_rows, write_rows
from train_digits import Training

from nas.training.fit import fit

OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "reparametrised"


@dataclass(frozen=True)
class Pair:
    """A row of the file: a training with the branches, and that without.

    Attributes:
        key: Of the network.
        unit: In words.
        seed: Of both trainings.
        mflops: Multiply-adds of the network, in millions.
        without: Share of misclassified validation images.
        error: The same with the branches.
        seconds_without: Of one thread.
        seconds: With the branches.
    """

    key: str
    unit: str
    seed: int
    mflops: float
    without: float
    error: float
    seconds_without: float
    seconds: float


def main() -> int:
    """Train what is missing, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    plain = {(row.key, row.seed): row for row in read_rows(TABLE, DigitsRow)}
    rows = read_rows(OUT / "reparametrised.csv", Pair)
    done = {(row.key, row.seed) for row in rows}
    missing = [
        (Training(spec, seed), plain[spec.key, seed])
        for seed in range(options.seeds)
        for spec in list(networks().values())[: options.networks]
        if (spec.key, seed) not in done
    ]
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for row in pool.imap_unordered(train, missing):
            rows.append(row)
            write_rows(
                OUT / "reparametrised.csv", sorted(rows, key=lambda row: (row.seed, row.key))
            )
            print(f"{len(rows):3d} {row.unit}: {row.without:.4f} -> {row.error:.4f}", flush=True)
    lines = table(rows)
    (OUT / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_machine(OUT)
    print("\n".join(lines))
    return 0


def train(work: tuple[Training, DigitsRow]) -> Pair:
    """Train, and remove all but the figures."""
    one, before = work
    job = one.job()
    folder = job.folder.with_name(f"{job.folder.name}-reparametrised")
    recipe = job.recipe.model_copy(update={"reparametrise": True})
    epochs = fit(job.model_copy(update={"recipe": recipe, "folder": folder}))
    shutil.rmtree(folder, ignore_errors=True)
    error = epochs[-1].val_error
    assert error is not None
    return Pair(
        one.spec.key, one.spec.label, one.seed, before.mflops, before.error, round(error, 6),
        before.seconds, round(sum(epoch.seconds for epoch in epochs), 1),
    )  # fmt: skip


def table(rows: list[Pair]) -> list[str]:
    """All of them, and the mean difference."""
    keys = sorted(
        {row.key for row in rows}, key=lambda key: next(r.mflops for r in rows if r.key == key)
    )
    lines = [
        f"| M | unit | error of {VAL_IMAGES} images, % | reparametrised | difference | seeds |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    differences = []
    for key in keys:
        mine = [row for row in rows if row.key == key]
        before = 100 * mean([row.without for row in mine])
        after = 100 * mean([row.error for row in mine])
        differences.append(after - before)
        lines.append(
            f"| {mine[0].mflops:.2f} | {mine[0].unit} | {before:.2f} | {after:.2f} | "
            f"{after - before:+.2f} | {len(mine)} |"
        )
    lines.append(
        f"| mean | | | | {mean(differences):+.2f} ± {half_width(differences):.2f} | {len(rows)} |"
    )
    return lines


if __name__ == "__main__":
    sys.exit(main())
