"""Which photographs a cache holds, and where: one line of JSON per photograph."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CHANNELS = 3


class Row(NamedTuple):
    """A photograph that was read without an error.

    Attributes:
        name: Its file.
        size: Bytes of the file.
        mtime_ns: Time of its last change.
        offset: Where its pixels begin in the file of pixels; -1: they are not kept.
        height: Of the pixels.
        width: Of the pixels.
        limit: Bytes that the file of pixels was allowed to have at that time.
    """

    name: str
    size: int
    mtime_ns: int
    offset: int = -1
    height: int = 0
    width: int = 0
    limit: int = 0

    @property
    def stop(self) -> int:
        """Where its pixels end; 0 if they are not kept."""
        return 0 if self.offset < 0 else self.offset + self.height * self.width * CHANNELS


def read_rows(index: Path, pixels: Path) -> dict[str, Row]:
    """The rows of an index by name, the last of each; without those that were not written in full."""
    try:
        lines = index.read_text(encoding="utf-8").splitlines()
        length = pixels.stat().st_size
    except OSError:
        return {}
    rows = {}
    for line in lines:
        try:
            row = Row(*json.loads(line))
        except (ValueError, TypeError):
            continue  # the process was killed while it wrote
        if row.stop <= length:
            rows[row.name] = row
    return rows


class PhotoWriter:
    """Appends photographs to a cache; only one process at a time may.

    What is written is complete up to the last ``flush``, whatever happens to the process.

    Args:
        index: File of rows.
        pixels: File of pixels.
        stop: Where the pixels of the rows end; what lies behind was not written in full.

    Raises:
        OSError: The files cannot be written.
    """

    def __init__(self, index: Path, pixels: Path, stop: int) -> None:
        self._index = index.open("a+b")
        try:
            self._pixels = pixels.open("ab")
            self._pixels.truncate(stop)
        except OSError:
            self._index.close()
            raise
        self.stop = stop
        self._rows: list[Row] = []
        if self._index.tell():
            self._index.write(b"\n")  # a line that was torn ends here

    def add(self, row: Row, pixels: NDArray[np.uint8] | None) -> Row:
        """Append a photograph (H, W, 3), or without pixels that it can be read.

        Raises:
            OSError: The disk is full.
        """
        if pixels is not None:
            self._pixels.write(np.ascontiguousarray(pixels).data)
            row = row._replace(offset=self.stop, height=pixels.shape[0], width=pixels.shape[1])
            self.stop = row.stop
        self._rows.append(row)
        return row

    def flush(self) -> None:
        """Write everything to the disk, the pixels before the rows.

        Raises:
            OSError: The disk is full.
        """
        rows, self._rows = self._rows, []
        self._pixels.flush()
        os.fsync(self._pixels.fileno())
        self._index.write(_lines(rows))
        self._index.flush()

    def close(self) -> None:
        """Close the files.

        Raises:
            OSError: The disk is full.
        """
        try:
            self._pixels.close()
        finally:
            self._index.close()


def _lines(rows: Iterable[Sequence[object]]) -> bytes:
    # ASCII: the name of a file need not be text, and JSON escapes what is not.
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode("ascii")
