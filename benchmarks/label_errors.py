r"""Wrong labels put to the test: are planted ones found with a network that was trained on them?

Of the training images of a real set, 5 % get another label at random. A network is trained on all of
them, wrong labels included, for few epochs and for many, since a network that is trained for long
learns wrong labels by heart. Then all labels are ranked as ``nas evaluate`` ranks them (confident
learning on out-of-fold predictions of a logistic regression). Measured is the share of the planted
labels in the most suspect tenth, and the share of planted ones among the listed suspects; and how many
are suspected when the images with planted labels are left out, so that all labels are right. By
comparison: the same from the features of the network alone, from small pictures alone, and by the
network's own probabilities, which have seen the labels.

Of the page: the number of seeds (of planting, weights and order) is in its table; AMD EPYC, 2 cores.

    python benchmarks/label_errors.py [--seeds 3] [--work FOLDER]    # nice it; goes on where it was
    python benchmarks/label_errors.py --smoke                        # one seed, one epoch

Writes docs/results/label_errors/label_errors.csv.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import write_machine
from numpy.typing import NDArray
from PIL import Image
from rows import read_rows, write_rows
from torch.utils.data import TensorDataset

import nas
from nas.data import Data, DataConfig, load_data
from nas.evaluation.label_errors import (
    FEATURES,
    features_of,
    out_of_fold_probabilities,
    suspect_labels,
)
from nas.evaluation.pictures import small_pixels, to_pictures
from nas.evaluation.predictions import predict, recorded_features
from nas.training import load_checkpoint

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "label_errors"
SETS = ("digits", "fashion_mnist")
LENGTHS = (10, 30)
IMAGES, SHARE = 2000, 0.05
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Row:
    """One ranking.

    Attributes:
        data: The set.
        epochs: Of the training.
        seed: Of planting and training.
        features: What the ranking is made of.
        images: That were trained on.
        planted: Wrong labels among them.
        in_top_tenth: Share of the planted labels among the most suspect tenth of all.
        suspects: Labels that are listed as suspect.
        of_suspects: Share of the planted among these.
        right_suspects: Labels that are listed when the planted ones are left out.
        learnt: Share of the planted labels that the network itself predicts.
        test_error: Of the network, on right labels.
    """

    data: str
    epochs: int
    seed: int
    features: str
    images: int
    planted: int
    in_top_tenth: float
    suspects: int
    of_suspects: float
    right_suspects: int
    learnt: float
    test_error: float


def planted(config: DataConfig) -> nas.Datasets:
    """The data set in the folder ``config.data_dir``; see :func:`plant`."""
    with np.load(Path(str(config.data_dir), "planted.npz"), allow_pickle=False) as kept:  # noqa: TID251
        arrays = {name: torch.from_numpy(kept[name]) for name in kept.files}
    train, val, test = (
        TensorDataset(arrays[f"{split}_images"], arrays[f"{split}_labels"].long())
        for split in ("train", "val", "test")
    )
    names = [str(label) for label in range(int(arrays["test_labels"].max()) + 1)]
    return nas.Datasets(train, val, test, class_names=names, flip=False, crop_padding=1)


def plant(name: str, seed: int, folder: Path) -> None:
    """Write a set whose training labels are partly wrong; the truth is kept beside it."""
    data = load_data(DataConfig(name=name))
    kept: dict[str, NDArray[Any]] = {}
    sizes = {"train": IMAGES, "val": 200, "test": IMAGES}
    for split, size in sizes.items():
        images, theirs = _all_of(data, split)
        kept |= {f"{split}_images": images[:size], f"{split}_labels": theirs[:size]}
    draws = np.random.default_rng(seed)
    labels = kept["train_labels"]
    rows = draws.choice(len(labels), round(SHARE * len(labels)), replace=False)
    classes = data.info.num_classes
    wrong = (labels[rows] + draws.integers(1, classes, len(rows))) % classes
    kept["planted"] = rows
    kept["train_labels"] = labels.copy()
    kept["train_labels"][rows] = wrong
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "planted.npz", **kept)  # type: ignore[arg-type]


def _all_of(
    data: Data, split: str, see: Callable[[Image.Image], NDArray[np.uint8]] = np.asarray
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    batches = {
        "train": data.plain_train_batches,
        "val": data.val_batches,
        "test": data.test_batches,
    }[split](500, CPU)
    images, labels = [], []
    for some, theirs in batches:
        images.append(np.stack([see(one) for one in to_pictures(some, data.info)])[:, None])
        labels.append(theirs.numpy())
    return np.concatenate(images), np.concatenate(labels)


def measure(name: str, epochs: int, seed: int, work: Path) -> list[Row]:
    """Plant, train, rank."""
    folder = work / f"{name}-{seed}"
    if not (folder / "planted.npz").is_file():
        plant(name, seed, folder)
    data = load_data(DataConfig(name=f"{__file__}:planted", data_dir=str(folder), workers=0))
    size = data.info.input_size
    spec = nas.ArchSpec(
        backbone="shufflenet_v2", width=0.5, num_classes=data.info.num_classes, in_channels=1,
        input_size=size, stem_stride=2, unit=nas.UnitSpec(kind="none"),
    )  # fmt: skip
    done = nas.train(
        spec, data=f"{__file__}:planted", data_dir=folder, recipe="tiny", epochs=epochs, seed=seed,
        threads=1, name=f"{name}-{epochs}-{seed}", runs_dir=work / "runs", logs_dir=work / "logs",
    )  # fmt: skip
    model = load_checkpoint(done.checkpoint).model
    with recorded_features(model) as kept:
        found = predict(model, data, "train", data.info.class_names)
    pixels = _all_of(data, "train", small_pixels)[0]
    with np.load(folder / "planted.npz", allow_pickle=False) as file:  # noqa: TID251
        rows = file["planted"]
    labels, classes = found.labels, data.info.num_classes
    network = np.concatenate(kept)
    right = np.setdiff1d(np.arange(len(labels)), rows)
    own = found.probabilities()
    ways = {"the network's own probabilities": (own, own[right])}
    for kind in FEATURES:
        some = features_of(kind, network, pixels)
        ways[kind] = (
            out_of_fold_probabilities(some, labels, classes),
            out_of_fold_probabilities(some[right], labels[right], classes),
        )
    out = []
    for kind, (probabilities, of_right) in ways.items():
        judged = suspect_labels(probabilities, labels)
        listed = judged.suspects
        top = np.argsort(judged.margins, kind="stable")[: len(labels) // 10]
        out.append(
            Row(
                data=name, epochs=epochs, seed=seed, features=kind, images=len(labels),
                planted=len(rows), in_top_tenth=float(np.isin(rows, top).mean()),
                suspects=len(listed),
                of_suspects=float(np.isin(listed, rows).mean()) if len(listed) else 0.0,
                right_suspects=len(suspect_labels(of_right, labels[right]).suspects),
                learnt=float((found.named[rows] == labels[rows]).mean()), test_error=done.test_error,
            )
        )  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "label_errors"))
    parser.add_argument("--smoke", action="store_true", help="one short training; writes nothing")
    options = parser.parse_args()
    if options.smoke:
        print(*measure("digits", 1, 0, options.work / "smoke"), sep="\n")
        return
    table = RESULTS / "label_errors.csv"
    rows = read_rows(table, Row)
    known = {(row.data, row.epochs, row.seed) for row in rows}
    for seed in range(options.seeds):
        for name, epochs in product(SETS, LENGTHS):
            if (name, epochs, seed) not in known:
                rows += measure(name, epochs, seed, options.work)
                write_rows(table, rows)
                print(*rows[-len(FEATURES) - 1 :], sep="\n", flush=True)
    write_machine(RESULTS)


if __name__ == "__main__":
    main()
