"""Reads and writes YAML; errors name the file and the field in one line."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from blocks.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)

# With aliases a value of a few lines may take gigabytes to print.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlevel = 3


def read_yaml(path: Path) -> Any:
    """Load one YAML document, safely.

    Raises:
        InvalidInput: The file is missing, unreadable, not text, or not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: not a text file") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # PyYAML raises a plain ValueError for a month 13 in a date, for example.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise InvalidInput(f"{path}: not valid YAML{where}: {problem}") from None


def parse(
    model: type[M], data: Any, where: str, options: Mapping[str, str] = MappingProxyType({})
) -> M:
    """Validate ``data`` as ``model``.

    Args:
        model: The type of the result.
        data: Its fields.
        where: The file or command of the fields.
        options: Path of a field -> its command-line option, such as ``--workers``; the message then has
            the option instead of ``where`` and the path.

    Raises:
        InvalidInput: One line with ``where``, the path of the first offending field, and the reason.
    """
    if not isinstance(data, dict):
        raise InvalidInput(f"{where}: expected a mapping of fields, got {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = f"unknown field; allowed: {', '.join(_fields(model, first['loc']))}"
        elif first["type"] not in ("missing", "value_error"):
            reason = f"{reason}, got {_SHORT.repr(first['input']):.80}"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        place = options.get(field) or (f"{where}: {field}" if field else where)
        raise InvalidInput(f"{place}: {reason}{more}") from None


def dump_yaml(model: BaseModel) -> str:
    """``model`` as YAML text, fields in the order they are defined."""
    return yaml.safe_dump(
        model.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=100
    )


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
