"""Means over trainings with their intervals, and rows of figures as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from scipy import stats

Row = TypeVar("Row")


def mean(values: Sequence[float]) -> float:
    """The mean; nan of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def half_width(values: Sequence[float]) -> float:
    """Half the 95 % interval of the mean by Student's t; nan of fewer than two values."""
    if len(values) < 2:
        return math.nan
    return float(stats.sem(values) * stats.t.ppf(0.975, len(values) - 1))


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """Write dataclasses of one type as CSV, a column a field; nothing when there are none."""
    if not rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(path.name + ".new")  # Hours of rows: never half a file.
    with whole.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(rows[0])], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))
    whole.replace(path)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """What ``write_rows`` has written of a dataclass of plain fields; a torn last line is left out."""
    if not path.is_file():
        return []
    types = {"str": str, "int": int, "float": float}
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            try:
                values = {one.name: types[str(one.type)](line[one.name]) for one in fields(kind)}  # type: ignore[arg-type]
            except (TypeError, ValueError):
                continue
            rows.append(kind(**values))
    return rows
