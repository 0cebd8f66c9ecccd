"""Training processes that start in a moment: forked from a server that has imported what they need.

The server has done nothing else, so a training knows nothing of those before it. It ends with the
process that started it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from typing import Any

from nas.errors import WorkFailed
from nas.plugins import without_main

IMPORTED = ("nas.training.worker", "nas.training.fit", "torch.utils.tensorboard", "sklearn")
"""What the server imports, lest each training does: beside the worker, what is imported late."""
SAFE_PATH = "PYTHONSAFEPATH"
ATTEMPTS = 3
ATTEMPT_SECONDS = 0.5
LOST = 255
"""What multiprocessing says of a process whose end it cannot learn, for the server was killed."""

_CONTEXT = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Start the server, unless it runs; returns while it is still importing."""
    _CONTEXT.set_forkserver_preload(list(IMPORTED))
    before = os.environ.get(SAFE_PATH)
    # A file in the user's folder must not stand in for a module of the program.
    os.environ[SAFE_PATH] = "1"
    try:
        with block_sigint(), without_main():
            forkserver.ensure_running()
    finally:
        del os.environ[SAFE_PATH]
        if before is not None:
            os.environ[SAFE_PATH] = before


@contextmanager
def block_sigint() -> Iterator[None]:
    """Processes that are started meanwhile do not hear Ctrl-C, which a terminal sends to them too.

    They would be importing, and print where. Their parent hears it, and ends them.
    """
    resource_tracker.ensure_running()  # else the first of them starts it, and that unblocks signals
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def fork_process(target: Callable[..., Any], arguments: tuple[Any, ...]) -> ForkServerProcess:
    """A process that calls ``target`` with ``arguments``.

    Raises:
        WorkFailed: The server was killed again and again.
    """
    reason: Exception | None = None
    for _ in range(ATTEMPTS):
        start_server()
        process = _CONTEXT.Process(target=target, args=arguments)
        try:
            with without_main():
                process.start()
            return process
        except (EOFError, ConnectionError) as error:
            # The server was killed meanwhile, perhaps for memory; the next attempt starts another.
            reason = error
            time.sleep(ATTEMPT_SECONDS)
    raise WorkFailed(f"no process can be started: {reason}")


def kill_process(process: ForkServerProcess) -> None:
    """Kill a training with the processes that read its images: it leads a group of its own."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # not yet the leader; nothing happens when it is gone
