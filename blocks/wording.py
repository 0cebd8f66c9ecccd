"""How messages print values and counts."""

from __future__ import annotations

import math
import reprlib
from typing import Any

from blocks.errors import InvalidInput

# With aliases a value of a few lines of YAML may take gigabytes to print.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlevel = 3


def short(value: object) -> str:
    """The value as Python writes it, on one line of at most 80 characters."""
    return " ".join(_SHORT.repr(value).split())[:80]


def plural(count: int, thing: str) -> str:
    """A count with its noun: ``1 trial``, ``1,200 trials``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def kind_of(value: object) -> str:
    """The type of a value with its article: ``a list``, ``an int``, ``an ndarray``."""
    name = type(value).__name__
    spoken = name.lower().startswith((*"aeiou", "nd"))
    return f"{'an' if spoken else 'a'} {name}"


def number(value: float) -> str:
    """A figure in at most six digits: ``0.25``, ``NaN``, ``-inf``."""
    return "NaN" if math.isnan(value) else f"{value:g}"


def check_not_empty(name: str, value: Any) -> None:
    """Raise InvalidInput when an argument is an empty text; it may be of any other type.

    Args:
        name: Of the argument.
        value: As it was given.
    """
    if isinstance(value, str) and not value.strip():
        raise InvalidInput(f"{name}: empty; give a value, or leave it out")


def check_type(name: str, value: Any, kinds: type | tuple[type, ...], allowed: str) -> None:
    """Raise InvalidInput when an argument is of another type.

    A truth value is no number.

    Args:
        name: Of the argument.
        value: As it was given.
        kinds: The types that it may have.
        allowed: They in words.
    """
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise InvalidInput(f"{name}: {short(value)}; allowed: {allowed}")
