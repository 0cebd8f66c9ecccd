"""Where the export keeps its own files."""

from __future__ import annotations

import shutil
from pathlib import Path

SHIPPED = Path(__file__).with_name("shipped")
"""The programs that are copied into a bundle."""
PHOTO = Path(__file__).parents[1] / "data" / "photo.py"
"""How a photograph is read, in training as in a bundle; it is copied beside predict.py."""
BENCH = ("bench.py", "suite.py", "runtime.py", "device.py")
"""What measures latencies."""
PROGRAMS = ("predict.py", *BENCH, PHOTO.name)
"""All programs of a bundle."""
UNFINISHED = ".unfinished"
"""Lies in the folder of a suite that is not written in full."""


def copy_programs(folder: Path) -> None:
    """Copy the programs of a bundle into ``folder``."""
    for name in PROGRAMS:
        program = PHOTO if name == PHOTO.name else SHIPPED / name
        shutil.copyfile(program, folder / name)
