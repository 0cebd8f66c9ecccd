"""The papers' tables: the printed figures and our counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.paper.comparison import Comparison as Comparison
    from nas.paper.comparison import Figures as Figures
    from nas.paper.comparison import Status as Status
    from nas.paper.comparison import compare as compare
    from nas.paper.networks import NETWORKS as NETWORKS
    from nas.paper.networks import Network as Network
    from nas.paper.published import TITLES as TITLES
    from nas.paper.published import PublishedRow as PublishedRow
    from nas.paper.published import check_table as check_table
    from nas.paper.published import read_published as read_published

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.paper.comparison": ["Comparison", "Figures", "Status", "compare"],
        "nas.paper.networks": ["NETWORKS", "Network"],
        "nas.paper.published": ["TITLES", "PublishedRow", "check_table", "read_published"],
    },
)
