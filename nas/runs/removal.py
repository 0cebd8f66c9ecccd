"""Deleting a run: its folder and its logs, and nothing that lies elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from blocks.errors import InvalidInput
from nas.folders import logs_dir
from nas.runs.folder import RunFolder

OWN_LOGS = re.compile(r"trial_\d{4,}|parent_[0-9a-f]{16}|confirm_\d{4,}-\d+|full")
"""Folders of logs that trainings of a run have made."""

OF_A_FAILURE = (
    *("arch.yaml", "job.json", "error.txt", "output.txt", "owner.json", "metrics.jsonl"),
    *(".lock", ".evaluator.lock"),
)
"""Files in the folder of a training that has completed no epoch."""


def removable_run(name: str) -> RunFolder:
    """The run that may be deleted under ``name``; a damaged one may.

    Raises:
        InvalidInput: There is none, or it is a link.
    """
    run = RunFolder.named(name)
    for path in (run.path, run.config, run.lock):
        if path.is_symlink():
            raise InvalidInput(f"{path}: a link, which is not followed; delete it by hand")
    if not run.config.is_file():
        raise InvalidInput(f"{run.path}: no such run; nas runs lists them")
    return run


def holds_nothing(run: RunFolder) -> bool:
    """Whether no training of ``run`` has left more than its failure."""
    files = [path for path in run.path.glob("*/*/**/*") if not path.is_dir() or path.is_symlink()]
    return all(
        path.name in OF_A_FAILURE and not (path.name == "metrics.jsonl" and path.stat().st_size)
        for path in files
    )


def is_running(run: RunFolder) -> bool:
    """Whether a search, or a full training, of ``run`` is under way on this machine."""
    try:
        with _held(run):
            return False
    except Timeout:
        return True


def remove_run(run: RunFolder, *, logs: bool = True) -> list[Path]:
    """Delete the folder of ``run``, and its logs in lightning_logs/; links are deleted, not followed.

    Args:
        run: The run.
        logs: Whether its logs are deleted, too.

    Returns:
        What was deleted.

    Raises:
        InvalidInput: It is in use.
    """
    gone = run.path.with_name(f".{run.name}.deleted")
    try:
        with _held(run):
            if gone.is_dir() and not gone.is_symlink():
                shutil.rmtree(gone)  # an earlier deletion was interrupted
            run.path.rename(gone)
    except Timeout:
        raise InvalidInput(
            f"{run.path}: in use by another process; end its search or training first"
        ) from None
    (gone / run.config.name).unlink()  # from here on it is no run, whatever interrupts
    shutil.rmtree(gone)
    return [run.path, *(_remove_logs(run) if logs else [])]


@contextmanager
def _held(run: RunFolder) -> Iterator[None]:
    """Hold the run and all its trainings; raises Timeout when another process has one of them."""
    trainings = sorted(run.path.glob("*/*/.lock"))
    locks = [path for path in (run.lock, *trainings) if path.is_file() and not path.is_symlink()]
    with ExitStack() as stack:
        for path in locks:
            stack.enter_context(FileLock(path, timeout=0))
        yield


def _remove_logs(run: RunFolder) -> list[Path]:
    """Delete the logs of the run's trainings; what else lies beside them stays."""
    folder = logs_dir() / run.name
    if not folder.is_dir() or folder.is_symlink():
        return []
    own = [path for path in sorted(folder.iterdir()) if OWN_LOGS.fullmatch(path.name)]
    own = [path for path in own if path.is_dir() and not path.is_symlink()]
    for path in own:
        shutil.rmtree(path)
    if any(folder.iterdir()):
        return own
    folder.rmdir()
    return [folder]
