"""What every layout gives: the photographs, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TRAIN, VAL, TEST = "train", "val", "test"
SPLIT_NAMES: Mapping[str, str] = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VAL,
    "valid": VAL,
    "validation": VAL,
    "test": TEST,
    "testing": TEST,
}
"""Names of folders, and words of a split column, in lower case -> the split."""

ALLOWED = (
    "allowed: train/ and val/ (and test/), train/ and test/, or train/ alone, with class folders; "
    "class folders alone; a CSV or TSV; a zip or tar of these; a Hugging Face data set or Parquet"
)


@dataclass(frozen=True)
class Photo:
    """One photograph.

    Attributes:
        name: Path relative to the root of the data, with ``/``; it is unique.
        path: Where the file is.
        label: Name of its class.
        split: ``train``, ``val`` or ``test`` where the layout says it; None: not yet assigned.
        group: Photographs of one group stay on one side of every split; None: no group.
    """

    name: str
    path: Path
    label: str
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Listing:
    """All photographs of a data set as they are found.

    Attributes:
        photos: In the order of their names.
        layout: What was understood, in words, such as ``class folders``.
        sides: Split -> the folder or word that names it, where the layout says it.
        group_column: Of a table: the column that the groups are from, if there is one.
        notes: What a person is to be told: files that are not read, empty class folders, ...
        unread: Files in class folders, or in the table, that are not read; named as in ``Photo``.
    """

    photos: tuple[Photo, ...]
    layout: str
    sides: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    group_column: str | None = None
    unread: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted; the position is the label."""
        return tuple(sorted({photo.label for photo in self.photos}))
