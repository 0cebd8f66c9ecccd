"""Early stopping: trainings pause at rungs, and a rule says which of them go on.

A new rule is one file and one line in ``nas.search.strategy``.
"""

from __future__ import annotations

from nas.search.early_stopping.contender import Contender, rungs_of
from nas.search.early_stopping.rule import Rule, SuccessiveHalving

__all__ = ["Contender", "Rule", "SuccessiveHalving", "rungs_of"]
