"""Trainings as processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

import torch

from nas.runs import TrialFolder, write_text
from nas.search.executors.base import Finished
from nas.training import TrainJob

POLL_SECONDS = 0.1
OUTPUT_TAIL = 10_000


@dataclass(frozen=True)
class _Place:
    process: subprocess.Popen[bytes]
    folder: TrialFolder
    slot: int


class LocalExecutor:
    """``workers`` processes at a time, each with its share of the cores and one GPU when there are any.

    A process ends with its parent: see nas.training.worker.

    Args:
        workers: Places.
        threads: CPU threads of each; None: the cores shared out evenly.
    """

    def __init__(self, workers: int, threads: int | None) -> None:
        self._workers = workers
        self._threads = threads or max(1, _cores() // workers)
        self._gpus = _visible_gpus()
        self._places: dict[int, _Place] = {}

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
        folder = TrialFolder(job.folder)
        job = job.model_copy(update={"threads": self._threads})
        folder.error.unlink(missing_ok=True)
        write_text(folder.job, job.model_dump_json(indent=2) + "\n")
        taken = {place.slot for place in self._places.values()}
        slot = next(slot for slot in range(self._workers) if slot not in taken)
        with folder.output.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "nas.training.worker", str(folder.job)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment(slot),
                # Ctrl-C in a terminal goes to a whole process group; only the parent answers to it.
                start_new_session=True,
            )
        self._places[number] = _Place(process, folder, slot)

    def wait(self, seconds: float) -> list[Finished]:
        """Wait until a job ends, at most ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            ended = [n for n, place in self._places.items() if place.process.poll() is not None]
            if ended or time.monotonic() >= deadline:
                return [_finish(number, self._places.pop(number)) for number in ended]
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End every process that is left. Files appear whole, so there is nothing to ask for first."""
        for place in self._places.values():
            # With the processes that read its images: it leads a group of its own.
            with suppress(ProcessLookupError):
                os.killpg(place.process.pid, signal.SIGKILL)
        for place in self._places.values():
            place.process.wait()
            _close(place)
        self._places.clear()

    def _environment(self, slot: int) -> dict[str, str]:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(self._threads),
            # A file in the user's folder must not stand in for a module of the program.
            "PYTHONSAFEPATH": "1",
        }
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[slot % len(self._gpus)]
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


def _finish(number: int, place: _Place) -> Finished:
    _close(place)
    code = place.process.returncode
    if code == 0:
        return Finished(number, ended_well=True)
    if place.folder.error.is_file():
        lines = place.folder.error.read_text(encoding="utf-8").strip().splitlines()
        return Finished(number, ended_well=False, reason=lines[-1][:300] if lines else "no reason")
    # Killed from outside, or by the kernel for its memory: there was nobody left to write the file.
    reason = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    said = place.folder.output.read_text(encoding="utf-8", errors="replace")[-OUTPUT_TAIL:]
    write_text(place.folder.error, f"{said}\nthe training process was {reason}\n")
    return Finished(number, ended_well=False, reason=reason)


def _close(place: _Place) -> None:
    if place.process.stdin is not None:
        place.process.stdin.close()
