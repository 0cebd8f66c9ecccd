"""Checks that the units share; each error is one line."""

from __future__ import annotations

from collections.abc import Sequence

from blocks.errors import InvalidInput


def check_positive(**figures: int) -> None:
    """Raise InvalidInput for the first of ``figures`` that is below 1."""
    for name, value in figures.items():
        if value < 1:
            raise InvalidInput(f"{name}: {value} is below 1")


def check_choice(kind: str, field: str, value: object, allowed: Sequence[str]) -> None:
    """Raise InvalidInput when ``kind`` does not allow ``value`` for ``field``."""
    if value not in allowed:
        raise InvalidInput(f"{field}: {value}; {kind} allows {', '.join(allowed)}")
