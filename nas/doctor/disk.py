"""Whether runs can be written, and how much room they have."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from nas.folders import runs_dir

LEAST_FREE = 2**30
"""Bytes. A trial keeps a checkpoint of some megabytes."""


class Disk(BaseModel):
    """The folder of runs.

    Attributes:
        folder: Where they lie, whether it is there yet or not.
        problem: Why nothing can be written there, or that it is too small; None: there is none.
        free: Bytes; None where the folder cannot be looked at.
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
