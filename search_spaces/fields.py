"""The fields of an ArchSpec that a space can fix or vary, by their dotted paths."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, TypeAlias, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

from blocks import BACKBONES, UNITS, ArchSpec, InvalidInput, UnitOverride, UnitSpec
from blocks.registry import Registry

Scalar: TypeAlias = bool | int | float | str
Value: TypeAlias = Scalar | tuple[int, ...]
Values: TypeAlias = dict[str, Value | None]
"""Path of a field -> its value; None for an unset field."""

DATA_FIELDS = ("num_classes", "in_channels", "input_size")
"""The fields that the data set determines; a space may fix them."""

INPUT_SIZE = "input_size"
"""The one of them that a space may vary: images that are scaled have any size."""


@dataclass(frozen=True)
class SpecField:
    """One addressable field.

    Attributes:
        path: ``width``, ``unit.kind`` or ``unit.stages.4.kind``.
        name: The last part of the path, the name in ``owner``.
        owner: ArchSpec, or UnitSpec for a field of the unit (in one stage or in all).
        stage: The stage of an override; None for all stages.
    """

    path: str
    name: str
    owner: type[BaseModel]
    stage: int | None = None

    @property
    def default(self) -> Value | None:
        """The default value; None for an override and for the backbone."""
        default = self.owner.model_fields[self.name].default
        unset = self.stage is not None or default is PydanticUndefined
        return None if unset else cast(Value, default)

    @property
    def is_number(self) -> bool:
        """Whether the field is a number."""
        default = self.owner.model_fields[self.name].default
        return isinstance(default, int | float) and not isinstance(default, bool)

    def read(self, spec: ArchSpec) -> Value | None:
        """The field's value in ``spec``; None for an unset override.

        Dilations are sorted in ascending order, since their order has no effect.
        """
        if self.owner is ArchSpec:
            return cast(Value, getattr(spec, self.name))
        if self.stage is None:
            return self._in_order(cast(Value, getattr(spec.unit, self.name)))
        override = dict(spec.unit.stages).get(self.stage, UnitOverride())
        value = cast("Value | None", getattr(override, self.name))
        return None if value is None else self._in_order(value)

    def check(self, raw: object, where: str) -> Value:
        """Validate a value of a YAML file.

        Returns:
            The value in the field's type, in the form of ``read``.

        Raises:
            InvalidInput: One line with ``where``, the reason and the value.
        """
        try:
            # In JSON mode pydantic is strict ("4" is no number) and still accepts a list.
            value = _adapter(self.owner, self.name).validate_json(json.dumps(raw), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join([where, *map(str, first["loc"])])
            raise InvalidInput(f"{place}: {first['msg']}, got {first['input']!r:.80}") from None
        except (TypeError, ValueError):
            raise InvalidInput(f"{where}: not a value of a field, got {raw!r:.80}") from None
        if value is None:
            # A field that is left out has its default; Optuna's choices have to be values.
            raise InvalidInput(f"{where}: expected a value, got None")
        if self.name in ("backbone", "kind"):
            registry: Registry[Any] = BACKBONES if self.name == "backbone" else UNITS
            try:
                registry.check(value)
            except InvalidInput as error:
                raise InvalidInput(f"{where}: {error}") from None
        return self._in_order(cast(Value, value))

    def _in_order(self, value: Value) -> Value:
        # The groups of a unit belong to its branches; their order counts.
        ascending = self.name == "dilations" and isinstance(value, tuple)
        return tuple(sorted(cast("tuple[int, ...]", value))) if ascending else value


@lru_cache(maxsize=1024)
def field_at(path: str) -> SpecField:
    """Find the field that ``path`` names.

    Raises:
        InvalidInput: The field does not exist.
    """
    of_network = [name for name in ArchSpec.model_fields if name != "unit"]
    of_unit = list(UnitOverride.model_fields)
    match path.split("."):
        case [name] if name in of_network:
            return SpecField(path, name, ArchSpec)
        case ["unit", name] if name in of_unit:
            return SpecField(path, name, UnitSpec)
        # One spelling only: 4 and 04 would be two paths to one field.
        case ["unit", "stages", stage, name] if name in of_unit and _is_plain_number(stage):
            return SpecField(path, name, UnitSpec, int(stage))
    units = [f"unit.{name}" for name in of_unit]
    raise InvalidInput(
        f"unknown field; allowed: {', '.join(of_network + units)}, and unit.stages.N.kind and so on "
        "for stage N"
    )


def _is_plain_number(text: str) -> bool:
    return text.isdecimal() and str(int(text)) == text


@lru_cache(maxsize=64)
def _adapter(owner: type[BaseModel], name: str) -> TypeAdapter[Any]:
    info = owner.model_fields[name]
    annotation: Any = info.annotation
    return TypeAdapter(Annotated[annotation, info])
