"""Groups of photographs that stay together: frames of a film, images of a patient."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from blocks.errors import InvalidInput
from nas.data.layouts.listing import Photo
from nas.data.splits_file import SKIPPED, Assigned
from nas.naming import option


def grouped(photos: Sequence[Photo], expression: str) -> tuple[Photo, ...]:
    """The photographs with the groups that a regular expression finds in their paths.

    Args:
        photos: All photographs.
        expression: Its first group, or the whole match, is the group of a photograph; without a match a
            photograph is alone.

    Raises:
        InvalidInput: It is no regular expression, or matches no path.
    """
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise InvalidInput(
            f"{option('group_by')} {expression!r}: not a regular expression ({error})"
        ) from None
    found = tuple(replace(photo, group=_group(pattern, photo.name)) for photo in photos)
    if all(photo.group is None for photo in found):
        raise InvalidInput(
            f"{option('group_by')} {expression!r}: no column of that name, and matches no path such as "
            f"{photos[0].name}"
        )
    return found


def _group(pattern: re.Pattern[str], name: str) -> str | None:
    match = pattern.search(name)
    if match is None:
        return None
    return match[1] if pattern.groups else match[0]


def shared_sides(assigned: Iterable[Assigned]) -> list[str]:
    """What a person is to be told of groups and exact duplicates on two sides of a split."""
    used = [one for one in assigned if one.split != SKIPPED]
    groups = [(one.photo.group, one) for one in used if one.photo.group is not None]
    files = [(one.digest, one) for one in used]
    return [*_shared("group", groups), *_shared("image", files)]


def _shared(what: str, keyed: Iterable[tuple[str, Assigned]]) -> list[str]:
    first: dict[str, Assigned] = {}
    both: dict[str, Assigned] = {}
    for key, one in keyed:
        if first.setdefault(key, one).split != one.split:
            both.setdefault(key, one)
    if not both:
        return []
    key, one = next(iter(both.items()))
    example = repr(key) if what == "group" else f"{first[key].photo.name} and {one.photo.name}"
    number = f"{len(both)} {what}{' is' if len(both) == 1 else 's are'}"
    return [
        f"{number} in more than one split, as the folders or the table say ({example}): errors are "
        "estimated too low"
    ]
