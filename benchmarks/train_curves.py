r"""Learning curves of SK networks, one epoch at a time: what searches can be replayed on.

Every network of space.yaml (branches M, dilations D, groups G, r, L, kernel form, the ReLU in the
branches, width) is trained for nine epochs after the recipe `rungs`, whose learning rate does not depend
on how long a training is; twenty of them with three seeds, so that the noise is known. Fashion-MNIST,
pasted at random scales; an epoch is 1,536 images, drawn anew of 50,000; errors are those of the averaged
weights on 1,500 held-out images.

Of the table: n = 156 networks, 20 of them with 3 seeds; AMD EPYC, 2 cores.

Run it again after any interruption: trainings go on from their checkpoints, and what the table holds is
not trained again. On a CPU it takes about three core-hours.

    python benchmarks/train_curves.py [--workers 2]      # nice it: it may run beside other work
    python benchmarks/train_curves.py --collect          # only writes the table of what is there
    python benchmarks/train_curves.py --epochs 30 --epoch-images 50000 --out long   # to their end: a GPU

Writes curves.csv.gz (one row an epoch) and networks.json (the specs by key) into benchmarks/curves/, or
into the folder of ``--out``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curves.table import HERE, NETWORKS, SPACE, TABLE, Epoch, read_epochs, write_epochs
from trainings import epochs_of, train_all

from blocks import ArchSpec
from nas.cost import count
from nas.data import DataConfig, load_data
from nas.runs import write_text
from nas.training import RECIPES, TrainJob
from search_spaces import load_space

RUNS = Path("runs/curves")
DATA = DataConfig(name="fashion_mnist", scale_jitter=0.35, epoch_images=1_536, val_limit=1_500)
RECIPE = RECIPES["rungs"]
WITH_SEEDS, SEEDS = 20, 3


def networks() -> list[ArchSpec]:
    """All of the space, in an order whose beginning is evenly spread over the cost."""
    info = load_data(DATA).info
    space = load_space(str(SPACE)).bind(
        num_classes=info.num_classes, in_channels=info.in_channels, input_size=info.input_size
    )
    specs = list({spec.key: spec for spec in space.enumerate()}.values())
    specs.sort(key=lambda spec: (count(spec).mflops, spec.key))
    stride = 67  # coprime to the number of networks
    return [specs[i * stride % len(specs)] for i in range(len(specs))]


@dataclass(frozen=True)
class Setting:
    """Which trainings, and where they go.

    Attributes:
        epochs: Of a training.
        epoch_images: Drawn anew for each epoch.
        networks: How many; None: all.
        out: Folder of the table.
    """

    epochs: int
    epoch_images: int
    networks: int | None
    out: Path

    @property
    def table(self) -> Path:
        """A row an epoch."""
        return self.out / TABLE.name

    def jobs(self) -> Iterator[TrainJob]:
        """Every training, first all networks with seed 0."""
        specs = networks()[: self.networks]
        data = DATA.model_copy(update={"epoch_images": self.epoch_images})
        recipe = RECIPE.model_copy(update={"epochs": self.epochs})
        runs = RUNS if self.out == HERE else RUNS / self.out.name
        for seed in range(SEEDS):
            for spec in specs if seed == 0 else specs[:WITH_SEEDS]:
                yield TrainJob(
                    spec=spec,
                    data=data,
                    recipe=recipe,
                    seed=seed,
                    folder=runs / f"{spec.key}-{seed}",
                    log_name="curves",
                    log_version=f"{spec.key}-{seed}",
                    threads=1,
                )


def train(setting: Setting, workers: int) -> None:
    """Train what is not in the table."""
    rows = read_epochs(setting.table)
    done = {(row.key, row.seed) for row in rows if row.epoch == setting.epochs}
    train_all([job for job in setting.jobs() if (job.spec.key, job.seed) not in done], workers)


def collect(setting: Setting) -> None:
    """Write the table of all whole trainings; the same bytes for the same figures."""
    rows = {(row.key, row.seed, row.epoch): row for row in read_epochs(setting.table)}
    specs = {}
    for job in setting.jobs():
        specs[job.spec.key] = job.spec.model_dump(mode="json")
        cost, epochs = count(job.spec), epochs_of(job)
        if len(epochs) == setting.epochs:
            for one in epochs:
                assert one.val_error is not None
                assert one.val_loss is not None
                rows[job.spec.key, job.seed, one.epoch] = Epoch(
                    job.spec.key, job.seed, one.epoch, round(one.val_error, 6),
                    round(one.val_loss, 5), round(one.train_loss, 5), round(one.seconds, 2),
                    cost.mflops, cost.params, cost.activations,
                )  # fmt: skip
    setting.out.mkdir(parents=True, exist_ok=True)
    write_epochs([rows[name] for name in sorted(rows)], setting.table)
    text = json.dumps(specs, indent=None, sort_keys=True) + "\n"
    write_text(setting.out / NETWORKS.name, text)
    whole = {(row.key, row.seed) for row in rows.values()}
    print(f"{len(whole)} trainings of {len({key for key, _ in whole})} networks", flush=True)


def main() -> int:
    """Train, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--epoch-images", type=int, default=DATA.epoch_images)
    parser.add_argument("--networks", type=int, help="only the first so many")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--collect", action="store_true", help="train nothing")
    options = parser.parse_args()
    setting = Setting(options.epochs, options.epoch_images, options.networks, options.out)
    if not options.collect:
        train(setting, options.workers)
    collect(setting)
    return 0


if __name__ == "__main__":
    sys.exit(main())
