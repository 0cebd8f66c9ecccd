"""Pictures that are in a set twice: exact copies, and copies that were encoded, scaled or cut anew.

Perceptual hashes (ImageHash) find the candidates among all pairs. Their fine structure narrows them
down, since different pictures of one scene or class may have equal hashes; their colours decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from nas.data.same_picture import SIDE, Box, shows_the_same

LEAST_SIDE = 48
"""Pixels of the shorter side below which only exact copies are found: small pictures of one class look
like each other."""
MOST_APART = 18
"""Largest distance of the hashes of a candidate, in bits of 64."""
LEAST_ALIKE = 0.6
"""Least correlation of the fine structure of two copies; that of different pictures is about 0."""
MOST_PICTURES = 30_000
"""Pictures up to which near copies are looked for: the time grows with the square."""
_THUMB, _FINE = SIDE, 32
_WHOLE = (0.0, 0.0, float(_THUMB), float(_THUMB))
_BOXES = (
    _WHOLE,
    *(
        (x * cut, y * cut, _THUMB - (1 - x) * cut, _THUMB - (1 - y) * cut)
        for cut in (0.04 * _THUMB, 0.08 * _THUMB, 0.12 * _THUMB, 0.16 * _THUMB)
        for x, y in product((0.0, 0.5, 1.0), repeat=2)
    ),
)
"""The parts of a picture that a copy may be."""


@dataclass(frozen=True)
class Fingerprint:
    """What is compared of a picture.

    Attributes:
        name: Of the picture.
        exact: Digest of its pixels.
        hashes: Perceptual hash of the picture and of its mirror image; None for a small one.
        thumb: In RGB, (64, 64, 3); None for a small one.
    """

    name: str
    exact: str
    hashes: tuple[int, int] | None = None
    thumb: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Duplicates:
    """Pictures that are copies of each other.

    Attributes:
        kind: ``exact``: the same pixels; ``near``: at least one is scaled, encoded, cut or mirrored.
        rows: Positions of the pictures, two or more.
        names: Their names.
        distance: Largest distance of the hashes of two that were matched, in bits of 64.
    """

    kind: Literal["exact", "near"]
    rows: tuple[int, ...]
    names: tuple[str, ...]
    distance: int


def fingerprint(name: str, picture: Image.Image) -> Fingerprint:
    """The fingerprint of a picture, grey or RGB."""
    import imagehash

    digest = hashlib.sha256(f"{picture.mode} {picture.size}".encode())
    digest.update(picture.tobytes())
    if min(picture.size) < LEAST_SIDE:
        return Fingerprint(name, digest.hexdigest())
    grey = picture.convert("L").resize((_THUMB, _THUMB), Image.Resampling.BOX)
    hashes = (_as_int(imagehash.phash(one)) for one in (grey, ImageOps.mirror(grey)))
    straight, mirrored = hashes
    thumb = picture.convert("RGB").resize((_THUMB, _THUMB), Image.Resampling.BOX)
    return Fingerprint(name, digest.hexdigest(), (straight, mirrored), np.asarray(thumb))


def fingerprints(names: Iterable[str], read: Callable[[str], Image.Image]) -> Iterator[Fingerprint]:
    """The fingerprints of pictures by name.

    Args:
        names: Of the pictures.
        read: Gives the picture of a name, grey or RGB; what it raises is raised.
    """
    for name in names:
        yield fingerprint(name, read(name))


def find_duplicates(pictures: Sequence[Fingerprint]) -> tuple[Duplicates, ...]:
    """Groups of copies among pictures, exact ones first.

    A picture is in one group at most, with all that it was matched with. Near copies are found among
    pictures of 48 pixels a side and more, in sets of up to 30,000 pictures: scaled, encoded anew,
    mirrored, or with up to a tenth cut off.
    """
    groups = _Groups(len(pictures))
    first: dict[str, int] = {}
    for row, picture in enumerate(pictures):
        there = first.setdefault(picture.exact, row)
        if there != row:
            groups.join(there, row, None)
    alone = [row for row in first.values() if pictures[row].hashes is not None]
    if len(alone) <= MOST_PICTURES:
        for one, other, distance in _near_pairs(pictures, alone):
            groups.join(one, other, distance)
    found = [
        Duplicates(
            "exact" if distance is None else "near",
            rows,
            tuple(pictures[row].name for row in rows),
            distance or 0,
        )
        for rows, distance in groups.listed()
    ]
    return tuple(sorted(found, key=lambda one: (one.kind, one.distance, one.rows)))


class _Groups:
    """Sets of rows that grow together."""

    def __init__(self, count: int) -> None:
        self._leader = list(range(count))
        self._distance: dict[int, int] = {}

    def leader(self, row: int) -> int:
        while self._leader[row] != row:
            self._leader[row] = self._leader[self._leader[row]]
            row = self._leader[row]
        return row

    def join(self, one: int, other: int, distance: int | None) -> None:
        a, b = sorted((self.leader(one), self.leader(other)))
        self._leader[b] = a
        known = [
            d
            for d in (self._distance.get(a), self._distance.pop(b, None), distance)
            if d is not None
        ]
        if known:
            self._distance[a] = max(known)

    def listed(self) -> list[tuple[tuple[int, ...], int | None]]:
        members: dict[int, list[int]] = {}
        for row in range(len(self._leader)):
            members.setdefault(self.leader(row), []).append(row)
        return [
            (tuple(rows), self._distance.get(leader))
            for leader, rows in members.items()
            if len(rows) > 1
        ]


def _near_pairs(
    pictures: Sequence[Fingerprint], rows: Sequence[int]
) -> Iterator[tuple[int, int, int]]:
    """Pairs of near copies among ``rows``, and the distance of their hashes."""
    hashes = np.array([pictures[row].hashes for row in rows], np.uint64).reshape(-1, 2)
    whole = np.stack([_cut(pictures[row], _WHOLE) for row in rows]) if rows else np.empty((0, 0))
    for place, row in enumerate(rows):
        apart = np.bitwise_count(hashes[place, 0] ^ hashes)
        apart[place] = MOST_APART + 1
        near = apart <= MOST_APART
        if not near.any():
            continue
        cuts = np.stack([_cut(pictures[row], box) for box in _BOXES])
        # Of a symmetrical picture, both ways round are near.
        for side, turn in enumerate((1, -1)):
            others = np.flatnonzero(near[:, side])
            alike = np.einsum("bxy,nxy->bn", cuts, whole[others][:, :, ::turn])
            for at in np.flatnonzero(alike.max(0, initial=0) >= LEAST_ALIKE):
                other, box = others[at], _BOXES[int(alike[:, at].argmax())]
                one, two = pictures[row].thumb, pictures[rows[other]].thumb
                assert one is not None
                assert two is not None
                if shows_the_same(one, two[:, ::turn], box):
                    yield row, rows[other], int(apart[other, side])


def _cut(picture: Fingerprint, box: Box) -> NDArray[np.float32]:
    """The fine structure of a part of a picture, (32, 32)."""
    assert picture.thumb is not None
    return _fine(Image.fromarray(picture.thumb).convert("L"), box)


def _fine(picture: Image.Image, box: Box) -> NDArray[np.float32]:
    """The fine structure of a part of a picture, of length 1; 0 for a picture without any."""
    small = picture.resize((_FINE, _FINE), Image.Resampling.BILINEAR, box=box)
    pixels = np.asarray(small, np.float32)
    coarse = np.asarray(
        small.resize((_FINE // 4, _FINE // 4), Image.Resampling.BOX).resize(
            (_FINE, _FINE), Image.Resampling.BICUBIC
        ),
        np.float64,
    )
    fine = pixels - coarse
    length = float(np.sqrt((fine**2).sum()))
    # Less than a level per pixel is noise of the encoding.
    is_noise = length <= 0.8 * _FINE
    return np.zeros_like(fine) if is_noise else np.asarray(fine / length, np.float32)


def _as_int(found: object) -> int:
    return int(str(found), 16)
