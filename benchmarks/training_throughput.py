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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import torch
from machine import machine
from over_seeds import write_rows
from sk_peers import check_equal, timm_unit
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from blocks import ArchSpec, SelectiveKernel, build
from nas.data import Batches, DataConfig, DataInfo, load_data
from nas.runs import TrialFolder
from nas.search.executors import LocalExecutor
from nas.training import RECIPES, EpochMetrics, Recipe, TrainJob, fit, read_metrics

OUT = Path("docs/results/training_throughput")
DATA = "fashion_mnist"
CROP_PADDING = 2
EVALUATION_BATCH = 500
STEPS = 8
WORKERS = (0, 2)
TOLERANCE = 1e-4

Loader: TypeAlias = Iterable[tuple[Tensor, Tensor]]
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


@dataclass(frozen=True)
class Setting:
    """What is trained, where."""

    spec: ArchSpec
    data: DataConfig
    recipe: Recipe
    device: torch.device
    threads: int

    def job(self, folder: Path) -> TrainJob:
        """The trial, in the program's words."""
        return TrainJob(
            spec=self.spec,
            data=self.data,
            recipe=self.recipe,
            seed=0,
            folder=folder,
            log_name="training_throughput",
            log_version=folder.name,
            threads=self.threads,
        )


@dataclass(frozen=True)
class PlainImages(Dataset[tuple[Tensor, Tensor]]):
    """Images and labels, each image transformed when it is asked for."""

    images: Tensor
    labels: Tensor
    transform: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One image as the network takes it, and its class."""
        return self.transform(self.images[index]), self.labels[index]


@dataclass(frozen=True)
class PlainLoaders:
    """DataLoaders of the training and the held-out images."""

    train: Loader
    held_out: Loader


class PlainLoop:
    """The plain way to train ``net``."""

    def __init__(self, net: nn.Module, recipe: Recipe, device: torch.device) -> None:
        self.net, self.device = net.to(device), device
        self.loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.optimizer = torch.optim.SGD(
            net.parameters(),
            recipe.lr,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
        )
        # Longer than any run of this file: what a step costs does not depend on where it stands.
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, recipe.lr, 10**6)

    def step(self, images: Tensor, labels: Tensor) -> float:
        """One batch."""
        self.optimizer.zero_grad()
        loss = self.loss(self.net(images), labels)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return float(loss.item())

    def epoch(self, loaders: PlainLoaders, averaged: AveragedModel) -> None:
        """Training and evaluation."""
        self.net.train()
        for images, labels in loaders.train:
            self.step(images.to(self.device), labels.to(self.device))
            averaged.update_parameters(self.net)
        evaluate(averaged, loaders.held_out, self.device)


@torch.no_grad()
def evaluate(net: nn.Module, batches: Loader, device: torch.device) -> float:
    """Share of the images that are named rightly."""
    net.eval()
    right = total = 0
    for images, labels in batches:
        right += int((net(images.to(device)).argmax(1) == labels.to(device)).sum())
        total += len(labels)
    return right / total


def plain_loaders(setting: Setting, workers: int) -> PlainLoaders:
    """The images of the trial with torchvision's transforms."""
    raw = load_data(setting.data.model_copy(update={"flip": False, "crop_padding": 0}))
    info, cpu = raw.info, torch.device("cpu")
    plain = [
        transforms.ConvertImageDtype(torch.float32),
        transforms.Normalize(info.mean, info.std),
    ]
    augment = [
        transforms.RandomCrop(info.input_size, padding=CROP_PADDING),
        transforms.RandomHorizontalFlip(),
    ]
    common: dict[str, Any] = {
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "pin_memory": setting.device.type == "cuda",
    }
    train = PlainImages(
        *pixels(raw.train_batches(info.train_images, 0, cpu), info),
        transforms.Compose([*augment, *plain]),
    )
    held_out = PlainImages(
        *pixels(raw.val_batches(EVALUATION_BATCH, cpu), info), transforms.Compose(plain)
    )
    return PlainLoaders(
        DataLoader(train, setting.recipe.batch_size, shuffle=True, drop_last=True, **common),
        DataLoader(held_out, EVALUATION_BATCH, **common),
    )


def pixels(batches: Batches, info: DataInfo) -> tuple[Tensor, Tensor]:
    """The images of normalised batches as bytes, NCHW, and their labels."""
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    mean, std = (torch.tensor(values)[:, None, None] for values in (info.mean, info.std))
    levels = ((images * std + mean) * 255).round().byte()
    # A copy: `contiguous` leaves one-channel images with the strides of channels last.
    return levels.clone(memory_format=torch.contiguous_format), labels


def plain_network(setting: Setting) -> nn.Module:
    """The trial's network with timm's units, checked against the one with ours."""
    spec = setting.spec
    ours: nn.Module = build(spec)
    theirs: nn.Module = build(spec)
    theirs.load_state_dict(ours.state_dict())
    for name, unit in list(theirs.named_modules()):
        if isinstance(unit, SelectiveKernel):
            theirs.set_submodule(name, timm_unit(unit))
    x = torch.randn(8, spec.in_channels, spec.input_size, spec.input_size)
    with torch.no_grad():
        check_equal("the plain network", theirs.eval()(x), ours.eval()(x), TOLERANCE)
    return theirs


def measure_epochs(setting: Setting, loaders: Mapping[str, PlainLoaders]) -> Seconds:
    """Seconds of every epoch but the first, ours and the plain ones in turns."""
    recipe = setting.recipe
    epochs: dict[str, Work] = {}
    for way, its_loaders in loaders.items():
        loop = PlainLoop(plain_network(setting), recipe, setting.device)
        average = get_ema_multi_avg_fn(recipe.ema_decay)  # type: ignore[no-untyped-call]
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
    data = DataConfig(name=DATA, limit=options.images, flip=True, crop_padding=CROP_PADDING)
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
        (OUT / "machine.json").write_text(json.dumps(where, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
