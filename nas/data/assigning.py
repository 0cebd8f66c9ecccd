"""From a listing to splits: as the layout says, by a hash where it says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.data.hash_split import Item, Shares, split_by_hash
from nas.data.layouts.listing import TEST, TRAIN, VAL, Listing, Photo
from nas.data.splits_file import Assigned

BOTH = Shares(val=0.15, test=0.15)
"""Where the layout says nothing of held-out images."""
VAL_ONLY = Shares(val=0.1, test=0)
"""Where the test images are given."""


@dataclass(frozen=True)
class Rule:
    """How a listing is split.

    Attributes:
        renamed: Split of the layout -> the split that its images are used as.
        shares: What is held out of the training images; None: nothing.
        words: The same in words.
    """

    renamed: dict[str, str]
    shares: Shares | None
    words: str


def rule_of(listing: Listing) -> Rule:
    """The rule for a listing.

    Without test images the validation images are the test set, as papers on ImageNet have it, and
    validation images are held out of the training images.
    """
    sides = {one: listing.sides[one] for one in (TRAIN, VAL, TEST) if one in listing.sides}
    if VAL in sides and TEST in sides:
        return Rule({}, None, f"validation: {sides[VAL]}, test: {sides[TEST]}")
    if VAL in sides or TEST in sides:
        test = sides.get(VAL) or sides[TEST]
        held = (
            f"about {VAL_ONLY.val:.0%} of each class of the training images, by a hash of each path"
        )
        return Rule({VAL: TEST}, VAL_ONLY, f"test: {test}, validation: {held}")
    shares = "/".join(f"{100 * one:.0f}" for one in (1 - BOTH.val - BOTH.test, BOTH.val, BOTH.test))
    return Rule({}, BOTH, f"split about {shares} of each class, by a hash of each path")


def assign(photos: Sequence[Photo], digests: Sequence[str], rule: Rule) -> list[Assigned]:
    """The split of each photograph; one without a split in the layout counts as a training image."""
    sides = [rule.renamed.get(photo.split or TRAIN, photo.split or TRAIN) for photo in photos]
    if rule.shares is not None:
        pool = [row for row, side in enumerate(sides) if side == TRAIN]
        items = [
            Item(photos[row].name, digests[row], photos[row].label, photos[row].group)
            for row in pool
        ]
        for row, side in zip(pool, split_by_hash(items, rule.shares), strict=True):
            sides[row] = side
    return [Assigned(*one) for one in zip(photos, sides, digests, strict=True)]


def follow(assigned: Sequence[Assigned], earlier: Sequence[Assigned]) -> list[Assigned]:
    """New photographs on the side of an earlier one that they repeat, or are in a group with."""
    of_group = {one.photo.group: one.split for one in earlier if one.photo.group is not None}
    of_file = {one.digest: one.split for one in earlier}
    found = []
    for one in assigned:
        group = one.photo.group
        side = None if group is None else of_group.get(group)
        side = side or of_file.get(one.digest) or one.split
        found.append(replace(one, split=side))
    return found
