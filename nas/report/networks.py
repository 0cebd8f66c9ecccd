"""The varied fields of a network and their values."""

from __future__ import annotations

from dataclasses import dataclass

from blocks import ArchSpec
from nas.searching import SearchConfig
from search_spaces.fields import Value, field_at

ABSENT = "\N{EN DASH}"
"""Text for a field without effect in a network, such as the reduction of a single branch."""


@dataclass(frozen=True)
class Property:
    """A varied field of one network.

    Attributes:
        label: Name of the field.
        text: Its value.
    """

    label: str
    text: str


def describe(spec: ArchSpec, config: SearchConfig) -> tuple[Property, ...]:
    """The varied fields of ``spec``, all of them in the order of the space."""
    properties = []
    for path, variable in config.space.vary.items():
        values = {depended: field_at(depended).read(spec) for depended in variable.depends}
        in_force = variable.in_force(values) is not None
        text = _text(variable.field.read(spec)) if in_force else ABSENT
        properties.append(Property(short(path), text))
    return tuple(properties)


def short(path: str) -> str:
    """A field's path without the common prefix."""
    return path.removeprefix("unit.")


def _text(value: Value | None) -> str:
    match value:
        case None:
            return ABSENT
        case bool():
            return "yes" if value else "no"
        case tuple():
            return "[" + ", ".join(map(str, value)) + "]"
        case _:
            return str(value)
