"""What the pixels and the headers of photographs say; one pass over the decoded pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas.data.animated import animated
from nas.data.checking.headers import Header, headers
from nas.data.checking.result import CopyGroup
from nas.data.duplicates import Fingerprint, find_duplicates, fingerprint
from nas.data.image_files import Photos
from nas.data.layouts.listing import TEST, TRAIN, VAL
from nas.data.photo import PhotoError
from nas.data.splits_file import Assigned

MOST_COLOUR = 8
"""Largest difference of the channels of a pixel, of 255, in a picture without colours."""
MOST_BLANK = 8
"""Largest difference of the values of a channel, of 255, in a picture of a single colour."""
ORDER = (TRAIN, VAL, TEST)


@dataclass(frozen=True)
class Seen:
    """What is known of a photograph that can be read.

    Attributes:
        assigned: The photograph and its split.
        header: Of its file; None if it cannot be read without the pixels.
        print: What copies are found by.
        grey: Whether it has no colours.
        blank: Whether it is of a single colour.
        moves: Whether its file has several frames.
    """

    assigned: Assigned
    header: Header | None
    print: Fingerprint
    grey: bool
    blank: bool
    moves: bool

    @property
    def name(self) -> str:
        """Its path below the root of the data."""
        return self.assigned.photo.name


def look(images: Sequence[Assigned], photos: Photos) -> tuple[list[Seen], dict[str, str]]:
    """Look at photographs, and name those that cannot be read any more: name -> reason."""
    paths = [one.photo.path for one in images]
    moving = set(animated(paths))
    seen: list[Seen] = []
    gone: dict[str, str] = {}
    for one, header in zip(images, headers(paths), strict=True):
        path = one.photo.path
        try:
            pixels = photos.pixels(path)
        except PhotoError as error:  # damaged or removed since they were listed
            gone[one.photo.name] = error.reason
            continue
        few = pixels[::2, ::2]
        grey = not _exceeds(np.moveaxis(few, 2, 0), MOST_COLOUR)
        blank = not _exceeds(few.reshape(-1, few.shape[2]), MOST_BLANK)
        printed = fingerprint(one.photo.name, Image.fromarray(pixels))
        seen.append(Seen(one, header, printed, grey, blank, path in moving))
    return seen, gone


def _exceeds(values: NDArray[np.uint8], most: int) -> bool:
    """Whether values differ along the first axis by more than ``most`` anywhere."""
    return bool((values.max(0) - values.min(0)).max() > most)


def copies_among(seen: Sequence[Seen]) -> tuple[CopyGroup, ...]:
    """Groups of copies: those across splits first, then those of several labels, exact ones first."""
    groups = []
    for found in find_duplicates([one.print for one in seen]):
        members = sorted(
            (seen[row] for row in found.rows),
            key=lambda one: (ORDER.index(one.assigned.split), one.name),
        )
        groups.append(
            CopyGroup(
                found.kind,
                tuple(one.name for one in members),
                tuple(one.assigned.split for one in members),
                tuple(one.assigned.photo.label for one in members),
                found.distance,
            )
        )
    groups.sort(key=lambda one: (not one.across, not one.disagree, one.kind))
    return tuple(groups)
