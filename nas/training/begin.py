"""The start of a training process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path


def begin_process(output: Path, environment: Mapping[str, str]) -> None:
    """Detach this process from the terminal, and end it with its parent.

    Call it at the start of a process of multiprocessing.

    Args:
        output: File to which its output is appended.
        environment: All its environment variables.
    """
    # Ctrl-C in a terminal goes to a whole process group; only the parent handles it.
    os.setsid()
    # The server was started with it blocked.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
    os.environ.clear()
    os.environ.update(environment)
    print_into(output)
    end_with_parent()


def print_into(output: Path) -> None:
    """Append all output of this process, also from C++, to a file."""
    with output.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())


def end_with_parent() -> None:
    """From now on this process leaves at once when its parent has ended, however that ended.

    For a process that multiprocessing has made. Files are written whole, so nothing is torn.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
