"""What a network costs before it is trained: closed form first, fvcore as its reference_counter."""

from __future__ import annotations

from blocks.counting import Counts
from nas.cost.closed_form import count
from nas.cost.fvcore_counter import FvcoreCounter, ReferenceCounterError, fvcore_count
from nas.cost.fvcore_trace import FvcoreCount
from nas.cost.latency import LatencyTable, load_table
from nas.cost.measures import COSTS, LATENCY, Budgets, Violation, costs_on, limits_of
from nas.cost.objectives import Cost, Objective, OwnObjective, objective, own_objectives
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
    "Objective",
    "OwnObjective",
    "ReferenceCounterError",
    "Violation",
    "costs_on",
    "count",
    "fvcore_count",
    "limits_of",
    "load_table",
    "objective",
    "own_objectives",
    "peak_activation_bytes",
]
