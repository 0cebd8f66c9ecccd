"""Zero-cost scores: what an untrained network shows, in a second, of the error it will come to.

A new score is one file and one line here. What they are worth: docs/results/zero_cost.
"""

from __future__ import annotations

from nas.search.zero_cost.naswot import naswot
from nas.search.zero_cost.score import SCORES, score_networks
from nas.search.zero_cost.synflow import synflow

SCORES.register("naswot", naswot)
SCORES.register("synflow", synflow)

__all__ = ["SCORES", "naswot", "score_networks", "synflow"]
