"""The Pareto front of a run: which trials are on it, what it is worth, and which one to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.front.budgets import DOZEN as DOZEN
    from nas.front.budgets import Found as Found
    from nas.front.budgets import log_budgets as log_budgets
    from nas.front.budgets import points_lost as points_lost
    from nas.front.dominance import non_dominated as non_dominated
    from nas.front.front import BestWithin as BestWithin
    from nas.front.front import Front as Front
    from nas.front.front import FrontPoint as FrontPoint
    from nas.front.front import hypervolume as hypervolume
    from nas.front.front import make_front as make_front
    from nas.front.pick import pick_knee as pick_knee
    from nas.front.pick import pick_within as pick_within
    from nas.front.pick import points_within as points_within
    from nas.front.recall import recall_hypervolume as recall_hypervolume

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.front.budgets": ["DOZEN", "Found", "log_budgets", "points_lost"],
        "nas.front.dominance": ["non_dominated"],
        "nas.front.front": ["BestWithin", "Front", "FrontPoint", "hypervolume", "make_front"],
        "nas.front.pick": ["pick_knee", "pick_within", "points_within"],
        "nas.front.recall": ["recall_hypervolume"],
    },
)
