"""The folders of the cache: which are in use, and which make room for others."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from nas.data.photo import VERSION

PHOTOS = "photos"
IN_USE = "in-use"
INDEX, PIXELS = "index.jsonl", "pixels.bin"
LEAST_FREE = 10**9
"""Bytes of the disk that the cache leaves free."""


class Room:
    """The folder of one set of photographs at one size, in use as long as this object lives.

    Its file ``in-use`` is locked for all readers, so that no process removes the folder meanwhile.

    Args:
        base: Folder of all caches.
        folder: Of the photographs.
        side: Pixels to which the shorter side is reduced.

    Raises:
        OSError: The cache cannot be written.
    """

    def __init__(self, base: Path, folder: Path, side: int) -> None:
        text = f"{VERSION}/{side}/{os.path.abspath(folder)}"
        digest = hashlib.blake2b(os.fsencode(text), digest_size=10).hexdigest()
        self.path = base / PHOTOS / f"{digest}-{side}"
        self.lock = self.path.with_suffix(".lock")
        self._used = self._hold()

    @property
    def index(self) -> Path:
        """The file of rows."""
        return self.path / INDEX

    @property
    def pixels(self) -> Path:
        """The file of pixels."""
        return self.path / PIXELS

    def _hold(self) -> int:
        while True:
            self.path.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path / IN_USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.flock(file, fcntl.LOCK_SH)
            try:
                # Another process may have removed the folder just before.
                if os.path.samestat(os.fstat(file), os.stat(self.path / IN_USE)):
                    os.utime(file)
                    return file
            except FileNotFoundError:
                pass
            os.close(file)

    def __del__(self) -> None:
        """Other processes may remove the folder from now on."""
        used = getattr(self, "_used", None)
        if used is not None:
            os.close(used)

    def bytes_allowed(self, limit: int) -> int:
        """How large the file of pixels may be, with ``limit`` bytes for all sets on this disk."""
        others = sum(_size(one) for one in self._others())
        return min(limit - others, _size(self.path) + self.free())

    def free(self) -> int:
        """Bytes of the disk that the cache may still take; below 0 if too few are free."""
        return shutil.disk_usage(self.path).free - LEAST_FREE

    def remove_oldest(self) -> bool:
        """Remove the folder that was not used for longest; False when all others are in use."""
        return any(_remove(folder) for folder in sorted(self._others(), key=_last_use))

    def _others(self) -> list[Path]:
        every = self.path.parent.iterdir()
        return [one for one in every if one != self.path and (one / IN_USE).is_file()]


def _size(folder: Path) -> int:
    try:
        return (folder / PIXELS).stat().st_size
    except OSError:
        return 0


def _last_use(folder: Path) -> float:
    try:
        return (folder / IN_USE).stat().st_mtime
    except OSError:
        return 0.0


def _remove(folder: Path) -> bool:
    try:
        file = os.open(folder / IN_USE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
        return True
    except OSError:  # in use, or of another user
        return False
    finally:
        os.close(file)
