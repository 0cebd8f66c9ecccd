"""Photographs that are decoded once, for all trainings of all runs.

Every photograph is read once before the first training, by all cores. This finds all damaged files.
What a training needs of it, its pixels reduced to ``read_side``, goes into one file that all processes
map into their memory. A photograph is read again when the size or the time of its file has changed.
Pixels are the same whether they come from the cache or from the file.
"""

from __future__ import annotations

import mmap
import os
import stat
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from blocks.errors import InvalidInput
from nas.data.image_files import PhotoFiles
from nas.data.photo import PhotoError
from nas.data.photo_index import CHANNELS, PhotoWriter, Row, read_rows
from nas.data.photo_progress import ReadingProgress, say, say_once
from nas.data.photo_room import LEAST_FREE, Room
from nas.folders import cache_dir, temporary_cache

FLUSH_EVERY = 100
"""Photographs after which the cache is complete on the disk; a kill loses at most these."""
AHEAD = 4
"""Photographs per thread that may wait to be written."""
MORE = 10**8
"""Bytes by which a cache must have grown before photographs that did not fit are tried again."""
NAMED = 10
"""Damaged files that a message names; of the others it gives the number."""


@dataclass(frozen=True)
class PhotoCache:
    """Photographs of one size, from the cache as far as they are kept there, else from their files.

    Attributes:
        side: Pixels to which the shorter side of larger photographs is reduced.
        damaged: The files that cannot be read, and why, in the order they were given.
    """

    side: int
    damaged: Mapping[Path, str]
    _rows: Mapping[Path, Row] = field(repr=False)
    _map: NDArray[np.uint8] | None = field(repr=False)
    _room: Room | None = field(repr=False)
    """Held, so that no other process removes the files."""

    def pixels(self, path: Path) -> NDArray[np.uint8]:
        """The photograph, reduced to ``side``, uint8 (H, W, 3); read-only.

        Raises:
            PhotoError: It cannot be read.
        """
        row = self._rows.get(path)
        # A disk that was full may have cut the last ones off.
        if self._map is None or row is None or row.offset < 0 or row.stop > len(self._map):
            return PhotoFiles(self.side).pixels(path)
        pixels: NDArray[np.uint8] = self._map[row.offset : row.stop]
        return pixels.reshape(row.height, row.width, CHANNELS)

    def require_whole(self, folder: Path) -> None:
        """Name the damaged files.

        Raises:
            InvalidInput: There are some.
        """
        if not self.damaged:
            return
        some = [
            f"{path.relative_to(folder) if path.is_relative_to(folder) else path} ({reason})"
            for path, reason in list(self.damaged.items())[:NAMED]
        ]
        more = len(self.damaged) - len(some)
        count = "1 image" if len(self.damaged) == 1 else f"{len(self.damaged):,} images"
        raise InvalidInput(
            f"{folder}: {count} cannot be read: {', '.join(some)}"
            f"{f' and {more:,} more' if more else ''}; replace or remove them"
        )


def open_cache(folder: Path, paths: Sequence[Path], side: int, gigabytes: float) -> PhotoCache:
    """The photographs of a folder; those that no process has read before are read now.

    Args:
        folder: That the user named; every folder has a cache of its own. It is never written to.
        paths: The files.
        side: Pixels to which the shorter side of larger photographs is reduced.
        gigabytes: Size of all caches together; 0: pixels are read from the files.
    """
    files, damaged = _stat(paths)
    limit = int(gigabytes * 1e9)
    # Which files can be read is noted even where no pixels are kept, or every training would read all.
    for base, allowed in ((cache_dir(), limit), (temporary_cache(), 0)):
        try:
            return _opened(_Pass(folder, side, allowed, Room(base, folder, side)), files, damaged)
        except (OSError, NotImplementedError) as error:  # the latter: no locks on this file system
            if allowed:
                say_once(
                    f"photographs are not kept decoded, but read from their files: {_why(error)}; "
                    f"SKNAS_CACHE_DIR names another folder than {base}"
                )
    rows = {Path(r.name): r for r in _Pass(folder, side, 0, None).rows([*files.values()], damaged)}
    return PhotoCache(side, _ordered(paths, damaged), rows, None, None)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _opened(read: _Pass, files: dict[Path, Row], damaged: dict[Path, str]) -> PhotoCache:
    room = read.room
    assert room is not None
    rows = _known(room, files, read.limit)
    if len(rows) < len(files):
        with _only_builder(room, read.folder):
            _tidy(room, read.limit)
            rows = _known(room, files, read.limit)  # another process may have read them meanwhile
            todo = [row for path, row in files.items() if path not in rows]
            for row in read.rows(todo, damaged):
                rows[Path(row.name)] = row
    try:
        mapped = _mapped(room, rows) if read.limit else None
    except OSError as error:
        say(f"{read.folder}: the cache {room.path} is gone ({_why(error)}); files are read instead")
        mapped = None
    return PhotoCache(read.side, _ordered([*files], damaged), rows, mapped, room)


def _stat(paths: Sequence[Path]) -> tuple[dict[Path, Row], dict[Path, str]]:
    files, damaged = {}, {}
    for path in paths:
        try:
            found = os.stat(path)
        except OSError as error:
            damaged[path] = error.strerror or str(error)
        else:
            if stat.S_ISREG(found.st_mode):
                files[path] = Row(str(path), found.st_size, found.st_mtime_ns)
            else:  # reading a pipe may never end
                damaged[path] = "not a plain file"
    return files, damaged


def _ordered(paths: Sequence[Path], damaged: dict[Path, str]) -> dict[Path, str]:
    first = {path: damaged[path] for path in paths if path in damaged}
    return first | damaged


def _known(room: Room, files: Mapping[Path, Row], limit: int) -> dict[Path, Row]:
    """The rows of files that are as they were when they were read."""
    rows = read_rows(room.index, room.pixels)
    allowed = room.bytes_allowed(limit) if any(row.offset < 0 for row in rows.values()) else 0
    known = {}
    for path, file in files.items():
        row = rows.get(file.name)
        same = row is not None and (row.size, row.mtime_ns) == (file.size, file.mtime_ns)
        # What did not fit is tried again when there is clearly more room.
        if same and row is not None and (row.offset >= 0 or allowed <= 1.1 * row.limit + MORE):
            known[path] = row
    return known


@contextmanager
def _only_builder(room: Room, folder: Path) -> Iterator[None]:
    lock = FileLock(room.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{folder}: another process reads these photographs; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _tidy(room: Room, limit: int) -> None:
    """Begin anew when most pixels are of files that have changed, or more than is allowed by now."""
    rows = read_rows(room.index, room.pixels).values()
    stop = max((row.stop for row in rows), default=0)
    alive = sum(row.stop - max(row.offset, 0) for row in rows)
    if stop > 2 * alive or 0 < limit < stop:
        # Processes that have mapped the old file keep it.
        room.index.unlink(missing_ok=True)
        room.pixels.unlink(missing_ok=True)


def _mapped(room: Room, rows: Mapping[Path, Row]) -> NDArray[np.uint8] | None:
    if all(row.offset < 0 for row in rows.values()):
        return None
    with room.pixels.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


@dataclass(frozen=True)
class _Pass:
    """One pass over photographs: reads each, and keeps its pixels as far as there is room.

    Attributes:
        folder: For messages.
        side: Pixels to which the shorter side is reduced.
        limit: Bytes of all caches together.
        room: Where the pixels go; None: they are not kept.
    """

    folder: Path
    side: int
    limit: int
    room: Room | None

    def rows(self, todo: Sequence[Row], damaged: dict[Path, str]) -> Iterator[Row]:
        """The rows of the photographs that can be read; the others are added to ``damaged``."""
        if not todo:
            return
        progress = ReadingProgress(self.folder, len(todo))
        keeper = _Keeper(self.room, self.limit) if self.room is not None else None
        try:
            for row, pixels in self._read(todo):
                progress.advance()
                if isinstance(pixels, PhotoError):
                    damaged[Path(row.name)] = pixels.reason
                else:
                    yield row if keeper is None else keeper.keep(row, pixels)
        finally:
            stored = None if keeper is None else keeper.close()
            progress.end(stored)
        if keeper is not None and keeper.left_out:
            say(
                f"{self.folder}: {keeper.left_out:,} of {len(todo):,} photographs are not kept decoded "
                f"({keeper.reason}); they are read from their files"
            )

    def _read(self, todo: Sequence[Row]) -> Iterator[tuple[Row, NDArray[np.uint8] | PhotoError]]:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        threads = cores or 1
        begun: deque[tuple[Row, Future[NDArray[np.uint8] | PhotoError]]] = deque()
        with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            try:
                for row in todo:
                    begun.append((row, pool.submit(self._pixels, row)))
                    if len(begun) > AHEAD * threads:
                        first, future = begun.popleft()
                        yield first, future.result()
                while begun:
                    first, future = begun.popleft()
                    yield first, future.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _pixels(self, row: Row) -> NDArray[np.uint8] | PhotoError:
        try:
            return PhotoFiles(self.side).pixels(Path(row.name))
        except PhotoError as error:
            return error


class _Keeper:
    """Writes pixels into the cache until it is full.

    Args:
        room: Of the cache.
        limit: Bytes of all caches together.

    Raises:
        OSError: The cache cannot be written.
    """

    def __init__(self, room: Room, limit: int) -> None:
        rows = read_rows(room.index, room.pixels).values()
        stop = max((row.stop for row in rows), default=0)
        self._room = room
        self._limit = limit
        self._writer: PhotoWriter | None = PhotoWriter(room.index, room.pixels, stop)
        self._allowed = room.bytes_allowed(limit)
        self._added = 0
        self.left_out = 0
        self.reason = ""

    def keep(self, row: Row, pixels: NDArray[np.uint8]) -> Row:
        """The row of a photograph that was read."""
        row = row._replace(limit=max(0, self._allowed))
        if self._writer is None:
            self.left_out += 1
            return row
        try:
            fits = self._limit > 0 and self._has_room(pixels.nbytes)
            if self._limit > 0 and not fits:
                self.left_out += 1
                self.reason = self.reason or self._why_full(pixels.nbytes)
            kept = self._writer.add(row, pixels if fits else None)
            self._added += 1
            if self._added % FLUSH_EVERY == 0:
                self._writer.flush()
                self._allowed = self._room.bytes_allowed(self._limit)
        except OSError as error:
            self.left_out += 1
            self.reason = f"the cache cannot be written: {_why(error)}"
            self.close()
            return row
        return kept

    def _why_full(self, size: int) -> str:
        if self._room.free() < size:
            return f"less than {LEAST_FREE / 1e9:g} GB of the disk is free"
        return f"the cache of {self._limit / 1e9:g} GB is full"

    def _has_room(self, size: int) -> bool:
        assert self._writer is not None
        while self._writer.stop + size > self._allowed:
            if not self._room.remove_oldest():
                return False
            self._allowed = self._room.bytes_allowed(self._limit)
        return True

    def close(self) -> int:
        """Finish the files; gives the bytes of pixels that they have."""
        writer, self._writer = self._writer, None
        if writer is None:
            return 0
        try:
            writer.flush()
        except OSError as error:
            self.reason = self.reason or f"the cache cannot be written: {_why(error)}"
        finally:
            with suppress(OSError):
                writer.close()
        return writer.stop
