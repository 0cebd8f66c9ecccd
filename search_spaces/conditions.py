"""Conditions: the requirements of a ``when`` on other fields."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from blocks import InvalidInput
from search_spaces.fields import SpecField, Value, Values, field_at

KEYS = ("min", "max", "none_of")


@dataclass(frozen=True)
class Requirement:
    """One line of a ``when``. An unset override meets no requirement.

    Attributes:
        path: Path of the field.
        any_of: Allowed values; None: any.
        none_of: Excluded values.
        low: Lowest allowed value of a numeric field.
        high: Highest allowed value of a numeric field.
    """

    path: str
    any_of: tuple[Value, ...] | None = None
    none_of: tuple[Value, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    def holds(self, values: Values) -> bool:
        """Whether ``values`` meet the requirement."""
        value = values[self.path]
        if value is None or value in self.none_of:
            return False
        if self.any_of is not None:
            return value in self.any_of
        if isinstance(value, int | float):
            return self.low <= value <= self.high
        return True

    def to_raw(self) -> Any:
        """The requirement as in a YAML file."""
        if self.any_of is not None:
            return _plain(self.any_of)
        bounds = {"min": self.low, "max": self.high}
        raw: dict[str, Any] = {k: v for k, v in bounds.items() if math.isfinite(v)}
        return {**raw, "none_of": _plain(self.none_of)} if self.none_of else raw


def when_from(raw: object, where: str) -> tuple[Requirement, ...]:
    """Read a ``when``: a mapping from a path to a value, a list of values, or ``{min, max, none_of}``.

    Raises:
        InvalidInput: One line with the position in the file.
    """
    if not isinstance(raw, dict) or not raw:
        raise InvalidInput(f"{where}: expected a mapping from a field to values, got {raw!r:.80}")
    return tuple(_requirement(str(path), asked, f"{where}.{path}") for path, asked in raw.items())


def _requirement(path: str, asked: object, where: str) -> Requirement:
    try:
        field = field_at(path)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from None
    if not isinstance(asked, dict):
        return Requirement(path, any_of=_several(asked, field, where))
    for key in asked:
        if key not in KEYS:
            raise InvalidInput(f"{where}.{key}: unknown field; allowed: {', '.join(KEYS)}")
    if not asked:
        raise InvalidInput(f"{where}: empty; allowed: {', '.join(KEYS)}")
    none_of = _several(asked["none_of"], field, f"{where}.none_of") if "none_of" in asked else ()
    low = _bound(asked.get("min", -math.inf), field, f"{where}.min")
    high = _bound(asked.get("max", math.inf), field, f"{where}.max")
    if low > high:
        raise InvalidInput(f"{where}: min {low:g} is above max {high:g}")
    return Requirement(path, none_of=none_of, low=low, high=high)


def _several(asked: object, field: SpecField, where: str) -> tuple[Value, ...]:
    if not isinstance(asked, list | tuple):
        return (field.check(asked, where),)
    if not asked:
        raise InvalidInput(f"{where}: an empty list never holds")
    return tuple(field.check(item, f"{where}.{index}") for index, item in enumerate(asked))


def _bound(asked: object, field: SpecField, where: str) -> float:
    if isinstance(asked, float) and math.isinf(asked):
        return asked
    if isinstance(asked, bool) or not isinstance(asked, int | float) or math.isnan(asked):
        raise InvalidInput(f"{where}: expected a number, got {asked!r:.80}")
    if not field.is_number:
        raise InvalidInput(f"{where}: {field.path} is no number; give the allowed values instead")
    return asked


def _plain(values: tuple[Value, ...]) -> list[object]:
    return [list(value) if isinstance(value, tuple) else value for value in values]
