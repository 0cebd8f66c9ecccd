"""Looks through folders: links are followed once, hidden and system folders are passed over."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from blocks.errors import InvalidInput
from nas.data.layouts.kinds import is_system


def entries(folder: Path) -> list[Path]:
    """What a folder holds, sorted by name, without hidden and system entries.

    Raises:
        InvalidInput: The folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not is_system(path.name))
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be read ({error.strerror})") from None


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name."""
    return [path for path in entries(folder) if path.is_dir()]


def files_below(folder: Path, barred: Iterable[Path] = ()) -> Iterator[Path]:
    """All files below a folder in the order of their paths; a folder is entered once, links or not.

    Args:
        folder: Where to begin.
        barred: Folders that are not entered, such as those of other classes that a link may lead to.

    Raises:
        InvalidInput: A folder cannot be read.
    """
    # The folder itself is entered, also when a link of another name leads to it.
    yield from _below(folder, {_identity(path) for path in barred} - {_identity(folder)})


def _below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    identity = _identity(folder)
    if identity in seen:
        return  # a link back, or a second way to the same photographs
    seen.add(identity)
    for path in entries(folder):
        if path.is_dir():
            yield from _below(path, seen)
        else:
            yield path


def _identity(folder: Path) -> tuple[int, int]:
    try:
        about = os.stat(folder)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be read ({error.strerror})") from None
    return about.st_dev, about.st_ino
