"""Where data sets are looked for and downloaded to."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from tarfile import TarError

CACHE_DIR = "~/.cache/sknas"

# What an interrupted, refused or impossible download raises.
DOWNLOAD_ERRORS = (OSError, RuntimeError, HTTPException, EOFError, TarError)


def search_roots(data_dir: str | None) -> tuple[Path, ...]:
    """Folders to look in for a published data set, best first; downloads go to the first."""
    chosen = (CACHE_DIR,) if data_dir is None else (data_dir, CACHE_DIR)
    return tuple(Path(place).expanduser() for place in chosen)
