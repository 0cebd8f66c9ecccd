"""Evaluates a network on labelled images, and looks for the images that are the trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from blocks.errors import InvalidInput
from nas.data import Data
from nas.data.config import shown_name
from nas.data.duplicates import LEAST_SIDE, Duplicates, Fingerprint, find_duplicates, fingerprint
from nas.evaluation.calibration import Temperature, fit_temperature
from nas.evaluation.figures import Figures, measure
from nas.evaluation.label_errors import (
    FEWEST_IMAGES,
    MOST_ERROR,
    MOST_IMAGES,
    features_of,
    find_suspects,
)
from nas.evaluation.pictures import small_pixels, thumbnails, to_pictures
from nas.evaluation.predictions import (
    SPLITS,
    Network,
    Predictions,
    Split,
    predict,
    recorded_features,
)
from nas.evaluation.suspects import Image, Suspect, contradicted, ranked
from nas.training.cost_matrix import CostMatrix

MOST_MISTAKES = 40
MOST_SUSPECTS = 40
MOST_LEAST_SURE = 20
MOST_IN_CELLS, MOST_OF_CELL = 200, 6
"""Pictures of the confusion matrix, in all and of a cell."""


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Attributes:
        title: For people.
        source: The file or folder.
        key: Canonical key of the network.
        class_names: Of the network, in the order of its outputs.
        run: From images normalised as the data set does it to logits.
        model: The network as a module, whose features find wrong labels; None for a bundle.
        seen: Splits of the data set that the network was trained on.
        foreign: Whether the data set is another one than that of the training.
        temperature: That a bundle has already; None: to be fitted.
        costs: What each kind of mistake costs; None: nothing is known of that.
    """

    title: str
    source: str
    key: str
    class_names: tuple[str, ...]
    run: Network
    model: nn.Module | None
    seen: tuple[Split, ...]
    foreign: bool = False
    temperature: Temperature | None = None
    costs: CostMatrix | None = None


@dataclass(frozen=True)
class Copies:
    """Pictures that are copies of each other.

    Attributes:
        kind: exact or near.
        images: Split and position of each.
        names: Of the images.
        labels: Their labels.
        distance: Of their hashes, in bits of 64.
        across: Whether they are in splits that are to be apart: some that the network is tested on were
            trained on. After a full training, training and validation images are one side.
    """

    kind: str
    images: tuple[Image, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    distance: int
    across: bool

    @property
    def disagree(self) -> bool:
        """Whether they have different labels."""
        return len(set(self.labels)) > 1


@dataclass(frozen=True)
class Evaluation:
    """All that is found out about a network on a data set.

    Attributes:
        subject: What was evaluated.
        data: Name of the data set as a person gives it.
        splits: The splits that the figures are of.
        predictions: On the images of these splits.
        figures: Of these predictions.
        temperature: Fitted on validation images, if they were not trained on.
        suspects: Suspected wrong labels in all splits: first those of exact copies that have another
            label, which are wrong for certain; then the most suspect, no more than the estimated
            number of wrong labels.
        least_sure: The images that follow in the same ranking. Nothing says that their labels are wrong.
        judged: Number of images whose labels were judged; 0: none was.
        copies: Copies in all splits; those across splits first.
        mistakes: Rows of ``predictions``, the surest mistake first.
        thumbs: Small pictures by split and position.
        notes: What was not looked at, and why.
    """

    subject: Subject
    data: str
    splits: tuple[Split, ...]
    predictions: Predictions
    figures: Figures
    temperature: Temperature
    suspects: tuple[Suspect, ...]
    least_sure: tuple[Suspect, ...]
    judged: int
    copies: tuple[Copies, ...]
    mistakes: tuple[int, ...]
    thumbs: dict[Image, str]
    notes: tuple[str, ...]

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Of the predictions, (N, K), at the temperature."""
        return self.predictions.probabilities(self.temperature.value)

    def image(self, row: int) -> Image:
        """Split and position of an image of ``predictions``."""
        split = self.predictions.splits[row]
        return split, row - self.predictions.splits.index(split)


@dataclass
class _Seen:
    """What one pass over a split gives."""

    predictions: Predictions
    features: NDArray[np.float32] | None
    pictures: list[Fingerprint]
    pixels: list[NDArray[np.uint8]]


def evaluate_network(
    subject: Subject, data: Data, splits: Sequence[Split], *, examine: bool = True
) -> Evaluation:
    """Evaluate a network on splits of a data set.

    Args:
        subject: The network.
        data: Its images; every class has a name that the network knows.
        splits: The splits that the figures are of.
        examine: Also look for wrong labels and copies, in all splits.

    Raises:
        InvalidInput: A split has no images, or an image cannot be read.
    """
    sizes = {
        "train": data.info.train_images,
        "val": data.info.val_images,
        "test": data.info.test_images,
    }
    for split in splits:
        if not sizes[split]:
            raise InvalidInput(
                f"{shown_name(data.info.name)}: no {split} images; allowed: another --split"
            )
    fits = subject.temperature is None and not subject.foreign and "val" not in subject.seen
    needed = [
        split
        for split in SPLITS
        if sizes[split] and (examine or split in splits or (fits and split == "val"))
    ]
    seen = {split: _look(subject, data, split, examine) for split in needed}
    predictions = Predictions.joined(
        [seen[split].predictions for split in SPLITS if split in splits]
    )
    temperature = _temperature(subject, seen)
    trouble = _trouble(subject, data, seen) if examine else _Trouble()
    mistakes = _surest_mistakes(predictions, temperature)
    evaluation = Evaluation(
        subject,
        shown_name(data.info.name),
        tuple(split for split in SPLITS if split in splits),
        predictions,
        measure(predictions, temperature, subject.costs),
        temperature,
        trouble.suspects,
        trouble.least_sure,
        trouble.judged,
        trouble.copies,
        mistakes,
        {},
        trouble.notes,
    )
    evaluation.thumbs.update(thumbnails(data, _wanted(evaluation)))
    return evaluation


def _look(subject: Subject, data: Data, split: Split, examine: bool) -> _Seen:
    prints: list[Fingerprint] = []
    pixels: list[NDArray[np.uint8]] = []

    def see(images: Tensor, _: Tensor) -> None:
        for picture in to_pictures(images, data.info) if examine else ():
            prints.append(fingerprint(f"{split}[{len(prints)}]", picture))
            pixels.append(small_pixels(picture))

    if subject.model is None:
        found = predict(subject.run, data, split, subject.class_names, see)
        return _Seen(found, None, prints, pixels)
    with recorded_features(subject.model) as kept:
        found = predict(subject.run, data, split, subject.class_names, see)
    return _Seen(found, np.concatenate(kept) if kept else None, prints, pixels)


def _temperature(subject: Subject, seen: dict[Split, _Seen]) -> Temperature:
    if subject.temperature is not None:
        return subject.temperature
    if subject.foreign:
        return Temperature(note="the images are not those of the training")
    if "val" in subject.seen:
        return Temperature(note="the network was trained on the validation images too")
    if "val" not in seen:
        return Temperature(note="there are no validation images")
    return fit_temperature(seen["val"].predictions)


@dataclass(frozen=True)
class _Trouble:
    """What is found in the images of all splits."""

    suspects: tuple[Suspect, ...] = ()
    least_sure: tuple[Suspect, ...] = ()
    judged: int = 0
    copies: tuple[Copies, ...] = ()
    notes: tuple[str, ...] = ()


def _trouble(subject: Subject, data: Data, seen: dict[Split, _Seen]) -> _Trouble:
    every = Predictions.joined([one.predictions for one in seen.values()])
    places: list[Image] = [
        (split, row) for split, one in seen.items() for row in range(len(one.predictions))
    ]
    notes = []
    found = find_suspects(_features(seen), every.labels, len(every.class_names))
    judged = found if found is not None and found.error <= MOST_ERROR else None
    if found is None:
        notes.append(
            f"wrong labels were not looked for: {len(every):,} images; allowed: {FEWEST_IMAGES} to "
            f"{MOST_IMAGES:,}, of two classes or more"
        )
    elif judged is None:
        notes.append(
            f"wrong labels were not judged: the network tells the classes apart too poorly "
            f"(cross-validated error {100 * found.error:.0f} %)"
        )
    fingerprints = [one for part in seen.values() for one in part.pictures]
    if data.info.input_size < LEAST_SIDE:
        notes.append(
            f"the network sees {data.info.input_size} pixels a side, too few for near duplicates: only "
            "exact copies were looked for"
        )
    groups = find_duplicates(fingerprints)
    copies = [_copies(one, every, places, subject) for one in groups]
    copies.sort(key=lambda one: (not one.across, not one.disagree))
    if judged is None:
        return _Trouble(copies=tuple(copies), notes=tuple(notes))
    certain = contradicted(judged, groups, fingerprints, every, places)
    known = {one.image for one in certain}
    suspects, least_sure = (
        tuple(one for one in ranked(judged, rows, every, places) if one.image not in known)
        for rows in (judged.suspects, judged.least_sure)
    )
    return _Trouble(
        (*certain, *suspects),
        least_sure,
        len(every),
        tuple(copies),
        tuple(notes),
    )


def _features(seen: dict[Split, _Seen]) -> NDArray[np.float32]:
    """What wrong labels are found by: the features of the network, if it has any, and small pictures."""
    pixels = np.stack([one for part in seen.values() for one in part.pixels])
    features = [part.features for part in seen.values() if part.features is not None]
    if len(features) < len(seen):
        return features_of("pixels", None, pixels)
    return features_of("both", np.concatenate(features), pixels)


def _copies(
    found: Duplicates, every: Predictions, places: Sequence[Image], subject: Subject
) -> Copies:
    images = tuple(places[row] for row in found.rows)
    return Copies(
        found.kind,
        images,
        tuple(every.names[row] for row in found.rows),
        tuple(every.class_names[every.labels[row]] for row in found.rows),
        found.distance,
        len({_side(split, subject) for split, _ in images}) > 1,
    )


def _side(split: Split, subject: Subject) -> str:
    """What a split is to a network: copies within one side flatter no figure."""
    if subject.foreign:
        return "not trained on"
    return "trained on" if split in subject.seen else split


def _surest_mistakes(predictions: Predictions, temperature: Temperature) -> tuple[int, ...]:
    sure = predictions.probabilities(temperature.value).max(1)
    wrong = np.flatnonzero(predictions.named != predictions.labels)
    return tuple(map(int, wrong[np.argsort(-sure[wrong], kind="stable")]))


def cells(predictions: Predictions) -> dict[tuple[int, int], list[int]]:
    """Rows by label and prediction; within a cell the surest first."""
    sure = predictions.probabilities().max(1)
    found: dict[tuple[int, int], list[int]] = {}
    for row in np.argsort(-sure, kind="stable"):
        cell = (int(predictions.labels[row]), int(predictions.named[row]))
        found.setdefault(cell, []).append(int(row))
    return found


def _wanted(evaluation: Evaluation) -> dict[Split, set[int]]:
    """The images whose pictures the page shows."""
    rows = list(evaluation.mistakes[:MOST_MISTAKES])
    by_cell = cells(evaluation.predictions)
    # Cells with mistakes first, the larger first; then one of each class.
    order = sorted(by_cell, key=lambda cell: (cell[0] == cell[1], -len(by_cell[cell])))
    left = MOST_IN_CELLS
    for cell in order:
        some = by_cell[cell][: min(left, MOST_OF_CELL)]
        rows += some
        left -= len(some)
    images = [evaluation.image(row) for row in rows]
    images += [one.image for one in evaluation.suspects[:MOST_SUSPECTS]]
    images += [one.image for one in evaluation.least_sure[:MOST_LEAST_SURE]]
    images += [image for one in evaluation.copies[:MOST_SUSPECTS] for image in one.images[:4]]
    wanted: dict[Split, set[int]] = {}
    for split, place in images:
        wanted.setdefault(split, set()).add(place)
    return wanted
