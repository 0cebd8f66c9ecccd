"""Objectives that are known before training: figures of a network by name and unit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from blocks.errors import InvalidInput
from blocks.plugins import reason_of
from blocks.spec import ArchSpec
from blocks.wording import check_type, kind_of, number, short
from nas.plugins import (
    Expected,
    calling,
    is_reference,
    named_at,
    named_by_a_run,
    resolve,
)

Cost: TypeAlias = Callable[[ArchSpec], float]
"""Figure of a network that needs no training; lower is better."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED = ("error", "latency_ms", "npu_ms")
"""Objectives that are no functions of a network alone."""


@dataclass(frozen=True)
class Objective:
    """A figure of a network that a search can minimise or bound; made by :func:`objective`.

    Attributes:
        name: In tables, files and ``--max NAME=VALUE``.
        unit: In words, such as ``KiB``; empty: a plain number.
        negative: Whether values below 0 are allowed.
    """

    name: str
    unit: str
    negative: bool
    __wrapped__: Cost = field(repr=False)

    def __call__(self, spec: ArchSpec) -> float:
        """The figure of ``spec``, as the function gives it."""
        return self.__wrapped__(spec)


EXPECTED = Expected(
    'a function decorated with @nas.objective("NAME", unit="...")',
    lambda thing: isinstance(thing, Objective),
    lacking="not decorated with @nas.objective",
)


def objective(name: str, unit: str = "", *, negative: bool = False) -> Callable[[Cost], Objective]:
    """Make an objective of a function from an ArchSpec to a number, which is minimised.

    Args:
        name: Lower-case letters, digits and underscores, such as ``sram_kib``.
        unit: For people. Default: none.
        negative: Whether values below 0 are allowed. Default: they are an error.

    Returns:
        The decorator.

    Raises:
        InvalidInput: The name is taken by the program, or is no such name.

    Examples:
        >>> import nas
        >>> @nas.objective("flash_kib", unit="KiB")
        ... def flash(spec: nas.ArchSpec) -> float:
        ...     return nas.count(spec).params / 1024
        >>> round(flash(nas.ArchSpec(backbone="mobilenet_v2", unit={"kind": "none"})))
        3423
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or name in RESERVED:
        from nas.cost.measures import COSTS  # here: they are made with this function

        raise InvalidInput(
            f"objective {name!r}: allowed: lower-case letters, digits and underscores, at most 40, a "
            f"letter first, and none of {', '.join((*RESERVED, *COSTS))}"
        )
    check_type("unit", unit, str, "a text")

    def decorate(function: Cost) -> Objective:
        if not callable(function):
            raise InvalidInput(f"objective {name}: {short(function)}; allowed: a function")
        return Objective(name, unit, negative, function)

    return decorate


class OwnObjective(BaseModel):
    """What a run keeps of an objective of one's own; nothing is imported to read it.

    Calling it resolves the reference, in whatever process that is.

    Attributes:
        name: In tables and files.
        reference: Where it is found.
        unit: For people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    reference: str
    unit: str = ""

    @classmethod
    def found(cls, reference: str, taken: Iterable[str]) -> OwnObjective:
        """Import an objective, and take down its name and unit.

        Args:
            reference: ``package.module:NAME`` or ``path/of/file.py:NAME``.
            taken: Names that it must not have: those of the program.

        Raises:
            InvalidInput: It cannot be imported, or its name is taken.
        """
        one = _resolve(reference)
        if one.name in taken:
            raise InvalidInput(
                f"{named_at('objective', reference, one)}: the program has a {one.name!r} of its own; "
                "expected another name"
            )
        return cls(name=one.name, reference=reference, unit=one.unit)

    def __call__(self, spec: ArchSpec) -> float:
        """The figure of ``spec``.

        Raises:
            InvalidInput: The objective has gone, raises, or gives no finite number that is allowed.
        """
        with named_by_a_run():
            one = _resolve(self.reference)
        if one.name != self.name:
            raise InvalidInput(
                f"{named_at('objective', self.reference, one)}: its name is {one.name!r}; this search "
                f"knows it as {self.name!r}; expected that"
            )
        least = "" if one.negative else " from 0"
        expected = f"a finite number{least} for every ArchSpec"
        with calling("objective", self.reference, expected, one):
            value = one(spec)
        try:
            if isinstance(value, bool | str):
                raise TypeError(kind_of(value))
            figure = float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._wrong(one, f"{value!r:.60} ({reason_of(error)})", expected, spec) from None
        if not math.isfinite(figure) or (figure < 0 and not one.negative):
            raise self._wrong(one, number(figure), expected, spec)
        return figure

    def check_steady(self, spec: ArchSpec) -> None:
        """Make sure that the figure of ``spec`` is the same at every call.

        Raises:
            InvalidInput: It is not, so what is stored of a trial would be chance.
        """
        first, second = self(spec), self(spec)
        if first != second:
            got = f"{first!r}, then {second!r}"
            raise self._wrong(_resolve(self.reference), got, "the same number at every call", spec)

    def _wrong(self, one: Objective, got: str, expected: str, spec: ArchSpec) -> InvalidInput:
        at = named_at("objective", self.reference, one)
        return InvalidInput(
            f"{at}: gives {got} for {spec.backbone} ({spec.label}); expected {expected}"
        )


def own_objectives(
    names: Iterable[str], taken: Iterable[str]
) -> tuple[tuple[str, ...], tuple[OwnObjective, ...]]:
    """Objectives as a person gives them, some by reference: their names, and what the run keeps.

    Args:
        names: Names and references, mixed.
        taken: Names of the program's own objectives.

    Returns:
        The names in the same order, and the objectives of one's own, each once.

    Raises:
        InvalidInput: One cannot be imported, or two have one name.
    """
    taken = tuple(taken)
    found: list[str] = []
    own: dict[str, OwnObjective] = {}
    for name in names:
        if not is_reference(name):
            found.append(name)
            continue
        one = OwnObjective.found(name, taken)
        if own.setdefault(one.name, one) != one:
            raise InvalidInput(
                f"objective {name}: {own[one.name].reference} has the name {one.name!r} too; expected "
                "another one"
            )
        found.append(one.name)
    return tuple(found), tuple(own.values())


def _resolve(reference: str) -> Objective:
    found = resolve(reference, "objective", EXPECTED)
    assert isinstance(found, Objective)
    return found
