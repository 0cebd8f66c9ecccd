"""Checks photographs: reads all of them once, and tells what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nas.data.checking.findings import (
    counts_of,
    findings_of_classes,
    findings_of_copies,
    findings_of_groups,
    findings_of_images,
    unread_by_ending,
)
from nas.data.checking.look import Seen, copies_among, look
from nas.data.checking.result import KINDS, DataCheck, Finding, Sizes
from nas.data.config import DataConfig
from nas.data.duplicates import LEAST_SIDE, MOST_PICTURES
from nas.data.image_files import read_side
from nas.data.image_folder import INPUT_SIZE
from nas.data.layouts.kinds import register_heif
from nas.data.photo import PhotoError
from nas.data.photo_sets import PhotoSets, photo_sets
from nas.data.places import expanded
from nas.data.splits_file import SKIPPED, Assigned


@dataclass(frozen=True)
class Checked:
    """The outcome of a check, with its pictures.

    Attributes:
        result: What was found.
        sets: The photographs.
    """

    result: DataCheck
    sets: PhotoSets

    def pixels(self, names: Iterable[str]) -> dict[str, NDArray[np.uint8]]:
        """The pictures of some names, uint8 (H, W, 3); those that cannot be read are left out."""
        wanted = set(names)
        found = {}
        for one in self.sets.assigned:
            if one.photo.name in wanted and one.split != SKIPPED:
                with suppress(PhotoError):
                    found[one.photo.name] = self.sets.photos.pixels(one.photo.path)
        return found

    def with_suspects(self, labels: Sequence[Finding], notes: Sequence[str]) -> Checked:
        """The same with labels that a network suspects, or is least sure of."""
        found = _ordered([*self.result.findings, *labels])
        result = replace(self.result, findings=found, notes=(*self.result.notes, *notes))
        return replace(self, result=result)


def check_photos(config: DataConfig) -> Checked:
    """Check the photographs of a data set.

    All are decoded into the cache that searches read from, at the size that ``config.input_size`` needs.

    Args:
        config: Of photographs; files that cannot be decoded are findings, whatever it says of them.

    Raises:
        InvalidInput: There are no photographs, or their layout is not understood.
    """
    root = expanded(config.name.partition(":")[2])
    register_heif()
    size = INPUT_SIZE if config.input_size is None else config.input_size
    config = config.model_copy(update={"on_bad_image": "skip"})
    sets = photo_sets(root, config, read_side(size))
    seen, gone = look([one for one in sets.assigned if one.split != SKIPPED], sets.photos)
    sets = _without(sets, gone)
    copies = copies_among(seen)
    classes = counts_of(sets.assigned)
    findings = [
        *findings_of_copies(copies),
        *findings_of_groups(sets.assigned),
        *_unreadable(sets, gone),
        *findings_of_classes(classes),
        *findings_of_images(seen, size),
        *(
            Finding("not read", name, "", "an ending that is not read")
            for name in sets.listing.unread
        ),
    ]
    known = [one.header for one in seen if one.header is not None]
    result = DataCheck(
        source=str(root),
        understood=sets.understood or "",
        images=len(seen),
        input_size=size,
        classes=classes,
        sizes=_sizes([(one.width, one.height) for one in known]),
        formats=dict(Counter(one.format for one in known).most_common()),
        unread=unread_by_ending(sets.listing.unread),
        greyscale=sum(one.grey for one in seen),
        transparent=sum(one.transparent for one in known),
        turned=sum(one.turned for one in known),
        copies=copies,
        findings=_ordered(findings),
        notes=(*sets.listing.notes, *sets.uneven, *_not_looked_at(seen)),
    )
    return Checked(result, sets)


def _without(sets: PhotoSets, gone: Mapping[str, str]) -> PhotoSets:
    """The photographs, with those left out that were damaged or removed meanwhile."""
    if not gone:
        return sets
    kept = [
        Assigned(one.photo, SKIPPED, "") if one.photo.name in gone else one for one in sets.assigned
    ]
    return replace(sets, assigned=tuple(kept))


def _unreadable(sets: PhotoSets, gone: Mapping[str, str]) -> list[Finding]:
    damaged = sets.photos.damaged
    reasons = {
        one.photo.name: damaged[one.photo.path]
        for one in sets.assigned
        if one.photo.path in damaged
    }
    return [
        Finding("unreadable", name, "", why) for name, why in sorted({**reasons, **gone}.items())
    ]


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    order = list(KINDS)
    return tuple(sorted(findings, key=lambda one: order.index(one.kind)))


def _sizes(sizes: Sequence[tuple[int, int]]) -> Sizes | None:
    if not sizes:
        return None
    by_area = sorted(sizes, key=lambda one: (one[0] * one[1], one))
    return Sizes(by_area[0], by_area[len(by_area) // 2], by_area[-1])


def _not_looked_at(seen: Sequence[Seen]) -> list[str]:
    notes = []
    if len(seen) > MOST_PICTURES:
        notes.append(
            f"near copies were not looked for, exact ones were: {len(seen):,} pictures; at most "
            f"{MOST_PICTURES:,}"
        )
    small = sum(one.print.hashes is None for one in seen)
    if small:
        notes.append(
            f"{small:,} pictures have fewer than {LEAST_SIDE} pixels a side at this input size: "
            "only exact copies of them were looked for"
        )
    return notes
