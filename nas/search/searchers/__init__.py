"""Who says which network of the candidates to begin next, where it is not one of Optuna's samplers."""

from __future__ import annotations

from nas.search.searchers.density import DensitySearcher
from nas.search.searchers.forecast import ForecastSearcher
from nas.search.searchers.searcher import Searcher
from nas.search.searchers.shuffled import ShuffledSearcher

__all__ = [
    "DensitySearcher",
    "ForecastSearcher",
    "Searcher",
    "ShuffledSearcher",
]
