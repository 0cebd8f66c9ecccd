"""Training processes that start in a moment: forked from a server that has imported what they need.

The server has done nothing else, so a training knows nothing of those before it. It ends with the
process that started it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess

from nas.errors import WorkFailed
from nas.runs import TrialFolder
from nas.training.worker import train_and_exit

IMPORTED = ("nas.training.worker", "torch.utils.tensorboard", "sklearn")
"""What the server imports, lest each training does: beside the worker, what is imported late."""
SAFE_PATH = "PYTHONSAFEPATH"
ATTEMPTS = 3
ATTEMPT_SECONDS = 0.5
LOST = 255
"""What multiprocessing says of a process whose end it cannot learn, for the server was killed."""

_CONTEXT = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Start the server, unless it runs; returns while it is still importing."""
    _CONTEXT.set_forkserver_preload(["__main__", *IMPORTED])
    before = os.environ.get(SAFE_PATH)
    # A file in the user's folder must not stand in for a module of the program.
    os.environ[SAFE_PATH] = "1"
    try:
        forkserver.ensure_running()
    finally:
        del os.environ[SAFE_PATH]
        if before is not None:
            os.environ[SAFE_PATH] = before


def fork_training(folder: TrialFolder, environment: dict[str, str]) -> ForkServerProcess:
    """A process that trains the job in ``folder``.

    Args:
        folder: Of the trial.
        environment: All environment variables of the process.

    Raises:
        WorkFailed: The server was killed again and again.
    """
    reason: Exception | None = None
    for _ in range(ATTEMPTS):
        start_server()
        arguments = (folder.job, folder.output, environment)
        process = _CONTEXT.Process(target=train_and_exit, args=arguments)
        try:
            process.start()
            return process
        except (EOFError, ConnectionError) as error:
            # The server was killed meanwhile, perhaps for memory; the next attempt starts another.
            reason = error
            time.sleep(ATTEMPT_SECONDS)
    raise WorkFailed(f"no process can be started: {reason}")


def kill_training(process: ForkServerProcess) -> None:
    """Kill a training with the processes that read its images: it leads a group of its own."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # not yet the leader; nothing happens when it is gone
