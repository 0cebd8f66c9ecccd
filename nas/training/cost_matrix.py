"""What each kind of mistake costs: a matrix from a CSV file, which the recipe keeps."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, ConfigDict, field_serializer, model_validator

from blocks.checked_model import CheckedModel, Number
from blocks.errors import InvalidInput
from blocks.wording import plural, short

MOST_NAMED = 3


def _numbers(row: Any) -> Any:
    return row.split() if isinstance(row, str) else row


Row: TypeAlias = Annotated[tuple[Number, ...], BeforeValidator(_numbers)]


class CostMatrix(CheckedModel):
    """The cost of a prediction for an image of each class.

    Attributes:
        classes: Names of the classes, sorted.
        rows: One row per true class, one cost per predicted class, in the order of ``classes``. In a
            file a row is a text of numbers with spaces between them.

    Raises:
        InvalidInput: A class occurs twice, the matrix is not square, a cost is negative or not finite, a
            correct prediction costs something, or nothing costs anything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def largest(self) -> float:
        """The largest cost, above 0."""
        return max(map(max, self.rows))

    def of(self, class_names: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
        """The rows in the order of a data set's classes.

        Raises:
            InvalidInput: It is not a matrix of these classes.
        """
        missing = sorted(set(class_names) - set(self.classes))
        unknown = sorted(set(self.classes) - set(class_names))
        if missing or unknown:
            said = [f"{name}: {_listed(them)}" for name, them in
                    (("missing", missing), ("not in the data", unknown)) if them]  # fmt: skip
            raise InvalidInput(f"costs: {'; '.join(said)}; expected the classes of the data")
        places = [self.classes.index(name) for name in class_names]
        return tuple(tuple(self.rows[a][b] for b in places) for a in places)

    @field_serializer("rows")
    def _as_texts(self, rows: tuple[tuple[float, ...], ...]) -> list[str]:
        return [" ".join(repr(cost).removesuffix(".0") for cost in row) for row in rows]

    @model_validator(mode="after")
    def _check(self) -> CostMatrix:
        names = self.classes
        if len(names) < 2 or len(set(names)) < len(names) or list(names) != sorted(names):
            raise InvalidInput(
                "classes: expected the names of two classes or more, sorted, each once"
            )
        if [len(row) for row in self.rows] != [len(names)] * len(names):
            raise InvalidInput(f"rows: expected {len(names)} rows of {len(names)} costs")
        for label, row in zip(names, self.rows, strict=True):
            for prediction, cost in zip(names, row, strict=True):
                where = f"cost of {prediction!r} for an image of {label!r}"
                if not (math.isfinite(cost) and cost >= 0):
                    raise InvalidInput(f"{where}: {cost:g}; allowed: 0 or more")
                if label == prediction and cost:
                    raise InvalidInput(f"{where}: {cost:g}; allowed: 0, for it is correct")
        if not self.largest:
            raise InvalidInput("every cost is 0; expected one above 0")
        return self


def read_costs(file: Path) -> CostMatrix:
    """Read a cost matrix from a CSV file.

    The first line names the predicted classes, after a cell that is not read. Each further line is a
    true class: its name, then the costs.

    Args:
        file: In UTF-8, with commas, semicolons or tabs between the cells.

    Raises:
        InvalidInput: It is missing, empty, not of this form, or has a cost that is not allowed.
    """
    rows = _cells(file)
    columns, *lines = rows
    columns = columns[1:]
    names = [line[0] for line in lines]
    for what, listed in (("columns", columns), ("rows", names)):
        twice = sorted({name for name in listed if listed.count(name) > 1})
        if twice:
            raise InvalidInput(f"{file}: {_listed(twice)}: more than once among the {what}")
    if set(names) != set(columns):
        odd = sorted(set(names) ^ set(columns))
        raise InvalidInput(
            f"{file}: {_listed(odd)}: not both a row and a column; expected one row (true class) and "
            "one column (predicted class) for each class"
        )
    if len(names) < 2:
        raise InvalidInput(f"{file}: one class; expected two classes or more")
    found: dict[str, dict[str, float]] = {}
    for line in lines:
        if len(line) != len(columns) + 1:
            raise InvalidInput(
                f"{file}: row {line[0]!r} has {plural(len(line) - 1, 'cost')}; expected {len(columns)}"
            )
        found[line[0]] = {
            name: _cost(cell, file, line[0], name)
            for name, cell in zip(columns, line[1:], strict=True)
        }
    classes = tuple(sorted(names))
    try:
        return CostMatrix(
            classes=classes, rows=tuple(tuple(found[a][b] for b in classes) for a in classes)
        )
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {str(error).removeprefix('CostMatrix: ')}") from None


def given_costs(value: Any) -> Any:
    """A cost matrix as a person gives it: the file; or what a run has kept."""
    if isinstance(value, str | Path):
        return read_costs(Path(value))
    return value


def _cells(file: Path) -> list[list[str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InvalidInput(f"{file}: no such file") from None
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{file}: not a text file in UTF-8") from None
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise InvalidInput(f"{file}: {error}") from None
    cells = [[cell.strip() for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if len(cells) < 2:
        raise InvalidInput(
            f"{file}: {'no rows' if cells else 'empty'}; expected a line with the predicted classes, "
            "then a line for each true class: its name and the costs"
        )
    return cells


def _cost(cell: str, file: Path, label: str, prediction: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise InvalidInput(
            f"{file}: cost of {prediction!r} for an image of {label!r}: {short(cell)}; expected a number"
        ) from None


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(map(repr, names[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
