"""Standard output that may be closed meanwhile."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any


class Outlet:
    """Standard output, which may be a terminal that is closed meanwhile; what is written then is lost.

    Closing a terminal also sends SIGHUP, which ends the program in an orderly way; whoever has that
    ignored (nohup, disown) wants it to continue.
    """

    @property
    def rich_proxied_file(self) -> Outlet:
        """What rich takes in place of this one while a live view has sys.stdout: this one."""
        return self

    @property
    def _stdout(self) -> Any:
        return getattr(sys.stdout, "rich_proxied_file", sys.stdout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stdout, name)

    def write(self, text: str) -> int:
        """Write ``text``, or lose it."""
        try:
            return int(self._stdout.write(text))
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or lose it."""
        try:
            self._stdout.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        if error.errno != errno.EIO:
            raise error
        silence(self._stdout)


def silence(stream: Any) -> None:
    """Let everything written to ``stream`` from now on, what is buffered too, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def flushed(code: int) -> int:
    """``code``, or 1 where the last of the output cannot be written: Python would end with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the terminal is closed, the disk full
            silence(stream)
            code = code or 1
    return code
