"""Who says how good a network is: trainings by an executor, or a simulation."""

from __future__ import annotations

from nas.searching.evaluators.base import Evaluator, Finished
from nas.searching.evaluators.simulate import Simulation, curves_of

__all__ = ["Evaluator", "Finished", "Simulation", "curves_of"]
