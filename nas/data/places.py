"""The folders in which data sets are searched and to which they are downloaded."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from tarfile import TarError

from blocks.errors import InvalidInput
from nas.folders import cache_dir

# The errors of an interrupted, refused or impossible download.
DOWNLOAD_ERRORS = (OSError, RuntimeError, HTTPException, EOFError, TarError)


def search_roots(data_dir: str | None) -> tuple[Path, ...]:
    """The folders to search for a published data set, in order; downloads go to the first."""
    chosen = () if data_dir is None else (expanded(data_dir),)
    return (*chosen, cache_dir())


def expanded(path: str) -> Path:
    """A path in which ~ stands for the home folder.

    Raises:
        InvalidInput: There is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidInput(f"{path}: there is no home folder; write the path without ~") from None
