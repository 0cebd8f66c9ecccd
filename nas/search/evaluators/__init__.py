"""Who says how good a network is: trainings by an executor, or a simulation."""

from __future__ import annotations

from nas.search.evaluators.base import Evaluator, Finished
from nas.search.evaluators.simulate import Simulation, curves_of

__all__ = ["Evaluator", "Finished", "Simulation", "curves_of"]
