"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from blocks.errors import InvalidInput


@contextmanager
def replace_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path`` for writing; on success it takes the name ``path``.

    The content is on the disk before the name changes, so that after a crash or a power cut ``path``
    holds the old content or the new one, never a part. When writing fails, ``path`` is untouched.

    Raises:
        OSError: The disk is full, the folder is read-only, ...
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with replace_file(path) as file:
        file.write(text.encode("utf-8"))


def check_folders_above(path: Path) -> None:
    """Raise InvalidInput when ``path`` cannot be made since a file lies where a folder should."""
    for parent in path.parents:
        if parent.exists() and not parent.is_dir():
            raise InvalidInput(f"{path}: {parent} is a file; allowed: a path of folders")


def _sync_folder(folder: Path) -> None:
    """Make the new name durable where the system can (Windows cannot open folders)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
