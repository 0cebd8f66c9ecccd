"""Labels that are suspected: by exact copies with another label, and by cross-validated predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nas.data.duplicates import Duplicates, Fingerprint
from nas.evaluation.label_errors import Suspicion
from nas.evaluation.predictions import Predictions, Split

Image: TypeAlias = tuple[Split, int]


@dataclass(frozen=True)
class Suspect:
    """An image whose label is suspected, or that the cross-validated predictions are least sure of.

    Attributes:
        image: Its split and position.
        name: Of the image.
        label: The label that it has.
        likelier: The class that it looks like.
        margin: Probability of the label less that of the other class; -1 is the most suspect.
        copy: Name of an exact copy that is labelled as the likelier class, or empty.
    """

    image: Image
    name: str
    label: str
    likelier: str
    margin: float
    copy: str = ""


def contradicted(
    judged: Suspicion,
    groups: Iterable[Duplicates],
    prints: Sequence[Fingerprint],
    every: Predictions,
    places: Sequence[Image],
) -> tuple[Suspect, ...]:
    """Labels of exact copies that contradict the label of the copy that is the least suspect."""
    found = []
    for group in groups:
        exact: dict[str, list[int]] = {}
        for row in group.rows:
            exact.setdefault(prints[row].exact, []).append(row)
        for rows in exact.values():
            best = max(rows, key=lambda row: float(judged.margins[row]))
            found += [
                Suspect(
                    places[row],
                    every.names[row],
                    every.class_names[every.labels[row]],
                    every.class_names[every.labels[best]],
                    round(float(judged.margins[row]), 4),
                    every.names[best],
                )
                for row in rows
                if every.labels[row] != every.labels[best]
            ]
    return tuple(sorted(found, key=lambda one: one.margin))


def ranked(
    judged: Suspicion, rows: NDArray[np.int64], every: Predictions, places: Sequence[Image]
) -> tuple[Suspect, ...]:
    """Rows of a ranking with their names and classes."""
    names = every.class_names
    return tuple(
        Suspect(
            places[row],
            every.names[row],
            names[every.labels[row]],
            names[judged.likelier[row]],
            round(float(judged.margins[row]), 4),
        )
        for row in rows
    )
