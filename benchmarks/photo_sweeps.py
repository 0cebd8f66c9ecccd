r"""Really trained searches from pretrained weights: ours beside Optuna's TPE, with as many epochs.

`nas search` as a user runs it, on 1,000 images of five classes and pretrained networks of two widths
(benchmarks/half_classes.py), 31 trials of 4 epochs: 124 epochs a search. Every search of a seed trains
a network alike. Of the 5,000 test images 1,000 are the validation images here, so that searches differ
by what they train more than by the luck of a hundred images; the other 4,000 judge.

Judged is what a user gets: at each of a dozen log-spaced budgets of multiply-adds the network of least
validation error within it, by its test error. A search's figure is the mean over the budgets; searches
are compared by paired seeds.

A third arm, `stages`, is the forecast on a space whose units are chosen stage by stage; the units of
the other space, one for the whole network, are a part of it.

    python benchmarks/half_classes.py /tmp/half
    python benchmarks/photo_sweeps.py /tmp/half [--seeds 8] [--samplers tpe,forecast,stages]
    python benchmarks/photo_sweeps.py /tmp/half --collect       # only writes the files

Run it again after any interruption: searches continue, and those that picks.csv holds are not run
again. A search takes about five minutes of one core. Of the page: n = 8 seeds; AMD EPYC, 2 cores.
Writes docs/results/points_lost/: picks.csv (a row a budget of a search), sweeps.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from machine import write_machine
from over_seeds import half_width, mean
from rows import read_rows, write_rows

import nas
from nas.data import load_data
from nas.training.checkpoint import load_checkpoint

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "points_lost"
SPACE = """
name: photos
about: ShuffleNetV2 of two widths, strides and four input sizes; plain, SE or SK units.
fixed:
  backbone: shufflenet_v2
  unit.kernel: dilated
  unit.branch_act: false
  unit.min_dim: 8
  unit.group_width: 1
vary:
  width: {choice: [0.5, 1.0]}
  stem_stride: {choice: [1, 2]}
  input_size: {choice: [16, 20, 24, 28]}
"""
UNIFORM = """\
  unit.kind: {choice: [none, se, sk]}
  unit.dilations: {choice: [[1], [1, 2], [1, 3], [1, 2, 3]]}
  unit.reduction: {choice: [4, 16]}
"""
STAGES = (2, 3, 4)
TRIALS, EPOCHS = 31, 4
BUDGETS = tuple(float(one) for one in np.geomspace(2.0, 40.0, 12))
VALIDATION = 200
"""Test images of each class that are validation images here."""


@dataclass(frozen=True)
class Pick:
    """The network that a user would take within a budget.

    Attributes:
        sampler: Of the search.
        seed: Of the search and its trainings.
        budget: Of multiply-adds, in millions.
        trial: Of the network; -1: the search has none within the budget.
        mflops: Its multiply-adds, in millions.
        val_error: By which it is taken, 0 to 1; 1 without a network.
        wrong: Misclassified test images; without a network four of five.
        images: Test images.
    """

    sampler: str
    seed: int
    budget: float
    trial: int
    mflops: float
    val_error: float
    wrong: int
    images: int


def main() -> int:
    """Search what is not searched yet, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of benchmarks/half_classes.py")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--samplers", default="tpe,forecast,stages")
    parser.add_argument("--work", type=Path, default=Path("runs/photo_sweeps"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--collect", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.folder.resolve()
    images = own_splits(folder)
    rows = read_rows(options.out / "picks.csv", Pick)
    for seed in range(options.seeds):
        for sampler in options.samplers.split(","):
            if options.collect or (sampler, seed) in {(row.sampler, row.seed) for row in rows}:
                continue
            run = searched(folder, images, options.work.resolve(), sampler, seed)
            rows = [*rows, *picks(run, sampler, seed)]
            write_rows(options.out / "picks.csv", rows)
            print(sampler, seed, mean([error(row) for row in rows if row.seed == seed]), flush=True)
    write_machine(options.out)
    lines = table(rows)
    (options.out / "sweeps.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0


def own_splits(folder: Path) -> Path:
    """The 1,000 training images, and the test images as val/ and test/."""
    made = folder / "1000-sweeps"
    if made.exists():
        return made
    new = folder / "1000-sweeps.new"
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(folder / "1000" / "train", new / "train")
    for place in sorted((folder / "1000" / "test").iterdir()):
        for number, file in enumerate(sorted(place.iterdir())):
            into = new / ("val" if number < VALIDATION else "test") / place.name
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, into)
    return new.rename(made)


def searched(folder: Path, images: Path, work: Path, sampler: str, seed: int) -> nas.Run:
    """Run a search, or continue it."""
    work.mkdir(parents=True, exist_ok=True)
    stages = sampler == "stages"
    space = work / ("space-stages.yaml" if stages else "space.yaml")
    space.write_text(SPACE + (by_stage() if stages else UNIFORM), encoding="utf-8")
    name = f"{sampler}-{seed}"
    if (work / name / "search.yaml").is_file():
        return nas.search(resume=name, runs_dir=work)
    return nas.search(
        space, data=images, input_size=28, trials=TRIALS, epochs=EPOCHS, recipe="fine_tune",
        sampler="forecast" if stages else sampler, seed=seed, pretrained=str(folder / "weights"),
        workers=1, threads=1, name=name, runs_dir=work,
    )  # fmt: skip


def by_stage() -> str:
    """The choices of ``UNIFORM``, for each stage on its own."""
    return "".join(UNIFORM.replace("unit.", f"unit.stages.{stage}.") for stage in STAGES)


def picks(run: nas.Run, sampler: str, seed: int) -> list[Pick]:
    """What a user would take within each budget."""

    @cache
    def tested(trial: int) -> tuple[int, int]:
        loaded = load_checkpoint(run.folder.trial(trial).checkpoint)
        side = loaded.info.spec.input_size
        data = load_data(run.config.data.model_copy(update={"input_size": side}))
        wrong = count = 0
        with torch.inference_mode():
            for batch, labels in data.test_batches(500, torch.device("cpu")):
                wrong += int((loaded.model(batch).argmax(1) != labels).sum())
                count += len(labels)
        return wrong, count

    some = run.front.points
    images = tested(some[0].trial)[1]
    found = []
    for budget in BUDGETS:
        within = [point for point in some if point.values[1] <= budget]
        if not within:
            found.append(Pick(sampler, seed, budget, -1, 0.0, 1.0, images * 4 // 5, images))
            continue
        best = min(within, key=lambda point: point.values)
        wrong, _ = tested(best.trial)
        found.append(
            Pick(
                sampler, seed, budget, best.trial, round(best.values[1], 3), best.values[0], wrong,
                images,
            )
        )  # fmt: skip
    return found


def error(pick: Pick) -> float:
    """Its test error, in percent."""
    return 100 * pick.wrong / pick.images


def table(rows: Sequence[Pick]) -> list[str]:
    """Mean test error over the budgets: a line a sampler, and the differences by paired seeds."""
    by: dict[str, dict[int, float]] = {}
    for row in rows:
        by.setdefault(row.sampler, {})[row.seed] = mean(
            [error(one) for one in rows if (one.sampler, one.seed) == (row.sampler, row.seed)]
        )
    rivals = ("tpe", "forecast")
    lines = [
        "| search | mean test error at a budget, % | against tpe, points | against forecast | seeds |"
    ]
    lines.append("|---|---:|---:|---:|---:|")
    for sampler, errors in by.items():
        values = list(errors.values())
        against = []
        for rival in rivals:
            known = by.get(rival, {})
            paired = [errors[seed] - known[seed] for seed in errors if seed in known]
            shown = paired and sampler != rival
            against.append(f"{mean(paired):+.2f} ± {half_width(paired):.2f}" if shown else "")
        lines.append(
            f"| {sampler} | {mean(values):.2f} ± {half_width(values):.2f} | {' | '.join(against)} | "
            f"{len(values)} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
