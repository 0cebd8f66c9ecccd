"""Rows of figures: dataclasses of plain fields, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any, TypeVar

Row = TypeVar("Row")
TYPES = {"str": str, "int": int, "float": float}


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """Write dataclasses of one type, a column a field; nothing when there are none."""
    if not rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(path.name + ".new")  # Hours of rows: never half a file.
    with whole.open("w", newline="", encoding="utf-8") as file:
        print_rows(file, type(rows[0]), rows)
    whole.replace(path)


def print_rows(file: IO[str], kind: type[Any], rows: Iterable[Any]) -> None:
    """The same into an open file."""
    writer = csv.DictWriter(file, [one.name for one in fields(kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """What was written; nothing when there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return parse_rows(file, kind)


def parse_rows(lines: Iterable[str], kind: type[Row]) -> list[Row]:
    """The rows of such lines; a torn one, the last of a file that was appended to, is left out."""
    types = {one.name: TYPES[str(one.type)] for one in fields(kind)}  # type: ignore[arg-type]
    rows = []
    for line in csv.DictReader(lines):
        try:
            rows.append(kind(**{name: read(line[name]) for name, read in types.items()}))
        except (TypeError, ValueError):
            continue
    return rows
