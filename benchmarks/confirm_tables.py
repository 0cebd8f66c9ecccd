"""Tables of networks that were trained with several seeds, for benchmarks/confirm.py."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from curves.table import TABLE, read_epochs
from numpy.typing import NDArray
from replay.digits import VAL_IMAGES, digits
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

HIDDEN = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)


@dataclass(frozen=True)
class Table:
    """Networks that were trained with several seeds.

    Attributes:
        name: Of the table.
        errors: (M, S) errors, 0 to 1.
        costs: (M,).
        images: Number of images that they are of.
        right: bool (M, S, N): answers image by image, if they are known.
    """

    name: str
    errors: NDArray[np.float64]
    costs: NDArray[np.float64]
    images: int
    right: NDArray[np.bool_] | None = None


def tables(macro: Path | None, more: Sequence[str]) -> Iterator[Table]:
    if macro is None or not macro.is_file():
        print(f"{macro or '--table'}: no such file; NAS-Bench-Macro is left out", file=sys.stderr)
    else:
        yield macro_table(macro)
    yield curves_table("curves", TABLE)
    for one in more:
        name, _, path = one.partition("=")
        yield curves_table(name, Path(path))
    yield quickstart_table()
    yield digits_table()


def quickstart_table() -> Table:
    """All networks of the space `quickstart`, trained to the end (train_digits.py)."""
    table = digits()
    if table is None:
        raise SystemExit("benchmarks/digits holds no whole seed: run train_digits.py")
    errors = np.stack([table.errors[key] for key in table.keys])
    return Table(
        "quickstart", errors, np.array([table.costs[key] for key in table.keys]), VAL_IMAGES
    )


def macro_table(path: Path) -> Table:
    """NAS-Bench-Macro as its authors publish it."""
    networks = json.loads(path.read_text(encoding="utf-8")).values()
    errors = [[1 - accuracy / 100 for accuracy in one["test_acc"]] for one in networks]
    costs = [one["flops"] / 1e6 for one in networks]
    return Table("macro", np.array(errors), np.array(costs), 10_000)


def curves_table(name: str, path: Path) -> Table:
    """The last epochs of the networks of a file of curves that were trained with every seed."""
    rows = read_epochs(path)
    last = max(row.epoch for row in rows)
    ends = {(row.key, row.seed): row for row in rows if row.epoch == last}
    seeds = sorted({seed for _, seed in ends})
    keys = sorted({key for key, _ in ends if all((key, seed) in ends for seed in seeds)})
    errors = np.array([[ends[key, seed].val_error for seed in seeds] for key in keys])
    images = round(1 / min(np.diff(np.unique(errors.round(7)))))
    costs = np.array([ends[key, seeds[0]].mflops for key in keys])
    return Table(name, errors, costs, images)


def digits_table(seeds: int = 6) -> Table:
    """Perceptrons with one and two hidden layers, trained on 400 handwritten digits."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    order = np.random.default_rng(0).permutation(len(labels))
    train, held = order[:400], order[400:]
    right, costs = [], []
    for layers in (1, 2):
        for width in HIDDEN:
            sizes = (width,) * layers
            costs.append(64 * width + width * width * (layers - 1) + 10 * width)
            answers = []
            for seed in range(seeds):
                network = MLPClassifier(
                    sizes, max_iter=30, random_state=seed, learning_rate_init=0.01
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # it does not converge, and need not
                    network.fit(images[train], labels[train])
                answers.append(network.predict(images[held]) == labels[held])
            right.append(answers)
    table = np.array(right)
    return Table("digits", 1 - table.mean(2), np.array(costs, float), table.shape[2], table)
