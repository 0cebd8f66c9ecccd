"""Who says which network of the candidates to begin next, where it is not one of Optuna's samplers."""

from __future__ import annotations

from nas.searching.searchers.density import DensitySearcher
from nas.searching.searchers.forecast import ForecastSearcher
from nas.searching.searchers.searcher import Searcher
from nas.searching.searchers.shuffled import ShuffledSearcher

__all__ = [
    "DensitySearcher",
    "ForecastSearcher",
    "Searcher",
    "ShuffledSearcher",
]
