"""A run on disk: which file lies where, and how it is written so that a crash cannot tear it."""

from __future__ import annotations

from nas.runs.atomic import check_folders_above, replace_file, write_text
from nas.runs.folder import RunFolder, TrialFolder, checked_name
from nas.runs.records import ERROR, RungResult, TrialRecord, TrialState
from nas.runs.store import Store

__all__ = [
    "ERROR",
    "RunFolder",
    "RungResult",
    "Store",
    "TrialFolder",
    "TrialRecord",
    "TrialState",
    "check_folders_above",
    "checked_name",
    "replace_file",
    "write_text",
]
