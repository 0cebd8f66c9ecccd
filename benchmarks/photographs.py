r"""Own photographs: a search from pretrained weights beside fine-tuning one network by hand.

Claim: a front of fine-tuned networks costs no more than five fine-tunings of one network by hand, and
holds a network that is better than that one at half its multiply-adds. Measured on the stamps set
(benchmarks/stamps.py; objects of the test images are in no training image), every method with the same
seeds. Networks are chosen by validation images, of other objects than the training images; each chosen
network is trained in full, and reads the test images once.

- `hand`: EfficientNet-Lite0 at 96 pixels in plain PyTorch, 6 epochs (benchmarks/hand_tuning.py).
- `hand, random weights`: the same without pretrained weights.
- `search`: `nas.search(pretrained="imagenet")` over input sizes and SK units, then the full training of
  the best network within half the multiply-adds of `hand`, of the knee, and of the one of least error.
- `search, random weights`: the same search and trainings without pretrained weights.

    python benchmarks/stamps.py /tmp/stamps
    python benchmarks/photographs.py /tmp/stamps [--seeds 3] [--only "hand;search"]   # an hour

Run it again after any interruption: what photographs.csv holds is not done again, runs are resumed.
Of the page: n = 2 seeds; AMD EPYC, 2 cores. Writes docs/results/photographs/: photographs.csv, table.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hand_tuning import plain_pytorch
from machine import write_machine
from over_seeds import half_width, mean
from rows import read_rows, write_rows

import nas
from nas.evaluation import wilson
from nas.training import read_metrics

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "photographs"
GROUP = r"([^/]+)-[0-9]+[.]jpg$"
SIDE, EPOCHS = 96, 6
"""Of the network that is fine-tuned by hand."""
SPACE = """
name: stamps
about: EfficientNet-Lite0 at several input sizes, plain or with SK units.
fixed:
  backbone: efficientnet_lite0
  width: 1.0
  stem_stride: 2
  unit.kernel: plain
  unit.branch_act: false
  unit.reduction: 16
  unit.min_dim: 8
vary:
  input_size: {choice: [56, 64, 80, 96]}
  unit.dilations: {choice: [[1], [1, 2], [1, 3]]}
"""
TRIALS, TRIAL_EPOCHS, FULL_EPOCHS = 8, 2, 12


@dataclass(frozen=True)
class Row:
    """One network on the test images.

    Attributes:
        method: Who trained it.
        network: Which one of the method.
        seed: Of everything.
        mflops: Multiply-adds, in millions.
        wrong: Misclassified test images.
        images: Test images.
        minutes: Minutes of one core for this network, with the search that it was chosen by. Those of
            the search are wall-clock time of its trainings, of one thread each.
        search_minutes: Of them the search's.
    """

    method: str
    network: str
    seed: int
    mflops: float
    wrong: int
    images: int
    minutes: float
    search_minutes: float


def main() -> int:
    """Do what is not done yet, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of benchmarks/stamps.py")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--only", help="methods, with semicolons between them")
    parser.add_argument("--work", type=Path, default=Path("runs/photographs"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    folder = options.folder.resolve()
    methods: dict[str, Callable[[int], list[Row]]] = {
        "hand": lambda seed: by_hand(folder, seed, pretrained=True),
        "search": lambda seed: searched(folder, options.work, seed, pretrained=True),
        "hand, random weights": lambda seed: by_hand(folder, seed, pretrained=False),
        "search, random weights": lambda seed: searched(
            folder, options.work, seed, pretrained=False
        ),
    }
    only = options.only.split(";") if options.only else list(methods)
    path = options.out / "photographs.csv"
    for seed in range(options.first, options.first + options.seeds):
        for method in only:
            rows = read_rows(path, Row)
            if not any((row.method, row.seed) == (method, seed) for row in rows):
                rows = [*rows, *methods[method](seed)]
                write_rows(path, rows)
                write_machine(options.out)
                write_table(options.out, rows)
    return 0


def lite0(classes: int, side: int) -> nas.ArchSpec:
    """The network that is fine-tuned by hand."""
    unit = nas.UnitSpec(kind="none")
    return nas.ArchSpec(
        backbone="efficientnet_lite0", num_classes=classes, input_size=side, unit=unit
    )


def by_hand(folder: Path, seed: int, *, pretrained: bool) -> list[Row]:
    """One network in plain PyTorch."""
    classes = len(list((folder / "train").iterdir()))
    done = plain_pytorch(folder, SIDE, EPOCHS, seed, pretrained=pretrained)
    return [
        Row(
            "hand" if pretrained else "hand, random weights",
            f"{SIDE} pixels",
            seed,
            round(nas.count(lite0(classes, SIDE)).mflops, 2),
            done.wrong,
            done.images,
            round(done.cpu_seconds / 60, 2),
            0.0,
        )
    ]


def searched(folder: Path, work: Path, seed: int, *, pretrained: bool) -> list[Row]:
    """Search, then train the networks that a user would pick."""
    method = "search" if pretrained else "search, random weights"
    name = f"{'pretrained' if pretrained else 'random'}-{seed}"
    work.mkdir(parents=True, exist_ok=True)
    space = work / "stamps.yaml"
    space.write_text(SPACE, encoding="utf-8")
    start: dict[str, Any] = {"pretrained": "imagenet"} if pretrained else {}
    shutil.rmtree(work / name, ignore_errors=True)
    run = nas.search(
        space, data=folder, input_size=SIDE, group_by=GROUP, trials=TRIALS, epochs=TRIAL_EPOCHS,
        recipe="fine_tune", seed=seed, workers=1, threads=1, name=name, runs_dir=work, progress=False,
        **start,
    )  # fmt: skip
    search_minutes = _search_seconds(run) / 60
    classes = len(list((folder / "train").iterdir()))
    half = nas.count(lite0(classes, SIDE)).mflops / 2
    picks = {
        "within half": run.pick(max_mflops=half),
        "knee": run.pick("knee"),
        "least error": min(run.front.points, key=lambda point: point.values[0]),
    }
    rows = []
    for label, point in picks.items():
        began = time.process_time()
        done = run.train(
            point,
            recipe="fine_tune",
            epochs=FULL_EPOCHS,
            seed=seed,
            threads=1,
            logs_dir=work / "logs",
        )
        minutes = (time.process_time() - began) / 60
        rows.append(
            Row(
                method,
                label,
                seed,
                round(point.values[1], 2),
                round(done.test_error * done.test_images),
                done.test_images,
                round(search_minutes + minutes, 2),
                round(search_minutes, 2),
            )
        )
    return rows


def _search_seconds(run: nas.Run) -> float:
    """Seconds of all trainings of a search, of one thread each."""
    folders = [run.folder.trial(record.number) for record in run.trials]
    return sum(
        epoch.seconds for one in folders if one.metrics.is_file() for epoch in read_metrics(one)
    )


def write_table(folder: Path, rows: list[Row]) -> None:
    """A line for each method and pick: means over seeds."""
    lines = [
        "| method | network | multiply-adds, M | test error, % | minutes of one core | seeds |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for method, network in dict.fromkeys((row.method, row.network) for row in rows):
        some = [row for row in rows if (row.method, row.network) == (method, network)]
        errors = [100 * row.wrong / row.images for row in some]
        pooled = wilson(sum(row.wrong for row in some), sum(row.images for row in some))
        spread = f"± {half_width(errors):.1f}" if len(errors) > 1 else ""
        lines.append(
            f"| {method} | {network} | {mean([row.mflops for row in some]):.1f} | {mean(errors):.1f} "
            f"{spread} (images alone: {100 * pooled.low:.1f} to {100 * pooled.high:.1f}) | "
            f"{mean([row.minutes for row in some]):.1f} | {len(some)} |"
        )
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines), time.strftime("%H:%M"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
