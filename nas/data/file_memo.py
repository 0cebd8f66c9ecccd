"""What was found out about files, kept by path, size and time: nothing is read twice for it."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nas.folders import cache_dir

FILE = "files.sqlite"
_SECONDS = 30.0
_CREATE = (
    "CREATE TABLE IF NOT EXISTS found (about TEXT, path TEXT, size INTEGER, time INTEGER, value TEXT, "
    "PRIMARY KEY (about, path)) WITHOUT ROWID"
)
_MANY, _WORTH_SAYING = 500, 300


@dataclass(frozen=True)
class FileState:
    """A file as it is now.

    Attributes:
        path: Absolute, without links.
        size: In bytes.
        time: Of its last change, in nanoseconds.
    """

    path: str
    size: int
    time: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """The state of a file.

        Raises:
            OSError: There is none, or it is a pipe or a device, whose reading may never end.
        """
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(path))
        return cls(os.path.realpath(path), about.st_size, about.st_mtime_ns)


def recall(about: str, states: Sequence[FileState]) -> dict[str, str]:
    """What is known: absolute path -> value, of the files that have not changed since.

    Args:
        about: What the values say, such as ``digest``.
        states: The files.
    """
    found: dict[str, str] = {}
    wanted = {state.path: state for state in states}
    paths = list(wanted)
    try:
        with closing(_open()) as memo:
            for start in range(0, len(paths), _MANY):
                some = paths[start : start + _MANY]
                marks = ",".join("?" * len(some))
                rows = memo.execute(
                    f"SELECT path, size, time, value FROM found WHERE about = ? AND path IN ({marks})",
                    (about, *some),
                )
                for path, size, time, value in rows:
                    if (size, time) == (wanted[path].size, wanted[path].time):
                        found[path] = value
    except (sqlite3.Error, OSError, UnicodeEncodeError) as error:
        _say(error)
    return found


def remember(about: str, values: Mapping[FileState, str]) -> None:
    """Keep what was found out; a folder of caches that cannot be written costs time only."""
    rows = [(about, one.path, one.size, one.time, value) for one, value in values.items()]
    try:
        with closing(_open()) as memo, memo:
            memo.executemany("INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?, ?)", rows)
    except (sqlite3.Error, OSError, UnicodeEncodeError) as error:
        _say(error)


def found_out(
    about: str, states: Sequence[FileState], find: Callable[[FileState], str], doing: str
) -> dict[str, str]:
    """Absolute path -> value for all files; only what is new is found out, by several threads.

    Args:
        about: What the values say.
        states: The files.
        find: Finds the value of one file.
        doing: What is said where it takes a while, such as ``decoding``.
    """
    known = recall(about, states)
    new = list({state.path: state for state in states if state.path not in known}.values())
    if len(new) >= _WORTH_SAYING:
        logging.getLogger("nas.data").info("%s %s files, once", doing, f"{len(new):,}")
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(new), _MANY):  # an interrupt loses little
            some = new[start : start + _MANY]
            found = dict(zip(some, pool.map(find, some), strict=True))
            remember(about, found)
            known |= {state.path: value for state, value in found.items()}
    return known


def _open() -> sqlite3.Connection:
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    memo = sqlite3.connect(folder / FILE, timeout=_SECONDS)
    memo.execute(_CREATE)
    return memo


def _say(error: Exception) -> None:
    logging.getLogger("nas.data").debug("%s: %s", cache_dir() / FILE, error)
