r"""How to fine-tune: which recipe brings a pretrained network furthest on a small set of photographs.

EfficientNet-Lite0 at 64 pixels starts from its ImageNet weights and is trained on the stamps set
(benchmarks/stamps.py), each variant changing one field of the recipe `fine_tune`. Objects that are
validated on are in no training image; the test images are not read. Reported is the validation error,
the mean over seeds with a 95 % interval, and its difference from the recipe's own, paired by seed.

    python benchmarks/stamps.py /tmp/stamps --train 2000
    python benchmarks/fine_tuning.py /tmp/stamps [--seeds 3] [--workers 2]   # half an hour of two cores
    python benchmarks/fine_tuning.py /tmp/stamps --collect                   # only writes the files

Run it again after any interruption: trainings continue from their checkpoints.
Of the page: n = 1 seed, nine of fourteen variants; AMD EPYC, 2 cores. Writes fine_tuning.csv and
table.md into docs/results/fine_tuning/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from machine import write_machine
from over_seeds import half_width, mean
from rows import write_rows
from trainings import epochs_of, train_all

import nas
from nas.data import DataConfig, load_data
from nas.training import RECIPES, Recipe, TrainJob
from nas.training.pretrained import find_weights

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "fine_tuning"
SIDE = 64
GROUP = r"([^/]+)-[0-9]+[.]jpg$"
VARIANTS: dict[str, dict[str, object]] = {
    "fine_tune": {},
    "from random weights": {},
    "SGD, rate 0.01": {"optimizer": "sgd", "lr": 0.01, "weight_decay": 5e-4},
    "rate 0.0003": {"lr": 3e-4},
    "rate 0.003": {"lr": 3e-3},
    "classifier 5 times as fast": {"head_lr": 5.0},
    "first layer at a tenth": {"first_lr": 0.1},
    "classifier alone first, 2 epochs": {"head_epochs": 2},
    "BatchNorm frozen": {"freeze_norm": True},
    "mixup 0.2": {"mixup": 0.2},
    "CutMix 1": {"cutmix": 1.0},
    "weights averaged, 0.98": {"ema_decay": 0.98},
    "20 epochs": {"epochs": 20},
    "5 epochs": {"epochs": 5},
}


@dataclass(frozen=True)
class Row:
    """One training."""

    variant: str
    seed: int
    val_error: float
    val_images: int
    seconds: float


def main() -> int:
    """Train what is not trained yet, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of benchmarks/stamps.py")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("runs/fine_tuning"))
    parser.add_argument("--collect", action="store_true")
    options = parser.parse_args()
    chosen = list(jobs(options.folder, options.work, options.seeds))
    if not options.collect:
        train_all([job for _, job in chosen], options.workers)
    collect(chosen)
    return 0


def jobs(folder: Path, work: Path, seeds: int) -> Iterator[tuple[str, TrainJob]]:
    """All trainings, the first seed of all variants first."""
    images = DataConfig(name=f"imagefolder:{folder}", input_size=SIDE, group_by=GROUP)
    classes = load_data(images).info.num_classes
    spec = nas.ArchSpec(
        backbone="efficientnet_lite0",
        num_classes=classes,
        input_size=SIDE,
        unit=nas.UnitSpec(kind="none"),
    )
    weights = find_weights("imagenet", spec)
    for seed in range(seeds):
        for name, changes in VARIANTS.items():
            recipe = Recipe.model_validate(RECIPES["fine_tune"].model_dump() | changes)
            label = f"{name.replace(' ', '_').replace(',', '')}-{seed}"
            yield (
                name,
                TrainJob(
                    spec=spec,
                    data=images,
                    recipe=recipe,
                    seed=seed,
                    folder=work / label,
                    log_name="fine_tuning",
                    log_version=label,
                    threads=1,
                    pretrained=None if name == "from random weights" else weights.file,
                ),
            )


def collect(chosen: list[tuple[str, TrainJob]]) -> None:
    """Write the rows, and the table of differences."""
    rows = []
    for name, job in chosen:
        epochs = epochs_of(job)
        if len(epochs) == job.recipe.epochs and epochs[-1].val_error is not None:
            seconds = sum(epoch.seconds for epoch in epochs)
            rows.append(
                Row(name, job.seed, epochs[-1].val_error, epochs[-1].val_images or 0, seconds)
            )
    write_rows(RESULTS / "fine_tuning.csv", rows)
    write_machine(RESULTS)
    by = {
        name: {row.seed: row.val_error for row in rows if row.variant == name} for name in VARIANTS
    }
    lines = [
        "| recipe | validation error, % | against `fine_tune`, points | seeds |",
        "|---|---:|---:|---:|",
    ]
    for name, errors in by.items():
        if not errors:
            continue
        paired = [
            errors[seed] - by["fine_tune"][seed] for seed in errors if seed in by["fine_tune"]
        ]
        against = "" if name == "fine_tune" else _interval(paired, sign=True)
        lines.append(f"| {name} | {_interval([*errors.values()])} | {against} | {len(errors)} |")
    (RESULTS / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _interval(values: list[float], *, sign: bool = False) -> str:
    centre, half = 100 * mean(values), 100 * half_width(values)
    return f"{centre:+.1f} ± {half:.1f}" if sign else f"{centre:.1f} ± {half:.1f}"


if __name__ == "__main__":
    sys.exit(main())
