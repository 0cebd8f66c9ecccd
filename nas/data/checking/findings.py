"""From what is known of photographs to what a person should look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nas.data.checking.headers import Header
from nas.data.checking.look import Seen
from nas.data.checking.result import ClassCount, CopyGroup, Finding
from nas.data.layouts.kinds import JPEG, ending
from nas.data.photo_sets import FEW
from nas.data.splits_file import SKIPPED, Assigned

LONG = 3.0
"""Longer by shorter side from which a picture is called long."""
UNEQUAL = 3.0
"""Images of the largest by those of the smallest class from which classes are called unequal."""
FEW_TRAINING = 20
"""Training images of a class below which a person is told."""
WORDS: Mapping[str, str] = {"train": "training", "val": "validation", "test": "test"}

# Format by Pillow's name -> its endings. Formats that are not listed are not compared.
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "JPEG": JPEG,
    "PNG": (".png",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif"),
}


def findings_of_copies(groups: Iterable[CopyGroup]) -> Iterator[Finding]:
    """A row for each copy, beside the first picture of its group."""
    for group in groups:
        first, split, label = group.names[0], group.splits[0], group.labels[0]
        for name, side, word in zip(
            group.names[1:], group.splits[1:], group.labels[1:], strict=True
        ):
            kind = f"{group.kind} copy"
            if side != split:
                what = f"{kind} in {WORDS[split]} and {WORDS[side]}"
                yield Finding("copy across splits", first, name, what)
            if word != label:
                yield Finding("label conflict", first, name, f"{kind}, {label} and {word}")
            if side == split and word == label:
                yield Finding("copy", first, name, f"{kind} in {WORDS[split]}")


def findings_of_groups(images: Iterable[Assigned]) -> Iterator[Finding]:
    """A row for each further split that a group is in."""
    first: dict[str, Assigned] = {}
    said: set[tuple[str, str]] = set()
    for one in images:
        group = one.photo.group
        if group is None or one.split == SKIPPED:
            continue
        begin = first.setdefault(group, one)
        if begin.split != one.split and (group, one.split) not in said:
            said.add((group, one.split))
            what = f"group {group} in {WORDS[begin.split]} and {WORDS[one.split]}"
            yield Finding("group across splits", begin.photo.name, one.photo.name, what)


def findings_of_classes(classes: Sequence[ClassCount]) -> Iterator[Finding]:
    """Classes with few images, and classes of unequal size."""
    if len(classes) == 1:
        what = f"{classes[0].name} is the only class; a search needs two or more"
        yield Finding("class", "", "", what)
    for one in classes:
        few = [
            f"{count} {WORDS[split]}"
            for split, count, least in (
                ("train", one.train, FEW_TRAINING),
                ("val", one.val, FEW),
                ("test", one.test, FEW),
            )
            if count < least
        ]
        if few:
            yield Finding("class", "", "", f"{one.name}: only {', '.join(few)}")
    sizes = sorted(classes, key=lambda one: one.images)
    if sizes and sizes[-1].images >= UNEQUAL * sizes[0].images:
        small, large = sizes[0], sizes[-1]
        what = f"{large.name} has {large.images:,} images, {small.name} has {small.images:,}"
        if small.images:
            times = f"{large.images / small.images:.1f}".removesuffix(".0")
            what += f": {times} times as many"
        yield Finding("imbalance", "", "", what)


def findings_of_images(seen: Iterable[Seen], input_size: int) -> Iterator[Finding]:
    """What is odd about single pictures."""
    for one in seen:
        if one.blank:
            yield Finding("blank", one.name, "", "a single colour")
        if one.moves:
            yield Finding("animated", one.name, "", "several frames")
        if one.header is not None:
            yield from _of_header(one.name, one.header, input_size)


def _of_header(name: str, header: Header, input_size: int) -> Iterator[Finding]:
    size = f"{header.width} x {header.height} pixels"
    shorter, longer = sorted((header.width, header.height))
    if longer >= LONG * shorter:
        yield Finding("odd shape", name, "", f"{size}, {longer / shorter:.1f} to 1")
    if shorter < input_size:
        yield Finding("small", name, "", f"{size}; the input size is {input_size}")
    if ending(name) not in ENDINGS.get(header.format, (ending(name),)):
        yield Finding("wrong ending", name, "", f"is {header.format}")


def counts_of(images: Iterable[Assigned]) -> tuple[ClassCount, ...]:
    """The images of each class by split."""
    counts = Counter((one.photo.label, one.split) for one in images)
    return tuple(
        ClassCount(name, *(counts[name, split] for split in ("train", "val", "test", SKIPPED)))
        for name in sorted({name for name, _ in counts})
    )


def unread_by_ending(names: Iterable[str]) -> dict[str, int]:
    """Ending -> files that are not read, the most frequent first."""
    return dict(Counter(ending(name) or "none" for name in names).most_common())
