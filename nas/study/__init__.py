"""What a search stores of its trials, and Optuna, which stores it."""

from __future__ import annotations

from nas.study.optuna_adapter import (
    StudyWriter,
    best_subset,
    dominated_volume,
    pareto_layers,
    pareto_mask,
    proposed_trials,
    quiet,
    read_records,
    record_of,
)

__all__ = [
    "StudyWriter",
    "best_subset",
    "dominated_volume",
    "pareto_layers",
    "pareto_mask",
    "proposed_trials",
    "quiet",
    "read_records",
    "record_of",
]
