"""Zero-cost scores put to the test: do they rank SK networks by the error that they come to?

Claim: see docs/results/zero_cost/README.md. Every network of benchmarks/curves is scored untrained. The
scores are compared with the errors after nine epochs by Spearman's rank correlation, with 95 % intervals
over resamples of the networks: of all, of each width, and of the networks of one width without a ReLU in
their branches. Beside them what costs nothing at all: the multiply-adds and the parameters.

    python benchmarks/zero_cost.py          # two minutes

Writes docs/results/zero_cost/: scores.csv (a row a network), correlation.csv.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import train_curves as curves
from curves.table import load_table
from rows import write_rows
from scipy.stats import spearmanr

from blocks import ArchSpec
from nas.cost import count
from nas.data import load_data
from nas.search.zero_cost import SCORES, score_networks
from nas.search.zero_cost.score import IMAGES

OUT = Path("docs/results/zero_cost")
SEED = 0
RESAMPLES = 2_000
SETS: dict[str, Callable[[ArchSpec], bool]] = {
    "all": lambda spec: True,
    "width 0.25": lambda spec: spec.width == 0.25,
    "width 0.5": lambda spec: spec.width == 0.5,
    "width 0.25, no branch ReLU": lambda spec: spec.width == 0.25 and not spec.unit.branch_act,
    "width 0.5, no branch ReLU": lambda spec: spec.width == 0.5 and not spec.unit.branch_act,
}


@dataclass(frozen=True)
class Scored:
    """One row of scores.csv.

    Attributes:
        key: Of the network; its spec is in benchmarks/curves/networks.json.
        width: Of the backbone.
        branch_act: Whether its branches have a ReLU.
        mflops: Multiply-adds, in millions.
        params: Parameters.
        naswot: Score; higher is better.
        synflow: Score; higher is better.
        val_error: After nine epochs.
    """

    key: str
    width: float
    branch_act: bool
    mflops: float
    params: float
    naswot: float
    synflow: float
    val_error: float


@dataclass(frozen=True)
class Correlation:
    """One row of correlation.csv: 1 ranks rightly, 0 tells nothing, below 0 misleads.

    Attributes:
        networks: Which.
        figure: What they are ranked by, the highest first.
        n: Networks.
        rho: Spearman's rank correlation with the error, the lowest first.
        low: Of its 95 % interval.
        high: See there.
    """

    networks: str
    figure: str
    n: int
    rho: float
    low: float
    high: float


def main() -> int:
    """Score, compare, write; the exit code."""
    torch.set_num_threads(1)
    known = load_table()
    batches = load_data(curves.DATA).train_batches(IMAGES, SEED, torch.device("cpu"))
    images, _ = next(iter(batches))
    scores = {name: score_networks(known.specs, name, images, SEED) for name in SCORES}
    rows = [row(spec, scores, float(known.errors[key][-1])) for key, spec in known.specs.items()]
    write_rows(OUT / "scores.csv", rows)
    found = [
        correlation(label, figure, [r for r in rows if chosen(known.specs[r.key])])
        for label, chosen in SETS.items()
        for figure in (*SCORES, "mflops", "params")
    ]
    write_rows(OUT / "correlation.csv", found)
    for one in found:
        print(
            f"{one.networks:27s} {one.figure:8s} n {one.n:3d}  "
            f"rho {one.rho:5.2f} [{one.low:5.2f}, {one.high:5.2f}]"
        )
    return 0


def row(spec: ArchSpec, scores: Mapping[str, Mapping[str, float]], error: float) -> Scored:
    """A network with all its figures."""
    counts = count(spec)
    naswot, synflow = (round(scores[name][spec.key], 4) for name in ("naswot", "synflow"))
    return Scored(
        spec.key, spec.width, spec.unit.branch_act, counts.mflops, counts.params, naswot, synflow, error
    )  # fmt: skip


def correlation(label: str, figure: str, rows: list[Scored]) -> Correlation:
    """Of one figure with the error."""
    values = -np.array([float(getattr(one, figure)) for one in rows])
    errors = np.array([one.val_error for one in rows])
    draws = np.random.default_rng(0).integers(len(rows), size=(RESAMPLES, len(rows)))
    again = [spearmanr(values[d], errors[d]).statistic for d in draws]
    low, high = np.nanpercentile(again, [2.5, 97.5])
    rho = spearmanr(values, errors).statistic
    return Correlation(label, figure, len(rows), *(round(float(x), 3) for x in (rho, low, high)))


if __name__ == "__main__":
    sys.exit(main())
