"""Trainings as processes of this machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import ForkServerProcess

import torch

from nas.runs import TrialFolder
from nas.searching.evaluators import Finished
from nas.searching.executors.base import ended, ended_badly, hand_over
from nas.training import TrainJob
from nas.training.fork_server import LOST, fork_process, kill_process, start_server
from nas.training.worker import train_and_exit


@dataclass(frozen=True)
class _WorkerSlot:
    process: ForkServerProcess
    folder: TrialFolder
    index: int


class LocalExecutor:
    """``workers`` processes at a time, each with its share of the cores and one GPU when there are any.

    A process ends with its parent: see nas.training.worker.

    Args:
        workers: Worker slots.
        threads: CPU threads of each; None: the cores shared out evenly.
    """

    def __init__(self, workers: int, threads: int | None) -> None:
        self._workers = workers
        self._threads = threads or max(1, _cores() // workers)
        self._gpus = _visible_gpus()
        self._slots: dict[int, _WorkerSlot] = {}
        start_server()

    @property
    def free(self) -> int:
        """Jobs that could be started now."""
        return self._workers - len(self._slots)

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials in training."""
        return tuple(self._slots)

    def start(self, number: int, job: TrainJob) -> None:
        """Start the job of trial ``number``."""
        folder = hand_over(job, self._threads)
        taken = {slot.index for slot in self._slots.values()}
        index = next(index for index in range(self._workers) if index not in taken)
        arguments = (folder.job, folder.output, self._environment(index))
        process = fork_process(train_and_exit, arguments)
        self._slots[number] = _WorkerSlot(process, folder, index)

    def wait(self, seconds: float) -> list[Finished]:
        """Wait until a job ends, at most ``seconds``."""
        alive = [slot.process.sentinel for slot in self._slots.values()]
        if alive:
            connection.wait(alive, seconds)
        else:
            time.sleep(seconds)
        ended = [n for n, slot in self._slots.items() if not slot.process.is_alive()]
        return [_finish(number, self._slots.pop(number)) for number in ended]

    def stop(self) -> None:
        """End every process that is left. Files appear whole, so there is nothing to ask for first."""
        for slot in self._slots.values():
            kill_process(slot.process)
        for slot in self._slots.values():
            slot.process.join()
        self._slots.clear()

    def _environment(self, index: int) -> dict[str, str]:
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._threads)}
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[index % len(self._gpus)]
        return environment


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


def _finish(number: int, slot: _WorkerSlot) -> Finished:
    code = slot.process.exitcode
    assert code is not None
    if code == LOST:
        kill_process(slot.process)
        return ended_badly(number, slot.folder, "lost by its server", killed=True)
    if code < 0:
        return ended_badly(number, slot.folder, f"killed by signal {-code}", killed=True)
    return ended(number, slot.folder, code)
