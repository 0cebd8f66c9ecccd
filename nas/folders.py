"""The folders that the program reads and writes, relative to the current one unless others are given."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

RUNS, DEVICES, LOGS = "SKNAS_RUNS_DIR", "SKNAS_DEVICES_DIR", "SKNAS_LOGS_DIR"
CACHE = "SKNAS_CACHE_DIR"
"""Environment variables that name other folders, for every command and for the Python API."""


def runs_dir() -> Path:
    """Where runs lie; default ``runs``."""
    return Path(os.environ.get(RUNS) or "runs")


def devices_dir() -> Path:
    """Where the latency tables of devices lie; default ``devices``."""
    return Path(os.environ.get(DEVICES) or "devices")


def logs_dir() -> Path:
    """Where TensorBoard's logs lie; default ``lightning_logs``."""
    return Path(os.environ.get(LOGS) or "lightning_logs")


def cache_dir() -> Path:
    """Where downloads and decoded photographs are kept; default ``~/.cache/sknas``.

    Without a home folder that can be read, it is a folder of temporary files.
    """
    given = os.environ.get(CACHE)
    if given:
        return Path(given)
    try:
        folder = Path.home() / ".cache" / "sknas"
    except RuntimeError:  # neither HOME nor an entry in the list of users
        return temporary_cache()
    # os.path.exists: unlike Path.exists it does not raise for a folder above that is closed.
    place = next(one for one in (folder, *folder.parents) if os.path.exists(one))
    return folder if os.access(place, os.R_OK | os.X_OK) else temporary_cache()


def temporary_cache() -> Path:
    """A folder of this user among the temporary files, for what is usually in ``cache_dir()``."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"sknas-{user}"
