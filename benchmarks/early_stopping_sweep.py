"""Sweeps with early stopping beside sweeps without, really trained, of equally many epochs.

Claim: see docs/results/search_efficiency/README.md. Where search_efficiency.py looks trainings up, this
script runs `nas search` as a user would: the space, the images and the recipe of benchmarks/curves, with
other seeds. All searches of a seed train a network alike, so they differ in what they train.

Each search picks its front by validation errors. The front is then judged by the errors of its networks
on the 10,000 test images, which nothing was chosen by: its hypervolume in the box of the best and the
worst figures on the joint front of all searches, with the reference (1.1, 1.1), as a share of that of
the joint front.

Of the page: n = 3 seeds of 4 searches; AMD EPYC, 2 cores.

    python benchmarks/early_stopping_sweep.py [--epochs 126] [--seeds 0,1,2]
    python benchmarks/early_stopping_sweep.py --collect     # only writes files of what is there

Run it again after any interruption: searches go on where they stopped, and those that the two files
hold are not run again. One of 126 epochs takes about a quarter of an hour on one core. Writes into
docs/results/search_efficiency/: sweeps.csv (a row a search), sweep_fronts.csv
(a row a network on a front).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from over_seeds import half_width, mean
from rows import read_rows, write_rows

from nas.cli.main import main as nas
from nas.data import load_data
from nas.front import hypervolume, make_front
from nas.runs import RunFolder, TrialState
from nas.searching import read_run
from nas.training.checkpoint import load_checkpoint

OUT = Path("docs/results/search_efficiency")
SPACE = Path(__file__).parent / "curves" / "space.yaml"
STRATEGIES = (
    ("tpe", "none"),
    ("forecast", "none"),
    ("density", "pareto"),
    ("forecast", "forecast"),
)
Search: TypeAlias = tuple[str, str, int]
"""Sampler, early stopping, seed."""
REFERENCE = (1.1, 1.1)
BATCH = 500


@dataclass(frozen=True)
class Network:
    """One row of sweep_fronts.csv: a network on the front of a search.

    Attributes:
        sampler: Of the search.
        early_stopping: Of the search.
        seed: Of the search, and so of its trainings.
        trial: Its number there.
        key: Of the network.
        unit: What it is made of.
        mflops: Multiply-adds, in millions.
        val_error: By which it is on the front.
        test_error: On the test images.
    """

    sampler: str
    early_stopping: str
    seed: int
    trial: int
    key: str
    unit: str
    mflops: float
    val_error: float
    test_error: float

    @property
    def search(self) -> Search:
        """Whose front it is on."""
        return self.sampler, self.early_stopping, self.seed


@dataclass(frozen=True)
class Sweep:
    """One row of sweeps.csv: a search.

    Attributes:
        sampler: Who proposed.
        early_stopping: Who went on.
        seed: Of proposals and trainings.
        epochs: Trained in all.
        begun: Networks whose training was begun.
        whole: Networks trained to their end.
        front: Networks on the front.
        val_share: Hypervolume share by validation errors, by which the front was picked.
        test_share: By test errors.
    """

    sampler: str
    early_stopping: str
    seed: int
    epochs: int
    begun: int
    whole: int
    front: int
    val_share: float
    test_share: float

    @property
    def search(self) -> Search:
        """Which it was."""
        return self.sampler, self.early_stopping, self.seed


def main() -> int:
    """Search, test, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=126, help="of each search")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--collect", action="store_true", help="search nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    known = read_rows(OUT / "sweeps.csv", Sweep)
    new = [(*names, seed) for seed in seeds for names in STRATEGIES]
    new = [one for one in new if one not in {sweep.search for sweep in known}]
    for sampler, rule, seed in new:
        if not options.collect and (code := search(sampler, rule, seed, options.epochs)):
            return code
    there = [one for one in new if folder(*one).pareto.is_file()]
    networks = read_rows(OUT / "sweep_fronts.csv", Network)
    networks += [network for one in there for network in front_of(*one)]
    sweeps = [judged(sweep, networks) for sweep in known + [counted(one) for one in there]]
    write_rows(OUT / "sweep_fronts.csv", networks)
    write_rows(OUT / "sweeps.csv", sweeps)
    for sampler, rule in STRATEGIES:
        shares = [s.test_share for s in sweeps if (s.sampler, s.early_stopping) == (sampler, rule)]
        print(
            f"{sampler:9s} {rule:9s} n {len(shares)}  "
            f"test share {mean(shares):.3f} ± {half_width(shares):.3f}  {shares}"
        )
    return 0


def folder(sampler: str, rule: str, seed: int) -> RunFolder:
    """The run of a search."""
    return RunFolder.named(f"sweep-{sampler}-{rule}-{seed}")


def search(sampler: str, rule: str, seed: int, epochs: int) -> int:
    """Run a search, or go on with it; the exit code."""
    run = folder(sampler, rule, seed)
    if run.config.is_file():
        return nas(["search", "--resume", run.name])
    return nas(
        [
            "search", "--name", run.name, "--space", str(SPACE), "--data", "fashion_mnist",
            "--scale-jitter", "0.35", "--epoch-images", "1536", "--val-limit", "1500",
            "--recipe", "rungs", "--sampler", sampler, "--early-stopping", rule,
            "--trials", "156", "--total-epochs", str(epochs), "--seed", str(seed),
            "--workers", "1", "--threads", "1",
        ]
    )  # fmt: skip


def front_of(sampler: str, rule: str, seed: int) -> list[Network]:
    """The front of a search, tested."""
    run = folder(sampler, rule, seed)
    config, records = read_run(run)
    images = load_data(config.data).test_batches(BATCH, torch.device("cpu"))
    found = []
    for point in make_front(records, config.objectives, config.reference_point).points:
        model = load_checkpoint(run.trial(point.trial).checkpoint).model
        wrong, count = 0, 0
        with torch.inference_mode():
            for batch, labels in images:
                wrong += int((model(batch).argmax(1) != labels).sum())
                count += len(labels)
        error, mflops = point.values
        found.append(
            Network(
                sampler, rule, seed, point.trial, point.key, point.spec.label, mflops, error,
                wrong / count,
            )
        )  # fmt: skip
    return found


def counted(one: Search) -> Sweep:
    """What a search did, not judged yet."""
    run = folder(*one)
    _, records = read_run(run)
    outcomes = [record.state for record in records]
    return Sweep(
        *one,
        epochs=sum(record.epochs for record in records),
        begun=sum(bool(record.rung_results) for record in records),
        whole=outcomes.count(TrialState.TRAINED),
        front=0,
        val_share=math.nan,
        test_share=math.nan,
    )


def judged(sweep: Sweep, networks: Sequence[Network]) -> Sweep:
    """What a search came to, beside all others."""
    own = [network for network in networks if network.search == sweep.search]
    return replace(
        sweep,
        front=len(own),
        val_share=round(share([(n.val_error, n.mflops) for n in own], networks, "val_error"), 4),
        test_share=round(share([(n.test_error, n.mflops) for n in own], networks, "test_error"), 4),
    )


def share(points: Sequence[tuple[float, float]], networks: Sequence[Network], figure: str) -> float:
    """The hypervolume of ``points`` as a share of that of the joint front of all networks."""
    every = [(float(getattr(n, figure)), n.mflops) for n in networks]
    joint = [p for p in every if not any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in every)]
    low, high = (tuple(f(column) for column in zip(*joint, strict=True)) for f in (min, max))

    def volume(some: Sequence[tuple[float, float]]) -> float:
        scaled = [
            tuple((x - a) / ((b - a) or 1.0) for x, a, b in zip(p, low, high, strict=True))
            for p in some
        ]
        return hypervolume(scaled, REFERENCE)

    return volume(points) / volume(joint)


if __name__ == "__main__":
    sys.exit(main())
