"""What a network costs before it is trained: closed form first, fvcore as its reference counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from blocks.counting import Counts as Counts
    from nas.cost.closed_form import count as count
    from nas.cost.fvcore_counter import FvcoreCounter as FvcoreCounter
    from nas.cost.fvcore_counter import ReferenceCounterError as ReferenceCounterError
    from nas.cost.fvcore_counter import fvcore_count as fvcore_count
    from nas.cost.fvcore_trace import FvcoreCount as FvcoreCount
    from nas.cost.latency import LatencyTable as LatencyTable
    from nas.cost.latency import load_table as load_table
    from nas.cost.measures import COSTS as COSTS
    from nas.cost.measures import LATENCY as LATENCY
    from nas.cost.measures import NPU as NPU
    from nas.cost.measures import ONLY_WITH_NPU as ONLY_WITH_NPU
    from nas.cost.measures import Budgets as Budgets
    from nas.cost.measures import Violation as Violation
    from nas.cost.measures import costs_on as costs_on
    from nas.cost.measures import limits_of as limits_of
    from nas.cost.microcontroller.vela import DeviceClass as DeviceClass
    from nas.cost.objectives import Cost as Cost
    from nas.cost.objectives import Objective as Objective
    from nas.cost.objectives import OwnObjective as OwnObjective
    from nas.cost.objectives import objective as objective
    from nas.cost.objectives import own_objectives as own_objectives
    from nas.cost.peak_memory import peak_activation_bytes as peak_activation_bytes

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "blocks.counting": ["Counts"],
        "nas.cost.closed_form": ["count"],
        "nas.cost.fvcore_counter": ["FvcoreCounter", "ReferenceCounterError", "fvcore_count"],
        "nas.cost.fvcore_trace": ["FvcoreCount"],
        "nas.cost.latency": ["LatencyTable", "load_table"],
        "nas.cost.measures": [
            "COSTS",
            "LATENCY",
            "NPU",
            "ONLY_WITH_NPU",
            "Budgets",
            "Violation",
            "costs_on",
            "limits_of",
        ],
        "nas.cost.microcontroller.vela": ["DeviceClass"],
        "nas.cost.objectives": ["Cost", "Objective", "OwnObjective", "objective", "own_objectives"],
        "nas.cost.peak_memory": ["peak_activation_bytes"],
    },
)
