"""Variables: varied fields with their alternatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from blocks import InvalidInput
from search_spaces.conditions import Requirement, when_from
from search_spaces.domains import Domain, domain_from
from search_spaces.fields import DATA_FIELDS, INPUT_SIZE, SpecField, Value, Values, field_at

KEYS = ("choice", "int", "float", "step", "log", "when")


@dataclass(frozen=True)
class Alternative:
    """One Optuna parameter: a domain and its conditions.

    Attributes:
        parameter: Its name in Optuna: the path, with ``[i]`` if the field has several alternatives.
        domain: The values.
        when: Requirements that must all hold; empty: always active.
    """

    parameter: str
    domain: Domain
    when: tuple[Requirement, ...]

    def to_raw(self) -> dict[str, Any]:
        """The entry as in a YAML file."""
        raw = self.domain.to_raw()
        if self.when:
            raw["when"] = {requirement.path: requirement.to_raw() for requirement in self.when}
        return raw


@dataclass(frozen=True)
class Variable:
    """A varied field.

    Attributes:
        field: The field.
        alternatives: At least one; the first whose ``when`` holds is active.
    """

    field: SpecField
    alternatives: tuple[Alternative, ...]

    @property
    def path(self) -> str:
        """Path of the field."""
        return self.field.path

    @property
    def depends(self) -> list[str]:
        """Paths that its conditions depend on."""
        return [need.path for choice in self.alternatives for need in choice.when]

    def in_force(self, values: Values) -> Alternative | None:
        """The active alternative, given the fields it depends on; None: the field has its default."""
        for alternative in self.alternatives:
            if all(need.holds(values) for need in alternative.when):
                return alternative
        return None

    def options(self, values: Values) -> Sequence[Value | None]:
        """The possible values, given the fields that the variable depends on.

        Raises:
            InvalidInput: The active range is continuous.
        """
        alternative = self.in_force(values)
        return (values[self.path],) if alternative is None else alternative.domain.values()

    def probes(self, values: Values) -> Sequence[Value | None]:
        """As ``options``, with a few samples of a continuous range."""
        alternative = self.in_force(values)
        return (values[self.path],) if alternative is None else alternative.domain.probes()

    def to_raw(self) -> Any:
        """The field's entry, or list of entries, as in a YAML file."""
        entries = [alternative.to_raw() for alternative in self.alternatives]
        return entries if len(entries) > 1 else entries[0]


def variable_from(path: str, raw: object) -> Variable:
    """Read one line of ``vary``.

    Raises:
        InvalidInput: One line with the position in the file.
    """
    where = f"vary.{path}"
    try:
        field = field_at(path)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from None
    if path in DATA_FIELDS and path != INPUT_SIZE:
        raise InvalidInput(f"{where}: comes from the data set, so no space can vary it")
    if not isinstance(raw, list | tuple):
        return Variable(field, (_alternative(raw, field, path, where),))
    if not raw:
        raise InvalidInput(f"{where}: expected at least one entry")
    names = [path] if len(raw) == 1 else [f"{path}[{index}]" for index in range(len(raw))]
    alternatives = tuple(
        _alternative(entry, field, name, f"{where}.{index}")
        for index, (entry, name) in enumerate(zip(raw, names, strict=True))
    )
    for index, alternative in enumerate(alternatives[:-1]):
        if not alternative.when:
            raise InvalidInput(
                f"{where}.{index + 1}: never active, since the entry before it has no when"
            )
    return Variable(field, alternatives)


def in_order(variables: Mapping[str, Variable], known: Iterable[str]) -> tuple[Variable, ...]:
    """Sort variables so that each follows those that its conditions depend on.

    Args:
        variables: Variables by path.
        known: Further paths that a condition may depend on: fixed ones and the data set's.

    Raises:
        InvalidInput: A condition depends on an unknown path, or on itself in a cycle.
    """
    known = list(dict.fromkeys([*variables, *known]))
    for variable in variables.values():
        for alternative in variable.alternatives:
            for need in alternative.when:
                if need.path not in known:
                    # The number of an alternative is part of its path in the file.
                    entry = alternative.parameter.replace("[", ".").removesuffix("]")
                    raise InvalidInput(
                        f"vary.{entry}.when.{need.path}: neither fixed nor varied here; "
                        f"allowed: {', '.join(known)}"
                    )
    graph = {path: variable.depends for path, variable in variables.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        raise InvalidInput(
            f"vary.{circle[0]}: its when depends on itself: {' -> '.join(circle)}"
        ) from None
    return tuple(variables[path] for path in order if path in variables)


def _alternative(raw: object, field: SpecField, parameter: str, where: str) -> Alternative:
    if not isinstance(raw, dict):
        raise InvalidInput(f"{where}: expected a mapping such as {{choice: [..]}}, got {raw!r:.80}")
    for key in raw:
        if key not in KEYS:
            raise InvalidInput(f"{where}.{key}: unknown field; allowed: {', '.join(KEYS)}")
    when = when_from(raw["when"], f"{where}.when") if "when" in raw else ()
    return Alternative(parameter, domain_from(raw, field, where), when)
