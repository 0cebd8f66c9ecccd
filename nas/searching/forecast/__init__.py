"""What a network will come to before its training has ended or begun, and what that is worth."""

from __future__ import annotations

from nas.searching.forecast.candidate_ranker import CandidateRanker, ScoredCandidate
from nas.searching.forecast.evolving_ranker import EvolvingRanker

__all__ = ["CandidateRanker", "EvolvingRanker", "ScoredCandidate"]
