"""Who says which network of the candidates to begin next, where it is not one of Optuna's samplers."""

from __future__ import annotations

from nas.search.dealers.dealer import Dealer
from nas.search.dealers.density import DensityDealer
from nas.search.dealers.forecast import ForecastDealer
from nas.search.dealers.shuffled import ShuffledDealer
from nas.search.dealers.warm_start import WarmStartDealer

__all__ = ["Dealer", "DensityDealer", "ForecastDealer", "ShuffledDealer", "WarmStartDealer"]
