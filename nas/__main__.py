"""The ``nas`` command, and ``python -m nas``: it answers a request to end from its first moment on."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import FrameType

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a request to end, a closed terminal: all are answered alike."""
SAME_REQUEST_SECONDS = 1.0
"""``timeout`` asks a process and then its group, so does a terminal that closes: that is one request."""


class Interrupt:
    """Answers the first request in order, by KeyboardInterrupt, and a later one at once."""

    def __init__(self) -> None:
        self._first: float | None = None
        self.at_once = False
        """Whether the first one is answered at once, too: see ``nas.api.importing``."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Answer a signal."""
        if self.at_once:
            _end_at_once(number, frame)
        now = time.monotonic()
        if self._first is None:
            self._first = now
            raise KeyboardInterrupt
        if now - self._first > SAME_REQUEST_SECONDS:
            _end_at_once(number, frame)


def run() -> None:
    """Run the command line and end with its exit code."""
    default = (signal.SIG_DFL, signal.default_int_handler)
    # Not those that somebody has ignored, as nohup does.
    answered = [number for number in ENDS if signal.getsignal(number) in default]
    for number in answered:
        signal.signal(number, _end_at_once)
    # Registered first, it runs last; after it Python would restore what ends a process by the signal.
    atexit.register(_answer_no_more, answered)
    from nas.cli.main import main
    from nas.cli.output import flushed

    interrupt = Interrupt()
    for number in answered:
        signal.signal(number, interrupt)
    try:
        code = flushed(main())
    except KeyboardInterrupt:  # its last words were being said
        code = 1
    for number in answered:  # all is done and said but what Python clears away
        signal.signal(number, partial(_leave, code))
    sys.exit(code)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """End without clearing up: in the midst of imports, or for somebody who asks again."""
    with suppress(OSError):  # the terminal is closed
        os.write(2, b"nas: interrupted\n")
    os._exit(1)


def _answer_no_more(numbers: Sequence[int]) -> None:
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _leave(code: int, number: int, frame: FrameType | None) -> None:
    os._exit(code)


if __name__ == "__main__":
    run()
