"""The photographs of a run: those of its splits.csv, if they are still what they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from blocks.errors import InvalidInput
from nas.data.digests import digests
from nas.data.layouts.listing import Listing
from nas.data.splits_file import SKIPPED, Assigned, read_splits
from nas.naming import option


def as_recorded(listing: Listing, root: Path, record: Path) -> tuple[list[Assigned], list[str]]:
    """The photographs of a run in its splits, and what has been added since.

    Photographs that are new do not take part: trials of one run are compared on the same images.

    Args:
        listing: What there is now.
        root: Where it is, for messages.
        record: splits.csv of the run.

    Raises:
        InvalidInput: Classes, or photographs of the run, are gone or have changed.
    """
    rows = read_splits(record)
    check_classes(root, tuple(sorted({row.label for row in rows.values()})), listing.classes)
    here = {photo.name: photo for photo in listing.photos}
    used = {name: row for name, row in rows.items() if row.split != SKIPPED}
    _refuse((name for name in used if name not in here), "gone", root, record)
    moved = (name for name, row in used.items() if here[name].label != row.label)
    _refuse(moved, "of another class now", root, record)
    names = list(used)
    found = digests([here[name].path for name in names])
    changed = (
        name for name, digest in zip(names, found, strict=True) if digest != used[name].digest
    )
    _refuse(changed, "changed since", root, record)
    kept = [
        Assigned(replace(here[name], group=row.group), row.split, row.digest)
        for name, row in used.items()
    ]
    skipped = [
        Assigned(here[name], SKIPPED, "")
        for name, row in rows.items()
        if row.split == SKIPPED and name in here
    ]
    new = sorted(name for name in here if name not in rows)
    return [*kept, *skipped], _said(new)


def check_classes(root: Path | str, before: Sequence[str], now: Sequence[str]) -> None:
    """Refuse other classes than a network was trained with.

    Raises:
        InvalidInput: They differ; the line names both.
    """
    if tuple(before) != tuple(now):
        raise InvalidInput(
            f"{root}: the classes have changed: before {_some(before)}; now {_some(now)}; put them "
            "back, or begin a new run"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f", ... ({len(names)})" if len(names) > 10 else "")


def _refuse(names: Iterable[str], what: str, root: Path, record: Path) -> None:
    listed = list(names)
    if listed:
        number = "1 photograph" if len(listed) == 1 else f"{len(listed):,} photographs"
        raise InvalidInput(
            f"{root}: {number} of {record} {what} (first: {listed[0]}); put them back, "
            "or begin a new run"
        )


def _said(new: Sequence[str]) -> list[str]:
    if not new:
        return []
    number = f"{len(new):,} photograph{'s are' if len(new) > 1 else ' is'}"
    return [
        f"{number} new since the run began and not used in it (first: {new[0]}); a new run with "
        f"{option('splits')} of this one takes them"
    ]
