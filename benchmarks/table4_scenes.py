"""SKNet's Table 4 where objects have many sizes: who gains, what from, at which scale, and how surely.

Claim of the paper (Li et al., CVPR 2019, Table 4): SE lowers the error of ShuffleNetV2, and SK lowers
it further. Its reason: units that choose among kernel sizes fit objects of many sizes. The scenes of
`fashion_scenes` hold one whole object whose side is a fifth of the scene's to all of it, among halves
and cuttings of others; at 64 pixels and stem stride 1 the last stage has 4x4 positions.

Beside the rows of Table 4, and SK without the ReLU in its branches, three controls tell what a gain
comes from: the two branches summed, without attention; one branch of 5x5 (its multiply-adds are nearest
to SK's); and the summed branches with SE's gate, attention that selects nothing.

All train alike, at a constant rate with averaged weights, so that each epoch is a result and a training
can go on in a later sitting: run it again with more ``--epochs``. An epoch has 10,000 scenes of the
50,000. Curves are errors on 2,000 held-out scenes; the 10,000 test scenes are read at the last epoch.

    python benchmarks/table4_scenes.py [--width 0.25] [--seeds 3] [--epochs 10] [--workers 2]
    python benchmarks/table4_scenes.py --collect       # only writes the files of what is there

Writes docs/results/table4_tradeoff/scenes/: trainings.csv (a row a training), curves.csv (a row an
epoch), summary.csv, table.md, machine.json; the curves as a page into runs/table4_scenes/.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything that starts threads
os.environ.setdefault("SKNAS_PLUGINS", str(Path(__file__).resolve().with_name("summed_se.py")))

import plotly.graph_objects as go
import torch
from machine import write_machine
from over_seeds import half_width, mean
from plotly.colors import qualitative
from rows import read_rows, write_rows
from scipy import stats
from table4_tradeoff import UNITS as ROWS
from trainings import epochs_of, train_all

from blocks import ArchSpec, UnitSpec
from nas.cost import count
from nas.data import Data, DataConfig, load_data
from nas.data.fashion_scenes import INPUT_SIZE, targets
from nas.runs import TrialFolder
from nas.training import RECIPES, TrainJob
from nas.training.checkpoint import load_checkpoint

OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "table4_tradeoff" / "scenes"
RUNS = Path("runs/table4_scenes")
EPOCH_IMAGES, VAL_IMAGES, TEST_IMAGES = 10_000, 2_000, 10_000
RECIPE = RECIPES["rungs"].model_copy(update={"epochs": 200, "ema_decay": 0.998})
UNITS = {
    **ROWS,
    "sum": UnitSpec(kind="sk", select="sum", branch_act=False),
    "5x5": UnitSpec(kind="sk", dilations=(2,), kernel="real", branch_act=False),
    "sum_se": UnitSpec(kind="sum_se", branch_act=False),
}
POWER, LEVEL = 0.8, 0.05


@dataclass(frozen=True)
class Training:
    """A row of trainings.csv: a training; errors are shares, 0 to 1.

    ``q1`` to ``q4`` are the test errors in the quarters of the targets' sides, smallest first.
    """

    width: float
    unit: str
    seed: int
    epochs: int
    mflops: float
    params: int
    test_images: int
    test_error: float
    q1: float
    q2: float
    q3: float
    q4: float
    minutes: float


@dataclass(frozen=True)
class Epoch:
    """A row of curves.csv: an epoch of a training."""

    width: float
    unit: str
    seed: int
    epoch: int
    val_error: float


@dataclass(frozen=True)
class Summary:
    """A row of summary.csv: a network against another, paired by seed, in points.

    ``small`` and ``large`` are the same for the smallest and the largest quarter of the targets;
    ``seeds_needed``: for a difference of one point, two-sided at 5 %, power 80 %, from the spread of
    these differences.
    """

    width: float
    epochs: int
    unit: str
    rival: str
    seeds: int
    error: float
    difference: float
    interval: float
    small: float
    small_interval: float
    large: float
    large_interval: float
    seeds_needed: int


def main() -> int:
    """Train what is missing, write the files; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--units", default=",".join(UNITS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epoch-images", type=int, default=EPOCH_IMAGES)
    parser.add_argument("--val-images", type=int, default=VAL_IMAGES)
    parser.add_argument("--test-images", type=int, default=TEST_IMAGES)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--work", type=Path, default=RUNS)
    parser.add_argument("--collect", action="store_true")
    options = parser.parse_args()
    chosen = {
        (options.width, unit, seed): job(options, unit, seed)
        for seed in range(options.seeds)
        for unit in options.units.split(",")
    }
    if not options.collect:
        train_all(
            [one for one in chosen.values() if len(epochs_of(one)) < options.epochs],
            options.workers,
        )
    known = {
        (r.width, r.unit, r.seed): r for r in read_rows(options.out / "trainings.csv", Training)
    }
    curves = {
        (r.width, r.unit, r.seed, r.epoch): r for r in read_rows(options.out / "curves.csv", Epoch)
    }
    for (width, unit, seed), one in chosen.items():
        curves |= {(r.width, r.unit, r.seed, r.epoch): r for r in curve(one, width, unit, seed)}
        trained = len(epochs_of(one))
        before = known.get((width, unit, seed))
        if trained >= options.epochs and (before is None or before.epochs < trained):
            known[width, unit, seed] = tested(one, width, unit, seed, options.test_images)
    trainings = [known[key] for key in sorted(known)]
    epochs = [curves[key] for key in sorted(curves)]
    summaries = list(summarise(trainings))
    write_rows(options.out / "trainings.csv", trainings)
    write_rows(options.out / "curves.csv", epochs)
    write_rows(options.out / "summary.csv", summaries)
    write_machine(options.out)
    lines = table(trainings, summaries)
    (options.out / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    draw(epochs).write_html(options.work / "curves.html")
    return 0


def job(options: argparse.Namespace, unit: str, seed: int) -> TrainJob:
    """The training of a row."""
    name = f"{options.width:g}-{unit}-s{seed}"
    spec = ArchSpec(
        backbone="shufflenet_v2", width=options.width, num_classes=10, in_channels=1,
        input_size=INPUT_SIZE, stem_stride=1, unit=UNITS[unit],
    )  # fmt: skip
    return TrainJob(
        spec=spec,
        data=DataConfig(
            name="fashion_scenes", epoch_images=options.epoch_images, val_limit=options.val_images
        ),
        recipe=RECIPE,
        stop_epoch=options.epochs,
        seed=seed,
        folder=options.work / name,
        log_name=RUNS.name,
        log_version=name,
        threads=1,
    )


def curve(one: TrainJob, width: float, unit: str, seed: int) -> Iterator[Epoch]:
    """The epochs of a training so far."""
    for epoch in epochs_of(one):
        assert epoch.val_error is not None
        yield Epoch(width, unit, seed, epoch.epoch, round(epoch.val_error, 6))


def tested(one: TrainJob, width: float, unit: str, seed: int, images: int) -> Training:
    """A training that has reached its epochs, on so many test scenes."""
    loaded = load_checkpoint(TrialFolder(one.folder).checkpoint)
    found = []
    with torch.inference_mode():
        for batch, labels in test_data().test_batches(500, torch.device("cpu")):
            found.append(loaded.model(batch).argmax(1) != labels)
            if sum(map(len, found)) >= images:
                break
    wrong = torch.cat(found).float()
    by_side = wrong[targets("test", TEST_IMAGES).side[: len(wrong)].argsort(stable=True)]
    q1, q2, q3, q4 = (round(float(part.mean()), 6) for part in by_side.chunk(4))
    counts = count(one.spec)
    history = loaded.info.history
    return Training(
        width, unit, seed, len(history), round(counts.mflops, 3), counts.params, len(wrong),
        round(float(wrong.mean()), 6), q1, q2, q3, q4,
        round(sum(epoch.seconds for epoch in history) / 60, 1),
    )  # fmt: skip


@cache
def test_data() -> Data:
    """The scenes, once a process."""
    return load_data(DataConfig(name="fashion_scenes"))


def summarise(trainings: Sequence[Training]) -> Iterator[Summary]:
    """Each network against plain, and each with attention against SE, at equal epochs."""
    for width, epochs in sorted({(one.width, one.epochs) for one in trainings}):
        by: dict[str, dict[int, Training]] = {}
        for one in trainings:
            if (one.width, one.epochs) == (width, epochs):
                by.setdefault(one.unit, {})[one.seed] = one
        for rival in ("plain", "se", "sum_se"):
            for unit in (name for name in UNITS if name in by and name != rival):
                pairs = [(by[unit][s], by[rival][s]) for s in by[unit] if s in by.get(rival, {})]
                if pairs:
                    yield compare(pairs)


def compare(pairs: Sequence[tuple[Training, Training]]) -> Summary:
    """A network against another over their seeds."""
    one, rival = pairs[0]
    whole = [100 * (a.test_error - b.test_error) for a, b in pairs]
    small = [100 * (a.q1 - b.q1) for a, b in pairs]
    large = [100 * (a.q4 - b.q4) for a, b in pairs]
    return Summary(
        one.width, one.epochs, one.unit, rival.unit, len(pairs),
        round(100 * mean([a.test_error for a, _ in pairs]), 2),
        round(mean(whole), 2), round(half_width(whole), 2),
        round(mean(small), 2), round(half_width(small), 2),
        round(mean(large), 2), round(half_width(large), 2),
        seeds_needed(whole),
    )  # fmt: skip


def seeds_needed(differences: Sequence[float], points: float = 1.0) -> int:
    """Paired seeds that show a difference of ``points``; 0 where the spread is not known."""
    if len(differences) < 2:
        return 0
    spread = float(stats.tstd(differences))
    for n in range(2, 1000):
        shift = points / (spread / math.sqrt(n)) if spread else math.inf
        critical = float(stats.t.ppf(1 - LEVEL / 2, n - 1))
        if 1 - float(stats.nct.cdf(critical, n - 1, shift)) >= POWER:
            return n
    return 1000


def table(trainings: Sequence[Training], summaries: Iterable[Summary]) -> list[str]:
    """The figures of the page."""
    against = {(s.width, s.epochs, s.unit, s.rival): s for s in summaries}
    lines = [
        "| width | epochs | network | M multiply-adds | test error, % | against plain | against SE | "
        "against plain, smallest quarter | largest quarter | seeds | seeds for one point |",
        "|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for width, epochs in sorted({(one.width, one.epochs) for one in trainings}):
        for unit in UNITS:
            same = [
                one
                for one in trainings
                if (one.width, one.epochs, one.unit) == (width, epochs, unit)
            ]
            if not same:
                continue
            errors = [100 * one.test_error for one in same]
            plain, se = (against.get((width, epochs, unit, rival)) for rival in ("plain", "se"))
            cells = [
                f"{width:g}", str(epochs), unit, f"{same[0].mflops:.2f}",
                f"{mean(errors):.2f} ± {half_width(errors):.2f}",
                "" if plain is None else f"{plain.difference:+.2f} ± {plain.interval:.2f}",
                "" if se is None else f"{se.difference:+.2f} ± {se.interval:.2f}",
                "" if plain is None else f"{plain.small:+.2f} ± {plain.small_interval:.2f}",
                "" if plain is None else f"{plain.large:+.2f} ± {plain.large_interval:.2f}",
                str(len(same)), "" if plain is None else str(plain.seeds_needed),
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def draw(epochs: Sequence[Epoch]) -> go.Figure:
    """Learning curves: the mean over seeds at each epoch that all of them have reached."""
    figure = go.Figure()
    for colour, unit in zip(qualitative.Dark24, UNITS, strict=False):
        mine = [one for one in epochs if one.unit == unit]
        seeds = len({(one.width, one.seed) for one in mine})
        points = []
        for epoch in sorted({one.epoch for one in mine}):
            errors = [100 * one.val_error for one in mine if one.epoch == epoch]
            if len(errors) == seeds:
                points.append((epoch, mean(errors)))
        if points:
            x, y = zip(*points, strict=True)
            figure.add_scatter(x=x, y=y, mode="lines+markers", name=unit, line={"color": colour})
    figure.update_xaxes(title=f"epochs of {EPOCH_IMAGES:,} scenes", type="log")
    figure.update_yaxes(title="validation error, %", type="log")
    figure.update_layout(template="simple_white", width=760, height=480)
    return figure


if __name__ == "__main__":
    sys.exit(main())
