"""SKNet's Table 4 put to the test: plain, SE and SK ShuffleNetV2, trained alike, several seeds each.

Claim of the paper (Li et al., CVPR 2019, Table 4, ImageNet): at 0.5x and 1.0x, SE lowers the error of
ShuffleNetV2, and SK lowers it further. The paper's SK unit ends each branch in a ReLU, where
ShuffleNetV2 has none; here SK is trained with it and without. Every network is trained on all training
images, and the test set is read once, at the end; nothing is chosen on it. On Fashion-MNIST each is
trained on the images as they are, and on images that are pasted at a random scale (0.35 to 1), since
objects of many scales are what SK is for.

Of the page: n = 48 trainings, 3 seeds of each network and condition; AMD EPYC, 2 cores.

Run it again after any interruption: trainings go on from their checkpoints, finished ones are kept, and
what trainings.csv holds is not trained again. With the defaults it takes about six core-hours; a GPU is
used when there is one.

    python benchmarks/table4_tradeoff.py [--seeds 3] [--epochs 4] [--workers 2] [--json]
    python benchmarks/table4_tradeoff.py --widths 0.5 --units sk,sk_no_act --epochs 12   # adds to it
    python benchmarks/table4_tradeoff.py --data imagefolder:PATH --epochs 300      # the paper's images
    python benchmarks/table4_tradeoff.py --collect      # only writes the files of what is there

Writes docs/results/table4_tradeoff/: trainings.csv (one row a training), summary.csv (means, intervals),
machine.json.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TypeAlias

import plotly.graph_objects as go
from machine import write_machine
from over_seeds import half_width, mean
from plotly.subplots import make_subplots
from rows import read_rows, write_rows

from blocks import ArchSpec, UnitSpec
from nas.cost import count
from nas.data import DataConfig, load_data
from nas.runs import TrialFolder
from nas.searching.executors import LocalExecutor
from nas.training import RECIPES, TestResult, TrainJob, read_info

OUT = Path("docs/results/table4_tradeoff")
RUNS = Path("runs/table4_tradeoff")
JITTER = 0.35
UNITS = {
    "plain": UnitSpec(kind="none"),
    "se": UnitSpec(kind="se"),
    "sk": UnitSpec(kind="sk"),
    "sk_no_act": UnitSpec(kind="sk", branch_act=False),
}


Condition: TypeAlias = tuple[str, float, int, int, float, str, int]


@dataclass(frozen=True)
class Training:
    """One row of trainings.csv."""

    data: str
    scale_jitter: float
    width: float
    unit: str
    seed: int
    epochs: int
    train_images: int
    test_images: int
    test_error: float
    mflops: float
    params: int
    activations: int
    input_size: int
    stem_stride: int
    minutes: float
    key: str

    @property
    def condition(self) -> Condition:
        """What tells one training from another."""
        return (
            self.data,
            self.scale_jitter,
            self.epochs,
            self.stem_stride,
            self.width,
            self.unit,
            self.seed,
        )


@dataclass(frozen=True)
class Summary:
    """One row of summary.csv: the seeds of one network together; errors in percent.

    ``against_plain`` is the mean over seeds of the difference to the plain network of the same seed,
    which sees the same images in the same order; ``interval`` and ``against_plain_interval`` are half
    widths of 95 % intervals by Student's t.
    """

    data: str
    scale_jitter: float
    epochs: int
    stem_stride: int
    width: float
    unit: str
    seeds: int
    error: float
    interval: float
    against_plain: float
    against_plain_interval: float
    mflops: float
    params: int


def main() -> int:
    """Train what is missing, write the files; the exit code."""
    options = parse_options()
    if not options.collect:
        train(options)
    known = {one.condition: one for one in (*kept(), *found())}
    trainings = [known[condition] for condition in sorted(known)]
    summaries = list(summarise(trainings))
    write_rows(OUT / "trainings.csv", trainings)
    write_rows(OUT / "summary.csv", summaries)
    write_machine(OUT)
    draw(summaries).write_html(RUNS / "tradeoff.html")
    if options.json:
        print(json.dumps([asdict(one) for one in summaries], indent=2))
    else:
        print("\n".join(map(line, summaries)))
    return 0


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--limit", type=int, help="training images of either part; default: all")
    parser.add_argument("--jitters", default=f"{JITTER},1", help="1: the images as they are")
    parser.add_argument("--widths", default="0.5,1.0")
    parser.add_argument("--units", default=",".join(UNITS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--stem-stride", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--collect", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def train(options: argparse.Namespace) -> None:
    """Train every network that has no result yet, ``options.workers`` at a time."""
    done = {one.condition for one in kept()}
    waiting = [
        job
        for job in jobs(options)
        if not TrialFolder(job.folder).result.is_file() and condition_of(job) not in done
    ]
    print(f"{len(waiting)} trainings to do", flush=True)
    executor = LocalExecutor(options.workers, options.threads)
    try:
        number = 0
        while waiting or executor.running:
            while waiting and executor.free:
                job = waiting.pop(0)
                job.folder.mkdir(parents=True, exist_ok=True)
                executor.start(number, job)
                print(f"{number:3d} started  {job.folder.name}", flush=True)
                number += 1
            for finished in executor.wait(seconds=5.0):
                print(f"{finished.number:3d} {finished.reason or 'done'}", flush=True)
    finally:
        executor.stop()


def jobs(options: argparse.Namespace) -> Iterable[TrainJob]:
    """All trainings asked for, the narrow networks first; early rows can be compared with each other."""
    imagenet = options.data.startswith("imagefolder:")
    recipe = RECIPES["imagenet_light" if imagenet else "full"]
    # Folders of photographs are cropped at random scales by the recipe itself.
    jitters = [1.0] if imagenet else [float(text) for text in options.jitters.split(",")]
    for width, seed, jitter in product(
        map(float, options.widths.split(",")), range(options.seeds), jitters
    ):
        jittered = None if jitter == 1 else jitter
        few = {"limit": options.limit, "val_limit": options.limit}
        data = DataConfig(name=options.data, scale_jitter=jittered, **few)
        info = load_data(data).info
        for unit in options.units.split(","):
            spec = ArchSpec(
                backbone="shufflenet_v2",
                width=width,
                num_classes=info.num_classes,
                in_channels=info.in_channels,
                input_size=info.input_size,
                stem_stride=options.stem_stride,
                unit=UNITS[unit],
            )
            kind = options.data.split(":")[0]
            name = f"{kind}-j{jitter:g}-{width:g}-{unit}-s{seed}-e{options.epochs}"
            name += f"-stem{options.stem_stride}"
            yield TrainJob(
                spec=spec,
                data=data,
                recipe=recipe.model_copy(update={"epochs": options.epochs}),
                seed=seed,
                folder=RUNS / name,
                log_name=RUNS.name,
                log_version=name,
                full=True,
            )


def condition_of(job: TrainJob) -> Condition:
    """What ``Training.condition`` will be."""
    return (
        job.data.name.split(":")[0],
        job.data.scale_jitter or 1.0,
        job.recipe.epochs,
        job.spec.stem_stride,
        job.spec.width,
        next(name for name, unit in UNITS.items() if unit == job.spec.unit),
        job.seed,
    )


def kept() -> list[Training]:
    """The trainings of trainings.csv, perhaps of another machine."""
    return read_rows(OUT / "trainings.csv", Training)


def found() -> Iterable[Training]:
    """The finished trainings."""
    for result in sorted(RUNS.glob("*/result.json")):
        folder = TrialFolder(result.parent)
        test = TestResult.model_validate_json(result.read_text(encoding="utf-8"))
        info = read_info(folder.checkpoint)
        unit = next(name for name, unit in UNITS.items() if unit == info.spec.unit)
        counts = count(info.spec)
        yield Training(
            data=info.data.name.split(":")[0],
            scale_jitter=info.data.scale_jitter or 1.0,
            width=info.spec.width,
            unit=unit,
            seed=test.seed,
            epochs=test.epochs,
            train_images=test.train_images,
            test_images=test.test_images,
            test_error=test.test_error,
            mflops=counts.mflops,
            params=counts.params,
            activations=counts.activations,
            input_size=info.spec.input_size,
            stem_stride=info.spec.stem_stride,
            minutes=round(sum(epoch.seconds for epoch in info.history) / 60, 1),
            key=info.spec.key,
        )


def summarise(trainings: Sequence[Training]) -> Iterable[Summary]:
    """The seeds of each network together, next to the plain one."""
    groups: dict[tuple[str, float, int, int, float], dict[str, dict[int, Training]]] = {}
    for one in trainings:
        condition = (one.data, one.scale_jitter, one.epochs, one.stem_stride, one.width)
        groups.setdefault(condition, defaultdict(dict))[one.unit][one.seed] = one
    for (data, jitter, epochs, stride, width), units in groups.items():
        for unit in (name for name in UNITS if name in units):
            seeds = units[unit]
            errors = [100 * one.test_error for one in seeds.values()]
            plain = units.get("plain", {})
            paired = [
                100 * (one.test_error - plain[seed].test_error)
                for seed, one in seeds.items()
                if seed in plain
            ]
            any_one = next(iter(seeds.values()))
            yield Summary(
                data, jitter, epochs, stride, width, unit, len(errors),
                round(mean(errors), 3), round(half_width(errors), 3),
                round(mean(paired), 3), round(half_width(paired), 3),
                any_one.mflops, any_one.params,
            )  # fmt: skip


def draw(summaries: Sequence[Summary]) -> go.Figure:
    """Error with its 95 % interval against multiply-adds, a panel for each condition."""
    conditions = sorted({(s.data, s.scale_jitter, s.epochs, s.stem_stride) for s in summaries})
    titles = [
        f"{data}, {'as it is' if jitter == 1 else f'scales {jitter:g} to 1'}, {epochs} epochs"
        for data, jitter, epochs, _ in conditions
    ]
    figure = make_subplots(cols=max(1, len(conditions)), subplot_titles=titles)
    for column, condition in enumerate(conditions, start=1):
        for unit, colour in zip(UNITS, ("#7f868c", "#d98c00", "#b3261e", "#0b5fa5"), strict=True):
            points = [
                s
                for s in summaries
                if s.unit == unit and (s.data, s.scale_jitter, s.epochs, s.stem_stride) == condition
            ]
            figure.add_scatter(
                x=[s.mflops for s in points],
                y=[s.error for s in points],
                error_y={"array": [0 if math.isnan(s.interval) else s.interval for s in points]},
                mode="lines+markers",
                name=unit,
                line={"color": colour},
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(title="million multiply-adds")
    figure.update_yaxes(title="test error %")
    figure.update_layout(template="simple_white", width=520 * max(1, len(conditions)), height=460)
    return figure


def line(one: Summary) -> str:
    """A summary as a line of text."""
    return (
        f"{one.data} jitter {one.scale_jitter:g} {one.epochs:3d} epochs  {one.width:g}x "
        f"{one.unit:10s} {one.error:6.2f} +- {one.interval:.2f} %  against plain "
        f"{one.against_plain:+.2f} +- {one.against_plain_interval:.2f}  (n = {one.seeds}, "
        f"{one.mflops:.2f} MFLOPs, {one.params:,} params)"
    )


if __name__ == "__main__":
    sys.exit(main())
