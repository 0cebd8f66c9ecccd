"""The training process.

It reads one job, trains it, and exits with 0; or writes error.txt beside the job and exits with 1. It
never touches the study. When its parent is gone, however it went, the process ends itself, so that no
orphan trains on while a resumed search trains the same trial.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from blocks.errors import InvalidInput
from nas.runs import TrialFolder, write_text
from nas.training.fit import fit
from nas.training.job import TrainJob

LOCK_SECONDS = 30
"""How long an earlier process of the same trial, left by a killed parent, may take to end."""


def main(job_file: Path) -> int:
    """Train the job in ``job_file``; returns the exit code."""
    folder = TrialFolder(job_file.parent)
    try:
        job = TrainJob.model_validate_json(job_file.read_text(encoding="utf-8"))
        fit(job, lock_seconds=LOCK_SECONDS)
    except InvalidInput as error:
        write_text(folder.error, f"{error}\n")
        return 1
    except BaseException:
        # KeyboardInterrupt and SystemExit too: whatever ended the training belongs into the file.
        write_text(folder.error, traceback.format_exc())
        return 1
    return 0


def print_into(output: Path) -> None:
    """Append whatever this process prints to a file, however it is printed."""
    with output.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())


def train_and_exit(job_file: Path, output: Path, environment: Mapping[str, str]) -> NoReturn:
    """The whole life of a training process; for multiprocessing, which calls it in a new one.

    Args:
        job_file: Of the training.
        output: File that what it prints is appended to.
        environment: All its environment variables.
    """
    # Ctrl-C in a terminal goes to a whole process group; only the parent answers to it.
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    print_into(output)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(job_file))


def _end_with_parent() -> None:
    """Wait for the parent's end, then leave at once; a checkpoint is never half-written."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
