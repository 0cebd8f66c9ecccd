"""Lines about data, recipe and export, such as which photographs are not read, on standard error."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress


class _OnStandardError(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # the terminal is closed
            print(record.getMessage(), file=sys.stderr)


def show_notices() -> None:
    """Print what is said on the way, unless the program has its own handlers of logs."""
    for name in ("nas.data", "nas.recipe", "nas.export"):
        log = logging.getLogger(name)
        if not log.hasHandlers():
            log.setLevel(logging.INFO)
            log.addHandler(_OnStandardError())
            # A converter may give the root a handler of its own, which would say it again.
            log.propagate = False
