"""Enumerates the assignments of a space: one value for every varied field."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from search_spaces.fields import Value, Values
from search_spaces.variables import Variable

Options: TypeAlias = Callable[[Variable, Values], Sequence[Value | None]]
"""The options of a variable, given the values of the variables before it."""


def walk(
    variables: Sequence[Variable], start: Values, options: Options = Variable.options
) -> Iterator[Values]:
    """Visit every assignment once, the last variable changing fastest.

    Args:
        variables: The variables; each follows those that it depends on.
        start: Values of all other fields, and the defaults of the varied ones.
        options: The values to try for each variable; default: all its options.

    Raises:
        InvalidInput: An active range is continuous.
    """
    if not variables:
        yield start
        return
    first, rest = variables[0], variables[1:]
    for value in options(first, start):
        yield from walk(rest, {**start, first.path: value}, options)


def count(variables: Sequence[Variable], start: Values) -> int:
    """Count the assignments of ``walk``, visiting only the variables that conditions depend on.

    Fields of one stage often depend on each other and on nothing else; what does not hang together is
    counted apart and multiplied, so that a space of billions is counted at once.

    Raises:
        InvalidInput: An active range is continuous.
    """
    return math.prod(_count_together(part, start) for part in independent(variables))


def _count_together(variables: Sequence[Variable], start: Values) -> int:
    steering = [variable for variable in variables if variable.path in watched(variables)]
    free = [variable for variable in variables if variable.path not in watched(variables)]
    return sum(
        math.prod(len(variable.options(values)) for variable in free)
        for values in walk(steering, start)
    )


def independent(variables: Sequence[Variable]) -> list[list[Variable]]:
    """The variables in groups, of which none depends on a variable of another; their order is kept."""
    groups: list[list[Variable]] = []
    for variable in variables:
        joined = [
            group
            for group in groups
            if any(one.path in variable.depends or variable.path in one.depends for one in group)
        ]
        groups = [group for group in groups if group not in joined]
        merged = [one for group in joined for one in group] + [variable]
        groups.append(sorted(merged, key=variables.index))
    return groups


def watched(variables: Iterable[Variable]) -> set[str]:
    """The paths that conditions depend on."""
    return {path for variable in variables for path in variable.depends}


def upstream(variables: Sequence[Variable], paths: Iterable[str]) -> list[Variable]:
    """The variables at ``paths`` and all variables that activate them, in order."""
    wanted = set(paths)
    found: list[Variable] = []
    for variable in reversed(variables):
        if variable.path in wanted:
            wanted.update(variable.depends)
            found.append(variable)
    return found[::-1]
