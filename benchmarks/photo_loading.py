"""Training batches of photographs a second: this program against what people use instead.

Claim: once photographs were read, this program makes training batches of 12-megapixel photographs at
least ten times as fast as the best peer, per second and per second of CPU, and is not slower on small
ones.

* ours: ``load_data("imagefolder:...")`` and its training batches. The first epoch includes the pass that
  fills the cache of decoded photographs; each round begins with an empty one.
* torchvision: ``ImageFolder`` and a DataLoader with RandomResizedCrop, flip, ToTensor and Normalize.
* timm: ``create_dataset`` and ``create_loader``, with the same crop and flip.
* fastai: ``ImageDataLoaders.from_folder``, with the same crop, flip and normalisation.

All give normalised float batches of 64 on the CPU, of 224 pixels, from crops of the same range of areas,
with two workers (threads with us, processes elsewhere). The photographs are noise with the spectrum of
natural images, 4:3, JPEG of quality 90, windows of one larger image; they lie in the page cache of the
system, so no disk is measured.
The ways take turns within a round. CPU seconds are those of the process and of its workers.

Later epochs are repeated until they took a second, at least ``--epochs`` of them.

    python benchmarks/photo_loading.py [--rounds 5] [--large 48] [--small 480] [--write]

With --write, docs/results/photo_loading/ gets README.md, results.csv and machine.json.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from machine import machine, write_machine
from PIL import Image
from rows import write_rows

from nas.data import DataConfig, load_data
from nas.data.image_files import CROP_AREAS
from nas.data.image_folder import MEAN, STD

OUT = Path("docs/results/photo_loading")
SIZE, BATCH, WORKERS = 224, 64, 2
SETS = {"12 MP": (4000, 3000), "0.3 MP": (640, 480)}
PEERS = ("torchvision", "timm", "fastai")
LEAST_SECONDS = 1.0

Epoch: TypeAlias = Callable[[], int]
"""Takes all batches of an epoch; returns the number of images."""
Begin: TypeAlias = Callable[[Path], Epoch]
"""Prepares a data set in the usual way; its time counts for the first epoch."""


@dataclass(frozen=True)
class Row:
    """Images a second, of the clock and of the CPU: medians of n rounds, the least and the most."""

    photographs: str
    way: str
    epoch: str
    n: int
    per_second: float
    per_second_least: float
    per_second_most: float
    per_cpu_second: float
    per_cpu_second_least: float
    per_cpu_second_most: float


@dataclass(frozen=True)
class Taken:
    """Images, seconds of the clock and of the CPU."""

    images: int
    seconds: float
    cpu: float


def write_photographs(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Two classes of ``count`` photographs in all for training, and two for the other splits."""
    generator = np.random.default_rng(0)
    scene = natural_noise((size[0] + 256, size[1] + 256))
    for number in range(count + 4):
        part = "train" if number < count else "val"
        path = folder / part / ("one", "two")[number % 2] / f"{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        left, top = (int(value) for value in generator.integers(0, 256, 2))
        scene.crop((left, top, left + size[0], top + size[1])).save(path, quality=90)


def natural_noise(size: tuple[int, int]) -> Image.Image:
    """Noise in which the amplitude falls with the frequency, as in natural images."""
    generator = np.random.default_rng(0)
    channels = []
    for _ in range(3):
        total = np.zeros((size[1], size[0]), np.float32)
        side, weight = 4, 1.0
        while side < max(size):
            noise = generator.normal(0, 1, (side * 3 // 4, side)).astype(np.float32)
            layer = Image.fromarray(noise).resize(size, Image.Resampling.BILINEAR)
            total += weight * np.asarray(layer)
            side, weight = 2 * side, weight * 0.75
        channels.append(np.clip(128 + 30 * total, 0, 255).astype(np.uint8))
    return Image.fromarray(np.stack(channels, -1))


def ours(folder: Path) -> Epoch:
    """This program."""
    config = DataConfig(name=f"imagefolder:{folder}", input_size=SIZE, workers=WORKERS)
    batches = load_data(config).train_batches(BATCH, 0, torch.device("cpu"), full=True)
    epochs = iter(range(10**9))

    def epoch() -> int:
        batches.set_epoch(next(epochs))
        return count(batches)

    return epoch


def torchvision(folder: Path) -> Epoch:
    """The ImageFolder of torchvision and torch's DataLoader."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE, CROP_AREAS),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    images = ImageFolder(str(folder / "train"), transform)
    loader = DataLoader(images, BATCH, shuffle=True, drop_last=True, num_workers=WORKERS)
    return partial(count, loader)


def timm(folder: Path) -> Epoch:
    """The loader of timm, with its prefetcher off, as it needs CUDA."""
    from timm.data import create_dataset, create_loader

    loader = create_loader(
        create_dataset("", str(folder), split="train"),
        input_size=(3, SIZE, SIZE),
        batch_size=BATCH,
        is_training=True,
        use_prefetcher=False,
        scale=CROP_AREAS,
        hflip=0.5,
        color_jitter=None,  # type: ignore[arg-type]
        interpolation="bilinear",
        mean=MEAN,
        std=STD,
        num_workers=WORKERS,
        persistent_workers=False,
        device=torch.device("cpu"),
    )
    return partial(count, loader)


def fastai(folder: Path) -> Epoch:
    """The loaders of fastai for an image folder."""
    from fastai.vision import all as vision

    loaders = vision.ImageDataLoaders.from_folder(
        folder,
        valid="val",
        bs=BATCH,
        num_workers=WORKERS,
        item_tfms=vision.RandomResizedCrop(SIZE, min_scale=CROP_AREAS[0]),
        batch_tfms=[vision.Flip(), vision.Normalize.from_stats(MEAN, STD)],
        device=torch.device("cpu"),
    )
    return partial(count, loaders.train)


def count(batches: Iterable[Any]) -> int:
    """Take every batch; the number of images."""
    return sum(len(images) for images, _ in batches)


def measure(work: Epoch) -> Taken:
    """Do the work and say what it took."""
    begin, before = time.perf_counter(), cpu_seconds()
    images = work()
    return Taken(images, time.perf_counter() - begin, cpu_seconds() - before)


def cpu_seconds() -> float:
    """Of this process and of the workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def one_round(begin: Begin, folder: Path, epochs: int) -> tuple[Taken, Taken]:
    """The first epoch with all that is before it, and later ones."""
    made: list[Epoch] = []

    def first() -> int:
        made.append(begin(folder))
        return made[0]()

    started, later = measure(first), list[Taken]()
    while len(later) < epochs or sum(one.seconds for one in later) < LEAST_SECONDS:
        later.append(measure(made[0]))
    together = Taken(
        sum(one.images for one in later),
        sum(one.seconds for one in later),
        sum(one.cpu for one in later),
    )
    return started, together


def rows_of(photographs: str, way: str, epoch: str, taken: Sequence[Taken]) -> Row:
    """Medians and spread."""
    clock = [one.images / one.seconds for one in taken]
    cpu = [one.images / one.cpu for one in taken]
    figures = [
        round(value, 2)
        for values in (clock, cpu)
        for value in (statistics.median(values), min(values), max(values))
    ]
    return Row(photographs, way, epoch, len(taken), *figures)


def run(counts: dict[str, int], rounds: int, epochs: int) -> tuple[list[Row], list[str]]:
    """All rows, and the peers that are missing."""
    every = {"ours": ours, "torchvision": torchvision, "timm": timm, "fastai": fastai}
    missing = [peer for peer in PEERS if find_spec(peer) is None]
    ways = {name: begin for name, begin in every.items() if name not in missing}
    rows = []
    for name, size in SETS.items():
        with tempfile.TemporaryDirectory(prefix="photographs-") as place:
            folder = Path(place) / "set"
            write_photographs(folder, counts[name], size)
            taken: dict[tuple[str, str], list[Taken]] = {}
            for number in range(rounds):
                os.environ["SKNAS_CACHE_DIR"] = f"{place}/cache-{number}"
                for way, begin in ways.items():
                    first, later = one_round(begin, folder, epochs)
                    taken.setdefault((way, "first"), []).append(first)
                    taken.setdefault((way, "later"), []).append(later)
                    print(f"{name}  round {number + 1}  {way}", file=sys.stderr)
            rows += [rows_of(name, way, epoch, some) for (way, epoch), some in taken.items()]
    return rows, missing


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| photographs | way | epoch | n | images per second | images per CPU second |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        clock = f"{row.per_second:,.0f} ({row.per_second_least:,.0f} to {row.per_second_most:,.0f})"
        cpu = (
            f"{row.per_cpu_second:,.0f} ({row.per_cpu_second_least:,.0f} to "
            f"{row.per_cpu_second_most:,.0f})"
        )
        lines.append(f"| {row.photographs} | {row.way} | {row.epoch} | {row.n} | {clock} | {cpu} |")
    return "\n".join(lines)


def verdict(rows: Sequence[Row]) -> str:
    """Ours against the best peer, per CPU second."""
    lines = []
    for photographs in SETS:
        for epoch in ("first", "later"):
            some = [r for r in rows if (r.photographs, r.epoch) == (photographs, epoch)]
            mine = next(row for row in some if row.way == "ours")
            best = max((r for r in some if r.way != "ours"), key=lambda row: row.per_cpu_second)
            lines.append(
                f"| {photographs} | {epoch} | {best.way} | "
                f"{mine.per_cpu_second / best.per_cpu_second:.1f} |"
            )
    head = ["| photographs | epoch | best peer | ours, as a multiple of it |", "|---|---|---|---|"]
    return "\n".join([*head, *lines])


def page(rows: Sequence[Row], where: dict[str, Any], command: str) -> str:
    """README.md of the results."""
    facts = ", ".join(f"{name} {value}" for name, value in where.items())
    return f"""# How fast are photographs read?

```
{command}
```

Training batches of 64 photographs, cropped at random to 224 pixels, flipped and normalised, on the CPU
with two workers. The first epoch includes everything before it; in this program that is the pass that
decodes every photograph once into the cache. Later epochs of this program read from the cache. Medians
of n rounds, the least and the most; the ways take turns within a round. The photographs are synthetic
JPEG files (noise with the spectrum of natural images, quality 90) in the page cache, so no disk is
measured. A peer that is missing here is named at the end.

Images per CPU second of this program against those of the best peer:

{verdict(rows)}

{table(rows)}

{facts}.
"""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=1, help="least number of later epochs")
    parser.add_argument("--large", type=int, default=128, help="photographs of 12 MP")
    parser.add_argument("--small", type=int, default=640, help="photographs of 0.3 MP")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def versions() -> dict[str, str]:
    found = {}
    for name in ("torchvision", "timm", "fastai", "pillow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def main() -> None:
    options = parse()
    if min(options.large, options.small) < BATCH:
        sys.exit(f"--large and --small: at least {BATCH}, a batch; smaller ones are dropped")
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    rows, missing = run(
        {"12 MP": options.large, "0.3 MP": options.small}, options.rounds, options.epochs
    )
    where = {
        **asdict(machine()),
        **versions(),
        "rounds": options.rounds,
        "photographs of 12 MP": options.large,
        "photographs of 0.3 MP": options.small,
        "load average before": round(load, 2),
    }
    print(f"{verdict(rows)}\n\n{table(rows)}")
    if missing:
        print(f"missing: {', '.join(missing)}", file=sys.stderr)
    if options.write:
        write_rows(OUT / "results.csv", rows)
        write_machine(OUT, where)
        command = (
            f"python benchmarks/photo_loading.py --rounds {options.rounds} --large {options.large} "
            f"--small {options.small} --write"
        )
        (OUT / "README.md").write_text(page(rows, where, command), encoding="utf-8")


if __name__ == "__main__":
    main()
