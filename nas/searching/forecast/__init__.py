"""What a network will come to before its training has ended or begun, and what that is worth."""

from __future__ import annotations

from typing import TypeAlias

from nas.searching.forecast.candidate_ranker import CandidateRanker, ScoredCandidate
from nas.searching.forecast.evolving_ranker import EvolvingRanker

Ranker: TypeAlias = CandidateRanker | EvolvingRanker
"""Of all networks of a space, or of those that evolution finds in a vast one."""

__all__ = ["CandidateRanker", "EvolvingRanker", "Ranker", "ScoredCandidate"]
