"""The folders in which data sets are searched and to which they are downloaded."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from tarfile import TarError

CACHE_DIR = "~/.cache/sknas"

# The errors of an interrupted, refused or impossible download.
DOWNLOAD_ERRORS = (OSError, RuntimeError, HTTPException, EOFError, TarError)


def search_roots(data_dir: str | None) -> tuple[Path, ...]:
    """The folders to search for a published data set, in order; downloads go to the first."""
    chosen = (CACHE_DIR,) if data_dir is None else (data_dir, CACHE_DIR)
    return tuple(Path(place).expanduser() for place in chosen)
