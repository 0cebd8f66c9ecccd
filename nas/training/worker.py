"""The training process.

It reads one job, trains it, and exits with 0; or it writes error.txt beside the job and exits with
another code. It never opens the study. The process ends itself when its parent ends for any reason, so
that no orphan trains while a resumed search trains the same trial.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from blocks.errors import InvalidInput
from nas.errors import WorkFailed
from nas.plugins import PluginFault, PluginRaised
from nas.runs import TrialFolder, write_text
from nas.training.begin import begin_process
from nas.training.evaluate import evaluate
from nas.training.genuine import cannot_write
from nas.training.job import EpochMetrics, TrainJob

NO_DISK = 74
"""Exit code of a training that could not write (sysexits.h): other trainings could not either."""
FAULTS: Mapping[int, type[PluginFault]] = {78: PluginFault, 70: PluginRaised}
"""Exit codes of a training whose plug-in is at fault, and what it raised."""
LOCK_SECONDS = 30
"""Seconds that an earlier process of the same trial, left by a killed parent, may take to end."""


def main(job_file: Path, on_epoch: Callable[[EpochMetrics], None] | None = None) -> int:
    """Train the job in ``job_file``; returns the exit code: 0, ``NO_DISK``, one of ``FAULTS``, or 1.

    Args:
        job_file: As ``hand_over`` wrote it.
        on_epoch: Called at the end of every epoch; what it raises ends the training.
    """
    folder = TrialFolder(job_file.parent)
    try:
        job = TrainJob.model_validate_json(job_file.read_text(encoding="utf-8"))
        evaluate(job, on_epoch, lock_seconds=LOCK_SECONDS)
    except (InvalidInput, WorkFailed) as error:
        _leave(folder, f"{error}\n")
        return next((code for code, kind in FAULTS.items() if type(error) is kind), 1)
    except BaseException as error:
        # KeyboardInterrupt and SystemExit too: the file records any reason for the end.
        _leave(folder, traceback.format_exc())
        return NO_DISK if cannot_write(error) else 1
    return 0


def _leave(folder: TrialFolder, reason: str) -> None:
    """Write error.txt, if the disk takes it."""
    with suppress(OSError):
        write_text(folder.error, reason)


def train_and_exit(job_file: Path, output: Path, environment: Mapping[str, str]) -> NoReturn:
    """The main function of a training process, for multiprocessing.

    Args:
        job_file: The job of the training.
        output: File to which its output is appended.
        environment: All its environment variables.
    """
    begin_process(output, environment)
    sys.exit(main(job_file))
