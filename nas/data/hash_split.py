"""Splits by a hash of each file's path: what is added later moves no other photograph.

The path, not the content: a photograph that is turned upright, or saved anew, is still the same one.
Photographs that must stay together form a *unit*: exact duplicates, and those of one group. The hash of
a unit is a number in [0, 1); thresholds make of it the split. A class for which the thresholds leave a
split empty gives it the unit of its lowest hash, if it can spare one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.data.layouts.listing import TEST, TRAIN, VAL

# Part of the definition of every split, like SPLIT_SEED; it never depends on the seed of a run.
SEED = b"sknas-2026"


@dataclass(frozen=True)
class Shares:
    """Which share of the photographs is held out.

    Attributes:
        val: For validation, in [0, 1).
        test: For the test, in [0, 1); 0: the test images are given.
    """

    val: float
    test: float


@dataclass(frozen=True)
class Item:
    """What the split of a photograph depends on.

    Attributes:
        name: Its path, relative to the root of the data.
        digest: Of the content of its file.
        label: Name of its class.
        group: Its group, or None.
    """

    name: str
    digest: str
    label: str
    group: str | None = None


def split_by_hash(items: Sequence[Item], shares: Shares) -> list[str]:
    """The split of each item: ``train``, ``val`` or ``test``.

    Every class keeps a unit for training. A class of two units or more has one for validation, and a
    class of three or more one for the test (unless units of several classes stand in the way).
    """
    units = _units(items)
    keys = _keys(items, units)
    sides = {unit: _side(_position(key), shares) for unit, key in keys.items()}
    classes = _Classes(items, units, sides, keys)
    classes.train()
    if shares.val:
        classes.balance(VAL, 2)
    if shares.test:
        classes.balance(TEST, 3)
    return [sides[unit] for unit in units]


def position(name: str) -> float:
    """The place of a file in [0, 1), by its path; the fixed order of a split is by it."""
    return _position(f"file:{name}")


def _position(key: str) -> float:
    digest = hashlib.blake2b(key.encode(errors="surrogateescape"), key=SEED, digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)


def _side(place: float, shares: Shares) -> str:
    if place < shares.test:
        return TEST
    return VAL if place < shares.test + shares.val else TRAIN


def _units(items: Sequence[Item]) -> list[int]:
    """The unit of each item, named by the first item in it."""
    parent = list(range(len(items)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    seen: dict[tuple[str, str], int] = {}
    for row, item in enumerate(items):
        for key in (("file", item.digest), ("group", item.group)):
            if key[1] is None:
                continue
            first = seen.setdefault((key[0], key[1]), row)
            one, other = root(first), root(row)
            parent[max(one, other)] = min(one, other)
    return [root(row) for row in range(len(items))]


def _keys(items: Sequence[Item], units: Sequence[int]) -> dict[int, str]:
    """What each unit is hashed by: its first group, else its first file, by name."""
    groups: dict[int, str] = {}
    files: dict[int, str] = {}
    for item, unit in zip(items, units, strict=True):
        files[unit] = min(files.get(unit, item.name), item.name)
        if item.group is not None:
            groups[unit] = min(groups.get(unit, item.group), item.group)
    return {
        unit: f"group:{groups[unit]}" if unit in groups else f"file:{name}"
        for unit, name in files.items()
    }


class _Classes:
    """The units of each class, by their hash, and the sides they are on."""

    def __init__(
        self,
        items: Sequence[Item],
        units: Sequence[int],
        sides: dict[int, str],
        keys: Mapping[int, str],
    ) -> None:
        self.sides = sides
        members: dict[str, set[int]] = defaultdict(set)
        self.labels: dict[int, set[str]] = defaultdict(set)
        for item, unit in zip(items, units, strict=True):
            members[item.label].add(unit)
            self.labels[unit].add(item.label)
        self.units = {
            label: sorted(members[label], key=lambda unit: (_position(keys[unit]), keys[unit]))
            for label in sorted(members)
        }

    def count(self, label: str, side: str) -> int:
        """How many units of a class are on a side."""
        return sum(self.sides[unit] == side for unit in self.units[label])

    def balance(self, side: str, least: int) -> None:
        """Move a unit of each class that has none on a side, and ``least`` units or more, there."""
        for label, units in self.units.items():
            if len(units) < least or self.count(label, side):
                continue
            first_train = sorted(units, key=lambda unit: self.sides[unit] != TRAIN)
            spare = next((unit for unit in first_train if self._can_leave(unit)), None)
            if spare is not None:
                self.sides[spare] = side

    def train(self) -> None:
        """Every class keeps its unit of the highest hash for training."""
        for label, units in self.units.items():
            if self.count(label, TRAIN) == 0:
                self.sides[units[-1]] = TRAIN

    def _can_leave(self, unit: int) -> bool:
        """Whether each class of a unit has another on its side, or is too small for a test image."""
        side = self.sides[unit]
        return all(
            self.count(label, side) > 1 or (side == TEST and len(self.units[label]) == 2)
            for label in self.labels[unit]
        )
