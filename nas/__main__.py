"""The ``nas`` command, and ``python -m nas``: it answers a request to end from its first moment on."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a request to end, a closed terminal: all are answered alike."""


def run() -> None:
    """Run the command line and end with its exit code."""
    default = (signal.SIG_DFL, signal.default_int_handler)
    # Not those that somebody has ignored, as nohup does.
    answered = [number for number in ENDS if signal.getsignal(number) in default]
    for number in answered:
        signal.signal(number, _end_at_once)
    from nas.cli.console import flushed
    from nas.cli.main import main

    for number in answered:
        signal.signal(number, signal.default_int_handler)
    sys.exit(flushed(main()))


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """End during the imports, which take seconds: an exception would come out of the midst of one."""
    with suppress(OSError):  # the terminal is closed
        os.write(2, b"nas: interrupted\n")
    os._exit(1)


if __name__ == "__main__":
    run()
