"""Tables of trained networks with several seeds, and searches replayed on them one training at a time.

A search sees the errors of one seed and is judged by the mean of the others: what it takes for the best
of a budget was partly lucky. A network that is known already costs nothing, as in ``nas search``.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler

from nas.front import DOZEN, Found, hypervolume, log_budgets, non_dominated, points_lost
from nas.searching.acquisition import LINEAR, LOG, Acquisition
from nas.searching.early_stopping import TrialSnapshot
from nas.searching.forecast import CandidateRanker
from nas.searching.forecast.features import Network
from nas.searching.searchers import DensitySearcher, ForecastSearcher, Searcher, ShuffledSearcher

LAYERS = {"0": "identity", "1": "kernel 3, expansion 3", "2": "kernel 5, expansion 6"}
REFERENCE = (1.1, 1.1)
"""Of hypervolumes, where the true front reaches from 0 to 1."""
IDLE = 300
"""Proposals of known networks in a row, after which a sampler gets a new one at random; in a table of
fewer networks as many as it has."""


@dataclass(frozen=True)
class Table:
    """N networks, trained with S seeds each.

    Attributes:
        name: Of the table.
        networks: Their fields, by key.
        costs: Key -> cost.
        errors: Key -> (S,) errors.
        distributions: What Optuna chooses from.
        key_of: The key of the network of such choices.
        range: Least and largest budget of users; None: those of the true front, the cheapest point
            left out.
        images: By which errors were measured, for the forecast; None: not known.
    """

    name: str
    networks: Mapping[str, Network]
    costs: Mapping[str, float]
    errors: Mapping[str, np.ndarray]
    distributions: Mapping[str, BaseDistribution]
    key_of: Callable[[Mapping[str, Any]], str]
    range: tuple[float, float] | None = None
    images: int | None = None

    @cached_property
    def keys(self) -> list[str]:
        """Of all networks."""
        return sorted(self.networks)

    def seen(self, seed: int) -> dict[str, float]:
        """The errors that the search of a seed sees."""
        return {key: float(errors[seed % len(errors)]) for key, errors in self.errors.items()}

    def true(self, seed: int) -> dict[str, float]:
        """Those it is judged by; the same where there is one seed only."""
        return {
            key: float(np.delete(one, seed % len(one)).mean() if len(one) > 1 else one[0])
            for key, one in self.errors.items()
        }

    def judge(self, seed: int) -> Judge:
        """The judge of the searches of a seed."""
        return Judge(self, self.seen(seed), self.true(seed))


@dataclass(frozen=True)
class Judge:
    """Says what a search has found.

    Attributes:
        table: The table.
        seen: Errors that the search saw.
        true: Errors that count.
    """

    table: Table
    seen: Mapping[str, float]
    true: Mapping[str, float]

    @cached_property
    def front(self) -> list[tuple[float, float]]:
        """Cost and error of the true front."""
        points = [(self.table.costs[key], self.true[key]) for key in self.table.keys]
        return sorted(p for p, best in zip(points, non_dominated(points), strict=True) if best)

    @cached_property
    def budgets(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Those of users, and those of the whole front."""
        whole = log_budgets(self.front[0][0], self.front[-1][0], DOZEN + 1)[1:]
        of_users = self.table.range and log_budgets(*self.table.range)
        return of_users or whole, whole

    def lost(self, keys: Sequence[str]) -> tuple[float, float]:
        """Points lost by who has trained ``keys``, at the budgets of users and of the whole front."""
        found = [Found(self.table.costs[key], self.seen[key], self.true[key]) for key in keys]
        nothing = max(self.true.values())
        few, whole = (points_lost(found, self.front, some, nothing) for some in self.budgets)
        return few, whole

    def share(self, keys: Sequence[str]) -> float:
        """Hypervolume of ``keys`` as a share of the true front's, scaled from ideal to nadir."""
        of_keys = [(self.table.costs[key], self.true[key]) for key in keys]
        return self._volume(of_keys) / self._volume(self.front)

    def _volume(self, points: Sequence[tuple[float, float]]) -> float:
        (cheap, high), (dear, low) = self.front[0], self.front[-1]
        scaled = [((c - cheap) / (dear - cheap), (e - low) / (high - low)) for c, e in points]
        return hypervolume(scaled, REFERENCE)


Replay: TypeAlias = Callable[[Table, int], Iterator[str]]
"""A search of a table and a seed: the keys that it trains, one by one, none twice."""


def by_searcher(make: Callable[[Table, int], Searcher]) -> Replay:
    """A search by one of our searchers."""

    def replay(table: Table, seed: int) -> Iterator[str]:
        searcher, seen = make(table, seed), table.seen(seed)
        left, snapshots = set(table.keys), list[TrialSnapshot]()
        while left:
            key = next(iter(searcher.suggest(sorted(left), snapshots)))
            left.discard(key)
            snapshots.append(TrialSnapshot(key, (table.costs[key],), (seen[key],)))
            yield key

    return replay


def _costs(table: Table) -> dict[str, tuple[float, ...]]:
    return {key: (cost,) for key, cost in table.costs.items()}


def forecast(acquisition: Acquisition) -> Callable[[Table, int], Searcher]:
    """Our default sampler."""

    def make(table: Table, seed: int) -> Searcher:
        costs = _costs(table)
        weighed = acquisition.model_copy(update={"images": table.images})
        ranker = CandidateRanker(table.networks, costs, (1,), acquisition=weighed)
        return ForecastSearcher(ranker, DensitySearcher(costs, seed))

    return make


def by_sampler(make: Callable[[int], BaseSampler]) -> Replay:
    """A search by one of Optuna's samplers, which is told at once what is known already."""

    def replay(table: Table, seed: int) -> Iterator[str]:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seen, known, idle = table.seen(seed), set[str](), 0
        rng = np.random.default_rng(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(directions=["minimize"] * 2, sampler=make(seed))
            while len(known) < len(table.keys):
                if idle >= min(IDLE, len(table.keys)):
                    study.enqueue_trial(random_choices(table, known, rng))
                trial = study.ask(dict(table.distributions))
                key = table.key_of(trial.params)
                idle = idle + 1 if key in known else 0
                if key not in known:
                    known.add(key)
                    yield key
                study.tell(trial, (seen[key], table.costs[key]))

    return replay


def random_choices(table: Table, known: set[str], rng: np.random.Generator) -> dict[str, Any]:
    """Choices that give a network that is not known."""
    while True:
        params = {
            name: one.choices[rng.integers(len(one.choices))]
            for name, one in table.distributions.items()
            if isinstance(one, CategoricalDistribution)
        }
        if table.key_of(params) not in known:
            return params


REPLAYS: dict[str, Replay] = {
    "forecast": by_searcher(forecast(LOG)),
    "forecast_linear": by_searcher(forecast(LINEAR)),
    "density": by_searcher(lambda table, seed: DensitySearcher(_costs(table), seed)),
    "random": by_searcher(lambda table, seed: ShuffledSearcher(seed)),
    "tpe": by_sampler(lambda seed: TPESampler(seed=seed)),
    "nsga2": by_sampler(lambda seed: NSGAIISampler(seed=seed)),
    "gp": by_sampler(lambda seed: GPSampler(seed=seed)),
}


def nas_bench_macro(path: Path) -> Table:
    """NAS-Bench-Macro (Su et al., CVPR 2021): eight layers, each of three kinds; CIFAR-10.

    Raises:
        SystemExit: The file is missing or holds something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        errors = {key: 1 - np.asarray(row["test_acc"]) / 100 for key, row in rows.items()}
        costs = {key: row["flops"] / 1e6 for key, row in rows.items()}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SystemExit(f"--table {path}: not the table of NAS-Bench-Macro: {error}") from None
    places = range(len(next(iter(rows))))
    return Table(
        name="macro",
        networks={key: {f"layer{i}": LAYERS[key[i]] for i in places} for key in rows},
        costs=costs,
        errors=errors,
        distributions={f"layer{i}": CategoricalDistribution(sorted(LAYERS)) for i in places},
        key_of=lambda params: "".join(params[f"layer{i}"] for i in places),
        range=(30, 100),
        images=10_000,
    )


def ceiling(table: Table, part: Callable[[np.ndarray, np.ndarray], list[np.ndarray]]) -> float:
    """Kendall's tau of two seeds, mean over pairs of seeds and over parts of the networks.

    Args:
        table: With two seeds or more.
        part: From costs and mean errors to the rows of each part.
    """
    from scipy.stats import kendalltau

    costs = np.array([table.costs[key] for key in table.keys])
    errors = np.stack([table.errors[key] for key in table.keys])
    found = [
        kendalltau(errors[rows, one], errors[rows, other]).statistic
        for rows in part(costs, errors.mean(1))
        for one in range(errors.shape[1])
        for other in range(one)
    ]
    return float(np.mean(found)) if found else math.nan
