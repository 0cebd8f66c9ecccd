"""Records which process trains in a folder, and ends one that outlived its parent.

A training ends itself with its parent. A suspended training (SIGSTOP, a frozen container) cannot: it
would resume beside the process that has replaced it.
"""

from __future__ import annotations

import platform
from contextlib import suppress

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from nas.runs import TrialFolder, write_text

SECONDS = 10
"""Seconds that a killed process may take to end."""


class Owner(BaseModel):
    """A process, so that another one that was given its number is not taken for it.

    Attributes:
        host: Name of its machine.
        pid: Its number there.
        started: When, in seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    pid: int
    started: float


def note_owner(folder: TrialFolder) -> None:
    """Note that this process trains in ``folder``; it must hold the folder's lock."""
    this = psutil.Process()
    owner = Owner(host=platform.node(), pid=this.pid, started=this.create_time())
    write_text(folder.owner, owner.model_dump_json() + "\n")


def end_owner(folder: TrialFolder) -> bool:
    """Kill the process that trained in ``folder`` last, if it still lives on this machine.

    Only the holder of the run may call it.

    Returns:
        Whether there was such a process.
    """
    try:
        owner = Owner.model_validate_json(folder.owner.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError, UnicodeDecodeError):
        return False
    if owner.host != platform.node():
        return False
    with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        process = psutil.Process(owner.pid)
        if process.create_time() == owner.started:
            process.kill()
            process.wait(SECONDS)
            return True
    return False
