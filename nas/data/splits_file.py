"""splits.csv: which photograph is in which split; a run keeps it, and ``--splits`` gives it back."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blocks.errors import InvalidInput
from nas.data.layouts.listing import SPLIT_NAMES, Photo

if TYPE_CHECKING:
    from nas.data.interface import Data

SKIPPED = "skipped"
"""In place of a split: the file cannot be decoded, and ``--on-bad-image skip`` leaves it out."""
COLUMNS = ("path", "label", "split", "group", "digest")


@dataclass(frozen=True)
class Assigned:
    """A photograph and its split.

    Attributes:
        photo: The photograph.
        split: ``train``, ``val``, ``test`` or ``skipped``.
        digest: Of the content of its file; empty for one that cannot be read.
    """

    photo: Photo
    split: str
    digest: str


@dataclass(frozen=True)
class Row:
    """A line of splits.csv; see ``Assigned``."""

    label: str
    split: str
    group: str | None
    digest: str


def splits_text(assigned: Iterable[Assigned]) -> str:
    """The content of splits.csv, in the order of the paths."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in sorted(assigned, key=lambda one: one.photo.name):
        photo = one.photo
        writer.writerow((photo.name, photo.label, one.split, photo.group or "", one.digest))
    return out.getvalue()


def fingerprint(assigned: Iterable[Assigned]) -> str:
    """Digest of the photographs, their classes and splits: 32 hexadecimal digits."""
    return hashlib.blake2b(splits_text(assigned).encode(), digest_size=16).hexdigest()


def read_splits(file: Path) -> dict[str, Row]:
    """The lines of a splits.csv by path; label, group and digest may be missing.

    Raises:
        InvalidInput: The file is missing or damaged, or has an unknown word in its split column.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            lines = list(csv.DictReader(text, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error
        raise InvalidInput(f"{file}: {reason}; expected a splits.csv of a run") from None
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines, 2):
        path, word = line.get("path"), line.get("split")
        if not path or word is None:
            raise InvalidInput(f"{file}, line {number}: expected the columns {', '.join(COLUMNS)}")
        split = SKIPPED if word == SKIPPED else SPLIT_NAMES.get(word.strip().lower())
        if split is None:
            raise InvalidInput(
                f"{file}, line {number}: split {word!r}; allowed: train, val, test, {SKIPPED}"
            )
        rows[path] = Row(
            line.get("label") or "", split, line.get("group") or None, line.get("digest") or ""
        )
    if not rows:
        raise InvalidInput(f"{file}: lists no photographs; expected a splits.csv of a run")
    return rows


def splits_of(data: Data) -> str | None:
    """The content of splits.csv for a loaded data set; None: it keeps none."""
    splits = getattr(data, "splits", None)
    return splits if isinstance(splits, str) else None
