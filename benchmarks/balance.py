r"""What each --balance brings on classes of unequal size.

Handwritten digits of scikit-learn: the training images of the ten classes fall geometrically from 140
to 7, 1:20, and another class is the rarest for each seed. The plain ShuffleNetV2 0.5 at 16 pixels is
trained by the recipe `tiny` for 20 epochs, with each --balance, from the same weights and on the same
images. All other digits are the test images, which nothing is chosen by. Reported are the mean error of
the classes, the error at the class shares of the training images, and the recall of the three rarest
classes: means over seeds with 95 % intervals, and differences paired by seed.

    python benchmarks/balance.py [--work runs/balance]       # ten minutes of one core
    python benchmarks/balance.py --collect                   # only writes the table

Run it again after any interruption: trainings continue from their checkpoints.
Of the page: n = 5 seeds; AMD EPYC, one thread. Writes balance.csv, table.md and machine.json into
docs/results/balance/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from machine import write_machine
from over_seeds import half_width, mean
from rows import read_rows, write_rows
from sklearn.datasets import load_digits
from torch.nn import functional
from torch.utils.data import Subset, TensorDataset

import nas
from nas.data import DataConfig, load_data
from nas.runs import TrialFolder
from nas.training import RECIPES, TrainJob, load_checkpoint
from nas.training.fit import fit
from nas.training.recipe import BALANCES

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "balance"
SEEDS, CLASSES, SIDE, EPOCHS, RARE = 5, 10, 16, 20, 3
COUNTS = np.geomspace(140, 7, CLASSES).round().astype(int)
"""Training images from the commonest to the rarest class."""


@dataclass(frozen=True)
class Row:
    """One training; shares from 0 to 1."""

    balance: str
    seed: int
    balanced_error: float
    error: float
    rare_recall: float
    test_images: int


def imbalanced(seed: int) -> nas.Datasets:
    """Digits of which class ``seed`` is the commonest, and the one before it the rarest."""
    published = load_digits()
    small = torch.from_numpy(published.images).float()[:, None] * (255 / 16)
    large = functional.interpolate(small, size=SIDE, mode="bilinear", align_corners=False)
    images = TensorDataset(large.round().byte(), torch.from_numpy(published.target).long())
    draws = np.random.default_rng(seed)
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for place, count in enumerate(COUNTS):
        rows = draws.permutation(np.flatnonzero(published.target == (seed + place) % CLASSES))
        parts["train"] += rows[: count - 1].tolist()
        parts["val"] += rows[count - 1 : count].tolist()  # trained on as well
        parts["test"] += rows[count:].tolist()
    train, val, test = (Subset(images, parts[split]) for split in ("train", "val", "test"))
    names = [str(digit) for digit in range(CLASSES)]
    return nas.Datasets(train, val, test, names, flip=False, crop_padding=1)


set_0, set_1, set_2, set_3, set_4 = (partial(imbalanced, seed) for seed in range(SEEDS))


def main() -> int:
    """Train what is not trained yet, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/balance"))
    parser.add_argument("--collect", action="store_true")
    options = parser.parse_args()
    if not options.collect:
        torch.set_num_threads(1)
        rows = [train(balance, job) for balance, job in jobs(options.work)]
        write_rows(RESULTS / "balance.csv", rows)
        write_machine(RESULTS)
    collect(read_rows(RESULTS / "balance.csv", Row))
    return 0


def jobs(work: Path) -> Iterator[tuple[str, TrainJob]]:
    """All trainings, the first seed of all ways first."""
    spec = nas.ArchSpec(
        backbone="shufflenet_v2",
        width=0.5,
        num_classes=CLASSES,
        in_channels=1,
        input_size=SIDE,
        stem_stride=1,
        unit=nas.UnitSpec(kind="none"),
    )
    for seed in range(SEEDS):
        for balance in BALANCES:
            changes = {"epochs": EPOCHS, "balance": balance}
            yield (
                balance,
                TrainJob(
                    spec=spec,
                    data=DataConfig(name=f"{Path(__file__).resolve()}:set_{seed}", workers=0),
                    recipe=RECIPES["tiny"].model_copy(update=changes),
                    seed=seed,
                    folder=work / f"{balance}-{seed}",
                    log_name="balance",
                    log_version=f"{balance}-{seed}",
                    threads=1,
                    full=True,
                ),
            )


def train(balance: str, job: TrainJob) -> Row:
    """Train one network to its end, and read the test images."""
    fit(job)
    model = load_checkpoint(TrialFolder(job.folder).checkpoint).model
    data = load_data(job.data)
    table = np.zeros((CLASSES, CLASSES))
    with torch.no_grad():
        for images, labels in data.test_batches(500, torch.device("cpu")):
            np.add.at(table, (labels.numpy(), model(images).argmax(1).numpy()), 1)
    # From the commonest class to the rarest.
    recall = np.roll(table.diagonal() / table.sum(1), -job.seed)
    row = Row(
        balance,
        job.seed,
        round(float(1 - recall.mean()), 5),
        round(float(1 - (recall * COUNTS).sum() / COUNTS.sum()), 5),
        round(float(recall[-RARE:].mean()), 5),
        int(table.sum()),
    )
    print(row, flush=True)
    return row


def collect(rows: Sequence[Row]) -> None:
    """Write the table of means and differences."""
    lines = [
        "| `--balance` | balanced error, % | against `none`, points | error at the training shares, % | "
        "recall of the three rarest classes, % |",
        "|---|---:|---:|---:|---:|",
    ]
    none = {row.seed: row.balanced_error for row in rows if row.balance == "none"}
    for balance in BALANCES:
        some = [row for row in rows if row.balance == balance]
        if not some:
            continue
        gains = [row.balanced_error - none[row.seed] for row in some if row.seed in none]
        against = "" if balance == "none" else _interval(gains, "+")
        cells = [
            f"`{balance}`",
            _interval([row.balanced_error for row in some]),
            against,
            _interval([row.error for row in some]),
            _interval([row.rare_recall for row in some]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    (RESULTS / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _interval(values: Sequence[float], sign: str = "") -> str:
    centre, half = 100 * mean(values), 100 * half_width(values)
    return f"{centre:{sign}.1f} ± {half:.1f}"


if __name__ == "__main__":
    sys.exit(main())
