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

Writes benchmarks/curves/curves.csv.gz (one row an epoch) and networks.json (the specs by key).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from curves.table import NETWORKS, SPACE, Epoch, read_epochs, write_epochs
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
    rows = read_epochs()
    done = {(row.key, row.seed) for row in rows if row.epoch == RECIPE.epochs}
    waiting = [job for job in jobs() if (job.spec.key, job.seed) not in done]
    train_all(waiting, workers)


def collect() -> None:
    """Write the table of all whole trainings; the same bytes for the same figures."""
    rows = {(row.key, row.seed, row.epoch): row for row in read_epochs()}
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
    write_epochs([rows[name] for name in sorted(rows)])
    write_text(NETWORKS, json.dumps(specs, indent=None, sort_keys=True) + "\n")
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
