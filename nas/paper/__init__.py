"""The papers' tables: the printed figures and our counts."""

from __future__ import annotations

from nas.paper.comparison import Comparison, Figures, Status, compare
from nas.paper.networks import NETWORKS, Network
from nas.paper.published import TITLES, PublishedRow, check_table, read_published

__all__ = [
    "NETWORKS",
    "TITLES",
    "Comparison",
    "Figures",
    "Network",
    "PublishedRow",
    "Status",
    "check_table",
    "compare",
    "read_published",
]
