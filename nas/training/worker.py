"""The training process: ``python -m nas.training.worker JOB.json``.

It reads one job, trains it, and exits with 0; or writes error.txt beside the job and exits with 1. It
never touches the study. Its standard input is a pipe that the parent holds open and never writes to:
when it closes, the parent is gone, however it went, and the process ends itself, so that no orphan
trains on while a resumed search trains the same trial.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from pathlib import Path

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


def _end_with_parent() -> None:
    """Wait for the end of standard input, then leave at once; a checkpoint is never half-written."""
    # Read below Python's buffer, whose lock a daemon thread would still hold when Python ends.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(Path(sys.argv[1])))
