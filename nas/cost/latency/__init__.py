"""The latency of networks on a device that was measured once: a sum over their blocks."""

from __future__ import annotations

from nas.cost.latency.answer import Answer, read_answer
from nas.cost.latency.calibrate import make_table
from nas.cost.latency.pieces import Block, blocks_of, plain_of
from nas.cost.latency.table import DEVICES, Fit, LatencyTable, load_table

__all__ = [
    "DEVICES",
    "Answer",
    "Block",
    "Fit",
    "LatencyTable",
    "blocks_of",
    "load_table",
    "make_table",
    "plain_of",
    "read_answer",
]
