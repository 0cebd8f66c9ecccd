"""Does attention follow the object's size? The shift of every SK unit over several trainings.

Claim of the paper (Li et al., CVPR 2019, Figures 3 and 4, SKNet-50 on ImageNet): the larger the object,
the more weight goes to the larger kernel, in low and middle units and not in the last. `nas attention`
gives the shift of one trained network with an interval over its images, which is narrow and says nothing
about another seed. This script puts trainings next to each other: for each stage the mean shift over its
units, and a 95 % interval by Student's t over the trainings; for each unit, in how many trainings it is
positive.

Of the page: n = 6 trainings, 10,000 images each; AMD EPYC, 2 cores.

    python benchmarks/attention_shift.py NAME=CHECKPOINT [NAME=CHECKPOINT ...] [--data D] [--json]

For example the SK networks of table4_tradeoff.py. Writes docs/results/attention/: shift.csv (one row a
training, unit and scale), stages.csv, machine.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from machine import write_machine
from over_seeds import half_width, mean
from rows import write_rows

from nas.cli.main import main as nas

OUT = Path("docs/results/attention")
WORK = Path("runs/attention_shift")


@dataclass(frozen=True)
class UnitShift:
    """One row of shift.csv: the mean over the images of one training."""

    training: str
    unit: str
    stage: int
    to_scale: float
    images: int
    mean_shift: float
    low: float
    high: float


@dataclass(frozen=True)
class StageShift:
    """One row of stages.csv: the mean over a stage's units, then over the trainings."""

    stage: int
    to_scale: float
    trainings: int
    mean_shift: float
    interval: float
    positive_in: int


def main() -> int:
    """Run ``nas attention`` on every checkpoint, and write what they have in common; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="+", metavar="NAME=CHECKPOINT")
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[UnitShift] = []
    for text in options.checkpoints:
        name, _, checkpoint = text.partition("=")
        folder = WORK / name
        if not (folder / "shift.csv").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            if code := nas(["attention", checkpoint, "--data", options.data, "--out", str(folder)]):
                return code
        rows += read_shifts(name, folder / "shift.csv")
    stages = summarise(rows)
    write_rows(OUT / "shift.csv", rows)
    write_rows(OUT / "stages.csv", stages)
    write_machine(OUT)
    if options.json:
        print(json.dumps([asdict(one) for one in stages], indent=2))
    else:
        print("\n".join(map(line, stages)))
        print("\n".join(units_in_words(rows)))
    return 0


def read_shifts(training: str, path: Path) -> list[UnitShift]:
    """The rows of one run of ``nas attention``."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            UnitShift(
                training,
                row["unit"],
                int(row["stage"]),
                float(row["to_scale"]),
                int(row["images"]),
                *(float(row[name]) for name in ("mean_shift", "low", "high")),
            )
            for row in csv.DictReader(file)
        ]


def summarise(rows: Sequence[UnitShift]) -> list[StageShift]:
    """Each stage at each scale, over the trainings."""
    result = []
    trainings = list(dict.fromkeys(row.training for row in rows))
    for stage in sorted({row.stage for row in rows}):
        for scale in sorted({row.to_scale for row in rows}):
            here = [row for row in rows if row.stage == stage and row.to_scale == scale]
            means = [
                mean([row.mean_shift for row in here if row.training == training])
                for training in trainings
            ]
            half = half_width(means)
            positive = sum(value > 0 for value in means)
            result.append(StageShift(stage, scale, len(means), mean(means), half, positive))
    return result


def line(one: StageShift) -> str:
    """A stage as a line of text."""
    return (
        f"stage {one.stage} at {one.to_scale:g}x: {one.mean_shift:+.4f} +- {one.interval:.4f} over "
        f"{one.trainings} trainings, positive in {one.positive_in}"
    )


def units_in_words(rows: Sequence[UnitShift]) -> list[str]:
    """Each unit at the largest scale: in how many trainings its shift is positive."""
    last = max(row.to_scale for row in rows)
    lines = []
    for unit in dict.fromkeys(row.unit for row in rows):
        shifts = [row.mean_shift for row in rows if row.unit == unit and row.to_scale == last]
        positive = sum(shift > 0 for shift in shifts)
        lines.append(f"{unit:8s} {mean(shifts):+.4f}, positive in {positive} of {len(shifts)}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
