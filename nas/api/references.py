"""What an argument that may be a name or an object of the user's is stored as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blocks.errors import InvalidInput
from blocks.wording import short
from nas.naming import option
from nas.plugins import reference_to

ALLOWED = {
    "data": "a name, a callable, or its import path",
    "sampler": "a name, a class, a function of a seed, or the import path of one",
    "objectives": "a name, a function decorated with nas.objective, or its import path",
    "module": "a LightningModule class, or its import path",
}


def named(value: Any, kind: str) -> str | None:
    """The name of ``value``: itself, or ``module:NAME`` of an object that every process can import.

    Args:
        value: A name, a path, an object, or None.
        kind: What it is, for messages: data, objective, module, evaluator or sampler.

    Raises:
        InvalidInput: No other process could find the object.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Path):
        return f"imagefolder:{value}" if kind == "data" else str(value)
    if not (callable(value) or hasattr(value, "__wrapped__")):
        allowed = ALLOWED.get(kind, "a callable, or its import path")
        raise InvalidInput(f"{option(kind)}: {short(value)}; allowed: {allowed}")
    return reference_to(value, kind)
