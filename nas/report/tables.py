"""The tables of the page, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

from nas.front import FrontPoint
from nas.report.material import Material
from nas.report.networks import describe, short
from nas.runs import ERROR, TrialState
from nas.searching.uncertainty import interval_text

SHOWN_FAILURES = 50


@dataclass(frozen=True)
class Column:
    """A column of the table of the front.

    Attributes:
        label: Its heading.
        is_number: Whether its cells are right-aligned.
    """

    label: str
    is_number: bool


@dataclass(frozen=True)
class Cell:
    """A cell of the table of the front.

    Attributes:
        text: Its text.
        order: Its sort key.
    """

    text: str
    order: str


@dataclass(frozen=True)
class Row:
    """A point of the front.

    Attributes:
        trial: Number of its trial.
        cells: One per column after the trial's.
        picked: Whether it is the knee point.
    """

    trial: int
    cells: tuple[Cell, ...]
    picked: bool


@dataclass(frozen=True)
class Failure:
    """A training that failed.

    Attributes:
        trial: Number of its trial.
        network: The varied fields of its network.
        note: The reason in one line.
    """

    trial: int
    network: str
    note: str


def front_columns(material: Material) -> tuple[Column, ...]:
    """The columns of the front's table: objectives, varied fields, key."""
    figures = [Column(material.label(name), is_number=True) for name in material.front.objectives]
    fields = [Column(short(path), is_number=False) for path in material.config.space.vary]
    if material.uncertainty.confirmed is not None:
        figures.append(Column("seeds", is_number=True))
    return (*figures, *fields, Column("key", is_number=False))


def front_rows(material: Material) -> tuple[Row, ...]:
    """The points of the front, in its order."""
    return tuple(
        Row(point.trial, _cells(point, material), picked=point == material.knee)
        for point in material.front.points
    )


@dataclass(frozen=True)
class Within:
    """A row of the table of budgets.

    Attributes:
        budget: The limit, as text.
        error: The least error within it, as text.
        trial: Whose it is.
    """

    budget: str
    error: str
    trial: int


def best_within(material: Material) -> tuple[tuple[str, tuple[Within, ...]], ...]:
    """For each cost its heading, and the least error within each of a dozen budgets."""
    found = material.front.best_within()
    return tuple(
        (
            material.label(cost),
            tuple(
                Within(
                    material.digits(cost, one.budget),
                    _figure(ERROR, one.error, one.point, material),
                    one.point.trial,
                )
                for one in found
                if one.cost == cost
            ),
        )
        for cost in dict.fromkeys(one.cost for one in found)
    )


def failures(material: Material) -> tuple[Failure, ...]:
    """The first failed trainings."""
    failed = [one for one in material.records if one.state is TrialState.FAILED]
    return tuple(
        Failure(
            one.number,
            ", ".join(f"{part.label} {part.text}" for part in describe(one.spec, material.config)),
            one.note,
        )
        for one in failed[:SHOWN_FAILURES]
    )


def _figure(name: str, value: float, point: FrontPoint, material: Material) -> str:
    """A figure as text; an error with its 95 % interval, if that is known."""
    rate = material.uncertainty.rates.get(point.trial)
    if name != ERROR or rate is None:
        return material.digits(name, value)
    return f"{material.digits(name, value)} ({interval_text(material.metric, rate)})"


def _cells(point: FrontPoint, material: Material) -> tuple[Cell, ...]:
    figures = zip(material.front.objectives, point.values, strict=True)
    fields = describe(point.spec, material.config)
    confirmed = material.uncertainty.confirmed
    seeds = [] if confirmed is None else [str(confirmed.trainings[point.trial])]
    return (
        *(Cell(_figure(name, value, point, material), repr(value)) for name, value in figures),
        *(Cell(count, count) for count in seeds),
        *(Cell(field.text, field.text) for field in fields),
        Cell(point.key, point.key),
    )
