"""Models of pydantic whose mistakes are one line: the base of the values that people make by calling."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args

from pydantic import BaseModel, BeforeValidator, Strict, ValidationError

from blocks.errors import InvalidInput
from blocks.wording import short


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise InvalidInput(f"Input should be a number, got {value}")
    return value


Integer: TypeAlias = Annotated[int, Strict()]
"""An integer; neither True, nor 3.0, nor "3"."""
Number: TypeAlias = Annotated[float, BeforeValidator(_no_truth_value)]
"""A number, or its text, as YAML gives one for ``1e-3``; not True."""


class CheckedModel(BaseModel):
    """A model whose construction raises InvalidInput where pydantic's would raise ValidationError.

    ``model_validate`` is pydantic's; :func:`blocks.yaml_files.parse` is for data from files.
    """

    if not TYPE_CHECKING:  # type checkers take the arguments from the fields

        def __init__(self, /, **fields: Any) -> None:
            try:
                super().__init__(**fields)
            except ValidationError as error:
                model = type(self)
                raise InvalidInput(reason_of_invalid(error, model, model.__name__)) from None

        # Pydantic skips an __init__ with this mark when it validates a field that holds such a model.
        __init__.__pydantic_base_init__ = True


def reason_of_invalid(
    error: ValidationError,
    model: type[BaseModel],
    where: str = "",
    options: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """One line for the first of pydantic's complaints.

    Args:
        error: The complaints.
        model: What was to be made.
        where: The file or the call that the fields come from; empty: it needs no name.
        options: Path of a field -> the argument or option that gave it; the message then has that in
            place of ``where`` and the path.
    """
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        reason = f"unknown field; allowed: {', '.join(_fields(model, first['loc']))}"
    elif first["type"] == "literal_error":
        allowed = first["ctx"]["expected"].replace(" or ", ", ").replace("'", "")
        reason = f"{short(first['input'])}; allowed: {allowed}"
    elif first["type"] not in ("missing", "value_error"):
        reason = f"{reason}, got {short(first['input'])}"
    if not field and reason.partition(": ")[0] in options:
        # A check of several fields; its message begins with the one at fault.
        field, _, reason = reason.partition(": ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    place = options.get(field) or ": ".join(filter(None, (where, field)))
    return ": ".join(filter(None, (place, f"{reason}{more}")))


def _fields(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields beside the unknown field at ``location``."""
    current: type[BaseModel] = model
    for part in location[:-1]:
        field = current.model_fields.get(str(part))
        current = (_model_in(field.annotation) if field else None) or current
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The first model in an annotation such as ``tuple[tuple[int, Model], ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
