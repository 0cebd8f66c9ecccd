"""Reads and writes YAML; errors name the file and the field in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from blocks.checked_model import reason_of_invalid
from blocks.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)


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
        where: The file that the fields come from; empty: ``options`` name them.
        options: Path of a field -> the argument or option that gave it; the message then has that in
            place of ``where`` and the path.

    Raises:
        InvalidInput: One line with ``where``, the path of the first offending field, and the reason.
    """
    if not isinstance(data, dict):
        raise InvalidInput(
            f"{where or model.__name__}: expected a mapping of fields, got {type(data).__name__}"
        )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(reason_of_invalid(error, model, where, options)) from None


def dump_yaml(model: BaseModel) -> str:
    """``model`` as YAML text, fields in the order they are defined."""
    return yaml.safe_dump(
        model.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=100
    )
