"""The latency of networks on a device that was measured once: a sum over their blocks."""

from __future__ import annotations

from nas.cost.latency.blocks import Block, blocks_of, plain_of
from nas.cost.latency.calibrate import make_table
from nas.cost.latency.measurements import Measurements, read_measurements
from nas.cost.latency.table import Fit, LatencyTable, load_table

__all__ = [
    "Block",
    "Fit",
    "LatencyTable",
    "Measurements",
    "blocks_of",
    "load_table",
    "make_table",
    "plain_of",
    "read_measurements",
]
