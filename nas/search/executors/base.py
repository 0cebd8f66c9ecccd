"""What a search asks of whoever runs its trainings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from nas.runs import TrialFolder, write_text
from nas.training import TrainJob
from nas.training.worker import NO_DISK

OUTPUT_TAIL = 10_000


@dataclass(frozen=True)
class Finished:
    """A training that has ended.

    Attributes:
        number: Of the trial.
        ended_well: Whether the process said so; its figures are in the trial's folder.
        reason: Otherwise why not, in one line.
        killed: Whether it was ended from outside; it can go on from its checkpoint.
        no_disk: Whether it could not write. That is no fault of its own: the next one could not either.
    """

    number: int
    ended_well: bool
    reason: str = ""
    killed: bool = False
    no_disk: bool = False


class Executor(Protocol):
    """Runs jobs, each in a process of its own, and says when they end."""

    @property
    def free(self) -> int:
        """Jobs that could be started now."""
        ...

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials in training."""
        ...

    def start(self, number: int, job: TrainJob) -> None:
        """Start the job of trial ``number``; only when there is a free place."""
        ...

    def wait(self, seconds: float) -> list[Finished]:
        """Wait until a job ends, at most ``seconds``; the ended ones, possibly none."""
        ...

    def stop(self) -> None:
        """End every process that is left, and return when they are gone."""
        ...


def hand_over(job: TrainJob, threads: int) -> TrialFolder:
    """Write the job where its process reads it; the folder."""
    folder = TrialFolder(job.folder)
    job = job.model_copy(update={"threads": threads})
    folder.error.unlink(missing_ok=True)
    for unfinished in folder.path.glob(".*.tmp"):  # of a process that was killed in the midst of it
        unfinished.unlink()
    write_text(folder.job, job.model_dump_json(indent=2) + "\n")
    return folder


def ended(number: int, folder: TrialFolder, code: int) -> Finished:
    """What a training process that came to its end has come to, by its exit code."""
    if code == 0:
        return Finished(number, ended_well=True)
    finished = ended_badly(number, folder, f"ended with exit code {code}")
    return replace(finished, no_disk=code == NO_DISK)


def ended_badly(number: int, folder: TrialFolder, reason: str, *, killed: bool = False) -> Finished:
    """A training that ended otherwise than well; why is in its error.txt afterwards, disk permitting.

    Args:
        number: Of the trial.
        folder: Of the trial.
        reason: What became of its process; what that wrote of itself comes before.
        killed: Whether it was ended from outside.
    """
    if folder.error.is_file():
        lines = folder.error.read_text(encoding="utf-8").strip().splitlines()
        return Finished(number, ended_well=False, reason=lines[-1][:300] if lines else "no reason")
    # Killed from outside, or by the kernel for its memory: there was nobody left to write the file.
    said = ""
    with suppress(FileNotFoundError):  # it may have ended before it said anything
        said = folder.output.read_text(encoding="utf-8", errors="replace")[-OUTPUT_TAIL:]
    with suppress(OSError):
        write_text(folder.error, f"{said}\nthe training process was {reason}\n")
    return Finished(number, ended_well=False, reason=reason, killed=killed)
