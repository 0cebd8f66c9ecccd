"""The main job on real images, from the sweep to the test error, and its figures as CSV.

Claim: one command line searches SK networks for 28x28 images under a budget of 10 MFLOPs, and the full
training of a network it picks gives the test error printed at the end. Nothing is chosen on test data:
the sweep sees the validation split only, and the test set is read once, after the last epoch. Two of
the front are trained in full: the knee, and the network of the least validation error.

Of the page: n = 40 networks, 2 full trainings, one seed; AMD EPYC, 2 cores.

Run it again after any interruption; it goes on where it stopped. On two cores it takes about two hours.

    python benchmarks/fashion_mnist_sweep.py [--trials 40] [--epochs 3] [--full-epochs 20] [--json]
    python benchmarks/fashion_mnist_sweep.py --collect      # only writes the CSV files of what is there

Writes docs/results/fashion_mnist/: trials.csv, curves.csv, front.csv, final.csv, search.yaml.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from machine import machine

from blocks import ArchSpec
from nas.cli.main import main as nas
from nas.cost import count
from nas.front import Front, FrontPoint, make_front, pick_knee, pick_within
from nas.runs import RunFolder, TrialRecord, TrialState
from nas.searching import read_run
from nas.training import RECIPES, read_info, read_metrics

OUT = Path("docs/results/fashion_mnist")
UNIT = ("dilations", "kernel", "group_width", "reduction", "min_dim", "branch_act")


def main() -> int:
    """Search, train, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="fashion")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=15_000)
    parser.add_argument("--full-epochs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--max-mflops", type=float, default=10)
    parser.add_argument("--collect", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    run = RunFolder.named(options.name)
    if not options.collect and (code := sweep(run, options)):
        return code
    config, records = read_run(run)
    front = make_front(records, config.objectives, config.reference_point)
    picks = {"knee": pick_knee(front), "least error": pick_within(front, config.budgets)}
    for point in picks.values():
        full = [
            "train",
            run.name,
            "--trial",
            str(point.trial),
            "--epochs",
            str(options.full_epochs),
        ]
        if not options.collect and (code := nas(full)):
            return code
    finals = write_results(run, records, front, picks)
    print(json.dumps(finals, indent=2) if options.json else "\n\n".join(map(_lines, finals)))
    return 0


def sweep(run: RunFolder, options: argparse.Namespace) -> int:
    """Begin the search, or go on with it; the exit code."""
    if run.config.is_file():
        return nas(["search", "--resume", run.name, "--trials", str(options.trials)])
    return nas(
        [
            "search", "--space", "shufflenet_v2_sk", "--data", "fashion_mnist",
            "--trials", str(options.trials), "--epochs", str(options.epochs), "--sampler", "tpe",
            "--limit", str(options.limit), "--workers", str(options.workers), "--seed", "0",
            "--max-mflops", str(options.max_mflops), "--name", run.name,
        ]
    )  # fmt: skip


def write_results(
    run: RunFolder,
    records: Sequence[TrialRecord],
    front: Front,
    picks: dict[str, FrontPoint],
) -> list[dict[str, object]]:
    """Write the CSV files; returns the final figures of every pick that was trained in full."""
    OUT.mkdir(parents=True, exist_ok=True)
    trained = [r for r in records if r.state is TrialState.TRAINED]
    points = {point.trial for point in front.points}
    header = ("trial", "outcome", "val_error", "on_front", *_columns())
    _write("trials.csv", header, (_row(r, r.number in points) for r in records))
    _write("front.csv", header, (_row(r, True) for r in trained if r.number in points))
    curves = (
        (r.number, e.epoch, e.train_loss, e.val_error, e.val_loss, e.seconds)
        for r in trained
        for e in read_metrics(run.trial(r.number))
    )
    _write(
        "curves.csv", ("trial", "epoch", "train_loss", "val_error", "val_loss", "seconds"), curves
    )
    shutil.copy(run.config, OUT / "search.yaml")
    finals = [
        {"pick": name, **final_figures(run, point.trial)}
        for name, point in picks.items()
        if run.full_training(f"{point.trial:04d}").result.is_file()
    ]
    if finals:
        _write("final.csv", list(finals[0]), [list(final.values()) for final in finals])
    return finals


def final_figures(run: RunFolder, trial: int) -> dict[str, object]:
    """What the full training reached, and what one needs to know to believe it."""
    folder = run.full_training(f"{trial:04d}")
    result = json.loads(folder.result.read_text(encoding="utf-8"))
    info = read_info(folder.checkpoint)
    counts = count(info.spec)
    seconds = sum(epoch.seconds for epoch in info.history)
    return {
        "trial": trial,
        "key": info.spec.key,
        "unit": info.spec.label,
        "width": info.spec.width,
        "stem_stride": info.spec.stem_stride,
        "mflops": counts.mflops,
        "params": counts.params,
        "activations": counts.activations,
        "test_accuracy_percent": round(100 * (1 - result["test_error"]), 2),
        **result,
        "recipe_differs_from_full": {
            name: value
            for name, value in info.recipe.model_dump().items()
            if value != getattr(RECIPES["full"], name)
        },
        "training_minutes": round(seconds / 60, 1),
        **{f"collected_{name}": value for name, value in asdict(machine()).items()},
    }


def _row(record: TrialRecord, on_front: bool) -> tuple[object, ...]:
    spec: ArchSpec = record.spec
    counts = count(spec)
    unit = (getattr(spec.unit, field) for field in UNIT)
    return (
        record.number,
        record.state.value,
        record.values[0] if record.values else "",
        int(on_front),
        record.key,
        counts.mflops,
        counts.params,
        counts.activations,
        spec.width,
        spec.stem_stride,
        *(" ".join(map(str, v)) if isinstance(v, tuple) else v for v in unit),
    )


def _columns() -> tuple[str, ...]:
    return ("key", "mflops", "params", "activations", "width", "stem_stride", *UNIT)


def _write(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (OUT / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _lines(figures: dict[str, object]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in figures.items())


if __name__ == "__main__":
    sys.exit(main())
