"""What a check of photographs gives: figures, findings and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
DOCUMENT, TABLE, PAGE = "data-check.json", "findings.csv", "index.html"

KINDS: Mapping[str, tuple[str, str]] = {
    "copy across splits": (
        "Copies on both sides of a split",
        "An image that is tested on and was trained on makes the error look smaller than it is. Keep "
        "one of them, or keep them together with --group-by.",
    ),
    "group across splits": (
        "Groups on both sides of a split",
        "The folders or the table put them there. Images of one group look alike, so the error looks "
        "smaller than it is.",
    ),
    "label conflict": (
        "One picture with two labels",
        "At least one label of exact copies is wrong, and probably one of near copies.",
    ),
    "suspected label": (
        "Suspected wrong labels",
        "A model that has not seen the label takes another class for much likelier; the most suspect "
        "first. Their number is estimated.",
    ),
    "unreadable": (
        "Files that cannot be read",
        "Replace or remove them; with --on-bad-image skip, searches leave them out.",
    ),
    "class": (
        "Classes with too few images",
        "Errors of classes with few held-out images say little.",
    ),
    "imbalance": (
        "Classes of unequal size",
        "The share of misclassified images hardly sees a rare class: --metric balanced_error, "
        "--balance logits.",
    ),
    "copy": (
        "Copies in one split",
        "They do not distort the error, but count more than once.",
    ),
    "blank": ("Pictures of a single colour", "They show nothing."),
    "odd shape": (
        "Very long pictures",
        "Evaluation cuts out the centre square, so most of the picture is not seen.",
    ),
    "small": (
        "Pictures smaller than the input size",
        "They are enlarged, which adds cost and no detail: a smaller --input-size is enough for them.",
    ),
    "animated": ("Files with several frames", "The first frame is used."),
    "wrong ending": (
        "Files whose ending is of another format",
        "They are read by their content, so nothing is to be done here; other programs may refuse them.",
    ),
    "not read": ("Files that are not read", "Convert those that are photographs."),
    "least sure": (
        "Labels that the network is least sure of",
        "They follow the suspected ones in the same ranking. Nothing says that they are wrong.",
    ),
}
"""Kind of finding -> its heading, and what it means. The most serious are first."""
HARMLESS = ("least sure",)
"""Kinds that are no trouble."""


@dataclass(frozen=True)
class Finding:
    """One thing that a person may want to look at.

    Attributes:
        kind: One of KINDS.
        path: Of the image, as in ``splits.csv``; empty where it is no image.
        other: Of the image that it is compared with, or empty.
        what: The finding in words.
    """

    kind: str
    path: str
    other: str
    what: str


@dataclass(frozen=True)
class ClassCount:
    """The images of a class.

    Attributes:
        name: Of the class.
        train: Training images.
        val: Validation images.
        test: Test images.
        unreadable: Files that cannot be read.
    """

    name: str
    train: int
    val: int
    test: int
    unreadable: int

    @property
    def images(self) -> int:
        """Images that can be read."""
        return self.train + self.val + self.test


@dataclass(frozen=True)
class CopyGroup:
    """Pictures that are copies of each other.

    Attributes:
        kind: ``exact``: the same pixels; ``near``: one is scaled, encoded anew, cut or mirrored.
        names: Of the images, training images first.
        splits: Of each.
        labels: Of each.
        distance: Largest distance of perceptual hashes, in bits of 64.
    """

    kind: str
    names: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    distance: int

    @property
    def across(self) -> bool:
        """Whether they are in several splits."""
        return len(set(self.splits)) > 1

    @property
    def disagree(self) -> bool:
        """Whether they have different labels."""
        return len(set(self.labels)) > 1


@dataclass(frozen=True)
class Sizes:
    """Width and height in pixels, by area.

    Attributes:
        smallest: Of the smallest picture.
        median: Of the picture in the middle.
        largest: Of the largest picture.
    """

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]


@dataclass(frozen=True)
class DataCheck:
    """What a check of photographs found.

    Attributes:
        source: The path that was checked.
        understood: Layout, counts and how the images are split, in one line.
        images: Images that can be read.
        input_size: Pixels a side that networks are given.
        classes: The classes by name.
        sizes: Of the pictures; None without any.
        formats: Format by content -> images.
        unread: Ending -> files that are not read.
        greyscale: Images without colours.
        transparent: Images with an alpha channel or a transparent colour, which are laid on white.
        turned: Images that are turned as their EXIF data say.
        copies: Exact and near duplicates; those across splits first.
        findings: What to look at, the most serious kinds first.
        notes: What else is to be known, and what was not looked at.
        commands: What to do next.
        path: Of the folder with the page, findings.csv and data-check.json.

    Examples:
        >>> import nas
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> for number in range(12):
        ...     folder = Path("few", "dark" if number % 2 else "bright")
        ...     folder.mkdir(parents=True, exist_ok=True)
        ...     Image.effect_noise((64, 64), 50 + 5 * number).save(folder / f"{number}.png")
        >>> found = nas.check_data("few")
        >>> [(one.name, one.images) for one in found.classes], found.greyscale
        ([('bright', 6), ('dark', 6)], 12)
    """

    source: str
    understood: str
    images: int
    input_size: int
    classes: tuple[ClassCount, ...]
    sizes: Sizes | None
    formats: Mapping[str, int]
    unread: Mapping[str, int]
    greyscale: int
    transparent: int
    turned: int
    copies: tuple[CopyGroup, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    path: Path = field(default=Path())

    @property
    def page(self) -> Path:
        """The page."""
        return self.path / PAGE

    def of(self, kind: str) -> tuple[Finding, ...]:
        """The findings of a kind."""
        return tuple(one for one in self.findings if one.kind == kind)

    @property
    def counts(self) -> dict[str, int]:
        """Kind -> number of findings, of the kinds that were found."""
        found = {kind: len(self.of(kind)) for kind in KINDS}
        return {kind: count for kind, count in found.items() if count}

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found that is wrong."""
        return not set(self.counts) - set(HARMLESS)

    @property
    def document(self) -> dict[str, Any]:
        """All figures and findings as numbers, texts, lists and mappings."""
        fields = asdict(self) | {"path": str(self.path), "page": str(self.page)}
        copies = [
            asdict(one) | {"across_splits": one.across, "labels_differ": one.disagree}
            for one in self.copies
        ]
        return {"format": FORMAT, **fields, "copies": copies, "counts": self.counts}
