r"""BatchNorm's momentum in short trainings: the network's own, 0.01, against 0.1.

EfficientNet-Lite0 keeps the momentum of 0.01 that it was published with. In a trial of a search, some
sixty steps long, the running statistics of a new branch are then still half those of its
initialisation. Reported are error and cross entropy on images of objects that are in no training image,
with both momenta and the same seeds. They are the test images of a stamps set (benchmarks/stamps.py)
that nothing else is measured on.

    python benchmarks/stamps.py /tmp/stamps_11 --seed 11
    python benchmarks/norm_momentum.py /tmp/stamps_11 [--seeds 2] [--workers 1]   # 10 minutes of a core
    python benchmarks/norm_momentum.py /tmp/stamps_11 --collect                 # only writes the files

Run it again after any interruption: trainings continue from their checkpoints.
Of the page: n = 2 seeds; AMD EPYC, 2 cores. Writes norm_momentum.csv and norm_momentum.md into
docs/results/fine_tuning/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from over_seeds import mean
from rows import write_rows
from trainings import epochs_of, train_all

import nas
from nas.data import DataConfig, load_data
from nas.training import RECIPES, Recipe, TrainJob
from nas.training.pretrained import find_weights

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "fine_tuning"
SIDE = 64
TESTED = 30
"""Of the validation images one of so many is the test set, which there has to be."""
MOMENTA = (0.01, 0.1)
PLAIN = nas.UnitSpec(kind="none")
SK = nas.UnitSpec(
    kind="sk", kernel="plain", branch_act=False, reduction=16, min_dim=8, dilations=(1, 2)
)


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        words: For the table.
        unit: Of the network.
        pretrained: Whether it starts from ImageNet weights.
        recipe: Name of the recipe.
        epochs: Epochs.
    """

    words: str
    unit: nas.UnitSpec
    pretrained: bool
    recipe: str
    epochs: int


CASES = (
    Case("SK units, ImageNet weights, `fine_tune`", SK, True, "fine_tune", 2),
    Case("plain, ImageNet weights, `fine_tune`", PLAIN, True, "fine_tune", 2),
    Case("plain, random weights, `tiny`", PLAIN, False, "tiny", 5),
    Case("plain, random weights, `fine_tune`", PLAIN, False, "fine_tune", 5),
)


@dataclass(frozen=True)
class Row:
    """One training."""

    case: str
    epochs: int
    momentum: float
    seed: int
    val_error: float
    val_loss: float
    val_images: int


def main() -> int:
    """Train what is not trained yet, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of benchmarks/stamps.py")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/norm_momentum"))
    parser.add_argument("--collect", action="store_true", help="only write the files")
    options = parser.parse_args()
    chosen = list(jobs(options.folder, options.work, options.seeds))
    if not options.collect:
        train_all([job for _, job in chosen], options.workers)
    collect(chosen)
    return 0


def jobs(folder: Path, work: Path, seeds: int) -> Iterator[tuple[Case, TrainJob]]:
    """All trainings, the first seed of all cases first."""
    images = DataConfig(name=f"imagefolder:{as_table(folder, work)}", input_size=SIDE)
    classes = load_data(images).info.num_classes
    for seed in range(seeds):
        for number, case in enumerate(CASES):
            spec = nas.ArchSpec(
                backbone="efficientnet_lite0", num_classes=classes, input_size=SIDE, unit=case.unit
            )
            plain = spec.model_copy(update={"unit": PLAIN})
            weights = find_weights("imagenet", plain).file if case.pretrained else None
            for momentum in MOMENTA:
                changes = {"epochs": case.epochs, "norm_momentum": momentum}
                label = f"{number}-{momentum}-{seed}"
                job = TrainJob(
                    spec=spec,
                    data=images,
                    recipe=Recipe.model_validate(RECIPES[case.recipe].model_dump() | changes),
                    seed=seed,
                    folder=work / label,
                    log_name="norm_momentum",
                    log_version=label,
                    threads=1,
                    pretrained=weights,
                    start="plain" if case.pretrained and case.unit is SK else "fresh",
                )
                yield case, job


def as_table(folder: Path, work: Path) -> Path:
    """A table that makes the test images validation images."""
    lines = ["path,label,split"]
    for split in ("train", "test"):
        for number, path in enumerate(sorted((folder / split).glob("*/*.jpg"))):
            use = split if split == "train" or number % TESTED == 0 else "val"
            lines.append(f"{path.resolve()},{path.parent.name},{use}")
    work.mkdir(parents=True, exist_ok=True)
    (work / "images.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return (work / "images.csv").resolve()


def collect(chosen: list[tuple[Case, TrainJob]]) -> None:
    """Write the rows and the table."""
    rows = []
    for case, job in chosen:
        epochs = epochs_of(job)
        momentum = job.recipe.norm_momentum
        if len(epochs) == case.epochs and momentum is not None:
            error, loss = epochs[-1].val_error or 0.0, epochs[-1].val_loss or 0.0
            images = epochs[-1].val_images or 0
            rows.append(Row(case.words, case.epochs, momentum, job.seed, error, loss, images))
    write_rows(RESULTS / "norm_momentum.csv", rows)
    lines = [
        "| network, start, recipe | epochs | error, %: 0.01 | 0.1 | loss: 0.01 | 0.1 | seeds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for case in CASES:
        mine = [row for row in rows if (row.case, row.epochs) == (case.words, case.epochs)]
        by = [[row for row in mine if row.momentum == momentum] for momentum in MOMENTA]
        if not all(by):
            continue
        errors = [f"{100 * mean([row.val_error for row in some]):.1f}" for some in by]
        losses = [f"{mean([row.val_loss for row in some]):.2f}" for some in by]
        cells = [case.words, str(case.epochs), *errors, *losses, str(min(map(len, by)))]
        lines.append(f"| {' | '.join(cells)} |")
    (RESULTS / "norm_momentum.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
