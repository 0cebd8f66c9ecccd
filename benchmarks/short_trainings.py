r"""How far is a short training from a long one, when both start from pretrained weights?

36 networks (ShuffleNetV2, two widths, two stem strides, three input sizes, units none, SE and SK) are
trained on 1,000 images of five classes (benchmarks/half_classes.py): long with two seeds, and short in
several ways with a third. All are judged by the same 5,000 test images, so what differs is the training
and not the images it is judged by; nothing is chosen here that is reported elsewhere.

Measured, with 95 % intervals over resamples of the networks: Kendall's tau-b of each order to the mean
of the long trainings, over all, in the best fifth, and within thirds of equal multiply-adds, beside
the order by multiply-adds alone and that of one long training to the other (the ceiling). And points
lost: the front of the short trainings is trained long; how much worse is the best of it within a
budget than the best of all, the mean over a dozen budgets.

    python benchmarks/half_classes.py /tmp/half
    python benchmarks/short_trainings.py /tmp/half [--workers 2]   # hours of two cores
    python benchmarks/short_trainings.py /tmp/half --collect       # only writes the files

Run it again after any interruption: trainings continue from their checkpoints.
Of the page: n = 36 networks, two seeds long, one short; AMD EPYC, 2 cores. Writes
docs/results/short_trainings/: trainings.csv, table.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from half_classes import plain
from inheritance import tau
from machine import write_machine
from over_seeds import half_width, mean
from rows import write_rows
from trainings import epochs_of, train_all

import nas
from nas.data import DataConfig
from nas.runs import TrialFolder
from nas.training import RECIPES, Recipe, TrainJob

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "short_trainings"
IMAGES = 1000
RESAMPLES = 2_000
BUDGETS = 12
UNITS = {
    "none": nas.UnitSpec(kind="none"),
    "se": nas.UnitSpec(kind="se", reduction=16),
    "sk": nas.UnitSpec(dilations=(1, 2), branch_act=False, min_dim=8),
}


@dataclass(frozen=True)
class Way:
    """How a network is trained.

    Attributes:
        seed: Of the training.
        recipe: Name of the recipe that ``changes`` changes.
        changes: Fields of the recipe with other values.
        images: That it is trained on; None: all.
        scale: Factor of the input size.
        pretrained: Whether it starts from pretrained weights.
    """

    seed: int
    recipe: str
    changes: dict[str, object]
    images: int | None = None
    scale: float = 1.0
    pretrained: bool = True

    @property
    def seen(self) -> float:
        """Images that are trained on, in all, as pixels of the full size."""
        return int(str(self.changes["epochs"])) * (self.images or IMAGES) * self.scale**2


LONG = ("long, seed 0", "long, seed 1")
WAYS = {
    "4 epochs": Way(2, "fine_tune", {"epochs": 4}),
    "2 epochs": Way(2, "fine_tune", {"epochs": 2}),
    LONG[0]: Way(0, "fine_tune", {"epochs": 13}),
    LONG[1]: Way(1, "fine_tune", {"epochs": 13}),
    "4 epochs, half the images": Way(2, "fine_tune", {"epochs": 4}, images=IMAGES // 2),
    "4 epochs, 0.75 of the size": Way(2, "fine_tune", {"epochs": 4}, scale=0.75),
    "10 epochs from random weights": Way(2, "tiny", {"epochs": 10}, pretrained=False),
    "4 epochs, constant rate, averaged": Way(
        2, "fine_tune", {"epochs": 4, "schedule": "constant", "ema_decay": 0.98}
    ),
}


@dataclass(frozen=True)
class Row:
    """One training.

    Attributes:
        network: Width, stem stride, input size, unit.
        mflops: Multiply-adds at the input size of the long training, in millions.
        way: How it was trained.
        wrong: Misclassified test images.
        images: Test images.
        seconds: Of its epochs.
    """

    network: str
    mflops: float
    way: str
    wrong: int
    images: int
    seconds: float


def main() -> int:
    """Train what is not trained yet, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of benchmarks/half_classes.py")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("runs/short_trainings"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--ways", help="only these, with semicolons between them")
    parser.add_argument("--collect", action="store_true")
    options = parser.parse_args()
    ways = options.ways.split(";") if options.ways else list(WAYS)
    folder = options.folder.resolve()
    chosen = list(jobs(folder, options.work.resolve(), ways))
    if not options.collect:
        train_all([job for _, _, _, job in chosen], options.workers)
    rows = [*collect(chosen)]
    options.out.mkdir(parents=True, exist_ok=True)
    write_rows(options.out / "trainings.csv", rows)
    write_machine(options.out)
    lines = table(rows)
    (options.out / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0


def networks() -> Iterator[tuple[str, nas.ArchSpec]]:
    """Name and network."""
    for width, stride, size, unit in itertools.product((0.5, 1.0), (1, 2), (20, 24, 28), UNITS):
        changes = {"stem_stride": stride, "input_size": size, "unit": UNITS[unit]}
        yield f"{width} {stride} {size} {unit}", plain(width, 5).model_copy(update=changes)


def jobs(
    folder: Path, work: Path, ways: Sequence[str]
) -> Iterator[tuple[str, str, nas.ArchSpec, TrainJob]]:
    """All trainings, a way after the other."""
    for name in ways:
        way = WAYS[name]
        for network, spec in networks():
            side = round(spec.input_size * way.scale)
            label = f"{name} {network}".replace(",", "").replace(" ", "_")
            weights = folder / "weights" / f"shufflenet_v2_{spec.width}.pt"
            job = TrainJob(
                spec=spec.model_copy(update={"input_size": side}),
                data=DataConfig(
                    name=f"imagefolder:{folder / str(IMAGES)}",
                    input_size=side,
                    limit=way.images,
                ),
                recipe=Recipe.model_validate(RECIPES[way.recipe].model_dump() | way.changes),
                seed=way.seed,
                folder=work / label,
                log_name="short_trainings",
                log_version=label,
                full=True,
                start="plain" if way.pretrained else "fresh",
                threads=1,
                pretrained=weights if way.pretrained else None,
            )
            yield name, network, spec, job


def collect(chosen: Sequence[tuple[str, str, nas.ArchSpec, TrainJob]]) -> Iterator[Row]:
    """What is trained to its end."""
    for name, network, spec, job in chosen:
        result = TrialFolder(job.folder).result
        if result.is_file():
            found = json.loads(result.read_text(encoding="utf-8"))
            images = found["test_images"]
            yield Row(
                network, round(nas.count(spec).mflops, 3), name,
                round(found["test_error"] * images), images,
                round(sum(epoch.seconds for epoch in epochs_of(job)), 2),
            )  # fmt: skip


def table(rows: Sequence[Row]) -> list[str]:
    """A line for each way of which all networks are there."""
    names = [name for name, _ in networks()]
    by = {(row.way, row.network): row for row in rows}
    errors = {
        way: np.array([100 * by[way, name].wrong / by[way, name].images for name in names])
        for way in WAYS
        if all((way, name) in by for name in names)
    }
    if not set(LONG) <= set(errors):
        return []
    cost = np.array([by[LONG[0], name].mflops for name in names])
    final = (errors[LONG[0]] + errors[LONG[1]]) / 2
    orders = {way: (values, final) for way, values in errors.items() if way not in LONG}
    orders["multiply-adds alone"] = (-cost, final)
    orders["a second long training"] = (errors[LONG[1]], errors[LONG[0]])
    best = final <= np.quantile(final, 0.2)
    third = np.searchsorted(np.quantile(cost, [1 / 3, 2 / 3]), cost)
    lines = [
        "| order | tau, all | best fifth | thirds of equal cost | points lost | share of the images |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for label, (order, target) in orders.items():
        groups = [np.ones(len(cost), bool)], [best], [third == number for number in range(3)]
        cells = [_interval(order, target, which) for which in groups]
        lost = points_lost(cost, order, final)
        share = f"{WAYS[label].seen / WAYS[LONG[0]].seen:.2f}" if label in WAYS else ""
        lines.append(f"| {label} | {' | '.join(cells)} | {lost:.2f} | {share} |")
    return [*lines, "", *_units(names, errors)]


def _units(names: Sequence[str], errors: dict[str, np.ndarray]) -> Iterator[str]:
    """SE and SK less none, paired by width, stride and size; the mean with its interval."""
    yield "| training | SE less none, points | SK less none, points | pairs |"
    yield "|---|---:|---:|---:|"
    for way, values in errors.items():
        by = dict(zip(names, values.tolist(), strict=True))
        plain = [name for name in names if name.endswith("none")]
        cells = []
        for unit in ("se", "sk"):
            less = [by[name.replace("none", unit)] - by[name] for name in plain]
            cells.append(f"{mean(less):+.2f} ± {half_width(less):.2f}")
        yield f"| {way} | {' | '.join(cells)} | {len(plain)} |"


def _interval(order: np.ndarray, target: np.ndarray, groups: Sequence[np.ndarray]) -> str:
    """The mean tau of the groups, and its interval over resamples within them."""
    random = np.random.default_rng(0)

    def of(draw: bool) -> float:
        taus = []
        for group in groups:
            rows = np.flatnonzero(group)
            rows = random.choice(rows, len(rows)) if draw else rows
            taus.append(tau(order[rows], target[rows]))
        return float(np.nanmean(taus))

    low, high = np.nanpercentile([of(True) for _ in range(RESAMPLES)], [2.5, 97.5])
    return f"{of(False):.2f} [{low:.2f}, {high:.2f}]"


def points_lost(cost: np.ndarray, order: np.ndarray, final: np.ndarray) -> float:
    """How much worse the best of the front by ``order`` is within a budget; the mean over budgets."""
    front = [
        row for row in range(len(cost)) if not np.any((cost <= cost[row]) & (order < order[row]))
    ]
    budgets = np.geomspace(cost.min(), cost.max(), BUDGETS) * (1 + 1e-9)
    lost = [
        min(final[row] for row in front if cost[row] <= budget) - final[cost <= budget].min()
        for budget in budgets
    ]
    return float(np.mean(lost))


if __name__ == "__main__":
    sys.exit(main())
