"""fvcore's count of a network: the reference counter of the closed form.

fvcore traces the network (`torch.jit`), and tracing leaks memory (pytorch issue 86537; measured with
torch 2.14: about 0.4 MB per trace, and 200 MB at the first). It therefore runs in a child process, which
is replaced after a number of traces.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType

from blocks.spec import ArchSpec
from nas.cost.fvcore_trace import FvcoreCount, serve
from nas.errors import WorkFailed
from nas.plugins import without_main

TIMEOUT = 120.0
"""Seconds that one count may take, including the start of the process (about 5 s)."""

TRACES_PER_PROCESS = 100
"""Limits the leaked memory to tens of megabytes; a new process takes seconds to start."""


class ReferenceCounterError(WorkFailed):
    """fvcore gave no count; the message names the network and the reason."""


class FvcoreCounter:
    """Counts many networks in one child process, which is replaced after a number of traces.

    Use it in a ``with`` statement: the child ends with the block. Threads must not share it.

    Args:
        traces_per_process: Counts until the child is replaced, default 100.
        timeout: Seconds that one count may take, default 120.
    """

    def __init__(
        self, *, traces_per_process: int = TRACES_PER_PROCESS, timeout: float = TIMEOUT
    ) -> None:
        self._traces_per_process = traces_per_process
        self._timeout = timeout
        self._traces = 0
        self._child: tuple[SpawnProcess, Connection] | None = None

    def __enter__(self) -> FvcoreCounter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def count(self, spec: ArchSpec) -> FvcoreCount:
        """Count ``spec`` for one image, in evaluation mode.

        Raises:
            ReferenceCounterError: The count failed, took longer than the timeout, or its process died.
                The next count starts a new process.
        """
        if self._traces >= self._traces_per_process:
            self._stop()
        process, connection = self._child or self._start()
        self._traces += 1
        try:
            connection.send(spec)
            if not connection.poll(self._timeout):
                raise ReferenceCounterError(
                    f"fvcore gave no count of {spec.key} in {self._timeout:g} s"
                )
            answer = connection.recv()
        except (EOFError, OSError):
            process.join(self._timeout)
            code = process.exitcode
            self._stop()
            raise ReferenceCounterError(
                f"fvcore's process died at {spec.key} with exit code {code}"
            ) from None
        except BaseException:
            # Also for Ctrl-C: a count that is still to come must not be taken for that of the next spec.
            self._stop()
            raise
        if isinstance(answer, FvcoreCount):
            return answer
        raise ReferenceCounterError(f"fvcore cannot count {spec.key}: {answer}")

    def _start(self) -> tuple[SpawnProcess, Connection]:
        # Not forked: a forked child inherits the threads' locks and the memory of its parent.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), name="fvcore", daemon=True)
        with without_main():
            process.start()
        # Once only the child holds its end, its death reads as the end of the pipe.
        theirs.close()
        self._child = process, ours
        return self._child

    def _stop(self) -> None:
        if self._child is not None:
            process, connection = self._child
            connection.close()
            process.kill()
            process.join()
        self._child, self._traces = None, 0


def fvcore_count(spec: ArchSpec, *, timeout: float = TIMEOUT) -> FvcoreCount:
    """Count one network with fvcore, in a process of its own; see FvcoreCounter for many.

    The process is spawned, and does not run the script that calls this.

    Args:
        spec: The network.
        timeout: Seconds until the process is stopped, default 120.

    Raises:
        ReferenceCounterError: The count failed, took longer than the timeout, or its process died.
    """
    with FvcoreCounter(timeout=timeout) as reference_counter:
        return reference_counter.count(spec)
