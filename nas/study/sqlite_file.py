"""Reads an Optuna study out of a SQLite file without Optuna, which takes most of a second to import.

Only files as the Optuna of today writes them are read here. Of any other file nothing is returned, and
the caller opens it with Optuna, which says what is wrong.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = (12, "v3.2.0.a")
"""Version of Optuna's tables, and their last migration."""
WAIT_SECONDS: Final = 1.0
"""How long a file is waited for that another process is writing. Optuna waits longer."""
METRIC_NAMES: Final = "study:metric_names"
CONSTRAINTS: Final = "constraints"
_NUMBERS: Final = {"INF_POS": math.inf, "INF_NEG": -math.inf}


class FileState(Enum):
    """States of a trial by Optuna's names."""

    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"


@dataclass(frozen=True)
class FileTrial:
    """A trial as the file has it; a ``StoredTrial``.

    Attributes:
        number: From 0.
        state: As Optuna knows it.
        values: One figure per objective; None without.
        user_attrs: Attributes by name.
        constraints: Name of a limit -> by how much it is exceeded.
    """

    number: int
    state: FileState
    values: tuple[float, ...] | None
    user_attrs: dict[str, Any]
    constraints: dict[str, float]


@dataclass(frozen=True)
class FileStudy:
    """A study as the file has it.

    Attributes:
        objectives: How many there are.
        metric_names: Their names; None: they were not noted.
        trials: All trials, by number.
    """

    objectives: int
    metric_names: tuple[str, ...] | None
    trials: tuple[FileTrial, ...]


def read_study(file: Path, name: str) -> FileStudy | None:
    """Read a study; writes nothing.

    Args:
        file: Of SQLite.
        name: Of the study.

    Returns:
        None when it cannot be read here: the file is missing, damaged, locked or of another layout, a
        write was interrupted, or it has no such study.
    """
    address = f"{file.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, WAIT_SECONDS, uri=True)) as database:
            database.execute("BEGIN")  # all is read as it is at one moment
            return _study(database, name)
    except (sqlite3.Error, LookupError, TypeError, ValueError, RecursionError):
        return None


def _study(database: sqlite3.Connection, name: str) -> FileStudy | None:
    layout = "SELECT schema_version, version_num FROM version_info, alembic_version"
    if database.execute(layout).fetchall() != [SCHEMA]:
        return None
    study = database.execute(
        "SELECT study_id FROM studies WHERE study_name = ?", (name,)
    ).fetchone()
    if study is None:
        return None
    directions = database.execute(
        "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", study
    ).fetchall()
    if {direction for (direction,) in directions} != {"MINIMIZE"}:
        return None
    names = database.execute(
        "SELECT value_json FROM study_system_attributes WHERE study_id = ? AND key = ?",
        (*study, METRIC_NAMES),
    ).fetchone()
    return FileStudy(
        objectives=len(directions),
        metric_names=None if names is None else tuple(json.loads(names[0])),
        trials=_trials(database, *study),
    )


def _trials(database: sqlite3.Connection, study: int) -> tuple[FileTrial, ...]:
    values: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for trial, objective, value, kind in database.execute(_of_trials("values"), (study,)):
        values[trial].append((objective, float(value if kind == "FINITE" else _NUMBERS[kind])))
    attributes: dict[int, dict[str, Any]] = defaultdict(dict)
    for trial, key, text in database.execute(_of_trials("user_attributes"), (study,)):
        attributes[trial][key] = json.loads(text)
    constraints: dict[int, dict[str, float]] = defaultdict(dict)
    for trial, key, text in database.execute(_of_trials("system_attributes"), (study,)):
        if key == CONSTRAINTS:  # as the Optuna of before kept all in one
            constraints[trial].update({str(n): one for n, one in enumerate(json.loads(text))})
        elif key.startswith(f"{CONSTRAINTS}:"):
            constraints[trial][key.removeprefix(f"{CONSTRAINTS}:")] = json.loads(text)
    rows = database.execute(
        "SELECT trial_id, number, state FROM trials WHERE study_id = ? ORDER BY number", (study,)
    ).fetchall()
    if [number for _, number, _ in rows] != list(range(len(rows))):
        raise ValueError("trials are missing")
    return tuple(
        FileTrial(
            number=number,
            state=FileState[state],
            values=_in_order(values[trial]),
            user_attrs=attributes[trial],
            constraints=constraints[trial],
        )
        for trial, number, state in rows
    )


_COLUMNS: Final = {
    "values": "objective, value, value_type",
    "user_attributes": "key, value_json",
    "system_attributes": "key, value_json",
}


def _of_trials(table: str) -> str:
    """The query for the rows of one table of all trials of a study, in the order they were written."""
    return (
        f"SELECT trial_id, {_COLUMNS[table]} FROM trial_{table} JOIN trials USING (trial_id) "
        f"WHERE study_id = ? ORDER BY trial_{table.removesuffix('s')}_id"
    )


def _in_order(values: list[tuple[int, float]]) -> tuple[float, ...] | None:
    if not values:
        return None
    values.sort()
    if [objective for objective, _ in values] != list(range(len(values))):
        raise ValueError("objectives are missing")
    return tuple(value for _, value in values)
