r"""Learning curves of SK networks, one epoch at a time: what searches can be replayed on.

150 networks of shufflenet_v2_sk (branches M, dilations D, groups G, r, L, kernel form, the ReLU in the
branches, width, stem stride), drawn evenly over their multiply-adds, trained for nine epochs each after
the recipe `rungs`, whose learning rate does not depend on how long a training is; the first twenty with
three seeds, so that the noise is known. Fashion-MNIST, pasted at random scales; errors are those of the
averaged weights on the held-out images.

Run it again after any interruption: trainings go on from their checkpoints, and what the table holds is
not trained again. On a CPU it takes about eight core-hours; a GPU is used when there is one.

    python benchmarks/curves/train.py [--workers 2]      # nice it: it may run beside other work
    python benchmarks/curves/train.py --collect          # only writes the table of what is there

Writes benchmarks/curves/curves.csv.gz (one row an epoch) and networks.json (the specs by key).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from blocks import ArchSpec
from nas.cost import Budgets, count
from nas.data import DataConfig, load_data
from nas.runs import TrialFolder, replace_file, write_text
from nas.search import find_candidates
from nas.search.executors import make_executor
from nas.training import RECIPES, TrainJob, read_metrics
from search_spaces import load_space

HERE = Path(__file__).parent
RUNS = Path("runs/curves")
SPACE = "shufflenet_v2_sk"
DATA = DataConfig(name="fashion_mnist", scale_jitter=0.35, limit=8_000)
RECIPE = RECIPES["rungs"]
NETWORKS = {1: 30, 2: 75, 3: 45}
"""So many with M branches: drawn from the space alone, nearly all would have two."""
WITH_SEEDS, SEEDS = 20, 3
MOST_MFLOPS = 12.0
"""Wider networks are left out, so that a CPU can train them all."""


@dataclass(frozen=True)
class Epoch:
    """One row: a network after so many epochs."""

    key: str
    seed: int
    epoch: int
    val_error: float
    val_loss: float
    train_loss: float
    seconds: float
    mflops: float
    params: int
    activations: int


def networks() -> list[ArchSpec]:
    """Of each number of branches every so-manieth by cost, in an order whose beginning is mixed too."""
    info = load_data(DATA).info
    space = load_space(SPACE).bind(
        num_classes=info.num_classes, in_channels=info.in_channels, input_size=info.input_size
    )
    specs = find_candidates(space, Budgets(max_mflops=MOST_MFLOPS), seed=0).specs.values()
    chosen: list[ArchSpec] = []
    for branches, number in NETWORKS.items():
        some = [spec for spec in specs if len(spec.unit.dilations) == branches]
        some.sort(key=lambda spec: (count(spec).mflops, spec.key))
        chosen += [some[i * len(some) // number] for i in range(number)]
    stride = 67  # coprime to the number of networks
    return [chosen[i * stride % len(chosen)] for i in range(len(chosen))]


def jobs() -> Iterator[TrainJob]:
    """Every training, first all networks with seed 0."""
    specs = networks()
    for seed in range(SEEDS):
        for spec in specs if seed == 0 else specs[:WITH_SEEDS]:
            yield TrainJob(
                spec=spec,
                data=DATA,
                recipe=RECIPE,
                seed=seed,
                folder=RUNS / f"{spec.key}-{seed}",
                log_name="curves",
                log_version=f"{spec.key}-{seed}",
                threads=1,
            )


def train(workers: int) -> None:
    """Train what is not in the table."""
    rows = known()
    done = {(row.key, row.seed) for row in rows if row.epoch == RECIPE.epochs}
    waiting = [job for job in jobs() if (job.spec.key, job.seed) not in done]
    waiting = [job for job in waiting if len(epochs_of(job)) < RECIPE.epochs]
    print(f"{len(waiting)} trainings to do", flush=True)
    executor = make_executor("local", workers, 1)
    try:
        for number in range(len(waiting)):
            while not executor.free:
                tell(executor.wait(seconds=5.0))
            job = waiting[number]
            job.folder.mkdir(parents=True, exist_ok=True)
            executor.start(number, job)
        while executor.running:
            tell(executor.wait(seconds=5.0))
    finally:
        executor.stop()


def tell(ended: Iterable) -> None:
    """Say which trainings have ended."""
    for one in ended:
        print(f"{one.number:3d} {one.reason or 'done'}", flush=True)


def epochs_of(job: TrainJob) -> list:
    """What a training has written so far."""
    return read_metrics(TrialFolder(job.folder)) if job.folder.is_dir() else []


def known() -> list[Epoch]:
    """What the table holds."""
    path = HERE / "curves.csv.gz"
    if not path.is_file():
        return []
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        kinds = {"str": str, "int": int, "float": float}
        return [
            Epoch(**{one.name: kinds[str(one.type)](line[one.name]) for one in fields(Epoch)})
            for line in csv.DictReader(file)
        ]


def collect() -> None:
    """Write the table of all whole trainings; the same bytes for the same figures."""
    rows = {(row.key, row.seed, row.epoch): row for row in known()}
    specs = {}
    for job in jobs():
        specs[job.spec.key] = job.spec.model_dump(mode="json")
        cost, epochs = count(job.spec), epochs_of(job)
        if len(epochs) == RECIPE.epochs:
            for one in epochs:
                assert one.val_error is not None
                assert one.val_loss is not None
                rows[job.spec.key, job.seed, one.epoch] = Epoch(
                    job.spec.key, job.seed, one.epoch, round(one.val_error, 6),
                    round(one.val_loss, 5), round(one.train_loss, 5), round(one.seconds, 2),
                    cost.mflops, cost.params, cost.activations,
                )  # fmt: skip
    text = io.StringIO()
    writer = csv.DictWriter(text, [one.name for one in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(rows[name]) for name in sorted(rows))
    with replace_file(HERE / "curves.csv.gz") as file:
        file.write(gzip.compress(text.getvalue().encode(), mtime=0))
    write_text(HERE / "networks.json", json.dumps(specs, indent=None, sort_keys=True) + "\n")
    whole = {(row.key, row.seed) for row in rows.values()}
    print(f"{len(whole)} trainings of {len({key for key, _ in whole})} networks", flush=True)


def main() -> int:
    """Train, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time")
    parser.add_argument("--collect", action="store_true", help="train nothing")
    options = parser.parse_args()
    if not options.collect:
        train(options.workers)
    collect()
    return 0


if __name__ == "__main__":
    sys.exit(main())
