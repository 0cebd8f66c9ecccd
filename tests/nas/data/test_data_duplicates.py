"""Copies of pictures are found, and others are not taken for copies."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from sklearn.datasets import load_sample_images

from nas.data.duplicates import find_duplicates, fingerprint, fingerprints


def tiles() -> list[Image.Image]:
    """Parts of two real photographs, which do not overlap."""
    return [
        Image.fromarray(photo[top : top + 100, left : left + 120])
        for photo in load_sample_images().images
        for top in range(0, 400, 100)
        for left in range(0, 600, 120)
    ]


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return tiles()


def encoded(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "encoded anew": encoded,
    "half the size": lambda one: one.resize((60, 50)),
    "larger": lambda one: one.resize((210, 175), Image.Resampling.BICUBIC),
    "mirrored": ImageOps.mirror,
    "cut": lambda one: one.crop((6, 3, 120, 100)),
    "brighter": lambda one: one.point(lambda value: min(255, int(1.1 * value + 5))),
    "grey": lambda one: one.convert("L"),
}


def test_different_parts_of_a_photograph_are_no_copies(pictures: list[Image.Image]) -> None:
    found = fingerprints(map(str, range(len(pictures))), lambda name: pictures[int(name)])
    assert find_duplicates(list(found)) == ()


def test_an_exact_copy_is_found(pictures: list[Image.Image]) -> None:
    (group,) = find_duplicates(
        [
            fingerprint("a", pictures[0]),
            fingerprint("b", pictures[1]),
            fingerprint("c", pictures[0].copy()),
        ]
    )
    assert (group.kind, group.rows, group.names, group.distance) == ("exact", (0, 2), ("a", "c"), 0)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(pictures: list[Image.Image], change: str) -> None:
    changed = [CHANGES[change](one) for one in pictures]
    prints = [fingerprint(f"{row}", one) for row, one in enumerate([*pictures, *changed])]
    groups = find_duplicates(prints)
    count = len(pictures)
    found = {group.rows for group in groups if group.kind == "near"}
    assert all(len(rows) == 2 and rows[1] == rows[0] + count for rows in found)
    # A part of the sky has no structure to tell it by.
    assert len(found) >= 0.85 * count


def test_small_pictures_are_copies_only_if_they_are_equal() -> None:
    draws = np.random.default_rng(0)
    small = Image.fromarray(draws.integers(0, 255, (28, 28), dtype=np.uint8))
    near = small.point(lambda value: min(255, value + 1))
    found = find_duplicates(
        [fingerprint(name, one) for name, one in zip("abc", (small, near, small), strict=True)]
    )
    assert [group.rows for group in found] == [(0, 2)]


def test_several_copies_are_one_group(pictures: list[Image.Image]) -> None:
    one = pictures[7]
    given = [one, encoded(one), pictures[3], one.copy(), CHANGES["larger"](one)]
    (group,) = find_duplicates([fingerprint(f"{row}", each) for row, each in enumerate(given)])
    assert (group.kind, group.rows) == ("near", (0, 1, 3, 4))


def test_pictures_without_structure_are_not_compared() -> None:
    plain = [Image.new("RGB", (100, 100), (level, 90, 90)) for level in range(0, 250, 10)]
    assert find_duplicates([fingerprint(f"{row}", one) for row, one in enumerate(plain)]) == ()


COLOURS = {"apricot": "orange", "kiwi": "green", "potato": "sienna", "sign": "red", "egg": "ivory"}


def drawn(name: str) -> Image.Image:
    """A round thing with its own marks on a white ground."""
    picture = Image.new("RGB", (120, 120), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((15, 15, 105, 105), COLOURS[name], "black", 3)
    draws = np.random.default_rng(len(name) + ord(name[0]))
    for x, y in draws.integers(30, 75, (4, 2)).tolist():
        draw.ellipse((x, y, x + 16, y + 16), "white" if name == "sign" else "black")
    return picture


def test_things_of_one_outline_on_a_plain_ground_are_no_copies() -> None:
    things = [drawn(name) for name in COLOURS]
    prints = [fingerprint(f"{row}", one) for row, one in enumerate(things)]
    assert find_duplicates(prints) == ()


@pytest.mark.parametrize("change", [change for change in CHANGES if change != "cut"])
def test_copies_of_things_on_a_plain_ground_are_found(change: str) -> None:
    things = [drawn(name) for name in COLOURS]
    changed = [CHANGES[change](one) for one in things]
    prints = [fingerprint(f"{row}", one) for row, one in enumerate([*things, *changed])]
    found = {group.rows for group in find_duplicates(prints)}
    assert found == {(row, row + len(things)) for row in range(len(things))}


def test_a_dark_vest_is_not_a_pair_of_white_trousers() -> None:
    """Grey clothes on black, in outline alike."""
    vest, trousers = (Image.new("L", (48, 48)) for _ in range(2))
    ImageDraw.Draw(vest).rectangle((14, 4, 33, 44), 70, 130)
    ImageDraw.Draw(trousers).rectangle((14, 4, 33, 44), 240)
    ImageDraw.Draw(trousers).line((24, 14, 24, 44), 0, 2)
    found = find_duplicates([fingerprint("vest", vest), fingerprint("trousers", trousers)])
    assert found == ()
