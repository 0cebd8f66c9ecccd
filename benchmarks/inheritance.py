r"""Inherited starts put to the test: does a short training from a plain network order networks rightly?

The networks of the learning curves (benchmarks/curves), which were trained for nine epochs from random
weights, are trained again for three epochs from the plain network of their width, which was trained for
nine. Measured is how well the order by validation error after 1, 2 and 3 epochs agrees with the order
after nine epochs from random weights: Kendall's tau-b, with a 95 % interval over resamples of the
networks. For comparison: the order after 1, 2 and 3 epochs from random weights, and after nine epochs
with another seed, which no early look can be expected to surpass.

A network whose branches have a ReLU, or none with the plain kernel, cannot start as the plain network
(see nas.searching.inherit) and takes over its weights only. So there are two sets of networks: the first
of the curves' order whatever their start, and the first of those that start plain.

Of the page: n = 36 networks in each set; AMD EPYC, 2 cores.

Run it again after any interruption: trainings go on from their checkpoints, and what inheritance.csv
holds is not trained again. On a CPU it takes about twenty core-minutes.

    python benchmarks/inheritance.py [--workers 2] [--networks 36]   # nice it
    python benchmarks/inheritance.py --collect                       # only writes files of what is there
    python benchmarks/inheritance.py --smoke --networks 2            # few images, in a folder of its own

Writes docs/results/inheritance/: inheritance.csv (one row an epoch, of parents too), agreement.csv.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import train_curves as curves
from curves.table import load_table
from rows import read_rows, write_rows
from scipy.stats import kendalltau
from trainings import epochs_of, train_all

from blocks import ArchSpec
from nas.data import DataConfig
from nas.searching.inherit import inherited_recipe, inherited_start
from nas.training import TrainJob
from nas.training.pretrained import plain_network

PARENT_SEED, CHILD_SEED = 1, 0
"""Not the same: parent and child would see the images in the same order, and share their luck."""
EPOCHS = 3
RESAMPLES = 2_000
SMOKE_IMAGES = 128


@dataclass(frozen=True)
class Plan:
    """What is trained, and where it goes.

    Attributes:
        networks: So many a set.
        data: The images.
        runs: Folder of the trainings.
        out: Folder of the results.
    """

    networks: int
    data: DataConfig
    runs: Path
    out: Path

    @property
    def rows(self) -> Path:
        """The file with a row an epoch."""
        return self.out / "inheritance.csv"


@dataclass(frozen=True)
class Epoch:
    """One row of inheritance.csv: a network after so many epochs.

    Attributes:
        key: Of the network; its spec is in benchmarks/curves/networks.json.
        parent: Key of the plain network that it started from; empty: it is one.
        start: plain: it computed what the parent does. fresh: it took over the parent's weights; of a
            parent: random weights.
        width: Of the backbone.
        epoch: Counted from 1, after the start.
        val_error: Share of misclassified validation images, by the averaged weights.
        val_loss: Cross entropy there.
        train_loss: Mean over the epoch, with label smoothing.
        seconds: Of the epoch, on one core.
    """

    key: str
    parent: str
    start: str
    width: float
    epoch: int
    val_error: float
    val_loss: float
    train_loss: float
    seconds: float


@dataclass(frozen=True)
class Agreement:
    """One row of agreement.csv: how well two orders of the same networks agree.

    Attributes:
        networks: The set: all: whatever their start; plain: those that start plain.
        width: Of the backbone; both: the widths together, where most pairs are easy.
        order: inherited, scratch: after ``epochs`` epochs from there; difference: the first's tau less
            the second's, over the same resamples; ceiling: nine epochs from random weights with seed 1.
        epochs: See there.
        n: Networks.
        tau: Kendall's tau-b to the order after nine epochs from random weights, seed 0.
        low: Of its 95 % interval.
        high: See there.
    """

    networks: str
    width: str
    order: str
    epochs: int
    n: int
    tau: float
    low: float
    high: float


def main() -> int:
    """Train what is missing, write the files; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time")
    parser.add_argument("--networks", type=int, default=36, help="of each of the two sets")
    parser.add_argument("--collect", action="store_true", help="train nothing")
    parser.add_argument("--smoke", action="store_true", help="few images, into runs/")
    options = parser.parse_args()
    plan = Plan(
        options.networks, curves.DATA, Path("runs/inheritance"), Path("docs/results/inheritance")
    )
    if options.smoke:
        few = curves.DATA.model_copy(update={"epoch_images": SMOKE_IMAGES})
        plan = Plan(options.networks, few, Path("runs/inheritance-smoke"), plan.runs / "smoke")
    everything = list(jobs(plan))
    if not options.collect:
        train(plan, everything, options.workers)
    rows = collect(plan, everything)
    agreements = measure(plan, rows)
    write_rows(plan.out / "agreement.csv", agreements)
    if not agreements:
        print("no agreement to measure: the table of curves does not hold these networks")
    print("\n".join([*map(line, agreements), *savings(rows)]))
    return 0


def sets(plan: Plan) -> dict[str, list[ArchSpec]]:
    """The two sets of networks; each is evenly spread over the cost."""
    networks = curves.networks()
    plain = (spec for spec in networks if inherited_start(spec) == "plain")
    return {
        "all": networks[: plan.networks],
        "plain": [spec for spec, _ in zip(plain, range(plan.networks), strict=False)],
    }


def jobs(plan: Plan) -> Iterator[TrainJob]:
    """Every training, the parents first."""
    specs = {spec.key: spec for chosen in sets(plan).values() for spec in chosen}
    parents = {}
    for spec in specs.values():
        plain = plain_network(spec)
        parents[plain.key] = TrainJob(
            spec=plain,
            data=plan.data,
            recipe=curves.RECIPE,
            seed=PARENT_SEED,
            folder=plan.runs / "parents" / plain.key,
            log_name=plan.runs.name,
            log_version=f"parent-{plain.key}",
            threads=1,
        )
    yield from parents.values()
    for spec in specs.values():
        yield TrainJob(
            spec=spec,
            data=plan.data,
            recipe=inherited_recipe(curves.RECIPE, EPOCHS),
            seed=CHILD_SEED,
            folder=plan.runs / f"{spec.key}-{CHILD_SEED}",
            log_name=plan.runs.name,
            log_version=f"{spec.key}-{CHILD_SEED}",
            start=inherited_start(spec),
            parent=parents[plain_network(spec).key],
            threads=1,
        )


def train(plan: Plan, everything: Sequence[TrainJob], workers: int) -> None:
    """Train what is not in the file; a child trains its parent if that is missing."""
    done = {name_of(row): row.epoch for row in read_rows(plan.rows, Epoch)}
    waiting = [job for job in everything if done.get(name(job), 0) < job.recipe.epochs]
    train_all(waiting, workers)


def name(job: TrainJob) -> tuple[str, str]:
    """What tells a training from the others; a network may be its own parent."""
    return job.spec.key, job.parent.spec.key if job.parent else ""


def name_of(row: Epoch) -> tuple[str, str]:
    """The same of a row."""
    return row.key, row.parent


def collect(plan: Plan, everything: Sequence[TrainJob]) -> list[Epoch]:
    """Write the file of all whole trainings, and return its rows."""
    rows = {(*name_of(row), row.epoch): row for row in read_rows(plan.rows, Epoch)}
    for job in everything:
        epochs = epochs_of(job)
        if len(epochs) < job.recipe.epochs:
            continue
        for one in epochs:
            if one.val_error is None or one.val_loss is None:
                raise SystemExit(f"{job.folder}: trained without held-out images")
            rows[(*name(job), one.epoch)] = Epoch(
                *name(job), job.start, job.spec.width, one.epoch, round(one.val_error, 6),
                round(one.val_loss, 5), round(one.train_loss, 5), round(one.seconds, 2),
            )  # fmt: skip
    ordered = [rows[key] for key in sorted(rows, key=lambda key: (key[1], key[0], key[2]))]
    write_rows(plan.rows, ordered)
    return ordered


def measure(plan: Plan, rows: Sequence[Epoch]) -> list[Agreement]:
    """Every agreement that can be measured with what is trained."""
    try:
        scratch = load_table().errors
        again = load_table(seed=1).errors
    except FileNotFoundError:
        return []
    inherited: dict[str, dict[int, float]] = {}
    for row in rows:
        if row.parent:
            inherited.setdefault(row.key, {})[row.epoch] = row.val_error
    found = []
    for label, specs in sets(plan).items():
        for width in (None, *sorted({spec.width for spec in specs})):
            keys = [spec.key for spec in specs if width in (None, spec.width)]
            where = label, "both" if width is None else f"{width:g}"
            whole = [key for key in keys if key in scratch and key in inherited]
            found += agreements(where, whole, inherited, scratch)
    # Of all networks that were trained with both seeds, whatever set they are in.
    widths = {spec.key: spec.width for spec in curves.networks()}
    for width in (None, *sorted(set(widths.values()))):
        twice = [k for k in sorted(scratch) if k in again and width in (None, widths[k])]
        orders = {"ceiling": [again[key][-1] for key in twice]}
        where = "all", "both" if width is None else f"{width:g}"
        found += compare(where, curves.RECIPE.epochs, orders, [scratch[k][-1] for k in twice])
    return found


def agreements(
    where: tuple[str, str],
    keys: Sequence[str],
    inherited: Mapping[str, Mapping[int, float]],
    scratch: Mapping[str, np.ndarray],
) -> list[Agreement]:
    """Of the orders of one set of networks after each of the first epochs."""
    final = [float(scratch[key][-1]) for key in keys]
    found = []
    for epoch in range(1, EPOCHS + 1):
        orders = {
            "inherited": [inherited[key][epoch] for key in keys],
            "scratch": [float(scratch[key][epoch - 1]) for key in keys],
        }
        found += compare(where, epoch, orders, final)
    return found


def compare(
    where: tuple[str, str],
    epochs: int,
    orders: Mapping[str, Sequence[float]],
    final: Sequence[float],
) -> list[Agreement]:
    """Tau of each order to the final one, and of the first less the second where there are two."""
    n = len(final)
    if n < 3:
        return []
    draws = np.random.default_rng(0).integers(n, size=(RESAMPLES, n))
    target = np.asarray(final)
    taus, spread = {}, {}
    for label, figures in orders.items():
        order = np.asarray(figures)
        taus[label] = tau(order, target)
        spread[label] = np.array([tau(order[rows], target[rows]) for rows in draws])
    if len(orders) == 2:
        first, second = orders
        taus["difference"] = taus[first] - taus[second]
        spread["difference"] = spread[first] - spread[second]
    found = []
    for label in taus:
        low, high = np.nanpercentile(spread[label], [2.5, 97.5])
        middle, low, high = (round(float(figure), 4) for figure in (taus[label], low, high))
        found.append(Agreement(*where, label, epochs, n, middle, low, high))
    return found


def tau(one: np.ndarray, other: np.ndarray) -> float:
    """Kendall's tau-b; a network that is drawn twice is tied with itself in both, and does not count."""
    return float(kendalltau(one, other).statistic)


def line(one: Agreement) -> str:
    """A row of the printed table."""
    return (
        f"{one.networks:5s}  width {one.width:4s}  {one.order:10s} {one.epochs} epochs  n {one.n:3d}  "
        f"tau {one.tau:6.3f}  [{one.low:6.3f}, {one.high:6.3f}]"
    )


def savings(rows: Sequence[Epoch]) -> Iterator[str]:
    """What a network costs, in epochs."""
    parents = {row.key for row in rows if not row.parent}
    children = {row.key for row in rows if row.parent}
    whole = curves.RECIPE.epochs
    shared = len(parents) * whole / len(children) if children else math.nan
    for epochs in range(1, EPOCHS + 1):
        yield (
            f"{epochs} inherited: {shared + epochs:.2f} epochs a network ({len(children)} networks, "
            f"{len(parents)} parents of {whole} epochs); in full: {whole}"
        )


if __name__ == "__main__":
    sys.exit(main())
