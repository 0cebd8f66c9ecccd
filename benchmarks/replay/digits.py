"""The table of all networks of the space `quickstart` on digits, which train_digits.py trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from replay.tabular import Table
from rows import read_rows

from blocks import ArchSpec
from nas.cost import count
from search_spaces import SearchSpace, load_space

TABLE = Path(__file__).parent.parent / "digits" / "digits.csv"
VAL_IMAGES = 288


@dataclass(frozen=True)
class DigitsRow:
    """A row of the file: a training.

    Attributes:
        key: Of the network.
        seed: Of the training.
        epochs: It had.
        mflops: Multiply-adds of the network, in millions.
        error: Share of misclassified validation images after the last epoch.
        seconds: It took, on one thread.
    """

    key: str
    seed: int
    epochs: int
    mflops: float
    error: float
    seconds: float


def _space() -> SearchSpace:
    return load_space("quickstart").bind(num_classes=10, in_channels=1, input_size=16)


def networks() -> dict[str, ArchSpec]:
    """All of the space by key, in an order whose beginning is evenly spread over the cost."""
    specs = list({spec.key: spec for spec in _space().enumerate()}.values())
    specs.sort(key=lambda spec: (count(spec).mflops, spec.key))
    stride = 41  # coprime to the number of networks
    spread = [specs[i * stride % len(specs)] for i in range(len(specs))]
    return {spec.key: spec for spec in spread}


def digits() -> Table | None:
    """The table, of the seeds with which every network is trained; None as long as there is none."""
    specs, rows = networks(), read_rows(TABLE, DigitsRow)
    by_seed = {seed: {r.key: r for r in rows if r.seed == seed} for seed in {r.seed for r in rows}}
    whole = [by_seed[seed] for seed in sorted(by_seed) if len(by_seed[seed]) == len(specs)]
    if not whole:
        return None
    space = _space()
    return Table(
        name="digits",
        networks=specs,
        costs={key: whole[0][key].mflops for key in specs},
        errors={key: np.array([one[key].error for one in whole]) for key in specs},
        distributions=space.distributions(),
        key_of=lambda params: space.from_params(dict(params)).key,
        images=VAL_IMAGES,
    )
