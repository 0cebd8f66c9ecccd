"""The folders that the program reads and writes, relative to the current one unless others are given."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from blocks.errors import InvalidInput
from blocks.wording import check_not_empty, check_type
from nas.naming import option

RUNS, DEVICES, LOGS = "SKNAS_RUNS_DIR", "SKNAS_DEVICES_DIR", "SKNAS_LOGS_DIR"
CACHE = "SKNAS_CACHE_DIR"
"""Environment variables that name other folders, for every command and for the Python API."""


def runs_dir() -> Path:
    """Where runs lie; default ``runs``.

    Raises:
        InvalidInput: It cannot be a folder.
    """
    return _from_environment(RUNS, "runs")


def devices_dir() -> Path:
    """Where the latency tables of devices lie; default ``devices``."""
    return _from_environment(DEVICES, "devices")


def logs_dir() -> Path:
    """Where TensorBoard's logs lie; default ``lightning_logs``."""
    return _from_environment(LOGS, "lightning_logs")


def cache_dir() -> Path:
    """Where downloads and decoded photographs are kept; default ``~/.cache/sknas``.

    Without a home folder that can be read, it is a folder of temporary files.
    """
    given = os.environ.get(CACHE)
    if given:
        return Path(given)  # what cannot be kept there is said, and not kept
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


def given_folder(name: str, folder: str | Path) -> Path:
    """The folder that an argument names, which need not exist.

    Args:
        name: Of the argument.
        folder: Its value.

    Raises:
        InvalidInput: It is no path, or a file is in its place.
    """
    return _not_a_file(name, given_path(name, folder))


def make_folder(folder: Path, name: str) -> None:
    """Make a folder and those above it, which a person has chosen.

    Args:
        folder: That may be there already.
        name: Of the argument or environment variable that decided where it lies.

    Raises:
        InvalidInput: It cannot be made there.
        OSError: The disk takes no more.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        raise InvalidInput(
            f"{name}: {folder}: cannot be made ({error.strerror}); allowed: a folder that can be "
            "written to"
        ) from None


def source_of_runs_dir(folder: Path) -> str:
    """What decided where ``folder`` lies, which is in one of runs: argument, variable or default."""
    if runs_dir() not in folder.parents:
        return option("runs_dir")
    return RUNS if os.environ.get(RUNS) else "runs/"


def source_of_logs_dir(folder: Path) -> str:
    """What decided that logs lie in ``folder``."""
    if folder != logs_dir():
        return option("logs_dir")
    return LOGS if os.environ.get(LOGS) else "lightning_logs/"


def given_path(name: str, path: str | Path) -> Path:
    """The path that an argument names.

    Raises:
        InvalidInput: It is none.
    """
    check_type(option(name), path, (str, Path), "a path")
    check_not_empty(option(name), path)
    return Path(path)


def _from_environment(variable: str, default: str) -> Path:
    given = os.environ.get(variable)
    return _not_a_file(variable if given else f"{default}/", Path(given or default))


def _not_a_file(name: str, folder: Path) -> Path:
    for path in (folder, *folder.parents):
        if path.exists():
            if not path.is_dir():
                raise InvalidInput(f"{name}: {path} is a file; allowed: a folder")
            break
    return folder
