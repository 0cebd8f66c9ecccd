"""SpaceDefinition: the YAML file of a space, as a value."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any

from pydantic import ConfigDict, Field, InstanceOf, field_serializer, model_validator

from blocks import InvalidInput
from blocks.checked_model import CheckedModel
from search_spaces.fields import DATA_FIELDS, Value, field_at
from search_spaces.variables import Variable, in_order, variable_from


class SpaceDefinition(CheckedModel):
    """The fixed and the varied fields of a space, each checked.

    Attributes:
        name: Name of the space.
        about: A one-line description; default empty.
        fixed: Path of a field -> the value in all networks. Nested mappings, as in the YAML file of a
            network, are read as paths.
        vary: Path of a field -> its alternatives.

    Raises:
        InvalidInput: One line with the path of the wrong field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    about: str = ""
    fixed: dict[str, Any] = {}
    vary: dict[str, InstanceOf[Variable]] = {}

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        # Checked here and not per field, so that an error names the path as in the file.
        if not isinstance(data, dict):
            return data
        read = dict(data)
        for part in ("fixed", "vary"):
            if part in read and read[part] is None:
                read[part] = {}  # "vary:" with nothing under it, as YAML reads it
            if not isinstance(read.get(part, {}), dict):
                raise InvalidInput(f"{part}: expected a mapping, got {read[part]!r:.80}")
        if "fixed" in read:
            read["fixed"] = _fixed(read["fixed"], "")
        if "vary" in read:
            read["vary"] = {
                str(path): raw if isinstance(raw, Variable) else variable_from(str(path), raw)
                for path, raw in read["vary"].items()
            }
        return read

    @model_validator(mode="after")
    def _check_together(self) -> SpaceDefinition:
        for path in self.vary:
            if path in self.fixed:
                raise InvalidInput(f"vary.{path}: fixed as well; a field is either fixed or varied")
        if "backbone" not in {*self.fixed, *self.vary}:
            raise InvalidInput("fixed.backbone: missing; a space must fix or vary the backbone")
        assert self.order is not None
        return self

    @cached_property
    def order(self) -> tuple[Variable, ...]:
        """The varied fields; each follows the fields that its conditions depend on."""
        return in_order(self.vary, [*self.fixed, *DATA_FIELDS, "stem_stride"])

    @field_serializer("fixed")
    def _fixed_as_file(self, fixed: dict[str, Value]) -> dict[str, Any]:
        return {p: list(v) if isinstance(v, tuple) else v for p, v in fixed.items()}

    @field_serializer("vary")
    def _vary_as_file(self, vary: dict[str, Variable]) -> dict[str, Any]:
        return {path: variable.to_raw() for path, variable in vary.items()}


def _fixed(raw: dict[Any, Any], prefix: str) -> dict[str, Value]:
    """Validated values by path, from a mapping that may be nested."""
    values: dict[str, Value] = {}
    for key, value in raw.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            found = _fixed(value, f"{path}.")
        else:
            try:
                field = field_at(path)
            except InvalidInput as error:
                raise InvalidInput(f"fixed.{path}: {error}") from None
            found = {path: field.check(value, f"fixed.{path}")}
        for one in found:
            if one in values:
                raise InvalidInput(f"fixed.{one}: given twice")
        values.update(found)
    return values
