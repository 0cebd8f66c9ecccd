"""Fast starts of training processes: they are forked from a server that has imported their modules.

The server does nothing else, so trainings share no state. It ends with the process that started it.
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
from nas.training.waiting import passive_waiting

IMPORTED = ("nas.training.worker", "nas.training.fit", "torch.utils.tensorboard", "sklearn")
"""Modules that the server imports, so that trainings need not: the worker and its late imports."""
SAFE_PATH = "PYTHONSAFEPATH"
ATTEMPTS = 3
ATTEMPT_SECONDS = 0.5
LOST = 255
"""Exit code from multiprocessing for a process whose server was killed."""

_CONTEXT = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Start the server unless it runs; return while it is still importing."""
    _CONTEXT.set_forkserver_preload(list(IMPORTED))
    # A file in the user's folder must not replace a module of the program.
    added = {SAFE_PATH: "1", **passive_waiting()}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        with block_sigint(), without_main():
            forkserver.ensure_running()
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


@contextmanager
def block_sigint() -> Iterator[None]:
    """Block SIGINT in processes that are started in the block; a terminal sends it to them, too.

    They would print a traceback of their imports. Their parent handles the signal and ends them.
    """
    resource_tracker.ensure_running()  # otherwise the first of them starts it, which unblocks signals
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
    """Kill a training and the processes that read its images: it leads its own process group."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # not yet the leader; nothing happens when it is gone
