"""The Pareto front of a run: which trials are on it, what it is worth, and which one to take."""

from __future__ import annotations

from nas.front.front import Front, FrontPoint, hypervolume, make_front
from nas.front.pick import pick_knee, pick_within

__all__ = ["Front", "FrontPoint", "hypervolume", "make_front", "pick_knee", "pick_within"]
