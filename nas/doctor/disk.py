"""Checks whether runs can be written, and the free space."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from nas.folders import runs_dir

LEAST_FREE = 2**30
"""Least free space in bytes. A trial keeps a checkpoint of several megabytes."""


class Disk(BaseModel):
    """The folder of runs.

    Attributes:
        folder: The folder, which need not exist yet.
        problem: The reason why it cannot be written, or too little free space; None: no problem.
        free: Free space in bytes; None if it is unknown.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    problem: str | None
    free: int | None


def disk_of(folder: Path | None = None) -> Disk:
    """Write a file into ``folder`` (default: that of the runs), or its parent, and remove it again."""
    folder = (folder or runs_dir()).absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    problem, free = None, None
    try:
        free = shutil.disk_usage(place).free
        if not place.is_dir():
            problem = f"{place} is a file"
        else:
            with tempfile.TemporaryFile(dir=place) as file:
                file.write(bytes(4096))
                file.flush()
            if free < LEAST_FREE:
                problem = "less than 1 GB is free"
    except OSError as error:
        problem = f"{place}: {error.strerror or error}"
    return Disk(folder=folder, problem=problem, free=free)
