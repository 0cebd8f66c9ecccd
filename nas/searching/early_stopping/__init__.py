"""Early stopping: trainings pause at rungs, and a rule says which of them continue.

A new rule is one file and one line in ``nas.searching.strategy``.
"""

from __future__ import annotations

from nas.searching.early_stopping.rule import Rule, SuccessiveHalving
from nas.searching.early_stopping.snapshot import TrialSnapshot, rungs_of

__all__ = ["Rule", "SuccessiveHalving", "TrialSnapshot", "rungs_of"]
