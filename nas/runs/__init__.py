"""A run on disk: which file lies where, and how it is written so that a crash cannot tear it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.runs.atomic import check_folders_above as check_folders_above
    from nas.runs.atomic import replace_file as replace_file
    from nas.runs.atomic import write_text as write_text
    from nas.runs.folder import RunFolder as RunFolder
    from nas.runs.folder import TrialFolder as TrialFolder
    from nas.runs.folder import checked_name as checked_name
    from nas.runs.records import ERROR as ERROR
    from nas.runs.records import RungResult as RungResult
    from nas.runs.records import TrialRecord as TrialRecord
    from nas.runs.records import TrialState as TrialState
    from nas.runs.store import Store as Store

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.runs.atomic": ["check_folders_above", "replace_file", "write_text"],
        "nas.runs.folder": ["RunFolder", "TrialFolder", "checked_name"],
        "nas.runs.records": ["ERROR", "RungResult", "TrialRecord", "TrialState"],
        "nas.runs.store": ["Store"],
    },
)
