"""Formats objectives for people: names, units and digits."""

from __future__ import annotations

from nas.runs import ERROR

_LABELS = {
    ERROR: "validation error (%)",
    "mflops": "multiply-adds (M)",
    "params": "parameters",
    "activations": "activations",
    "latency_ms": "latency (ms)",
}


def label(objective: str, unit: str = "") -> str:
    """The name of an objective with its unit, for axes and columns.

    Args:
        objective: Its name.
        unit: Of an objective of the user's; those of the program have their own.
    """
    return _LABELS.get(objective, f"{objective} ({unit})" if unit else objective)


def shown(objective: str, value: float) -> float:
    """The value in the unit of ``label``."""
    return 100 * value if objective == ERROR else value


def digits(objective: str, value: float) -> str:
    """The value in the unit of ``label``, as text."""
    if objective == ERROR:
        return f"{shown(objective, value):.2f}"
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
