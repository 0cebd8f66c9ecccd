"""Trainings as tasks of a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
import time
from pathlib import Path
from typing import Any

from blocks.errors import InvalidInput
from nas.runs import TrialFolder
from nas.search.executors.base import Finished, ended_badly, hand_over
from nas.training import TrainJob
from nas.training.worker import main, print_into

STOP_SECONDS = 30
CONNECT_SECONDS = 10


class RayExecutor:
    """``workers`` tasks at a time, each in a process of its own on whatever machine has room.

    All machines must see the folder that the search runs in, under the same path: a training whose
    machine is lost goes on elsewhere from its checkpoint there. Tasks end with the parent; the cluster
    sees to that.

    Args:
        workers: Tasks at a time; those for which the cluster has no room yet wait.
        threads: CPUs that a task asks for, and its threads; None: 1.
        gpus: GPUs that a task asks for; 0.25: four share one.
        address: Of the cluster (``host:port``); None: that of RAY_ADDRESS, or else one is started here.

    Raises:
        InvalidInput: Ray is not installed, or no cluster answers at the address.
    """

    def __init__(self, workers: int, threads: int | None, gpus: float, address: str | None) -> None:
        self._ray = _connected(address)
        self._workers = workers
        self._threads = threads or 1
        # One call a process: nothing of a training is left for the next.
        self._train = self._ray.remote(
            num_cpus=self._threads, num_gpus=gpus, max_retries=0, max_calls=1
        )(_train)
        self._tasks: dict[Any, tuple[int, TrialFolder]] = {}

    @property
    def free(self) -> int:
        """Jobs that could be started now."""
        return self._workers - len(self._tasks)

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials in training."""
        return tuple(number for number, _ in self._tasks.values())

    def start(self, number: int, job: TrainJob) -> None:
        """Start the job of trial ``number``."""
        folder = hand_over(job, self._threads)
        task = self._train.remote(Path.cwd(), folder.job, folder.output)
        self._tasks[task] = number, folder

    def wait(self, seconds: float) -> list[Finished]:
        """Wait until a job ends, at most ``seconds``."""
        if not self._tasks:
            time.sleep(seconds)
            return []
        ended, _ = self._ray.wait(list(self._tasks), timeout=seconds)
        return [self._finish(task) for task in ended]

    def stop(self) -> None:
        """End every task that is left."""
        for task in self._tasks:
            self._ray.cancel(task, force=True)
        if self._tasks:
            self._ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=STOP_SECONDS)
        self._tasks.clear()

    def _finish(self, task: Any) -> Finished:
        number, folder = self._tasks.pop(task)
        errors = self._ray.exceptions
        try:
            code = self._ray.get(task)
        except errors.RayTaskError as error:
            # It was never begun: the program is missing on that machine, say.
            return ended_badly(number, folder, f"refused: {str(error).strip().splitlines()[-1]}")
        except errors.RayError as error:
            lost = f"lost: {type(error).__name__}"
            return ended_badly(number, folder, lost, killed=True)
        if code == 0:
            return Finished(number, ended_well=True)
        return ended_badly(number, folder, f"ended with exit code {code}")


def _connected(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise InvalidInput("executor ray: Ray is not installed; pip install 'sknas[ray]'") from None
    if ray.is_initialized():
        return ray
    where = address or os.environ.get("RAY_ADDRESS")
    try:
        if where is not None:
            _check_answers(where)
        ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise InvalidInput(f"ray_address: no cluster at {where or 'hand'}: {reason}") from None
    return ray


def _check_answers(address: str) -> None:
    """Raise OSError when nobody listens at ``host:port``, which Ray would try to reach for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _train(folder: Path, job_file: Path, output: Path) -> int:
    """In a process of the cluster; ``folder`` is the parent's."""
    os.chdir(folder)
    print_into(output)
    return main(job_file)
