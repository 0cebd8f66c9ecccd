"""A sampler: Optuna's, with a setting of one's own."""

from __future__ import annotations

from optuna.samplers import BaseSampler, TPESampler


def sampler(seed: int) -> BaseSampler:
    """TPE that begins with three random networks."""
    return TPESampler(seed=seed, n_startup_trials=3)
