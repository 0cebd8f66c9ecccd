r"""Own photographs: a search from pretrained weights beside fine-tuning one network by hand.

Claim: a front of fine-tuned networks costs no more than five fine-tunings of one network by hand, and
holds a network that is better than that one at half its multiply-adds. Measured on three sets, every
method with the same seeds. Networks are chosen by validation images alone. Each chosen network is
trained in full, and reads the test images once.

- `stamps` (benchmarks/stamps.py): 1,100 pictures of 96 pixels; objects of the test images are in no
  training image, and those of the validation images neither.
- `1000` and `5000` (benchmarks/half_classes.py): five classes of Fashion-MNIST, and pretrained networks
  of two widths from the other classes.

- `hand`: one network in plain PyTorch, 6 epochs (benchmarks/hand_tuning.py). `fastai`: its
  `fine_tune` of 5 epochs on the same network.
- `search`: `nas.search(pretrained=...)`, then the full training of the best network within half the
  multiply-adds of `hand`, of the knee, and of the one of least error.
- `search, 2 epochs a trial`: the same with shorter trials than the default of 3 or 4 epochs.
- `taught`: the network within half once more, with the one of least error as its teacher.
- `hand` and `search` with `random weights` too.

    python benchmarks/stamps.py /tmp/stamps
    python benchmarks/photographs.py /tmp/stamps --set stamps [--seeds 3] [--only "hand;search"]
    python benchmarks/half_classes.py /tmp/half
    python benchmarks/photographs.py /tmp/half --set 1000   # and 5000

Run it again after any interruption: what photographs.csv holds is not done again.
Of the page: n = 3 seeds (`stamps`: 2); AMD EPYC, 2 cores.
Writes docs/results/photographs/: photographs.csv, table.md.
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

import psutil
from half_classes import SIDE, plain
from hand_tuning import LITE0, Start, Tuned, fastai_fine_tune, plain_pytorch, shuffle_net
from machine import write_machine
from over_seeds import half_width, mean
from rows import read_rows, write_rows

import nas
from nas.evaluation import wilson

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "photographs"
EPOCHS = 6
"""Of the network that is fine-tuned by hand; fastai's first of so many trains the classifier alone."""
STAMPS = """
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
SMALL = """
name: small
about: ShuffleNetV2 of two widths at several input sizes, plain or with SK units.
fixed:
  backbone: shufflenet_v2
  unit.kernel: dilated
  unit.branch_act: false
  unit.reduction: 16
  unit.min_dim: 8
  unit.group_width: 1
vary:
  width: {choice: [0.5, 1.0]}
  stem_stride: {choice: [1, 2]}
  input_size: {choice: [20, 24, 28]}
  unit.dilations: {choice: [[1], [1, 2]]}
"""
TRIALS = 8


@dataclass(frozen=True)
class Set:
    """A set of photographs, and what is trained on it.

    Attributes:
        side: Of the network that is fine-tuned by hand, in pixels.
        space: What is searched.
        group_by: Images of one thing; None: each is its own.
        epochs: Of a trial, and of a full training; None: by the number of images.
        hand: (folder of the set) -> the network that is fine-tuned by hand.
        spec: (number of classes) -> the same network.
        pretrained: (folder of the set) -> the weights of the search.
    """

    side: int
    space: str
    group_by: str | None
    epochs: tuple[int | None, int | None]
    hand: Callable[[Path], Start]
    spec: Callable[[int], nas.ArchSpec]
    pretrained: Callable[[Path], str]


def _lite0_spec(classes: int) -> nas.ArchSpec:
    unit = nas.UnitSpec(kind="none")
    return nas.ArchSpec(
        backbone="efficientnet_lite0", num_classes=classes, input_size=96, unit=unit
    )


HALF = Set(
    SIDE,
    SMALL,
    None,
    (None, None),
    lambda folder: shuffle_net(folder.parent / "weights" / "shufflenet_v2_1.0.pt"),
    lambda classes: plain(1.0, classes),
    lambda folder: str(folder.parent / "weights"),
)
SETS = {
    "stamps": Set(
        96,
        STAMPS,
        r"([^/]+)-[0-9]+[.]jpg$",
        (2, 12),
        lambda _: LITE0,
        _lite0_spec,
        lambda _: "imagenet",
    ),
    "1000": HALF,
    "5000": HALF,
}


@dataclass(frozen=True)
class Row:
    """One network on the test images.

    Attributes:
        images_of: The set.
        method: Who trained it.
        network: Which one of the method.
        seed: Of everything.
        mflops: Multiply-adds, in millions.
        wrong: Misclassified test images.
        images: Test images.
        minutes: Of processor time for this network, with the search that it was chosen by; of the method
            `taught` its training alone.
        search_minutes: Of them the search's.
    """

    images_of: str
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
    parser.add_argument("folder", type=Path, help="of benchmarks/stamps.py or half_classes.py")
    parser.add_argument("--set", choices=SETS, default="stamps")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--only", help="methods, with semicolons between them")
    parser.add_argument("--work", type=Path, default=Path("runs/photographs"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.set != "stamps":
        folder = folder / options.set
    one = SETS[options.set]
    work = options.work / options.set
    methods: dict[str, Callable[[int], list[Row]]] = {
        "hand": lambda seed: by_hand(options.set, one, folder, seed, pretrained=True),
        "fastai": lambda seed: by_fastai(options.set, one, folder, seed),
        "search": lambda seed: searched(options.set, one, folder, work, seed, pretrained=True),
        "search, 2 epochs a trial": lambda seed: searched(
            options.set, one, folder, work, seed, pretrained=True, epochs=2
        ),
        "taught": lambda seed: taught(options.set, one, folder, work, seed),
        "hand, random weights": lambda seed: by_hand(
            options.set, one, folder, seed, pretrained=False
        ),
        "search, random weights": lambda seed: searched(
            options.set, one, folder, work, seed, pretrained=False
        ),
    }
    only = options.only.split(";") if options.only else list(methods)
    path = options.out / "photographs.csv"
    for seed in range(options.first, options.first + options.seeds):
        for method in only:
            rows = read_rows(path, Row)
            done = {(row.images_of, row.method, row.seed) for row in rows}
            if (options.set, method, seed) not in done:
                rows = [*rows, *methods[method](seed)]
                write_rows(path, rows)
                write_machine(options.out)
                write_table(options.out, rows)
    return 0


def by_hand(name: str, one: Set, folder: Path, seed: int, *, pretrained: bool) -> list[Row]:
    """One network in plain PyTorch."""
    done = plain_pytorch(folder, one.side, EPOCHS, seed, one.hand(folder), pretrained=pretrained)
    return [_peer(name, "hand" if pretrained else "hand, random weights", one, folder, seed, done)]


def by_fastai(name: str, one: Set, folder: Path, seed: int) -> list[Row]:
    """The same network by fastai."""
    done = fastai_fine_tune(folder, one.side, EPOCHS - 1, seed, one.hand(folder))
    return [_peer(name, "fastai", one, folder, seed, done)]


def _peer(name: str, method: str, one: Set, folder: Path, seed: int, done: Tuned) -> Row:
    cost = nas.count(one.spec(_classes(folder))).mflops
    minutes = round(done.cpu_seconds / 60, 3)
    network = f"{one.side} pixels"
    return Row(name, method, network, seed, round(cost, 2), done.wrong, done.images, minutes, 0.0)


def _classes(folder: Path) -> int:
    return len(list((folder / "train").iterdir()))


def searched(
    name: str,
    one: Set,
    folder: Path,
    work: Path,
    seed: int,
    *,
    pretrained: bool,
    epochs: int | None = None,
) -> list[Row]:
    """Search, then train the networks that a user would pick; ``epochs``: of a trial."""
    method = "search" if pretrained else "search, random weights"
    method += "" if epochs is None else f", {epochs} epochs a trial"
    label = f"{'pretrained' if pretrained else 'random'}-{f'{epochs}-' if epochs else ''}{seed}"
    work.mkdir(parents=True, exist_ok=True)
    space = work / "space.yaml"
    space.write_text(one.space, encoding="utf-8")
    start: dict[str, Any] = {"pretrained": one.pretrained(folder)} if pretrained else {}
    shutil.rmtree(work / label, ignore_errors=True)
    recipe = None if one.epochs[0] is None else "fine_tune"
    trial_epochs, full_epochs = epochs or one.epochs[0], one.epochs[1]
    began = _cpu_seconds()
    run = nas.search(
        space, data=folder, input_size=one.side, group_by=one.group_by, trials=TRIALS,
        epochs=trial_epochs, recipe=recipe, seed=seed, workers=1, threads=1, name=label,
        runs_dir=work, progress=False, **start,
    )  # fmt: skip
    search_minutes = (_cpu_seconds() - began) / 60
    half = nas.count(one.spec(_classes(folder))).mflops / 2
    picks = {
        "within half": run.pick(max_mflops=half),
        "knee": run.pick("knee"),
        "least error": min(run.front.points, key=lambda point: point.values[0]),
    }
    rows = []
    for network, point in picks.items():
        began = _cpu_seconds()
        done = run.train(
            point, recipe=recipe, epochs=full_epochs, seed=seed, threads=1, logs_dir=work / "logs"
        )
        minutes = search_minutes + (_cpu_seconds() - began) / 60
        wrong = round(done.test_error * done.test_images)
        rows.append(
            Row(
                name, method, network, seed, round(point.values[1], 2), wrong, done.test_images,
                round(minutes, 3), round(search_minutes, 3),
            )
        )  # fmt: skip
    return rows


def taught(name: str, one: Set, folder: Path, work: Path, seed: int) -> list[Row]:
    """The network within half, trained again with the one of least error as its teacher.

    Both are of the search of this seed, which comes first.
    """
    run = nas.open_run(f"pretrained-{seed}", runs_dir=work)
    trial_epochs, full_epochs = one.epochs
    half = nas.count(one.spec(_classes(folder))).mflops / 2
    point = run.pick(max_mflops=half)
    least = min(run.front.points, key=lambda point: point.values[0])
    began = _cpu_seconds()
    done = nas.train(
        point.spec, data=folder, input_size=point.spec.input_size, group_by=one.group_by,
        recipe=None if trial_epochs is None else "fine_tune", epochs=full_epochs, seed=seed,
        threads=1, pretrained=one.pretrained(folder), start="plain", name=f"taught-{seed}",
        teacher=run.checkpoint(least.trial), runs_dir=work, logs_dir=work / "logs", again=True,
    )  # fmt: skip
    minutes = (_cpu_seconds() - began) / 60
    wrong = round(done.test_error * done.test_images)
    return [
        Row(
            name, "taught", "within half", seed, round(point.values[1], 2), wrong,
            done.test_images, round(minutes, 3), 0.0,
        )
    ]  # fmt: skip


def _cpu_seconds() -> float:
    """Processor time of this process and of the processes that train for it, so far."""
    seconds = 0.0
    for one in (psutil.Process(), *psutil.Process().children(recursive=True)):
        times = one.cpu_times()
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def write_table(folder: Path, rows: list[Row]) -> None:
    """A line for each method and pick: means over seeds."""
    lines = [
        "| set | method | network | multiply-adds, M | test error, % | minutes of one core | seeds |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for key in dict.fromkeys((row.images_of, row.method, row.network) for row in rows):
        some = [row for row in rows if (row.images_of, row.method, row.network) == key]
        errors = [100 * row.wrong / row.images for row in some]
        pooled = wilson(sum(row.wrong for row in some), sum(row.images for row in some))
        spread = f"± {half_width(errors):.1f}" if len(errors) > 1 else ""
        lines.append(
            f"| {' | '.join(key)} | {mean([row.mflops for row in some]):.1f} | {mean(errors):.1f} "
            f"{spread} (images alone: {100 * pooled.low:.1f} to {100 * pooled.high:.1f}) | "
            f"{mean([row.minutes for row in some]):.2f} | {len(some)} |"
        )
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines), time.strftime("%H:%M"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
