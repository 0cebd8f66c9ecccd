"""What executors share: how a training is handed over, and what its end means."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from nas.runs import TrialFolder, write_text
from nas.searching.evaluators import Finished
from nas.training import TrainJob, read_metrics
from nas.training.warn import warnings_in
from nas.training.worker import FAULTS, NO_DISK

OUTPUT_TAIL = 10_000
REASON = 1_000
"""Characters of a reason: a path, a line and what is expected fit, in the study too."""


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
        return Finished(number, tuple(read_metrics(folder)), warnings=warnings_in(folder.output))
    finished = ended_badly(number, folder, f"ended with exit code {code}")
    return replace(finished, no_disk=code == NO_DISK, fault=FAULTS.get(code))


def ended_badly(number: int, folder: TrialFolder, reason: str, *, killed: bool = False) -> Finished:
    """A training that ended otherwise than well; why is in its error.txt afterwards, disk permitting.

    Args:
        number: Of the trial.
        folder: Of the trial.
        reason: What became of its process; what that wrote of itself comes before.
        killed: Whether it was ended from outside.
    """
    epochs = tuple(read_metrics(folder))
    if folder.error.is_file():
        lines = folder.error.read_text(encoding="utf-8").strip().splitlines()
        said = lines[-1][:REASON] if lines else "no reason"
        return Finished(number, epochs, ended_well=False, reason=said)
    # Killed from outside, or by the kernel for its memory: there was nobody left to write the file.
    said = ""
    with suppress(FileNotFoundError):  # it may have ended before it said anything
        said = folder.output.read_text(encoding="utf-8", errors="replace")[-OUTPUT_TAIL:]
    with suppress(OSError):
        write_text(folder.error, f"{said}\nthe training process was {reason}\n")
    return Finished(number, epochs, ended_well=False, reason=reason, killed=killed)
