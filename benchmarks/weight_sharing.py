r"""Does one training of shared weights order the networks of a space, and does a search gain by it?

Two tables of networks that were each trained alone: `digits`, the 96 of the space `quickstart`, to the
flat of their curves (train_digits.py); and `curves`, 156 of two widths, for nine short epochs of
Fashion-MNIST (benchmarks/curves). Here all of a table are trained as one set of shared weights
(shared_network.py), by two schemes with as many passes of a network each. A network's score is its
validation loss with its slices of the weights, its BatchNorm's statistics measured anew.

Asked, as was settled before anything was measured:

1. Does the score order the networks better than multiply-adds alone, above all in the best tenth?
2. Does a search with the score as one more feature of its forecast need fewer epochs, the shared
   training included, until its networks are within 0.3 points of the best at every budget?

    python benchmarks/weight_sharing.py [--seeds 2] [--epochs 120]    # about a core-hour; resumes
    python benchmarks/weight_sharing.py --collect                     # only the tables

Writes into docs/results/weight_sharing/: scores.csv (a row a network of a shared training),
agreement.csv, searches.csv, machine.json.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything that starts threads

import numpy as np
import torch
import train_curves
from curves.table import read_epochs
from machine import write_machine
from over_seeds import half_width, mean
from replay.digits import digits, networks
from replay.tabular import REPLAYS, Table
from rows import read_rows, write_rows
from scipy.stats import kendalltau
from shared_network import Scheme, SharedWeights, drawn
from torch.nn import functional

from blocks import ArchSpec
from nas.data import Data, DataConfig, load_data

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "weight_sharing"
SCHEMES: tuple[Scheme, ...] = ("sandwich", "single")
PASSES = {"sandwich": 4, "single": 1}
"""Networks a step."""
RATE, DECAY = 0.05, 5e-4
CALIBRATION = 16
"""Batches that measure the statistics of BatchNorms."""
CLOSE = 0.003
"""Within so much of the least error a search has arrived."""
RESAMPLES = 500
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Setting:
    """Networks trained alone, and how.

    Attributes:
        table: Of their errors.
        specs: The networks.
        data: Images.
        batch: Images a step.
        epochs: Of a network that is trained alone.
    """

    table: Table
    specs: Mapping[str, ArchSpec]
    data: DataConfig
    batch: int
    epochs: int


def setting(name: str) -> Setting:
    """The one of this name."""
    if name == "digits":
        own = digits()
        if own is None:
            raise SystemExit("benchmarks/digits holds no whole seed: run train_digits.py")
        return Setting(own, networks(), DataConfig(name="digits"), 32, 24)
    specs = {spec.key: spec for spec in train_curves.networks()}
    last = train_curves.RECIPE.epochs
    rows = [row for row in read_epochs() if row.epoch == last]
    seeds = {key: sorted((r.seed, r.val_error) for r in rows if r.key == key) for key in specs}
    table = Table(
        name="curves",
        networks=specs,
        costs={row.key: row.mflops for row in rows},
        errors={key: np.array([error for _, error in found]) for key, found in seeds.items()},
        distributions={},
        key_of=lambda params: "",
        images=1_500,
    )
    return Setting(table, specs, train_curves.DATA, train_curves.RECIPE.batch_size, last)


@dataclass(frozen=True)
class Score:
    """A row of scores.csv.

    Attributes:
        table: Whose networks.
        scheme: Of the shared training.
        seed: Of it.
        epochs: Passes of a network over the images, all networks together.
        key: Of the network.
        loss: Its validation loss.
        error: Its validation error, 0 to 1.
        seconds: The whole shared training took.
    """

    table: str
    scheme: str
    seed: int
    epochs: int
    key: str
    loss: float
    error: float
    seconds: float


@dataclass(frozen=True)
class Agreement:
    """A row of agreement.csv: Kendall's tau-b to the errors of networks that are trained alone.

    Attributes:
        table: Whose networks.
        order: By what.
        networks: Which.
        n: So many.
        tau: Mean over seeds.
        low: Of the 95 % interval over resamples of the networks.
        high: Of it.
    """

    table: str
    order: str
    networks: str
    n: int
    tau: float
    low: float
    high: float


@dataclass(frozen=True)
class Search:
    """A row of searches.csv.

    Attributes:
        table: Whose networks.
        searcher: Who searched.
        seed: Of it; it chooses whose errors it sees, and which shared training.
        epochs: Until it has arrived, the shared training included.
        trained: Networks alone until then.
    """

    table: str
    searcher: str
    seed: int
    epochs: int
    trained: int


def shared_training(at: Setting, data: Data, scheme: Scheme, seed: int, epochs: int) -> list[Score]:
    """Train all networks as one, and score each."""
    torch.manual_seed(seed)
    began = time.perf_counter()
    specs = list(at.specs.values())
    shared = SharedWeights(specs)
    batches = data.train_batches(at.batch, seed, CPU)
    rounds = epochs // PASSES[scheme]
    optimizer = torch.optim.SGD(
        shared.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=DECAY
    )
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=RATE, total_steps=rounds * len(batches), cycle_momentum=False
    )
    steps = drawn(specs, scheme, random.Random(seed))
    for epoch in range(rounds):
        batches.set_epoch(epoch)
        for images, labels in batches:
            step(shared, next(steps), images, labels)
            optimizer.step()
            optimizer.zero_grad()
            rates.step()
    seconds = round(time.perf_counter() - began, 1)
    measured = data.train_batches(at.batch, seed + 1_000, CPU)
    calibration = [images for images, _ in islice(measured, CALIBRATION)]
    name = at.table.name
    return [
        Score(name, scheme, seed, epochs, key, *judged(shared, key, data, calibration), seconds)
        for key in at.specs
    ]


def step(
    shared: SharedWeights, keys: Sequence[str], images: torch.Tensor, labels: torch.Tensor
) -> None:
    """Add the gradients of these networks; all but the first learn from its answers as well."""
    taught: torch.Tensor | None = None
    for key in keys:
        shared.net(key).train()
        logits = shared(images, key)
        loss = functional.cross_entropy(logits, labels, label_smoothing=0.1)
        if taught is not None:
            loss = (loss + functional.cross_entropy(logits, taught)) / 2
        (loss / len(keys)).backward()
        taught = logits.detach().softmax(1) if taught is None else taught


@torch.no_grad()
def judged(
    shared: SharedWeights, key: str, data: Data, calibration: Sequence[torch.Tensor]
) -> tuple[float, float]:
    """Validation loss and error of a network with the shared weights."""
    shared.recalibrate(key, calibration)
    loss = wrong = count = 0.0
    for images, labels in data.val_batches(512, CPU):
        logits = shared(images, key)
        loss += functional.cross_entropy(logits, labels, reduction="sum").item()
        wrong += (logits.argmax(1) != labels).sum().item()
        count += len(labels)
    return round(loss / count, 5), round(wrong / count, 5)


def orders(table: Table, scores: Sequence[Score]) -> dict[str, np.ndarray]:
    """Orders to be judged: name -> (runs, N) figures."""
    made = {"multiply-adds": -np.array([[table.costs[key] for key in table.keys]])}
    for scheme in SCHEMES:
        for figure in ("loss", "error"):
            runs = sorted({s.seed for s in scores if s.scheme == scheme})
            some = [
                {s.key: getattr(s, figure) for s in scores if (s.scheme, s.seed) == (scheme, run)}
                for run in runs
            ]
            if some:
                made[f"shared weights, {scheme}: {figure}"] = np.array(
                    [[one[key] for key in table.keys] for one in some]
                )
    return made


def agreement(table: Table, scores: Sequence[Score]) -> list[Agreement]:
    """How well each order agrees, beside the ceiling of another training alone."""
    costs = np.array([table.costs[key] for key in table.keys])
    true = np.array([table.errors[key].mean() for key in table.keys])
    order = np.argsort(true, kind="stable")
    parts: dict[str, list[np.ndarray]] = {
        "all": [np.arange(len(costs))],
        "best fifth": [order[: len(costs) // 5]],
        "best tenth": [order[: len(costs) // 10]],
        "six bands of equal cost": np.array_split(np.argsort(costs, kind="stable"), 6),
    }
    rows = []
    for part, groups in parts.items():
        for name, figures in orders(table, scores).items():
            rows.append(_row(table.name, name, part, groups, [(one, true) for one in figures]))
    # Two trainings alone are less alike than one and a mean of several: a ceiling that is too low.
    several = [place for place, key in enumerate(table.keys) if len(table.errors[key]) > 1]
    if several:
        seeds = range(min(len(table.errors[table.keys[place]]) for place in several))
        by_seed = np.full((len(seeds), len(costs)), np.nan)
        for place in several:
            by_seed[:, place] = table.errors[table.keys[place]][: len(seeds)]
        pairs = [(by_seed[a], by_seed[b]) for a in seeds for b in range(a)]
        for part, groups in parts.items():
            own = [group[np.isin(group, several)] for group in groups]
            rows.append(_row(table.name, "two trainings alone", part, own, pairs))
    return rows


def _row(
    table: str,
    name: str,
    part: str,
    groups: Sequence[np.ndarray],
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
) -> Agreement:
    rng = np.random.default_rng(0)

    def tau(draw: Callable[[np.ndarray], np.ndarray]) -> float:
        drawn_groups = [draw(group) for group in groups if len(group) > 1]
        found = [kendalltau(a[g], b[g]).statistic for a, b in pairs for g in drawn_groups]
        return float(np.nanmean(found)) if np.isfinite(found).any() else math.nan

    spread = [tau(lambda g: rng.choice(g, len(g))) for _ in range(RESAMPLES // len(pairs))]
    low, high = np.nanpercentile(spread, (2.5, 97.5))
    n = sum(map(len, groups))
    figures = (round(float(x), 3) for x in (tau(lambda g: g), low, high))
    return Agreement(table, name, part, n, *figures)


def searches(at: Setting, scores: Sequence[Score], seeds: int) -> Iterator[Search]:
    """Searches with and without the score, until they have arrived."""
    for scheme in ("", *SCHEMES):
        runs = sorted({s.seed for s in scores if s.scheme == scheme})
        if scheme and not runs:
            continue
        for seed in range(seeds):
            known, spent = at.table, 0
            if scheme:
                some = [s for s in scores if (s.scheme, s.seed) == (scheme, runs[seed % len(runs)])]
                known, spent = with_score(at, some), some[0].epochs
            trained = arrival(known, seed)
            name = f"forecast and shared weights, {scheme}" if scheme else "forecast"
            yield Search(at.table.name, name, seed, spent + trained * at.epochs, trained)


def with_score(at: Setting, scores: Sequence[Score]) -> Table:
    """The table, its networks described by their scores as well."""
    described = {
        one.key: {**at.specs[one.key].model_dump(mode="json"), "score": math.log(one.loss)}
        for one in scores
    }
    return replace(at.table, networks=described)


def arrival(table: Table, seed: int) -> int:
    """Networks trained until the best of those is within CLOSE of the best of all at every budget."""
    judge = table.judge(seed)
    trained: list[str] = []
    for key in REPLAYS["forecast"](table, seed):
        trained.append(key)
        if all(_gap(judge.true, table, trained, budget) <= CLOSE for budget in judge.budgets[1]):
            break
    return len(trained)


def _gap(true: Mapping[str, float], table: Table, trained: Sequence[str], budget: float) -> float:
    least = min(true[key] for key in table.keys if table.costs[key] <= budget)
    found = [true[key] for key in trained if table.costs[key] <= budget]
    return min(found, default=1.0) - least


def collect(settings: Sequence[Setting], scores: Sequence[Score], seeds: int) -> None:
    """Write and print the tables."""
    rows, found = list[Agreement](), list[Search]()
    for at in settings:
        own = [one for one in scores if one.table == at.table.name]
        rows += agreement(at.table, own)
        found += searches(at, own, seeds)
    write_rows(RESULTS / "agreement.csv", rows)
    for row in rows:
        figures = f"{row.tau:.2f} [{row.low:.2f}, {row.high:.2f}]"
        print(f"| {row.table} | {row.order} | {row.networks} | {row.n} | {figures} |")
    write_rows(RESULTS / "searches.csv", found)
    for table, name in sorted({(one.table, one.searcher) for one in found}):
        epochs = [one.epochs for one in found if (one.table, one.searcher) == (table, name)]
        plain = [one.epochs for one in found if (one.table, one.searcher) == (table, "forecast")]
        less = [a - b for a, b in zip(epochs, plain, strict=True)]
        print(
            f"| {table} | {name} | {mean(epochs):.0f} ± {half_width(epochs):.0f} | "
            f"{mean(less):+.0f} ± {half_width(less):.0f} | {len(epochs)} |"
        )
    write_machine(RESULTS)


def main() -> int:
    """Train, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default="digits,curves", help="separated by commas")
    parser.add_argument("--seeds", type=int, default=2, help="shared trainings of each scheme")
    parser.add_argument("--epochs", type=int, default=120, help="passes of a network, of each")
    parser.add_argument("--searches", type=int, default=30, help="seeds of the searches")
    parser.add_argument("--collect", action="store_true", help="train nothing")
    options = parser.parse_args()
    rows = read_rows(RESULTS / "scores.csv", Score)
    settings = [setting(name) for name in options.tables.split(",")]
    for seed in range(0 if options.collect else options.seeds):
        for at in settings:
            data = load_data(at.data)
            for scheme in SCHEMES:
                if (at.table.name, scheme, seed) in {(r.table, r.scheme, r.seed) for r in rows}:
                    continue
                rows += shared_training(at, data, scheme, seed, options.epochs)
                write_rows(RESULTS / "scores.csv", rows)
                print(f"{at.table.name}, {scheme}, seed {seed}: {rows[-1].seconds} s", flush=True)
    collect(settings, rows, options.searches)
    return 0


if __name__ == "__main__":
    sys.exit(main())
