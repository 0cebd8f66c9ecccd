"""The predicted latency of networks on a device that was measured once: a sum over their blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.cost.latency.blocks import Block as Block
    from nas.cost.latency.blocks import blocks_of as blocks_of
    from nas.cost.latency.blocks import plain_of as plain_of
    from nas.cost.latency.calibrate import make_table as make_table
    from nas.cost.latency.measurements import Measurements as Measurements
    from nas.cost.latency.measurements import read_measurements as read_measurements
    from nas.cost.latency.table import Fit as Fit
    from nas.cost.latency.table import LatencyTable as LatencyTable
    from nas.cost.latency.table import load_table as load_table

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.cost.latency.blocks": ["Block", "blocks_of", "plain_of"],
        "nas.cost.latency.calibrate": ["make_table"],
        "nas.cost.latency.measurements": ["Measurements", "read_measurements"],
        "nas.cost.latency.table": ["Fit", "LatencyTable", "load_table"],
    },
)
