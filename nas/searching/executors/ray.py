"""Trainings as tasks of a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from blocks.errors import InvalidInput
from blocks.plugins import VARIABLE
from nas.runs import Store, TrialFolder
from nas.searching.evaluators import Finished
from nas.searching.executors.base import ended, ended_badly, hand_over
from nas.training import TrainJob
from nas.training.begin import print_into
from nas.training.remote import pull, push, sync, train_remotely
from nas.training.worker import main

STOP_SECONDS = 30
CONNECT_SECONDS = 10


class RayExecutor:
    """``workers`` tasks at a time, each in a process of its own on whatever machine has room.

    All machines must see the folder that the search runs in, under the same path, or reach a store for
    checkpoints: a training whose machine is lost continues elsewhere from there. Tasks end
    with the parent; the cluster sees to that.

    Args:
        workers: Tasks at a time; those for which the cluster has no room yet wait.
        threads: CPUs that a task asks for, and its threads; None: 1.
        gpus: GPUs that a task asks for; 0.25: four share one.
        address: Of the cluster (``host:port``); None: that of RAY_ADDRESS, or else one is started here.
        checkpoints: URL of the store; None: all machines see the folder.

    Raises:
        InvalidInput: Ray is not installed, no cluster answers at the address, or no store at the URL.
    """

    def __init__(
        self,
        workers: int,
        threads: int | None,
        gpus: float,
        address: str | None,
        checkpoints: str | None = None,
    ) -> None:
        self._store = None if checkpoints is None else Store.checked(checkpoints)
        self._ray = _connected(address)
        self._workers = workers
        self._threads = threads or 1
        # One call a process: nothing of a training is left for the next.
        as_a_task = self._ray.remote(
            num_cpus=self._threads, num_gpus=gpus, max_retries=0, max_calls=1
        )
        self._train, self._train_remotely = as_a_task(_train), as_a_task(_train_remotely)
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
        plugins = _everywhere(os.environ.get(VARIABLE, ""))
        if self._store is None:
            task = self._train.remote(Path.cwd(), folder.job, folder.output, plugins)
        else:
            attempt = uuid4().hex
            push(job, self._store, attempt)
            job = _anywhere(job, self._threads)
            task = self._train_remotely.remote(job, self._store, attempt, plugins)
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
        if self._store is not None:
            for _, folder in self._tasks.values():
                sync(folder, self._store)
        self._tasks.clear()

    def _finish(self, task: Any) -> Finished:
        number, folder = self._tasks.pop(task)
        if self._store is not None:
            pull(folder, self._store)
        errors = self._ray.exceptions
        try:
            code = self._ray.get(task)
        except errors.RayTaskError as error:
            # It was never begun: the program is missing on that machine, say.
            return ended_badly(number, folder, f"refused: {str(error).strip().splitlines()[-1]}")
        except errors.RayError as error:
            lost = f"lost: {type(error).__name__}"
            return ended_badly(number, folder, lost, killed=True)
        return ended(number, folder, code)


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
        with _own_signals():
            ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise InvalidInput(f"ray_address: no cluster at {where or 'hand'}: {reason}") from None
    return ray


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the answers to signals: Ray's own would abort this process when it is asked to end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # nobody sets any here, Ray neither
        return
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in ends}
    try:
        yield
    finally:
        for number, answer in before.items():
            if answer is not None:
                signal.signal(number, answer)


def _check_answers(address: str) -> None:
    """Raise OSError when nobody listens at ``host:port``, which Ray would try to reach for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _anywhere(job: TrainJob, threads: int) -> TrainJob:
    """The job for a machine where it does not start in the folder that the search runs in."""
    data = job.data
    if data.data_dir is not None:
        data = data.model_copy(update={"data_dir": str(Path(data.data_dir).absolute())})
    return job.model_copy(update={"data": data, "threads": threads})


def _everywhere(plugins: str) -> str:
    """Paths of plugins for a process that does not start in the folder that the search runs in."""
    return os.pathsep.join(
        str(Path(one).expanduser().absolute()) for one in plugins.split(os.pathsep) if one
    )


def _train_remotely(job: TrainJob, store: Store, attempt: str, plugins: str) -> int:
    """In a process of the cluster that does not see the parent's folder."""
    os.environ[VARIABLE] = plugins
    return train_remotely(job, store, attempt)


def _train(folder: Path, job_file: Path, output: Path, plugins: str) -> int:
    """In a process of the cluster; ``folder`` and ``plugins`` are the parent's."""
    os.chdir(folder)
    os.environ[VARIABLE] = plugins
    print_into(output)
    return main(job_file)
