"""A CSV or TSV of photographs: path, label and, if wanted, split and group."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

from blocks.errors import InvalidInput
from nas.data.layouts.kinds import describe_unread, is_photo
from nas.data.layouts.listing import SPLIT_NAMES, TEST, TRAIN, VAL, Listing, Photo

ENDINGS = (".csv", ".tsv")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": (
        "path",
        "file",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "image",
        "image_path",
    ),
    "label": ("label", "class", "class_name", "category", "target"),
    "split": ("split", "subset", "set", "partition"),
    "group": ("group",),
}
"""Column -> the names it may have in the first line, in lower case."""


def list_table(file: Path, group_by: str | None = None) -> Listing:
    """The photographs that a table names; their paths are relative to its folder.

    Without a first line of column names the columns are path, label, split and group, in this order.

    Args:
        file: The table, in UTF-8.
        group_by: Name of the column of groups, if it is one; else ``group`` is, where there is one.

    Raises:
        InvalidInput: The table is damaged or lacks a column, names files that are missing, or has
            another word in its split column.
    """
    rows = _rows(file)
    columns, first = _columns(rows, file, group_by)
    photos: dict[str, Photo] = {}  # by path, which may be written in two ways
    lines: dict[str, int] = {}
    missing: list[str] = []
    unread: list[str] = []
    for line, row in enumerate(rows[first:], first + 1):
        if not any(cell.strip() for cell in row):
            continue
        photo = _photo(row, columns, file, line)
        key = posixpath.normpath(photo.name)
        earlier = photos.get(key)
        if earlier is not None and (differs := _difference(earlier, photo)):
            raise InvalidInput(
                f"{file}, line {line}: {photo.name} is also in line {lines[key]}, with another {differs}"
            )
        if not photo.path.is_file():
            missing.append(f"line {line}: {photo.name}")
        elif not is_photo(photo.path.name):
            unread.append(photo.name)
        elif earlier is None:
            photos[key], lines[key] = photo, line
    if missing:
        raise InvalidInput(
            f"{file}: {len(missing)} file{' is' if len(missing) == 1 else 's are'} missing "
            f"({'; '.join(missing[:3])}); paths are relative to {file.parent}"
        )
    if not photos:
        raise InvalidInput(
            f"{file}: lists no photographs; expected lines of path,label[,split][,group]"
        )
    listed = tuple(sorted(photos.values(), key=lambda one: one.name))
    sides = _sides(rows[first:], columns, listed)
    _check_trained(listed, file)
    notes = (describe_unread(unread),) if unread else ()
    column = rows[0][columns["group"]] if first and "group" in columns else None
    named = (
        column if group_by is None or (column or "").strip().lower() == group_by.lower() else None
    )
    return Listing(listed, f"table {file.name}", sides, notes, named, tuple(unread))


def _difference(earlier: Photo, photo: Photo) -> str:
    """In what two rows of one photograph differ, in words; empty if in nothing."""
    return " and another ".join(
        f"{column} ({theirs or 'none'}, not {ours or 'none'})"
        for column, theirs, ours in (
            ("label", earlier.label, photo.label),
            ("split", earlier.split, photo.split),
            ("group", earlier.group, photo.group),
        )
        if theirs != ours
    )


def _sides(
    rows: Sequence[Sequence[str]], columns: Mapping[str, int], photos: Sequence[Photo]
) -> dict[str, str]:
    """Split -> the word that the table has for it."""
    place = columns.get("split")
    words: dict[str, str] = {}
    for row in rows if place is not None else ():
        word = row[place].strip() if place is not None and place < len(row) else ""
        if word:
            words.setdefault(SPLIT_NAMES[word.lower()], word)
    used = {photo.split for photo in photos}
    return {side: words[side] for side in (TRAIN, VAL, TEST) if side in used}


def _rows(file: Path) -> list[list[str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{file}: not UTF-8 ({error.reason} at byte {error.start:,}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read ({error.strerror})") from None
    first = text.partition("\n")[0]
    comma = "," if first.count(",") >= first.count(";") else ";"
    mark = "\t" if file.suffix.lower() == ".tsv" or "\t" in first else comma
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise InvalidInput(f"{file}: {error}") from None
    if not rows:
        raise InvalidInput(f"{file}: empty; expected lines of path,label[,split][,group]")
    return rows


def _columns(
    rows: Sequence[Sequence[str]], file: Path, group_by: str | None
) -> tuple[dict[str, int], int]:
    """Column -> its place, and the first row of photographs."""
    titles = [cell.strip().lower() for cell in rows[0]]
    named = dict(COLUMNS)
    if group_by is not None and group_by.lower() in titles:
        named["group"] = (group_by.lower(),)
    columns = {
        column: titles.index(name)
        for column, names in named.items()
        for name in reversed(names)
        if name in titles
    }
    if not columns and (file.parent / rows[0][0].strip()).is_file():
        return dict(zip(COLUMNS, range(len(rows[0])), strict=False)), 0
    for column in ("path", "label"):
        if column not in columns:
            raise InvalidInput(
                f"{file}: has no column {' or '.join(named[column][:3])}; its columns are: "
                f"{', '.join(rows[0])[:200]}"
            )
    return columns, 1


def _photo(row: Sequence[str], columns: Mapping[str, int], file: Path, line: int) -> Photo:
    def cell(column: str) -> str:
        place = columns.get(column)
        # A quoted cell may have line breaks.
        return (
            " ".join(row[place].strip().splitlines())
            if place is not None and place < len(row)
            else ""
        )

    name, label, word = cell("path"), cell("label"), cell("split")
    if not name or not label:
        raise InvalidInput(f"{file}, line {line}: no {'label' if name else 'path'}")
    if word and word.lower() not in SPLIT_NAMES:
        raise InvalidInput(
            f"{file}, line {line}: split {word!r}; allowed: {', '.join(SPLIT_NAMES)}, or nothing"
        )
    name = name.replace("\\", "/")
    split = SPLIT_NAMES[word.lower()] if word else None
    return Photo(name, file.parent / name, label, split, cell("group") or None)


def _check_trained(photos: Sequence[Photo], file: Path) -> None:
    trained = {photo.label for photo in photos if photo.split in (TRAIN, None)}
    lacking = sorted({photo.label for photo in photos} - trained)
    if lacking:
        raise InvalidInput(
            f"{file}: {len(lacking)} class{'es' * (len(lacking) > 1)} without training images "
            f"({', '.join(lacking[:3])}); every class needs some"
        )
