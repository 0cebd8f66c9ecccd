"""The table of learning curves: every network of a space, epoch by epoch."""

from __future__ import annotations

import gzip
import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from rows import parse_rows, print_rows

from blocks import ArchSpec
from nas.front import hypervolume
from nas.runs import replace_file

HERE = Path(__file__).parent
TABLE, NETWORKS, SPACE = HERE / "curves.csv.gz", HERE / "networks.json", HERE / "space.yaml"


REFERENCE = (1.1, 1.1)
"""Of hypervolumes, where the true front reaches from 0 to 1."""


@dataclass(frozen=True)
class Epoch:
    """One row of the file: a network after so many epochs.

    Attributes:
        key: Of the network; its spec is in networks.json.
        seed: Of the training.
        epoch: Counted from 1.
        val_error: Share of misclassified validation images, by the averaged weights.
        val_loss: Cross entropy there.
        train_loss: Mean over the epoch, with label smoothing.
        seconds: Of the epoch, on one core of the machine that trained.
        mflops: Multiply-adds of the network, in millions.
        params: Its parameters.
        activations: Its activations, as fvcore counts them.
    """

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


def read_epochs(path: Path = TABLE) -> list[Epoch]:
    """All rows of the file; none when there is no file."""
    if not path.is_file():
        return []
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        return parse_rows(file, Epoch)


def write_epochs(rows: list[Epoch], path: Path = TABLE) -> None:
    """Write the file whole; the same bytes for the same rows."""
    text = io.StringIO()
    print_rows(text, Epoch, rows)
    with replace_file(path) as file:
        file.write(gzip.compress(text.getvalue().encode(), mtime=0))


@dataclass(frozen=True)
class CurveTable:
    """What a search is replayed on: N networks with E epochs each, of one seed.

    Attributes:
        name: Of the table.
        specs: The networks, by key.
        errors: Key -> (E,) validation errors after 1 ... E epochs.
        mflops: Key -> multiply-adds, in millions.
        seconds: Key -> what an epoch takes.
        losses: Key -> (E,) training losses; empty: not known.
        limit: Most multiply-adds that a network may have; costlier ones can be trained, but count for
            nothing.
        images: By which the errors were measured; None: not by images.
    """

    name: str
    specs: dict[str, ArchSpec]
    errors: dict[str, np.ndarray]
    mflops: dict[str, float]
    seconds: dict[str, float]
    losses: dict[str, np.ndarray] = field(default_factory=dict)
    limit: float = math.inf
    images: int | None = None

    @property
    def epochs(self) -> int:
        """E."""
        return len(next(iter(self.errors.values())))

    @cached_property
    def front(self) -> frozenset[str]:
        """The true front: networks within the limit that no other beats."""
        points = {key: (float(self.errors[key][-1]), self.mflops[key]) for key in self.feasible}
        return frozenset(
            key
            for key, (error, cost) in points.items()
            if not any(
                e <= error and c <= cost and (e, c) != (error, cost) for e, c in points.values()
            )
        )

    @cached_property
    def box(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The least and the greatest final error, and cost, on the true front."""
        errors = [float(self.errors[key][-1]) for key in self.front]
        costs = [self.mflops[key] for key in self.front]
        return (min(errors), max(errors)), (min(costs), max(costs))

    @cached_property
    def feasible(self) -> frozenset[str]:
        """Networks within the limit."""
        return frozenset(key for key, mflops in self.mflops.items() if mflops <= self.limit)

    def share(self, keys: Iterable[str]) -> float:
        """Hypervolume of fully trained networks as a share of the true front's, 0 to 1.

        Measured as is usual: scaled so that the best and the worst figures on the true front are 0 and
        1, against the reference (1.1, 1.1). A box that starts at nothing would give every search nearly
        all of it for its first network.
        """
        return self._volume(keys) / self._true

    @cached_property
    def _true(self) -> float:
        return self._volume(self.feasible)

    def _volume(self, keys: Iterable[str]) -> float:
        (low, high), (cheap, dear) = self.box
        points = [
            (
                (float(self.errors[key][-1]) - low) / (high - low),
                (self.mflops[key] - cheap) / (dear - cheap),
            )
            for key in sorted(self.feasible.intersection(keys))
        ]
        return hypervolume(points, REFERENCE)


def load_table(path: Path = TABLE, networks: Path = NETWORKS, seed: int = 0) -> CurveTable:
    """The trainings of one seed in a file of curves."""
    specs = {
        key: ArchSpec.model_validate(spec)
        for key, spec in json.loads(networks.read_text(encoding="utf-8")).items()
    }
    rows = sorted(
        (row for row in read_epochs(path) if row.seed == seed), key=lambda row: (row.key, row.epoch)
    )
    keys = sorted({row.key for row in rows})
    curves = {key: [row for row in rows if row.key == key] for key in keys}
    return CurveTable(
        name=path.name.partition(".")[0],
        specs={key: specs[key] for key in keys},
        errors={key: np.array([row.val_error for row in curves[key]]) for key in keys},
        mflops={key: curves[key][0].mflops for key in keys},
        seconds={key: float(np.mean([r.seconds for r in curves[key]])) for key in keys},
        images=1_500,
        losses={key: np.array([row.train_loss for row in curves[key]]) for key in keys},
    )
