"""Images a second in a proxy trial of a search: the program's way against the plain way.

Claim: a trial (ShuffleNetV2 with SK units on Fashion-MNIST, a few epochs of the recipe ``proxy``) trains
on more images a second than the same trial written in the plain way.

* ours: ``nas.training.fit`` as a search calls it: images cut out of one tensor, channels last,
  Lightning. The figures are from the seconds an epoch that it writes to metrics.jsonl.
* plain: a loop in PyTorch with the same recipe (optimizer, schedule, smoothing, batch size, average of
  the weights, evaluation on the same held-out images after each epoch), NCHW, torchvision's transforms
  image by image (on tensors, which is faster than on PIL images), a DataLoader without workers and one
  with two, of which the faster counts, and timm's SelectiveKernel in the place of ours. A check before
  says that both networks compute the same.

An epoch is training and evaluation, as in a trial; the images counted are those trained on. The ways
take turns epoch by epoch in one process, and the first epoch of each is left out. Parts of it, each by
itself and in turns: the data (batches only), the step (forward, backward, optimizer; one batch over and
over, both networks in the plain loop) and the evaluation. Seconds are the clock's, since workers are
processes of their own; they have cores to themselves where there are some.

Left out: starting a process, loading the data set, writing the checkpoint.

With --at-once, so many trials train at once, each in a process as a search starts it; the figure is the
sum over them. On CUDA the step is measured compiled and as a CUDA graph too. No figure on CUDA has been
taken yet.

Of the page: n = 5 epochs of each way; one thread of an AMD EPYC.

    python benchmarks/training_throughput.py [--threads 1] [--images 4096] [--epochs 6] [--write]
    python benchmarks/training_throughput.py --device cuda --at-once 1,2,4,8 [--json]

With --write, docs/results/training_throughput/ gets rows.csv and machine.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import torch
from machine import machine, write_machine
from plain_training import (
    CROP_PADDING,
    EVALUATION_BATCH,
    Loader,
    PlainLoaders,
    PlainLoop,
    Setting,
    evaluate,
    plain_loaders,
    plain_network,
)
from rows import write_rows
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from blocks import ArchSpec, build
from nas.data import DataConfig, load_data
from nas.runs import TrialFolder
from nas.searching.executors import LocalExecutor
from nas.training import RECIPES, EpochMetrics, read_metrics
from nas.training.fit import fit

OUT = Path("docs/results/training_throughput")
DATA = "fashion_mnist"
STEPS = 8
WORKERS = (0, 2)

Work: TypeAlias = Callable[[], object]
Seconds: TypeAlias = dict[str, list[float]]


@dataclass(frozen=True)
class Row:
    """Images a second: the median of n, the least and the most; ``against_ours`` divides ours by it."""

    part: str
    way: str
    n: int
    median: float
    least: float
    most: float
    against_ours: float


def measure_epochs(setting: Setting, loaders: Mapping[str, PlainLoaders]) -> Seconds:
    """Seconds of every epoch but the first, ours and the plain ones in turns."""
    recipe = setting.recipe
    epochs: dict[str, Work] = {}
    for way, its_loaders in loaders.items():
        loop = PlainLoop(plain_network(setting), recipe, setting.device)
        average = get_ema_multi_avg_fn(recipe.ema_decay)
        averaged = AveragedModel(loop.net, multi_avg_fn=average, use_buffers=True)
        epochs[way] = partial(loop.epoch, its_loaders, averaged)
    seconds: Seconds = {way: [] for way in ("ours", *epochs)}

    def after_ours(epoch: EpochMetrics) -> None:
        seconds["ours"].append(epoch.seconds)
        for way, work in epochs.items():
            seconds[way].append(seconds_of(work, setting.device))

    with tempfile.TemporaryDirectory() as folder, working_in(folder):
        fit(setting.job(Path(folder) / "trial"), after_ours)
    return {way: values[1:] for way, values in seconds.items()}


@contextmanager
def working_in(folder: str) -> Iterator[None]:
    """Have ``folder`` as the working directory, so that TensorBoard's logs of the trial go there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def measure_data(setting: Setting, loaders: Mapping[str, PlainLoaders]) -> Seconds:
    """Seconds of the training batches of an epoch."""
    ours = load_data(setting.data).train_batches(setting.recipe.batch_size, 0, setting.device)
    works: dict[str, Work] = {"ours": partial(exhaust, ours)}
    works |= {way: partial(exhaust, each.train) for way, each in loaders.items()}
    return in_turns(works, setting)


def exhaust(batches: Loader) -> None:
    """Take every batch."""
    for _ in batches:
        pass


def measure_steps(setting: Setting) -> Seconds:
    """Seconds of some steps on one batch, in the plain loop; on CUDA compiled as well."""
    data = load_data(setting.data)
    batches = data.train_batches(setting.recipe.batch_size, 0, setting.device)
    images, labels = next(iter(batches))
    flat = images.clone(memory_format=torch.contiguous_format)
    forms: dict[str, str | None] = {"": None}
    if setting.device.type == "cuda":
        forms |= {", compiled": "default", ", CUDA graph": "reduce-overhead"}
    works: dict[str, Work] = {}
    for form, mode in forms.items():
        ours: nn.Module = build(setting.spec).to(memory_format=torch.channels_last)
        nets = {"ours": (ours, images), "plain": (plain_network(setting), flat)}
        for way, (net, batch) in nets.items():
            net.train().to(setting.device)
            runs: Any = net if mode is None else torch.compile(net, mode=mode)
            loop = PlainLoop(runs, setting.recipe, setting.device)
            works[way + form] = partial(steps, loop, batch, labels)
    return in_turns(works, setting)


def steps(loop: PlainLoop, images: Tensor, labels: Tensor) -> None:
    """Some steps on one batch."""
    for _ in range(STEPS):
        loop.step(images, labels)


def measure_evaluation(setting: Setting, loaders: Mapping[str, PlainLoaders]) -> Seconds:
    """Seconds of an evaluation on the held-out images."""
    ours = build(setting.spec).to(setting.device).to(memory_format=torch.channels_last)
    theirs = plain_network(setting).to(setting.device)
    batches = load_data(setting.data).val_batches(EVALUATION_BATCH, setting.device)
    works: dict[str, Work] = {"ours": partial(evaluate, ours, batches, setting.device)}
    for way, each in loaders.items():
        works[way] = partial(evaluate, theirs, each.held_out, setting.device)
    return in_turns(works, setting)


def in_turns(works: Mapping[str, Work], setting: Setting) -> Seconds:
    """Seconds of each, as often as there are steady epochs, after a warm-up."""
    seconds: Seconds = {way: [] for way in works}
    for _ in range(setting.recipe.epochs):
        for way, work in works.items():
            seconds[way].append(seconds_of(work, setting.device))
    return {way: values[1:] for way, values in seconds.items()}


def seconds_of(work: Work, device: torch.device) -> float:
    """Seconds of the clock until ``work`` is done, on a GPU too."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure_at_once(setting: Setting, number: int, images: int) -> list[float]:
    """Images a second of ``number`` trials together, for every epoch but the first."""
    with tempfile.TemporaryDirectory() as root:
        folders = [TrialFolder(Path(root) / str(index)) for index in range(number)]
        executor = LocalExecutor(number, setting.threads)
        for index, folder in enumerate(folders):
            folder.path.mkdir()
            executor.start(index, setting.job(folder.path))
        while executor.running:
            for ended in executor.wait(1.0):
                if not ended.ended_well:
                    executor.stop()
                    raise SystemExit(folders[ended.number].error.read_text(encoding="utf-8"))
        epochs = zip(*(read_metrics(folder) for folder in folders), strict=True)
        return [sum(images / each.seconds for each in same) for same in epochs][1:]


def rows_of(part: str, images: int, seconds: Seconds) -> list[Row]:
    """The figures of one part, in which so many images are used."""
    ours = statistics.median(seconds["ours"])
    return [
        Row(
            part,
            way,
            len(values),
            images / statistics.median(values),
            images / max(values),
            images / min(values),
            statistics.median(values) / ours,
        )
        for way, values in seconds.items()
    ]


def measure(setting: Setting, at_once: Sequence[int]) -> list[Row]:
    """All figures."""
    data = load_data(setting.data)
    images = len(data.train_batches(setting.recipe.batch_size, 0, torch.device("cpu")))
    images *= min(setting.recipe.batch_size, data.info.train_images)
    loaders = {f"plain, {workers} workers": plain_loaders(setting, workers) for workers in WORKERS}
    rows = rows_of("epoch", images, measure_epochs(setting, loaders))
    rows += rows_of("data", images, measure_data(setting, loaders))
    batch = min(setting.recipe.batch_size, images)
    rows += rows_of("step", STEPS * batch, measure_steps(setting))
    rows += rows_of("evaluation", data.info.val_images, measure_evaluation(setting, loaders))
    for number in at_once:
        rates = measure_at_once(setting, number, images)
        middle = statistics.median(rates)
        figures = (len(rates), middle, min(rates), max(rates), rows[0].median / middle)
        rows.append(Row("epoch", f"ours, {number} at once", *figures))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The figures for a reader."""
    plain = [row for row in rows if row.part == "epoch" and row.way.startswith("plain")]
    lines = [
        f"{'images a second':<11} {'':<20} {'n':>3} {'median':>9} {'least':>9} {'most':>9}  ours/it",
        *(
            f"{row.part:<15} {row.way:<20} {row.n:>3} {row.median:>9,.0f} {row.least:>9,.0f} "
            f"{row.most:>9,.0f} {row.against_ours:>8.2f}"
            for row in rows
        ),
        f"a trial: {min(row.against_ours for row in plain):.2f} times the faster plain way",
    ]
    return "\n".join(lines)


def parse_options() -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=4096, help="an epoch")
    parser.add_argument("--val-images", type=int, help="default: all 10,000")
    parser.add_argument("--epochs", type=int, default=6, help="the first is left out")
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--stem-stride", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--at-once", default="", help="numbers of trials, such as 1,2,4")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help=f"into {OUT}")
    return parser.parse_args()


def settings_of(options: argparse.Namespace) -> Setting:
    """The trial that is asked for."""
    data = DataConfig(
        name=DATA,
        limit=options.images,
        val_limit=options.val_images,
        flip=True,
        crop_padding=CROP_PADDING,
    )
    info = load_data(data).info
    spec = ArchSpec(
        backbone="shufflenet_v2",
        width=options.width,
        num_classes=info.num_classes,
        in_channels=info.in_channels,
        input_size=info.input_size,
        stem_stride=options.stem_stride,
    )
    recipe = RECIPES["proxy"].model_copy(update={"epochs": options.epochs})
    return Setting(spec, data, recipe, torch.device(options.device), options.threads)


def main() -> int:
    """Measure, print, write; the exit code."""
    options = parse_options()
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Lightning takes a GPU where it sees one
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    setting = settings_of(options)
    at_once = [int(number) for number in options.at_once.split(",") if number]
    rows = measure(setting, at_once)
    where = {
        **asdict(machine()),
        "timm": version("timm"),
        "torchvision": version("torchvision"),
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "threads": options.threads,
        "images": options.images,
        "width": options.width,
        "stem_stride": options.stem_stride,
        "load_average": os.getloadavg()[0],
    }
    if options.json:
        print(json.dumps({"rows": [*map(asdict, rows)], "machine": where}))
    else:
        print(table(rows))
        print(", ".join(f"{name} {value}" for name, value in where.items()))
    if options.write:
        write_rows(OUT / "rows.csv", rows)
        write_machine(OUT, where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
