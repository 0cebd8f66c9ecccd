"""What a person sees while photographs are read for the first time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

SILENT_SECONDS = 2.0
"""A pass that is over before is not mentioned."""

_SHOWN = ContextVar("shown", default=True)


@contextmanager
def show_reading(*, show: bool) -> Iterator[None]:
    """Whether passes over photographs are shown within the block."""
    token = _SHOWN.set(show)
    try:
        yield
    finally:
        _SHOWN.reset(token)


def say(text: str) -> None:
    """One line, for a person, beside the output of the program."""
    if _SHOWN.get():
        print(text, file=sys.stderr, flush=True)


@cache
def say_once(text: str) -> None:
    """One line, the first time in this process."""
    say(text)


class ReadingProgress:
    """A progress bar on a terminal; elsewhere one line at the beginning and one at the end.

    Args:
        folder: Of the photographs.
        total: Photographs to read.
    """

    def __init__(self, folder: Path, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as TimeLeft

        self._folder = folder
        self._total = total
        self._begin = time.monotonic()
        self._said = False
        console = Console(stderr=True)
        self._bar = None
        if _SHOWN.get() and console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TimeLeft())
            text = TextColumn("reading photographs once")
            self._bar = Progress(text, *columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=total)

    def advance(self) -> None:
        """One more photograph was read."""
        if self._bar is not None:
            self._bar.advance(self._task)
        if not self._said and time.monotonic() - self._begin > SILENT_SECONDS:
            self._said = True
            if self._bar is not None:
                self._bar.start()
            else:
                say(f"{self._folder}: reading {self._total:,} photographs once")

    def end(self, stored: int | None) -> None:
        """The pass is over, also after an error.

        Args:
            stored: Bytes in the cache; None: no cache is used.
        """
        if self._bar is not None:
            self._bar.stop()
        if self._said:
            seconds = time.monotonic() - self._begin
            kept = "" if stored is None else f"; {stored / 1e9:.2f} GB are kept in the cache"
            say(f"{self._folder}: read {self._total:,} photographs in {seconds:.0f} s{kept}")
