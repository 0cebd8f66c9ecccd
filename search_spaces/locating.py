"""Finds a given network among the assignments of a space."""

from __future__ import annotations

from collections.abc import Sequence

from blocks import ArchSpec, InvalidInput
from search_spaces.assembly import assemble
from search_spaces.assignments import count, walk, watched
from search_spaces.domains import Domain
from search_spaces.fields import DATA_FIELDS, SpecField, Value, Values, field_at
from search_spaces.rounding import all_rounded, common_divisor, is_rounded
from search_spaces.variables import Variable

SCAN_LIMIT = 50_000
"""Largest number of assignments that are searched for a network with other field values."""

_IN_EVERY_KEY = ("backbone", *DATA_FIELDS, "stem_stride")
# Without the width: two widths may round to the same channels, and thus to the same network.


def locate(spec: ArchSpec, variables: Sequence[Variable], base: Values) -> Values:
    """An assignment of the same network as ``spec``.

    The assignment with the field values of ``spec`` is tried first. A network may have other field
    values in the space, such as a single branch instead of ``kind: none``; all assignments are tried
    then, if there are at most SCAN_LIMIT.

    Raises:
        InvalidInput: There is none; the message has the reason, without the name of the space.
    """
    differing = _differing(spec, variables, base)
    if differing and differing.path in _IN_EVERY_KEY:
        raise InvalidInput(_reason(spec, differing))
    steering = watched(variables)

    def alike(variable: Variable, values: Values) -> Sequence[Value | None]:
        options = _alike(variable, values, spec)
        # Groups that round to the same value differ only in conditions that depend on them.
        return options if variable.path in steering else options[:1]

    def same_backbone(variable: Variable, values: Values) -> Sequence[Value | None]:
        options = variable.options(values)
        if variable.path not in _IN_EVERY_KEY:
            return options
        wanted = variable.field.read(spec)
        return [option for option in options if option == wanted]

    attempts = [alike, same_backbone] if _is_small(variables, base) else [alike]
    for options in attempts:
        for values in walk(variables, base, options):
            if assemble(values).key == spec.key:
                return values
    raise InvalidInput(_reason(spec, differing))


def _alike(variable: Variable, values: Values, spec: ArchSpec) -> Sequence[Value | None]:
    """Options of ``variable`` that equal, or round to, the value in ``spec``."""
    alternative = variable.in_force(values)
    wanted = variable.field.read(spec)
    if alternative is None:
        return (values[variable.path],)
    exact = [wanted] if _holds(alternative.domain, wanted) else []
    if not is_rounded(variable.field.name) or wanted is None:
        return exact
    divisor = common_divisor(
        spec.unit, spec.profile.channels, variable.field.name, variable.field.stage
    )
    rounded = [
        option
        for option in alternative.domain.values()
        if isinstance(option, int | tuple)
        and option != wanted
        and all_rounded(option, divisor) == wanted
    ]
    return [*exact, *rounded]


def _holds(domain: Domain, value: Value | None) -> bool:
    try:
        domain.encode(value)
    except InvalidInput:
        return False
    return True


def _is_small(variables: Sequence[Variable], base: Values) -> bool:
    try:
        return count(variables, base) <= SCAN_LIMIT
    except InvalidInput:
        return False


def _differing(spec: ArchSpec, variables: Sequence[Variable], base: Values) -> SpecField | None:
    """The first field of ``spec`` whose value is not in the space; fields of every key come first."""
    domains = {v.path: [one.domain for one in v.alternatives] for v in variables}
    fields = [field_at(path) for path in base]
    for field in sorted(fields, key=lambda field: field.path not in _IN_EVERY_KEY):
        value = field.read(spec)
        if value == base[field.path]:
            continue
        if not any(_holds(domain, value) for domain in domains.get(field.path, [])):
            return field
    return None


def _reason(spec: ArchSpec, differing: SpecField | None) -> str:
    if differing is None:
        return "its values do not occur together"
    value = differing.read(spec)
    return f"{differing.path} is {list(value) if isinstance(value, tuple) else value}"
