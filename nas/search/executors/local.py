"""Trainings as processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from multiprocessing import connection, forkserver
from multiprocessing.context import ForkServerProcess

import torch

from nas.errors import WorkFailed
from nas.runs import TrialFolder
from nas.search.executors.base import Finished, hand_over, how_it_ended
from nas.training import TrainJob
from nas.training.worker import train_and_exit

IMPORTED = ("nas.training.worker", "torch.utils.tensorboard", "sklearn")
"""What the server imports, lest each training does: beside the worker, what is imported late."""
SAFE_PATH = "PYTHONSAFEPATH"
ATTEMPTS = 3
ATTEMPT_SECONDS = 0.5
LOST = 255
"""What multiprocessing says of a process whose end it cannot learn, for the server was killed."""


@dataclass(frozen=True)
class _Place:
    process: ForkServerProcess
    folder: TrialFolder
    slot: int


class LocalExecutor:
    """``workers`` processes at a time, each with its share of the cores and one GPU when there are any.

    A process ends with its parent: see nas.training.worker. Each is forked from a server that has
    imported what trainings need and has done nothing else, so it starts in a moment and knows nothing
    of the trainings before it.

    Args:
        workers: Places.
        threads: CPU threads of each; None: the cores shared out evenly.
    """

    def __init__(self, workers: int, threads: int | None) -> None:
        self._workers = workers
        self._threads = threads or max(1, _cores() // workers)
        self._gpus = _visible_gpus()
        self._places: dict[int, _Place] = {}
        _start_server()

    @property
    def free(self) -> int:
        """Jobs that could be started now."""
        return self._workers - len(self._places)

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials in training."""
        return tuple(self._places)

    def start(self, number: int, job: TrainJob) -> None:
        """Start the job of trial ``number``."""
        folder = hand_over(job, self._threads)
        taken = {place.slot for place in self._places.values()}
        slot = next(slot for slot in range(self._workers) if slot not in taken)
        process = _forked(folder, self._environment(slot))
        self._places[number] = _Place(process, folder, slot)

    def wait(self, seconds: float) -> list[Finished]:
        """Wait until a job ends, at most ``seconds``."""
        alive = [place.process.sentinel for place in self._places.values()]
        if alive:
            connection.wait(alive, seconds)
        else:
            time.sleep(seconds)
        ended = [n for n, place in self._places.items() if not place.process.is_alive()]
        return [_finish(number, self._places.pop(number)) for number in ended]

    def stop(self) -> None:
        """End every process that is left. Files appear whole, so there is nothing to ask for first."""
        for place in self._places.values():
            _kill(place.process)
        for place in self._places.values():
            place.process.join()
        self._places.clear()

    def _environment(self, slot: int) -> dict[str, str]:
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._threads)}
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[slot % len(self._gpus)]
        return environment


_FORKS = multiprocessing.get_context("forkserver")


def _start_server() -> None:
    """Start the server that trainings are forked from, unless it runs; it ends with this process."""
    _FORKS.set_forkserver_preload(["__main__", *IMPORTED])
    before = os.environ.get(SAFE_PATH)
    # A file in the user's folder must not stand in for a module of the program.
    os.environ[SAFE_PATH] = "1"
    try:
        forkserver.ensure_running()
    finally:
        del os.environ[SAFE_PATH]
        if before is not None:
            os.environ[SAFE_PATH] = before


def _forked(folder: TrialFolder, environment: dict[str, str]) -> ForkServerProcess:
    """A process that trains the job in ``folder``."""
    for attempt in range(ATTEMPTS):
        _start_server()
        process = _FORKS.Process(
            target=train_and_exit, args=(folder.job, folder.output, environment)
        )
        try:
            process.start()
        except (EOFError, ConnectionError) as error:
            # The server was killed meanwhile, perhaps for memory; the next attempt starts another.
            if attempt == ATTEMPTS - 1:
                raise WorkFailed(f"no process can be started: {error}") from error
            time.sleep(ATTEMPT_SECONDS)
        else:
            return process
    raise AssertionError("unreachable")


def _kill(process: ForkServerProcess) -> None:
    """Kill a training with the processes that read its images: it leads a group of its own."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # not yet the leader; nothing happens when it is gone


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _visible_gpus() -> list[str]:
    """Names of the GPUs this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(index) for index in range(count)]


def _finish(number: int, place: _Place) -> Finished:
    code = place.process.exitcode
    if code == LOST:
        _kill(place.process)
    if code is None or code < 0 or code == LOST:
        lost = "lost by its server" if code in (None, LOST) else f"killed by signal {-code}"
        return how_it_ended(number, place.folder, None, lost)
    return how_it_ended(number, place.folder, code)
