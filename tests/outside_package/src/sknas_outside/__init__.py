"""One plug-in of each kind: ``sknas_outside:stripes``, ``:depth``, and so on."""

from __future__ import annotations

from sknas_outside.data import stripes
from sknas_outside.evaluator import evaluate
from sknas_outside.module import Focal
from sknas_outside.objective import depth
from sknas_outside.sampler import sampler

__all__ = ["Focal", "depth", "evaluate", "sampler", "stripes"]
