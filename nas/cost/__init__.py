"""What a network costs before it is trained: closed form first, fvcore as its reference counter."""

from __future__ import annotations

from blocks.counting import Counts
from nas.cost.closed_form import count
from nas.cost.fvcore_counter import FvcoreCounter, ReferenceCounterError, fvcore_count
from nas.cost.fvcore_trace import FvcoreCount
from nas.cost.latency import LatencyTable, load_table
from nas.cost.measures import COSTS, LATENCY, Budgets, Cost, Violation, costs_on
from nas.cost.peak_memory import peak_activation_bytes

__all__ = [
    "COSTS",
    "LATENCY",
    "Budgets",
    "Cost",
    "Counts",
    "FvcoreCount",
    "FvcoreCounter",
    "LatencyTable",
    "ReferenceCounterError",
    "Violation",
    "costs_on",
    "count",
    "fvcore_count",
    "load_table",
    "peak_activation_bytes",
]
