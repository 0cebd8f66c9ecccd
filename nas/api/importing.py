"""What a command imports when it runs, and how a request to end is answered meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def importing() -> Iterator[None]:
    """While this is entered, Ctrl-C and its like end the program at once.

    An exception in the midst of an import may be swallowed, or leave a half-made module. Nothing is
    written yet, so there is nothing to clear up.
    """
    handlers = map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    # nas.__main__.Interrupt, which cannot be imported here
    answered: list[Any] = [one for one in handlers if hasattr(one, "at_once")]
    for one in answered:
        one.at_once = True
    try:
        yield
    finally:
        for one in answered:
            one.at_once = False
