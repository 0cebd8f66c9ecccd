"""Formats objectives for people: names, units and digits."""

from __future__ import annotations

from nas.runs import ERROR
from nas.training.recipe import METRICS, Metric, metric_factor, metric_text, metric_unit

_LABELS = {
    "mflops": "multiply-adds (M)",
    "params": "parameters",
    "activations": "activations",
    "latency_ms": "latency (ms)",
    "npu_ms": "Ethos-U (ms, estimated)",
    "sram_kb": "SRAM (KiB)",
    "flash_kb": "flash memory (KiB)",
}


def label(objective: str, unit: str = "", metric: Metric = "error") -> str:
    """The name of an objective with its unit, for axes and columns.

    Args:
        objective: Its name.
        unit: Of an objective of the user's; those of the program have their own.
        metric: What the error of the search is.
    """
    if objective == ERROR:
        return f"validation {METRICS[metric]} ({metric_unit(metric)})"
    return _LABELS.get(objective, f"{objective} ({unit})" if unit else objective)


def shown_error(value: float, metric: Metric) -> float:
    """An error in the unit of ``label``."""
    return metric_factor(metric) * value


def digits(objective: str, value: float, metric: Metric = "error") -> str:
    """The value in the unit of ``label``, as text."""
    if objective == ERROR:
        return metric_text(metric, value).partition(" ")[0]
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
