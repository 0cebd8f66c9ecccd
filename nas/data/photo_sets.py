"""The photographs of a data set in their splits, and what a person is to be told of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.data.animated import animated
from nas.data.assigning import Rule, assign, follow, rule_of
from nas.data.config import DataConfig
from nas.data.digests import digests
from nas.data.groups import grouped, shared_sides
from nas.data.hash_split import position
from nas.data.layouts.find import list_photos
from nas.data.layouts.listing import TEST, TRAIN, VAL, Listing, Photo
from nas.data.photo_cache import NAMED, PhotoCache, open_cache
from nas.data.recorded import as_recorded
from nas.data.splits_file import SKIPPED, Assigned, fingerprint, read_splits, splits_text
from nas.naming import option

FEW = 5
"""Held-out images of a class below which a person is told."""
SHOWN = 5
FAR = (0.6, 1.5)
"""Held-out shares of a class, as multiples of what is asked for, between which nothing is said."""
FAR_IMAGES = 2
"""The least difference in images of which a person is told; one more or less is nothing to act on."""


@dataclass(frozen=True)
class PhotoSets:
    """The photographs of each split.

    Attributes:
        classes: Names of the classes; the position is the label.
        assigned: All photographs, also those that are left out.
        photos: Their pixels.
        understood: What was found, in one line.
        warnings: What is to be known besides, one line each.
        listing: What is there.
        uneven: Those of the warnings that are about shares far from what was asked for.
    """

    classes: tuple[str, ...]
    assigned: tuple[Assigned, ...]
    photos: PhotoCache
    understood: str | None
    warnings: tuple[str, ...]
    listing: Listing
    uneven: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The content of splits.csv."""
        return splits_text(self.assigned)

    @property
    def fingerprint(self) -> str:
        """Digest of the photographs, their classes and splits."""
        return fingerprint(self.assigned)

    def of(self, split: str) -> tuple[Photo, ...]:
        """The photographs of a split in their fixed order.

        Test images are in the order of their names. The others are in that of the hashes of their paths,
        so that a limit takes some of each class, and one more moves no other.
        """
        some = sorted((one for one in self.assigned if one.split == split), key=_name)
        if split != TEST:
            some.sort(key=lambda one: position(one.photo.name))
        return tuple(one.photo for one in some)


def photo_sets(root: Path, config: DataConfig, side: int) -> PhotoSets:
    """Find the photographs at ``root``, and put them into splits.

    Args:
        root: Where they are.
        config: The user's choices.
        side: Pixels to which the shorter side of larger ones is reduced when they are read.

    Raises:
        InvalidInput: There are none or they are laid out otherwise, one cannot be decoded, or they are
            no longer those of the run.
    """
    listing = list_photos(root, config.group_by)
    if config.group_by is not None and listing.group_column is None:
        listing = replace(listing, photos=grouped(listing.photos, config.group_by))
    _check_names(listing)
    if config.record is not None:
        kept, notes = as_recorded(listing, root, Path(config.record))
        used = [one.photo.path for one in kept if one.split != SKIPPED]
        photos = open_cache(root, used, side, config.cache_gb)
        photos.require_whole(root)
        return _made(kept, photos, None, (*notes, *_few(kept)), listing)
    rule = rule_of(listing)
    photos = open_cache(root, [one.path for one in listing.photos], side, config.cache_gb)
    skip = config.on_bad_image == "skip"
    good, skipped, notes = _decodable(listing.photos, photos.damaged, root, skip=skip)
    assigned = assign(good, digests([photo.path for photo in good]), rule)
    if config.splits is not None and assigned:
        assigned, more = _given_back(assigned, Path(os.path.expanduser(config.splits)))
        notes += more
    everything = [*assigned, *skipped]
    counts = Counter(one.split for one in assigned)
    classes = len({one.photo.label for one in assigned})
    how = rule.words if config.splits is None else f"split as in {config.splits}"
    understood = (
        f"{listing.layout}; {len(assigned):,} photographs of {classes} class{'es' * (classes != 1)}: "
        f"{counts[TRAIN]:,} training, {counts[VAL]:,} validation, {counts[TEST]:,} test ({how})"
    )
    far = [] if config.splits is not None else _far(assigned, rule)
    warnings = (*listing.notes, *notes, *shared_sides(assigned), *_few(everything), *far)
    return replace(_made(everything, photos, understood, warnings, listing), uneven=tuple(far))


def _name(assigned: Assigned) -> str:
    return assigned.photo.name


def _made(
    assigned: Sequence[Assigned],
    photos: PhotoCache,
    understood: str | None,
    warnings: Sequence[str],
    listing: Listing,
) -> PhotoSets:
    classes = tuple(sorted({one.photo.label for one in assigned}))
    return PhotoSets(classes, tuple(assigned), photos, understood, tuple(warnings), listing)


def _check_names(listing: Listing) -> None:
    for photo in listing.photos:
        try:
            photo.name.encode()
        except UnicodeEncodeError:
            raise InvalidInput(
                f"{photo.name!r}: the name of this file is not UTF-8; rename it"
            ) from None


def _decodable(
    photos: Sequence[Photo], damaged: Mapping[Path, str], root: Path, *, skip: bool
) -> tuple[list[Photo], list[Assigned], list[str]]:
    """The photographs that can be decoded, those that are left out, and notes."""
    good = [photo for photo in photos if photo.path not in damaged]
    notes = []
    if moving := animated([photo.path for photo in good]):
        number = len(moving)
        notes.append(
            f"{number} {'file has' if number == 1 else 'files have'} several frames; the first is used "
            f"({_relative(moving[0], root)}{', ...' * (number > 1)})"
        )
    if not damaged:
        return good, [], notes
    named = [f"{_relative(path, root)} ({why})" for path, why in [*damaged.items()][:NAMED]]
    more = len(damaged) - len(named)
    listed = ", ".join(named) + (f" and {more:,} more" if more else "")
    images = plural(len(damaged), "image")
    if not skip:
        raise InvalidInput(
            f"{root}: {images} cannot be read: {listed}; replace or remove "
            f"{'it' if len(damaged) == 1 else 'them'}, or {option('on_bad_image', 'skip')}"
        )
    notes.append(
        f"{images} cannot be read and {'is' if len(damaged) == 1 else 'are'} left out: {listed}"
    )
    skipped = [Assigned(photo, SKIPPED, "") for photo in photos if photo.path in damaged]
    return good, skipped, notes


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _given_back(assigned: Sequence[Assigned], file: Path) -> tuple[list[Assigned], list[str]]:
    """The splits of a file for the photographs that it lists; the hash of new ones decides."""
    rows = read_splits(file)
    listed = [
        replace(one, split=rows[one.photo.name].split)
        for one in assigned
        if one.photo.name in rows and rows[one.photo.name].split != SKIPPED
    ]
    if not listed:
        raise InvalidInput(
            f"{file}: lists none of these photographs, such as {assigned[0].photo.name}"
        )
    names = {one.photo.name for one in listed}
    new = follow([one for one in assigned if one.photo.name not in names], listed)
    changed = sum(rows[one.photo.name].digest not in ("", one.digest) for one in listed)
    used = sum(row.split != SKIPPED for row in rows.values())
    parts = [
        f"{number:,} {what}"
        for number, what in (
            (len(new), "photographs are new, and split by their hash"),
            (changed, "have changed"),
            (used - len(listed), "are gone"),
        )
        if number
    ]
    notes = [f"since {file.name} was written {', '.join(parts)}"] if parts else []
    return [*listed, *new], notes


def _few(assigned: Sequence[Assigned]) -> list[str]:
    """A line about classes with few held-out images."""
    counts = Counter((one.photo.label, one.split) for one in assigned)
    lines = [
        f"{label} ({counts[label, TRAIN]} training, {counts[label, VAL]} validation, "
        f"{counts[label, TEST]} test)"
        for label in sorted({one.photo.label for one in assigned})
        if min(counts[label, VAL], counts[label, TEST]) < FEW
    ]
    if not lines:
        return []
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return [
        f"few or no held-out images, so errors say little, of: {', '.join(lines[:SHOWN])}{more}"
    ]


def _far(assigned: Sequence[Assigned], rule: Rule) -> list[str]:
    """A line about classes whose held-out share is far from what is asked for.

    A photograph or group is placed by its own hash alone, so that no other one moves it. That leaves the
    shares of a small class, or of one with few or large groups, to chance.
    """
    if rule.shares is None:
        return []
    asked = {VAL: rule.shares.val, TEST: rule.shares.test}
    held = [side for side, share in asked.items() if share]
    counts = Counter((one.photo.label, one.split) for one in assigned)
    found = []
    for label in sorted({one.photo.label for one in assigned}):
        pool = sum(counts[label, side] for side in (TRAIN, *held))
        for side in held:
            wanted, number = asked[side] * pool, counts[label, side]
            near = FAR[0] * wanted <= number <= FAR[1] * wanted
            if not near and abs(number - wanted) >= FAR_IMAGES:
                words = {VAL: "validation", TEST: "test"}[side]
                found.append(f"{label} {number:,} of {pool:,} {words} (asked {asked[side]:.0%})")
    if not found:
        return []
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    grouped = any(one.photo.group is not None for one in assigned)
    kind = "groups stay whole, and each" if grouped else "each photograph"
    said = f"{', '.join(found[:SHOWN])}{more}".replace("%", " %")
    return [
        f"shares far from what was asked, since {kind} goes by its own hash: {said}; "
        f"{option('splits')} with a table of your own evens them out"
    ]
