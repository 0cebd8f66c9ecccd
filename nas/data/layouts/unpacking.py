"""Folders in that of caches for what is made of a person's files; they appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from blocks.errors import InvalidInput
from nas.folders import cache_dir


def made_once(sources: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """The folder that ``make`` filled from files; changed files are read anew.

    Args:
        sources: The files; their paths, sizes and times decide whether the folder is still right.
        make: Fills an empty folder.

    Raises:
        InvalidInput: The folder of caches cannot be written.
    """
    folder = _cached_folder(sources)
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=".half-", dir=folder.parent))
    except OSError as error:
        raise InvalidInput(
            f"{folder.parent}: {error.strerror}; archives are unpacked there; another folder: "
            "SKNAS_CACHE_DIR"
        ) from None
    try:
        make(half)
        half.chmod(0o755)
        os.rename(half, folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return folder


def _cached_folder(sources: Sequence[Path]) -> Path:
    digest = hashlib.blake2b(digest_size=10)
    for source in sources:
        about = source.stat()
        text = f"{source.resolve()}\n{about.st_size}\n{about.st_mtime_ns}\n"
        digest.update(text.encode(errors="surrogateescape"))
    return cache_dir() / "unpacked" / digest.hexdigest()
